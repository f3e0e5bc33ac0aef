package evidence

import (
	"fmt"
	"testing"
)

func scanOf(items ...Finding) Claim {
	return Claim{Kind: FindingsKind, Findings: &Findings{Items: items}}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name                   string
		from, to               []Finding
		appeared, gone, stayed int
	}{
		{"nothing", nil, nil, 0, 0, 0},
		{"one appears", nil, []Finding{{Rule: "R"}}, 1, 0, 0},
		{"one is gone", []Finding{{Rule: "R"}}, nil, 0, 1, 0},
		{"a package's new version", []Finding{{Rule: "CVE-1", Package: "a", Version: "1"}}, []Finding{{Rule: "CVE-1", Package: "a", Version: "2"}}, 0, 0, 1},
		{"another package", []Finding{{Rule: "CVE-1", Package: "a"}}, []Finding{{Rule: "CVE-1", Package: "b"}}, 1, 1, 0},
		{"by another scanner's name", []Finding{{Rule: "GHSA-1", Identifiers: []string{"CVE-1"}, Package: "a"}}, []Finding{{Rule: "CVE-1", Package: "a"}}, 0, 0, 1},
		{"another line", []Finding{{Rule: "R", Location: "a.go:1:2"}}, []Finding{{Rule: "R", Location: "a.go:9"}}, 0, 0, 1},
		{"another file", []Finding{{Rule: "R", Location: "a.go:1"}}, []Finding{{Rule: "R", Location: "b.go:1"}}, 1, 1, 0},
		{"another message", []Finding{{Rule: "R", Message: "x"}}, []Finding{{Rule: "R", Message: "y"}}, 1, 1, 0},
		{"closed since", []Finding{{Rule: "R"}}, []Finding{{Rule: "R", Suppressed: true}}, 0, 1, 0},
		{"closed no more", []Finding{{Rule: "R", Suppressed: true}}, []Finding{{Rule: "R"}}, 1, 0, 0},
	} {
		got := Compare([]Claim{scanOf(c.from...)}, []Claim{scanOf(c.to...)})
		if len(got.Appeared) != c.appeared || len(got.Gone) != c.gone || got.Stayed != c.stayed {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestCompareIsBoundedAndSorted(t *testing.T) {
	var many []Finding
	for i := range MaxCompared + 7 {
		many = append(many, Finding{Rule: fmt.Sprintf("R%04d", i), Severity: Low})
	}
	many = append(many, Finding{Rule: "last", Severity: Critical})
	got := Compare(nil, []Claim{scanOf(many...)})
	if len(got.Appeared) != MaxCompared || got.Omitted != 8 || got.Appeared[0].Rule != "last" || got.Appeared[1].Rule != "R0000" {
		t.Errorf("%d listed, %d omitted, first %v", len(got.Appeared), got.Omitted, got.Appeared[:2])
	}
	statement := scanOf(Finding{Rule: "R"})
	statement.Findings.Unscanned = true
	if got := Compare(nil, []Claim{statement}); len(got.Appeared) != 0 {
		t.Error("a statement is no scan")
	}
}
