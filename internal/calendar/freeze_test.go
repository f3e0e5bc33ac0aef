package calendar

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

var noon = time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) event.Micros { return event.MicrosOf(noon.Add(d)) }

func TestInForce(t *testing.T) {
	f := Freeze{ID: "z", From: at(0), Until: at(time.Hour)}
	for after, want := range map[time.Duration]bool{
		-time.Microsecond: false, 0: true, time.Hour - time.Microsecond: true, time.Hour: false,
	} {
		if got := f.InForce(noon.Add(after)); got != want {
			t.Errorf("%v after its start: %v", after, got)
		}
	}
	if !(Freeze{From: at(0)}).InForce(noon.Add(1000 * time.Hour)) {
		t.Error("an open-ended freeze ended")
	}
	if (Freeze{From: at(0), Lifted: at(1)}).InForce(noon.Add(time.Minute)) {
		t.Error("a lifted freeze is in force")
	}
}

func TestScope(t *testing.T) {
	target := Target{Service: "shop", Environment: "prod-eu", ServiceKnown: true, EnvironmentKnown: true, Kind: "production", Region: "eu", Tier: 1}
	for name, c := range map[string]struct {
		s    Scope
		want bool
	}{
		"everything":        {Scope{}, true},
		"the service":       {Scope{Services: []string{"ledger", "shop"}}, true},
		"another service":   {Scope{Services: []string{"ledger"}}, false},
		"the environment":   {Scope{Environments: []string{"prod-eu"}}, true},
		"another":           {Scope{Environments: []string{"prod-us"}}, false},
		"the kind":          {Scope{Kinds: []string{"production"}}, true},
		"another kind":      {Scope{Kinds: []string{"staging"}}, false},
		"the region":        {Scope{Regions: []string{"eu"}}, true},
		"another region":    {Scope{Regions: []string{"us"}}, false},
		"the tier":          {Scope{Tiers: []int{0, 1}}, true},
		"another tier":      {Scope{Tiers: []int{3}}, false},
		"both must match":   {Scope{Services: []string{"shop"}, Regions: []string{"us"}}, false},
		"tier and the kind": {Scope{Kinds: []string{"production"}, Tiers: []int{1}}, true},
	} {
		if got := c.s.Covers(target); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if !c.s.Covers(Target{Service: "?", Environment: "?"}) {
			t.Errorf("%s does not cover what nobody knows", name)
		}
		if c.s.Words() == "" {
			t.Errorf("%s has no words", name)
		}
	}
}

func TestDeclare(t *testing.T) {
	good := Freeze{ID: "z", Name: "quarter-end", From: at(0), Until: at(time.Hour)}
	for name, c := range map[string]struct {
		change func(*Freeze)
		named  []Freeze
		reason string
		kind   fault.Kind
	}{
		"good":                  {nil, nil, "books close", -1},
		"again when over":       {nil, []Freeze{{Name: "quarter-end", Until: at(-time.Hour)}}, "books close", -1},
		"again when lifted":     {nil, []Freeze{{Name: "quarter-end", Lifted: at(-time.Hour)}}, "books close", -1},
		"twice":                 {nil, []Freeze{{Name: "quarter-end", Until: at(time.Minute)}}, "books close", fault.Conflict},
		"twice, open":           {nil, []Freeze{{Name: "quarter-end"}}, "books close", fault.Conflict},
		"no name":               {func(f *Freeze) { f.Name = " " }, nil, "x", fault.Invalid},
		"a name with spaces":    {func(f *Freeze) { f.Name = "Jahresabschluß 2026/27" }, nil, "x", -1},
		"a long name":           {func(f *Freeze) { f.Name = strings.Repeat("n", 101) }, nil, "x", fault.Invalid},
		"two lines":             {func(f *Freeze) { f.Name = "quiet\n::set-output" }, nil, "x", fault.Invalid},
		"a name for a terminal": {func(f *Freeze) { f.Name = "quiet\x1b[2J" }, nil, "x", fault.Invalid},
		"a name for a shell":    {func(f *Freeze) { f.Name = "quiet; reboot" }, nil, "x", fault.Invalid},
		"a name of two ways":    {func(f *Freeze) { f.Name = "quiet\u202e" }, nil, "x", fault.Invalid},
		"a name of an option":   {func(f *Freeze) { f.Name = "--reason" }, nil, "x", fault.Invalid},
		"a scope for a shell":   {func(f *Freeze) { f.Scope.Services = []string{"shop", "$(reboot)"} }, nil, "x", fault.Invalid},
		"a scope of nothing":    {func(f *Freeze) { f.Scope.Regions = []string{""} }, nil, "x", fault.Invalid},
		"no reason":             {nil, nil, " ", fault.Invalid},
		"ends before it begins": {func(f *Freeze) { f.From = at(2 * time.Hour) }, nil, "x", fault.Invalid},
		"over already":          {func(f *Freeze) { f.From, f.Until = at(-2*time.Hour), at(-time.Hour) }, nil, "x", fault.Invalid},
		"open":                  {func(f *Freeze) { f.Until = 0 }, nil, "x", -1},
	} {
		f := good
		if c.change != nil {
			c.change(&f)
		}
		drafts, err := Declare(f, c.named, c.reason, noon)
		if (c.kind < 0) != (err == nil) || err != nil && fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (len(drafts) != 1 || !slices.Contains(drafts[0].Touches, event.SetFreezes) || drafts[0].Private["reason"] == "") {
			t.Errorf("%s: %+v", name, drafts)
		}
	}
}

func TestLift(t *testing.T) {
	stands := Freeze{ID: "z", Name: "quarter-end", From: at(0)}
	if drafts, err := stands.Lift("over"); err != nil || len(drafts) != 1 || !slices.Contains(drafts[0].Touches, event.SetFreezes) {
		t.Errorf("%v %v", drafts, err)
	}
	lifted := stands
	lifted.Lifted = at(1)
	for name, c := range map[string]struct {
		f      Freeze
		reason string
		kind   fault.Kind
	}{"unknown": {Freeze{}, "x", fault.NotFound}, "twice": {lifted, "x", fault.Conflict}, "no reason": {stands, "", fault.Invalid}} {
		if _, err := c.f.Lift(c.reason); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFold(t *testing.T) {
	shape := Shape()
	record := func(kind event.Kind, body any) event.Recorded {
		b, _ := json.Marshal(body)
		return event.Recorded{Header: event.Header{Kind: kind, Time: at(time.Minute)}, BodyBytes: b}
	}
	state, err := shape.Fold(nil, record(event.FreezeDeclared, Freeze{ID: "z", Name: "q", From: at(0), Until: at(time.Hour)}))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := shape.Keys(state)
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	if state, err = shape.Fold(state, record(event.FreezeLifted, struct{}{})); err != nil {
		t.Fatal(err)
	}
	if f, _ := event.Decode[Freeze](state); f.Lifted != at(time.Minute) {
		t.Errorf("lifted at %v", f.Lifted)
	}
	if keys, _ := shape.Keys(state); len(keys) != 0 {
		t.Errorf("a lifted freeze has keys %v", keys)
	}
	if _, err := shape.Fold(nil, event.Recorded{Header: event.Header{Kind: event.FreezeDeclared}, BodyBytes: []byte("{")}); err == nil {
		t.Error("folds a body that it cannot read")
	}
	if _, err := shape.Fold(state, record(event.Decided, nil)); err == nil {
		t.Error("folds a kind it has no rule for")
	}
}

func TestWeigh(t *testing.T) {
	none := func(string) bool { return false }
	hour := Freeze{Name: "hour", From: at(0), Until: at(time.Hour)}
	day := Freeze{Name: "day", From: at(-time.Hour), Until: at(24 * time.Hour)}
	open := Freeze{Name: "open", Rule: "r", From: at(-time.Hour)}
	later := Freeze{Name: "later", From: at(10 * time.Minute), Until: at(time.Hour)}
	for name, c := range map[string]struct {
		freezes []Freeze
		exempt  func(string) bool
		inForce int
		openEnd bool
		thaws   time.Duration // 0: zero time
		next    time.Duration
	}{
		"none":             {nil, none, 0, false, 0, 0},
		"one":              {[]Freeze{hour}, none, 1, false, time.Hour, time.Hour},
		"two":              {[]Freeze{hour, day}, none, 2, false, 24 * time.Hour, time.Hour},
		"open-ended":       {[]Freeze{day, open}, none, 2, true, 0, 24 * time.Hour},
		"exempt":           {[]Freeze{open}, func(r string) bool { return r == "r" }, 0, false, 0, 0},
		"only some exempt": {[]Freeze{open, hour}, func(r string) bool { return r == "r" }, 1, false, time.Hour, time.Hour},
		"announced":        {[]Freeze{later}, none, 0, false, 0, 10 * time.Minute},
		"elsewhere":        {[]Freeze{{From: at(0), Scope: Scope{Services: []string{"x"}}}}, none, 0, false, 0, 0},
	} {
		s := Weigh(noon, c.freezes, Target{Service: "shop", ServiceKnown: true}, c.exempt)
		if len(s.InForce) != c.inForce || s.OpenEnd != c.openEnd || !same(s.ThawsAt, c.thaws) || !same(s.Next, c.next) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func same(got time.Time, after time.Duration) bool {
	if after == 0 {
		return got.IsZero()
	}
	return got.Equal(noon.Add(after))
}

// The answer does not change between now and Next: a permit may last that long.
func TestNothingChangesBeforeNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var freezes []Freeze
		for range rapid.IntRange(0, 6).Draw(t, "freezes") {
			from := rapid.IntRange(-100, 100).Draw(t, "from")
			f := Freeze{From: at(time.Duration(from) * time.Minute)}
			if length := rapid.IntRange(0, 100).Draw(t, "length"); length > 0 {
				f.Until = f.From + event.Micros(time.Duration(length)*time.Minute/time.Microsecond)
			}
			freezes = append(freezes, f)
		}
		none := func(string) bool { return false }
		s := Weigh(noon, freezes, Target{}, none)
		for m := range 250 {
			then := noon.Add(time.Duration(m) * time.Minute)
			if !s.Next.IsZero() && !then.Before(s.Next) {
				break
			}
			if later := Weigh(then, freezes, Target{}, none); len(later.InForce) != len(s.InForce) {
				t.Fatalf("%d in force now, %d at %v, next change %v", len(s.InForce), len(later.InForce), then, s.Next)
			}
		}
	})
}
