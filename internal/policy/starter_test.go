package policy

import "testing"

func TestStarterLintsCleanAndPassesItsTests(t *testing.T) {
	if list := Lint(Starter()); len(list) > 0 {
		for _, p := range list {
			t.Error(p)
		}
	}
	p, _ := Compile(Starter())
	if p == nil {
		t.Fatal("the starter pack does not compile")
	}
	if got := len(p.Gates()); got != 10 {
		t.Errorf("the starter pack has %d gates, want 10", got)
	}
	results := p.Test()
	if len(results) < 12 {
		t.Errorf("the starter pack has %d test cases, want 12 or more", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s: %s", r.Where, r.Name, r.Why)
		}
	}
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
}
