package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// attestors finds those whose word no gate asks for, and keys that are over.
func (l *linter) attestors() {
	asked, anybody := l.asked()
	for _, a := range l.p.Attestors() {
		if !anybody && !slices.Contains(asked, a.Name) {
			l.warn(bundle.Problem{Where: a.Where, Code: "policy.unused", What: "no gate asks for the word of Attestor " + a.Name, Why: "what it signs changes nothing", Fix: "ask for it in a gate, such as attestation.statements.exists(s, s.attestor == \"" + a.Name + "\"), or delete it"})
		}
		left := 0
		for _, k := range a.Keys {
			if k.Until.IsZero() || l.o.Now.Before(k.Until) {
				left++
			}
		}
		if a.Sigstore == nil && !l.o.Now.IsZero() && left < a.Threshold {
			l.warn(bundle.Problem{Where: l.at("Attestor", a.Name, "keys", a.Where), Code: "policy.over", What: fmt.Sprintf("%d of the keys of Attestor %s still hold, and it takes %d", left, a.Name, a.Threshold), Why: "nothing that is recorded from now on can be its word", Fix: "add the keys that it signs with now"})
		}
	}
}

// asked are the attestors that conditions name; anybody is true where one reads
// attestations and names nobody, or a gate believes any attestor.
func (l *linter) asked() (names []string, anybody bool) {
	var known []string
	for _, a := range l.p.Attestors() {
		known = append(known, a.Name)
	}
	note := func(texts ...string) {
		for _, t := range texts {
			q := l.ask(t)
			if q == nil || !slices.ContainsFunc(q.Reads, func(n string) bool { return strings.HasPrefix(n, "attestation.") }) {
				continue
			}
			before := len(names)
			for _, v := range q.Literals {
				if name, is := v.(string); is && slices.Contains(known, name) {
					names = append(names, name)
				}
			}
			anybody = anybody || len(names) == before
		}
	}
	for _, s := range l.p.ScopeRules() {
		note(s.Match)
	}
	for _, t := range l.p.ReleaseTypes() {
		note(t.When)
	}
	for _, g := range l.p.Gates() {
		note(g.Applies, g.Condition)
		anybody = anybody || g.Provenance == policy.ByAttestor
	}
	return names, anybody
}
