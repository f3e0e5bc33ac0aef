package git

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// minus is the commits reachable from to and not from from.
func (g graph) minus(from, to string) map[string]bool {
	all := g.reach(to)
	for id := range g.reach(from) {
		delete(all, id)
	}
	return all
}

// Whatever is cut off: a range that is called exact is the one of the whole history.
func TestExactIsExact(t *testing.T) {
	exact, inexact := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		whole := graph{}
		name := func(i int) string { return fmt.Sprint("c", i) }
		n := rapid.IntRange(2, 9).Draw(t, "commits")
		for i := range n {
			whole[name(i)] = nil
			for p := range i {
				if rapid.IntRange(0, 2).Draw(t, "parent") == 0 {
					whole[name(i)] = append(whole[name(i)], name(p))
				}
			}
		}
		from, to := name(rapid.IntRange(0, n-1).Draw(t, "from")), name(rapid.IntRange(0, n-1).Draw(t, "to"))
		if rapid.IntRange(0, 4).Draw(t, "first") == 0 {
			from = ""
		}
		known, cuts := maps.Clone(whole), map[string]bool{}
		for i := range n {
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 && len(whole[name(i)]) > 0 {
				known[name(i)], cuts[name(i)] = nil, true
			}
		}
		if !known.exact(cuts, from, to) {
			inexact++
			return
		}
		exact++
		if got, want := known.minus(from, to), whole.minus(from, to); !maps.Equal(got, want) {
			t.Fatalf("%v cut at %v: %s..%s is called exact, and is %v instead of %v", whole, cuts, from, to, got, want)
		}
	})
	if exact == 0 || inexact == 0 {
		t.Errorf("%d exact, %d not: one of them was never tried", exact, inexact)
	}
}

func TestExactWhereItIs(t *testing.T) {
	g := graph{"c5": {"c4"}, "c4": {"c3"}, "c3": nil, "side": nil, "merge": {"c4", "side"}}
	cuts := map[string]bool{"c3": true}
	for _, c := range []struct {
		from, to string
		exact    bool
	}{
		{"c4", "c5", true},
		{"c3", "c5", true},
		{"", "c5", false},
		{"c4", "c4", true},
		{"c4", "merge", false}, // side may be an ancestor of what came before c3
		{"side", "merge", false},
		{"c5", "c4", true},
	} {
		if got := g.exact(cuts, c.from, c.to); got != c.exact {
			t.Errorf("%s..%s: exact %v", c.from, c.to, got)
		}
	}
}

// The side that is not walked may be cut off as well, and then a common history is not seen.
func TestShallowOnTheOtherSide(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	root := w.commit("root")
	w.git("checkout", "-q", "-b", "left")
	w.write("l.txt", "1\n")
	w.commit("left 1")
	w.write("l.txt", "2\n")
	left := w.commit("left 2")
	w.git("checkout", "-q", "-b", "right", root)
	w.write("r.txt", "1\n")
	right := w.commit("right")
	if raw := w.inspect(left, right); raw.Shallow || len(raw.Commits) != 1 {
		t.Errorf("whole: %+v", raw)
	}
	w.write(".git/shallow", left+"\n")
	raw := w.inspect(left, right)
	if !raw.Shallow || len(raw.Commits) != 2 {
		t.Errorf("the left side is cut off: shallow %v, %d commits", raw.Shallow, len(raw.Commits))
	}
}

func FuzzParseGraph(f *testing.F) {
	f.Add([]byte("c b a\nb a\na\n"), "a", "c")
	f.Fuzz(func(t *testing.T, b []byte, from, to string) {
		g := parseGraph(b)
		g.exact(map[string]bool{from: true}, from, to)
	})
}
