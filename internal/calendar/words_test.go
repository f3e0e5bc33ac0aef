package calendar

import (
	"strings"
	"testing"
	"time"
)

func TestScopeWords(t *testing.T) {
	for want, s := range map[string]Scope{
		"everything":                            {},
		"services shop":                         {Services: []string{"shop"}},
		"services shop, ledger; tiers 0 1":      {Services: []string{"shop", "ledger"}, Tiers: []int{0, 1}},
		"environments live; kinds production":   {Environments: []string{"live"}, Kinds: []string{"production"}},
		"kinds staging; regions eu; tiers 2":    {Kinds: []string{"staging"}, Regions: []string{"eu"}, Tiers: []int{2}},
		"environments live; regions eu-1, eu-2": {Environments: []string{"live"}, Regions: []string{"eu-1", "eu-2"}},
	} {
		if got := s.Words(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A freeze is over at its end, and cannot be declared with no time left or none in it.
func TestEnds(t *testing.T) {
	f := Freeze{ID: "z", Name: "z", From: at(-time.Hour), Until: at(0)}
	if !f.Over(noon) || f.Over(noon.Add(-time.Microsecond)) {
		t.Error("over at its end and not before")
	}
	for name, c := range map[string]struct {
		from, until time.Duration
		ok          bool
	}{
		"ends now":              {-time.Hour, 0, false},
		"a microsecond is left": {-time.Hour, time.Microsecond, true},
		"nothing in it":         {time.Hour, time.Hour, false},
		"a microsecond in it":   {time.Hour, time.Hour + time.Microsecond, true},
	} {
		if _, err := Declare(Freeze{ID: "z", Name: "z", From: at(c.from), Until: at(c.until)}, nil, "why", noon); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A lifted freeze neither stands nor is waited for; one that the release is exempt
// from is told apart from those in force; one without an end outlasts all.
func TestWeighTellsApart(t *testing.T) {
	freezes := []Freeze{
		{ID: "a", Name: "a", From: at(-time.Hour)},
		{ID: "b", Name: "b", From: at(-time.Hour), Until: at(time.Hour)},
		{ID: "c", Name: "c", Rule: "r", From: at(-time.Hour), Until: at(2 * time.Hour)},
		{ID: "d", Name: "d", From: at(time.Minute), Until: at(3 * time.Hour), Lifted: at(-time.Minute)},
	}
	s := Weigh(noon, freezes, Target{}, func(rule string) bool { return rule == "r" })
	if len(s.InForce) != 2 || len(s.Exempt) != 1 || s.Exempt[0].Name != "c" || !s.OpenEnd || !s.ThawsAt.IsZero() || !same(s.Next, time.Hour) {
		t.Errorf("%+v", s)
	}
}

func TestClip(t *testing.T) {
	for length, want := range map[int]int{80: 80, 81: 80 + len("…"), 200: 80 + len("…")} {
		if got := clip(strings.Repeat("x", length)); len(got) != want {
			t.Errorf("%d bytes become %d", length, len(got))
		}
	}
}
