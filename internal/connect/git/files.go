package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/change"
)

// files is the difference between two trees as git diff --numstat counts it:
// default algorithm and limits, renames found at half likeness.
func (r *room) files(ctx context.Context, raw *change.Raw) error {
	none, err := r.emptyTree(ctx)
	if err != nil {
		return err
	}
	if err := r.attributes(ctx, none, raw.To); err != nil {
		return err
	}
	from := cmp.Or(raw.From, none)
	out, err := r.output(ctx, maxFiles, "diff-tree", "-r", "-z", "--numstat", "-M", "--diff-algorithm=myers",
		"--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--ignore-submodules=none", "--end-of-options", from, raw.To)
	if err != nil {
		return unreadable(err)
	}
	files, binary, err := parseNumstat(out)
	if err != nil {
		return err
	}
	raw.Files = files
	return r.told(ctx, raw, binary)
}

var errNumstat = errors.New("git diff-tree --numstat -z: not the form that is known")

// parseNumstat reads records "added TAB deleted TAB path NUL", where a rename
// has no path but is followed by "old NUL new NUL", and a binary file has "-"
// for both counts. The paths of binary files are returned as git has them.
func parseNumstat(b []byte) (out []change.File, binary [][]byte, err error) {
	for len(b) > 0 {
		record, rest, ok := bytes.Cut(b, []byte{0})
		f := bytes.SplitN(record, []byte("\t"), 3)
		if !ok || len(f) != 3 {
			return nil, nil, errNumstat
		}
		var file change.File
		if err := setCounts(&file, string(f[0]), string(f[1])); err != nil {
			return nil, nil, err
		}
		file.Path = pathText(f[2])
		names := f[2:]
		if len(f[2]) == 0 {
			two := bytes.SplitN(rest, []byte{0}, 3)
			if len(two) != 3 || len(two[0]) == 0 || len(two[1]) == 0 {
				return nil, nil, errNumstat
			}
			names = two[:2]
			file.OldPath, file.Path, rest = pathText(two[0]), pathText(two[1]), two[2]
		}
		if file.Binary {
			binary = append(binary, names...)
		}
		out, b = append(out, file), rest
	}
	return out, binary, nil
}

func setCounts(f *change.File, added, deleted string) error {
	if added == "-" && deleted == "-" {
		f.Binary = true
		return nil
	}
	a, errA := strconv.ParseUint(added, 10, 31)
	d, errD := strconv.ParseUint(deleted, 10, 31)
	if errA != nil || errD != nil {
		return fmt.Errorf("%w: counts %q and %q", errNumstat, added, deleted)
	}
	f.Added, f.Deleted = int(a), int(d)
	return nil
}

// pathText is a path as text; one that is not UTF-8 is quoted, so that two paths never become one.
func pathText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strconv.Quote(string(b))
}
