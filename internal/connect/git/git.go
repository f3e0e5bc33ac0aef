// Package git reads a range of history from a repository on this machine, by
// running the git binary.
//
// It leaves to change what the history means. Its invariant: a repository is
// foreign, so nothing that it configures is executed, nothing is fetched and
// nothing is written; and commits, files and lines are what git itself counts
// with its default settings.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// Bounds of one inspection.
const (
	DefaultLimit = 100_000         // commits
	TimeLimit    = 2 * time.Minute // all of it
	maxFiles     = 64 << 20        // bytes of the list of files, and of that of a clone's cuts
)

// Options say what to read. From is left out (or is the empty tree) for a
// first version: then everything reachable from To counts.
type Options struct {
	Repository string // a directory: bare or ordinary, or one within it
	From, To   string // any name of a commit; To is HEAD where it is left out
	Limit      int    // commits at most; 0 is DefaultLimit
}

// Inspect reads the commits reachable from To and not from From, and the
// difference between their trees. Faults: NotFound for a directory that is no
// repository or a name that it does not know; TooLarge for more commits than
// the limit; Unavailable where git is not installed.
func Inspect(ctx context.Context, o Options) (change.Raw, error) {
	ctx, cancel := context.WithTimeout(ctx, TimeLimit)
	defer cancel()
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.To == "" {
		o.To = "HEAD"
	}
	r, err := open(ctx, o.Repository)
	if err != nil {
		return change.Raw{}, err
	}
	raw := change.Raw{Repository: o.Repository, FromRef: o.From, ToRef: o.To}
	base, err := r.ends(ctx, o, &raw)
	if err != nil {
		return change.Raw{}, err
	}
	if err := r.history(ctx, o.Limit, &raw); err != nil {
		return change.Raw{}, err
	}
	if raw.Files, err = r.files(ctx, base, raw.To); err != nil {
		return change.Raw{}, err
	}
	return raw, nil
}

func open(ctx context.Context, dir string) (repository, error) {
	if dir == "" {
		dir = "."
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return repository{}, fmt.Errorf("repository %q: %w", dir, err)
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return repository{}, fault.New(fault.NotFound, "git.no-directory", fmt.Sprintf("there is no directory %q", dir)).On("repo").Cause(err)
	}
	r := repository{dir: abs}
	if _, err := r.line(ctx, "rev-parse", "--git-dir"); err != nil {
		if _, ok := errors.AsType[*failure](err); ok {
			return repository{}, fault.New(fault.NotFound, "git.no-repository", fmt.Sprintf("%q is not a Git repository", dir)).
				On("repo").Remedy("name the directory of a clone or of a bare repository").Cause(err)
		}
		return repository{}, err
	}
	return r, nil
}

// ends resolves both names into raw, and returns the tree or commit against
// which files are compared.
func (r repository) ends(ctx context.Context, o Options, raw *change.Raw) (string, error) {
	none, err := r.emptyTree(ctx)
	if err != nil {
		return "", err
	}
	if raw.To, err = r.resolve(ctx, o.To, "to"); err != nil {
		return "", err
	}
	if o.From == "" || o.From == none {
		raw.Notes = append(raw.Notes, "there is no version before: everything that the version contains counts")
		return none, nil
	}
	if raw.From, err = r.resolve(ctx, o.From, "from"); err != nil {
		return "", err
	}
	return raw.From, r.ancestry(ctx, raw)
}

func (r repository) emptyTree(ctx context.Context) (string, error) {
	return r.line(ctx, "hash-object", "-t", "tree", "--stdin")
}

func (r repository) ancestry(ctx context.Context, raw *change.Raw) error {
	_, err := r.line(ctx, "merge-base", "--is-ancestor", raw.From, raw.To)
	if f, ok := errors.AsType[*failure](err); ok && f.code == 1 {
		raw.Notes = append(raw.Notes, fmt.Sprintf("%s is not an ancestor of %s: commits only in the former are taken away", raw.FromRef, raw.ToRef))
		return nil
	}
	return unreadable(err)
}

// history lists the commits, then reads them in one go.
func (r repository) history(ctx context.Context, limit int, raw *change.Raw) error {
	args := []string{"rev-list", fmt.Sprintf("--max-count=%d", limit+1), raw.To}
	if raw.From != "" {
		args = append(args, "^"+raw.From)
	}
	ids, err := r.output(ctx, int64(limit+2)*65, args...)
	if err != nil {
		return unreadable(err)
	}
	n := bytes.Count(ids, []byte("\n"))
	if n > limit {
		return fault.New(fault.TooLarge, "git.too-many-commits", fmt.Sprintf("more than %d commits lie between the two versions", limit)).
			On("from").Remedy("name a version nearer to this one")
	}
	if raw.Commits, err = r.commits(ctx, ids, n); err != nil {
		return unreadable(err)
	}
	return r.shallow(ctx, raw)
}

// shallow says whether the walk met a commit whose parents were not fetched.
// Where it met none, every path ended at From and the range is whole.
func (r repository) shallow(ctx context.Context, raw *change.Raw) error {
	cut, err := r.cuts(ctx)
	if err != nil || len(cut) == 0 {
		return err
	}
	for _, c := range raw.Commits {
		if cut[c.ID] {
			raw.Shallow = true
			raw.Notes = append(raw.Notes, "the clone is shallow and the history of this range is cut off: commits, people and ancestry beyond the cut are not known")
			return nil
		}
	}
	raw.Notes = append(raw.Notes, "the clone is shallow, but this range lies within what was fetched")
	return nil
}

// cuts are the commits at which a shallow clone ends.
func (r repository) cuts(ctx context.Context) (map[string]bool, error) {
	path, err := r.line(ctx, "rev-parse", "--git-path", "shallow")
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the list of cuts of a shallow clone: %w", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFiles))
	if err != nil {
		return nil, fmt.Errorf("read the list of cuts of a shallow clone: %w", err)
	}
	cut := map[string]bool{}
	for _, id := range strings.Fields(string(b)) {
		cut[id] = true
	}
	return cut, nil
}

// unreadable turns a failure of git on names that it had resolved into the
// caller's: objects are missing or damaged.
func unreadable(err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	return fault.Invalidf("git.unreadable", "the repository cannot be read").Because(firstLine(f.text)).
		On("repo").Remedy("run git fsck there; a partial clone needs all of its objects").Cause(err)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimPrefix(s, "fatal: ")
}
