// Package git reads a range of history from a repository on this machine, by
// running the git binary.
//
// It leaves to change what the history means. Its invariant: a repository is
// foreign, so nothing that it configures is executed, nothing is fetched and
// nothing is written to it; and commits, files and lines are what git itself
// counts with its default settings, from the objects alone.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// Bounds of one inspection.
const (
	DefaultLimit = 100_000         // commits
	TimeLimit    = 2 * time.Minute // all of it
	maxFiles     = 64 << 20        // bytes of a list: of files, of a clone's cuts, of who lends it objects
)

// Options say what to read. From is left out (or is the empty tree) for a
// first version: then everything reachable from To counts.
type Options struct {
	Repository string   // a directory: bare or ordinary, or one within it
	From, To   string   // any name of a commit; To is HEAD where it is left out
	Limit      int      // commits at most; 0 is DefaultLimit
	Keys       *Keys    // that signatures are held against; nil: they are not
	Within     []string // directories in which the repository's objects must lie; none is anywhere
}

// Inspect reads the commits reachable from To and not from From, and the
// difference between their trees. Faults: NotFound for a directory that is no
// repository or a name that it does not know; TooLarge for more commits than
// the limit; Unavailable where git is not installed.
func Inspect(ctx context.Context, o Options) (raw change.Raw, err error) {
	ctx, cancel := context.WithTimeout(ctx, TimeLimit)
	defer cancel()
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.To == "" {
		o.To = "HEAD"
	}
	r, err := enter(ctx, o)
	if err != nil {
		return change.Raw{}, err
	}
	defer func() { err = errors.Join(err, r.leave()) }()
	raw = change.Raw{Repository: o.Repository, FromRef: o.From, ToRef: o.To, Checked: o.Keys != nil}
	for _, step := range []func() error{
		func() error { return r.ends(ctx, o, &raw) },
		func() error { return r.history(ctx, o, &raw) },
		func() error { return r.files(ctx, &raw) },
	} {
		if err := step(); err != nil {
			return change.Raw{}, err
		}
	}
	return raw, nil
}

// ends resolves both names into raw.
func (r *room) ends(ctx context.Context, o Options, raw *change.Raw) error {
	none, err := r.emptyTree(ctx)
	if err != nil {
		return err
	}
	if raw.To, err = r.source.resolve(ctx, o.To, "to", raw); err != nil {
		return err
	}
	if o.From == "" || o.From == none {
		raw.Notes = append(raw.Notes, "there is no version before: everything that the version contains counts")
		return nil
	}
	if raw.From, err = r.source.resolve(ctx, o.From, "from", raw); err != nil {
		return err
	}
	return r.ancestry(ctx, raw)
}

// emptyTree is the id of the tree that holds nothing; git knows it without an object.
func (r *room) emptyTree(ctx context.Context) (string, error) {
	return r.line(ctx, "hash-object", "-t", "tree", "--stdin")
}

func (r *room) ancestry(ctx context.Context, raw *change.Raw) error {
	_, err := r.line(ctx, "merge-base", "--is-ancestor", raw.From, raw.To)
	if f, ok := errors.AsType[*failure](err); ok && f.code == 1 {
		is := "is not"
		if len(r.source.cuts) > 0 {
			is = "is, as far as the history is known, not"
		}
		raw.Notes = append(raw.Notes, fmt.Sprintf("%s %s an ancestor of %s: commits only in the former are taken away", raw.FromRef, is, raw.ToRef))
		return nil
	}
	return unreadable(err)
}

// history lists the commits, then reads them in one go.
func (r *room) history(ctx context.Context, o Options, raw *change.Raw) error {
	limit := o.Limit
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
	if raw.Commits, err = r.commits(ctx, ids, n, o.Keys); err != nil {
		return unreadable(err)
	}
	return r.shallow(ctx, raw)
}

// unreadable turns a failure of git on names that it had resolved into the
// caller's: objects are missing or damaged.
func unreadable(err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	return fault.Invalidf("git.unreadable", "the repository cannot be read").Because(said(f.text)).
		On("repo").Remedy("run git fsck there; a partial clone needs all of its objects").Cause(err)
}

// said is what git said, on one line.
func said(text string) string {
	text = strings.TrimPrefix(strings.Join(strings.Fields(text), " "), "fatal: ")
	return strings.ToValidUTF8(cut(text, 300), "")
}
