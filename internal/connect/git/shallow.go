package git

import (
	"bytes"
	"context"
	"strings"

	"signalbox.dev/signalbox/internal/change"
)

// Bounds of looking a shallow clone over: commits, and steps of the walks.
const (
	maxGraph = 1 << 20
	maxSteps = 1 << 26
)

// shallow says whether the commits that were listed are the ones there are,
// though the clone does not hold the whole history.
func (r *room) shallow(ctx context.Context, raw *change.Raw) error {
	if len(r.source.cuts) == 0 {
		return nil
	}
	args := []string{"rev-list", "--parents", "--max-count=1048577", raw.To}
	if raw.From != "" {
		args = append(args, raw.From)
	}
	out, err := r.output(ctx, maxGraph*260, args...)
	if err != nil {
		return unreadable(err)
	}
	if g := parseGraph(out); len(g) <= maxGraph && g.exact(r.source.cuts, raw.From, raw.To) {
		raw.Notes = append(raw.Notes, "the clone is shallow, but this range lies within what was fetched")
		return nil
	}
	raw.Shallow = true
	raw.Notes = append(raw.Notes, "the clone is shallow and the history of this range is cut off: commits, people and ancestry beyond the cut are not known")
	return nil
}

// graph is what is known of a history: the parents of each commit. Those of a
// commit at which it is cut off are not known and stand as none.
type graph map[string][]string

// parseGraph reads lines of git rev-list --parents.
func parseGraph(b []byte) graph {
	g := graph{}
	for line := range bytes.Lines(b) {
		if f := strings.Fields(string(line)); len(f) > 0 {
			g[f[0]] = f[1:]
		}
	}
	return g
}

// exact reports whether the commits reachable from to and not from from are
// known, although parents of cuts are not. They are not where one of them is
// itself a cut, for then commits are missing. Nor are they where a cut is
// reachable from from and one of them does not descend from it: that one may be
// reachable from from as well, by way of the missing parents.
func (g graph) exact(cuts map[string]bool, from, to string) bool {
	before, all := g.reach(from), g.reach(to)
	var within []string
	for id := range all {
		if !before[id] {
			if cuts[id] {
				return false
			}
			within = append(within, id)
		}
	}
	children := map[string][]string{}
	for id := range all {
		for _, p := range g[id] {
			children[p] = append(children[p], id)
		}
	}
	steps := 0
	for id := range before {
		if !cuts[id] {
			continue
		}
		if steps += len(all); steps > maxSteps {
			return false
		}
		after := graph(children).reach(id)
		for _, w := range within {
			if !after[w] {
				return false
			}
		}
	}
	return true
}

// reach is every commit that the walk from one meets, that one included; none
// from "".
func (g graph) reach(id string) map[string]bool {
	seen := map[string]bool{}
	if id == "" {
		return seen
	}
	seen[id] = true
	for open := []string{id}; len(open) > 0; {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		for _, p := range g[last] {
			if !seen[p] {
				seen[p] = true
				open = append(open, p)
			}
		}
	}
	return seen
}
