package policy

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/bundle"
)

// The sizes that costs are estimated by are those beyond which inputs are refused.
func TestSizesOfPartsOfLists(t *testing.T) {
	for path, want := range map[string]int{
		"findings.items.@items.severity": MaxItemWord, "approval.votes.@items.answer": MaxItemWord, "change.commit_list.@items.type": MaxItemWord,
		"load.parts.@items.name": MaxItemText, "findings.items.@items.package": MaxItemText, "approval.votes.@items.groups.@items": MaxItemText,
		"findings.items.@items.location": MaxItemPlace, "attestation.statements.@items.builder": MaxItemPlace,
		"approval.votes.@items.groups": MaxItemList, "attestation.statements.@items.levels": MaxItemList, "attestation.statements": MaxStatements,
	} {
		if size, declared := most.listSize(path); size != want || !declared {
			t.Errorf("%s holds %d, declared %v, and not %d", path, size, declared, want)
		}
	}
	if _, declared := most.listSize("findings.items"); declared {
		t.Error("how many findings there are is not the matter of parts")
	}
}

// An answer without words spends what one with words does, so that both end at
// the same gate.
func TestTerseSpendsTheSame(t *testing.T) {
	s, in := quickly(t), fine()
	in.Findings.Items = []Finding{{Severity: "high", Tool: "a"}}
	for condition, costs := range map[string]bool{`findings.items.exists(f, f.severity == "high")`: true, "findings.high > 3": false} {
		g := gate{observed: rule{source: bundle.Unplaced(condition)}}
		if s.compile(&g.observed, wantBool, &bundle.Problems{}); g.observed.metered != costs {
			t.Fatalf("%s is metered: %v", condition, g.observed.metered)
		}
		spent := map[bool]*uint64{true: new(uint64), false: new(uint64)}
		for terse, sum := range spent {
			v := &values{in: &in, parameters: s.parameters, spent: sum, terse: terse, texts: &strings.Builder{}}
			v.observe(&g)
		}
		if *spent[true] != *spent[false] || (*spent[true] > 0) != costs {
			t.Errorf("%s spends %d without words and %d with", condition, *spent[true], *spent[false])
		}
	}
}
