package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/change"
)

// attributes makes git compare files under the attributes that the later of the
// two trees holds, whatever is checked out: it lays the tree's .gitattributes,
// and nothing else, into the room's index. So a bare repository and every clone
// give the same counts.
func (r *room) attributes(ctx context.Context, none, to string) error {
	out, err := r.output(ctx, maxFiles, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", "--end-of-options", none, to, "--", ":(top,glob)**/.gitattributes")
	if err != nil {
		return unreadable(err)
	}
	entries, ids, err := parseAttributes(out)
	if err != nil || len(ids) == 0 {
		return err
	}
	// An attributes file that is missing would be taken for none.
	if out, err = r.answer(ctx, []byte(strings.Join(ids, "\n")+"\n"), "cat-file", "--batch-check=%(objecttype)"); err != nil {
		return unreadable(err)
	}
	for line := range bytes.Lines(out) {
		if kind := strings.TrimSpace(string(line)); kind != "blob" {
			return missing(kind)
		}
	}
	_, err = r.answer(ctx, entries, "update-index", "-z", "--index-info")
	return unreadable(err)
}

var errRaw = errors.New("git diff-tree --raw -z: not the form that is known")

// parseAttributes reads records ":mode mode id id status NUL path NUL" and
// writes them as update-index --index-info reads them. Links are left out, as
// git does, and so are paths that no index takes.
func parseAttributes(b []byte) (entries []byte, ids []string, err error) {
	for len(b) > 0 {
		record, rest, ok := bytes.Cut(b, []byte{0})
		path, rest, also := bytes.Cut(rest, []byte{0})
		f := strings.Fields(string(record))
		if !ok || !also || len(f) != 5 || !strings.HasPrefix(f[0], ":") || !isID(f[3]) || len(path) == 0 {
			return nil, nil, errRaw
		}
		b = rest
		if f[1] != "100644" && f[1] != "100755" || !indexable(string(path)) {
			continue
		}
		ids = append(ids, f[3])
		entries = fmt.Appendf(entries, "%s %s\t%s\x00", f[1], f[3], path)
	}
	return entries, ids, nil
}

func indexable(path string) bool {
	return !slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git")
	})
}

// told adds a note where files count as binary because attributes say so: their
// lines are there and are not counted.
func (r *room) told(ctx context.Context, raw *change.Raw, paths [][]byte) error {
	if len(paths) == 0 {
		return nil
	}
	out, err := r.answer(ctx, append(bytes.Join(paths, []byte{0}), 0), "check-attr", "-z", "--stdin", "diff")
	if err != nil {
		return unreadable(err)
	}
	f := bytes.Split(out, []byte{0})
	unset := 0
	for i := 2; i < len(f); i += 3 { // path, attribute, value
		if string(f[i]) == "unset" {
			unset++
		}
	}
	if unset > 0 {
		raw.Notes = append(raw.Notes, fmt.Sprintf("attributes of the repository have %s count as binary: lines there are not counted", amount(unset, "path")))
	}
	return nil
}

func amount(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
