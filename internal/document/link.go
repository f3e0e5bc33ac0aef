package document

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// link checks what documents say of each other.
func (r *Reader) link(p *Set) {
	r.onePolicy()
	r.pairs(p)
	r.references(p)
	r.controlled(p)
	r.owned(p)
	r.attested(p)
}

func (r *Reader) warn(p bundle.Problem) {
	p.Severity = bundle.LevelWarning
	r.Out.Add(p)
}

func (r *Reader) onePolicy() {
	switch {
	case len(r.policies) == 0:
		r.Out.Add(bundle.Problem{Code: "policy.no-policy", What: "the bundle has no document of kind Policy", Why: "it names the bundle, its version and its owner", Fix: "add one"})
	case len(r.policies) > 1:
		r.Out.Add(bundle.Problem{Where: r.policies[1].Where, Code: "policy.duplicate-name", What: "the bundle has a second document of kind Policy", Why: "the first stands at " + r.policies[0].Where.String(), Fix: "delete one"})
	}
}

// pairs checks that every size and change type has one release type.
func (r *Reader) pairs(p *Set) {
	var gaps []string
	for _, size := range []string{Major, Minor, Patch} {
		for _, change := range []string{Standard, Normal, Emergency} {
			if pair := r.pair(p, size, change); pair != "" {
				gaps = append(gaps, pair)
			}
		}
	}
	if len(gaps) > 0 {
		r.warn(bundle.Problem{Code: "policy.no-type", What: "a ReleaseType covers only sometimes " + strings.Join(gaps, ", "), Why: "where its when does not hold the answer is cannot tell", Fix: "add a ReleaseType whose when covers the rest"})
	}
}

// pair checks one of them, and returns it where its type applies only sometimes.
func (r *Reader) pair(p *Set, size, change string) string {
	var always, sometimes []Type
	for _, t := range p.Types {
		switch {
		case !t.Covers(size, change):
		case t.Whenever == nil:
			always = append(always, t)
		default:
			sometimes = append(sometimes, t)
		}
	}
	pair := fmt.Sprintf("a %s %s release", size, change)
	switch {
	case len(always)+len(sometimes) == 0:
		r.Out.Add(bundle.Problem{Code: "policy.no-type", What: pair + " has no ReleaseType", Why: "its answer would always be cannot tell", Fix: fmt.Sprintf("list %s under size and %s under change_types of one ReleaseType", size, change)})
	case len(always) > 0 && len(always)+len(sometimes) > 1:
		both := append(always, sometimes...)
		r.Out.Add(bundle.Problem{Where: both[1].Where, Code: "policy.two-types", What: pair + " has two ReleaseTypes", Why: fmt.Sprintf("%s and %s both claim it", both[0].Name, both[1].Name), Fix: "take the pair out of one, or give both a when that excludes the other"})
	case len(always) == 0 && len(sometimes) == 1:
		return pair
	}
	return ""
}

// Covers reports whether the type claims the pair.
func (t *ReleaseType) Covers(size, change string) bool {
	return slices.Contains(t.Sizes, size) && slices.Contains(t.ChangeTypes, change)
}

// references checks the names that documents use of each other.
func (r *Reader) references(p *Set) {
	chains := append(chainNames(p), NoChain)
	at := map[string]fault.Position{}
	for _, c := range p.Chains {
		at[c.Name] = c.Where
	}
	used := map[string]bool{}
	for _, t := range p.Types {
		used[t.Chain] = true
		if t.Chain != "" && !slices.Contains(chains, t.Chain) {
			r.Out.Add(bundle.Problem{Where: t.ChainAt, Code: "policy.no-chain", What: fmt.Sprintf("there is no ApprovalChain %q", t.Chain), Why: "ReleaseType " + t.Name + " names it", Fix: bundle.DidYouMean(t.Chain, chains[:len(chains)-1])})
		}
	}
	for _, name := range chains[:len(chains)-1] {
		if !used[name] {
			r.warn(bundle.Problem{Where: at[name], Code: "policy.unused", What: "no ReleaseType names ApprovalChain " + name})
		}
	}
	types := typeNames(p)
	for _, z := range p.Freezes {
		for _, name := range z.Exempt {
			if !slices.Contains(types, name) {
				r.Out.Add(bundle.Problem{Where: z.Where, Code: "policy.no-type", What: fmt.Sprintf("there is no ReleaseType %q", name), Why: "FreezeRule " + z.Name + " exempts it", Fix: bundle.DidYouMean(name, types)})
			}
		}
	}
}

// chainNames are those of the chains, in their order.
func chainNames(p *Set) []string {
	var names []string
	for _, c := range p.Chains {
		names = append(names, c.Name)
	}
	return slices.Sorted(slices.Values(names))
}

func typeNames(p *Set) []string {
	var names []string
	for _, t := range p.Types {
		names = append(names, t.Name)
	}
	return names
}
