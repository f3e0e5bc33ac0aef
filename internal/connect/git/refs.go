package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"signalbox.dev/signalbox/internal/fault"
)

const maxRef = 1024 // bytes of a name

// resolve is the id of the commit that a name stands for.
func (r repository) resolve(ctx context.Context, name, field string) (string, error) {
	if strings.HasPrefix(name, "-") || len(name) > maxRef || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fault.Invalidf("git.bad-ref", "%q cannot name a commit", name[:min(len(name), 100)]).On(field)
	}
	id, err := r.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if _, ok := errors.AsType[*failure](err); ok {
		return "", r.unknown(ctx, name, field)
	}
	if err != nil {
		return "", err
	}
	return id, nil
}

func (r repository) unknown(ctx context.Context, name, field string) error {
	out, err := r.output(ctx, 4<<20, "for-each-ref", "--count=20000", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes")
	if err != nil {
		return err
	}
	refs := strings.Fields(string(out))
	if len(refs) == 0 && name == "HEAD" {
		return fault.New(fault.NotFound, "git.no-commits", "the repository has no commits yet").On(field)
	}
	f := fault.New(fault.NotFound, "git.unknown-ref", fmt.Sprintf("the repository knows no commit %q", name)).On(field)
	switch cut, err := r.cuts(ctx); {
	case err != nil:
		return err
	case len(cut) > 0:
		f = f.Because("the clone is shallow, so it may lie beyond what was fetched").Remedy("fetch the whole history: git fetch --unshallow --tags")
	case len(refs) == 0:
		f = f.Because("it has no branches and no tags").Remedy("fetch them: git fetch --tags")
	default:
		f = f.Remedy("nearest: " + strings.Join(nearest(refs, name), ", "))
	}
	return f
}

// nearest are the three refs that differ least from name.
func nearest(refs []string, name string) []string {
	type near struct {
		ref      string
		distance int
	}
	list := make([]near, len(refs))
	for i, ref := range refs {
		list[i] = near{ref, distance(ref, name)}
	}
	slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, n := range list[:min(3, len(list))] {
		out = append(out, n.ref)
	}
	return out
}

// distance is how many bytes must be put in, taken out or replaced to make b
// of a, looking at the first 100 of each.
func distance(a, b string) int {
	a, b = a[:min(len(a), 100)], b[:min(len(b), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
