package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

const maxRef = 1024 // bytes of a name

// resolve is the id of the commit that a name stands for.
func (s source) resolve(ctx context.Context, name, field string, raw *change.Raw) (string, error) {
	if name == "" || strings.ContainsAny(name[:1], "-^") || len(name) > maxRef || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fault.Invalidf("git.bad-ref", "%q cannot name a commit", name[:min(len(name), 100)]).On(field).
			Remedy("a branch or tag whose name begins with a hyphen is refs/heads/… or refs/tags/… in full")
	}
	asked := name + "^{commit}"
	if strings.HasPrefix(name, ":/") { // the rest is what a message says, whatever it is
		asked = name
	}
	id, err := s.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
	if _, ok := errors.AsType[*failure](err); ok || err == nil && !isID(id) {
		return "", s.unknown(ctx, name, field)
	}
	if err != nil {
		return "", err
	}
	return id, s.ambiguous(ctx, name, raw)
}

// ambiguous notes where a name is that of a tag and of a branch: git takes the tag.
func (s source) ambiguous(ctx context.Context, name string, raw *change.Raw) error {
	for _, kind := range []string{"refs/tags/", "refs/heads/"} {
		_, err := s.line(ctx, "show-ref", "--verify", "--quiet", "--", kind+name)
		if _, none := errors.AsType[*failure](err); none {
			return nil
		}
		if err != nil {
			return err
		}
	}
	raw.Notes = append(raw.Notes, fmt.Sprintf("%s is a tag and also a branch: the tag is meant, as git takes it", name))
	return nil
}

func (s source) unknown(ctx context.Context, name, field string) error {
	out, err := s.output(ctx, 4<<20, "for-each-ref", "--count=20000", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes")
	if err != nil {
		return unreadable(err)
	}
	refs := strings.Fields(string(out))
	if len(refs) == 0 && name == "HEAD" {
		return fault.New(fault.NotFound, "git.no-commits", "the repository has no commits yet").On(field)
	}
	f := fault.New(fault.NotFound, "git.unknown-ref", fmt.Sprintf("the repository knows no commit %q", name)).On(field)
	switch {
	case len(s.cuts) > 0:
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
