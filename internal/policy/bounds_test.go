package policy

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A figure that is no finite number is no figure: nothing is decided on it,
// wherever it stands.
func TestEveryFigureIsFinite(t *testing.T) {
	p := listed(t, "!(load.parts.exists(p, p.p95_ms > 1000.0))")
	if o := p.Decide(tested(func(*Inputs) {})); o.Verdict != Go {
		t.Fatalf("%s %+v", o.Verdict, o.Reasons[0])
	}
	float := reflect.TypeFor[float64]()
	tried := 0
	try := func(name string, set func(in *Inputs, v float64)) {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			in := tested(func(in *Inputs) { set(in, v) })
			if o := p.Decide(in); o.Verdict != CannotTell || o.Reasons[0].Code != "out-of-limits" {
				t.Errorf("%s of %v: %s %s", name, v, o.Verdict, o.Reasons[0].Code)
			}
			tried++
		}
	}
	sections := reflect.TypeFor[Inputs]()
	for i := range sections.NumField() {
		s := sections.Field(i)
		if s.Type.Kind() != reflect.Struct || s.Type == reflect.TypeFor[time.Time]() {
			continue
		}
		for j := range s.Type.NumField() {
			if s.Type.Field(j).Type == float {
				try(s.Name+"."+s.Type.Field(j).Name, func(in *Inputs, v float64) { reflect.ValueOf(in).Elem().Field(i).Field(j).SetFloat(v) })
			}
		}
	}
	part := reflect.TypeFor[LoadPart]()
	for j := range part.NumField() {
		if part.Field(j).Type == float {
			try("LoadPart."+part.Field(j).Name, func(in *Inputs, v float64) { reflect.ValueOf(&in.Load.Parts[1]).Elem().Field(j).SetFloat(v) })
		}
	}
	if tried < 3*20 {
		t.Errorf("%d figures", tried)
	}
	in := tested(func(in *Inputs) { in.Load.Parts[0].P99 = math.NaN() })
	if in.Bounded().Load.Parts != nil {
		t.Error("a list with what is no number is bounded")
	}
}

// What is just as long as it may be is accepted.
func TestLimitsAreReached(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, change := range map[string]func(in *Inputs, more int){
		"a text":           func(in *Inputs, more int) { in.Service.Team = long(MaxInputText + more) },
		"a list":           func(in *Inputs, more int) { in.Findings.Tools = make([]string, MaxInputList+more) },
		"a text in a list": func(in *Inputs, more int) { in.Calendar.Rules = []string{"", long(MaxInputText + more)} },
		"findings":         func(in *Inputs, more int) { in.Findings.Items = make([]Finding, MaxInputList+more) },
		"a severity":       func(in *Inputs, more int) { in.Findings.Items = items("", long(MaxItemWord+more)) },
		"a rule":           func(in *Inputs, more int) { in.Findings.Items = []Finding{{Rule: long(MaxItemText + more)}} },
		"a location":       func(in *Inputs, more int) { in.Findings.Items = []Finding{{Location: long(MaxItemPlace + more)}} },
		"components":       func(in *Inputs, more int) { in.Load.Parts = make([]LoadPart, MaxInputList+more) },
		"a component":      func(in *Inputs, more int) { in.Load.Parts = []LoadPart{{Name: long(MaxItemText + more)}} },
		"a tool":           func(in *Inputs, more int) { in.Load.Parts = []LoadPart{{Tool: long(MaxItemText + more)}} },
		"votes":            func(in *Inputs, more int) { in.Approval.Votes = make([]Vote, MaxInputList+more) },
		"groups":           func(in *Inputs, more int) { in.Approval.Votes = []Vote{{Groups: make([]string, MaxItemList+more)}} },
		"a group":          func(in *Inputs, more int) { in.Approval.Votes = []Vote{{Groups: []string{long(MaxItemText + more)}}} },
		"an answer":        func(in *Inputs, more int) { in.Approval.Votes = []Vote{{Answer: long(MaxItemWord + more)}} },
		"a reason":         func(in *Inputs, more int) { in.Approval.Votes = []Vote{{Reason: long(MaxItemText + more)}} },
		"commits":          func(in *Inputs, more int) { in.Change.CommitList = make([]Commit, MaxInputList+more) },
		"a type":           func(in *Inputs, more int) { in.Change.CommitList = []Commit{{Type: long(MaxItemWord + more)}} },
		"statements":       func(in *Inputs, more int) { in.Attestation.Statements = make([]Statement, MaxStatements+more) },
		"keys": func(in *Inputs, more int) {
			in.Attestation.Statements = []Statement{{Keys: make([]string, MaxItemList+more)}}
		},
		"levels": func(in *Inputs, more int) {
			in.Attestation.Statements = []Statement{{Levels: make([]string, MaxItemList+more)}}
		},
		"a key": func(in *Inputs, more int) {
			in.Attestation.Statements = []Statement{{Keys: []string{long(MaxItemPlace + more)}}}
		},
		"a level": func(in *Inputs, more int) {
			in.Attestation.Statements = []Statement{{Levels: []string{long(MaxItemPlace + more)}}}
		},
	} {
		p := compiled(t, sample())
		if o := p.Decide(with(func(in *Inputs) { change(in, 0) })); o.Verdict != Go {
			t.Errorf("%s, as long as may be: %s %+v", name, o.Verdict, o.Reasons[0])
		}
		if o := p.Decide(with(func(in *Inputs) { change(in, 1) })); o.Verdict != CannotTell {
			t.Errorf("%s, longer than may be: %s", name, o.Verdict)
		}
	}
	s := reflect.TypeFor[Statement]()
	for j := range s.NumField() {
		if s.Field(j).Type.Kind() != reflect.String {
			continue
		}
		in := fine()
		in.Attestation.Statements = make([]Statement, 1)
		reflect.ValueOf(&in.Attestation.Statements[0]).Elem().Field(j).SetString(long(MaxItemPlace + 1))
		if in.excessList(&most) != "attestation.statements" {
			t.Errorf("%s of a statement has no limit", s.Field(j).Name)
		}
	}
}

// What hangs on the type is held to its limits too.
func TestLimitsInSteps(t *testing.T) {
	p := compiled(t, sample())
	long := strings.Repeat("x", MaxInputText+1)
	for name, fill := range map[string]func(in *Inputs){
		"a calendar": func(in *Inputs) { in.Calendar = Calendar{Known: true, Rules: []string{long}} },
		"votes":      func(in *Inputs) { in.Approval.Votes = []Vote{{Answer: long}} },
		"nothing":    func(*Inputs) {},
	} {
		in := fine()
		c := p.Classify(&in)
		fill(&in)
		o := c.Decide()
		if over := o.Verdict == CannotTell && o.Reasons[0].Code == "out-of-limits"; over != (name != "nothing") || !over && o.Verdict != Go {
			t.Errorf("%s: %s", name, o.Verdict)
		}
	}
}

// Whatever list there is, none that was not loaded counts as empty.
func TestEveryListIsLoadedOrNot(t *testing.T) {
	var in Inputs
	for s := range sectionCount {
		if has := listIn(s) != ""; in.unlisted(s) != has {
			t.Errorf("%s: unlisted %v", s, in.unlisted(s))
		}
	}
	full := in.With(Lists{[]Finding{}, []Vote{}, []Commit{}, []Statement{}, []LoadPart{}})
	for s := range sectionCount {
		if full.unlisted(s) {
			t.Errorf("%s: loaded, and unlisted", s)
		}
	}
	for _, l := range []Lists{{Findings: []Finding{}}, {Votes: []Vote{}}, {Commits: []Commit{}}, {Statements: []Statement{}}, {Parts: []LoadPart{}}} {
		if l.Empty() {
			t.Errorf("%+v is empty", l)
		}
	}
	for name, files := range map[string][]File{
		"a scope rule": sample(doc("ScopeRule", "name: s\nmatch: size(findings.items) > 3\ngovernance: full\n")),
		"a type":       without("ReleaseType", typed("many", "size(findings.items) > 3"), typed("few", "size(service.name) > 0 && service.tier > 3")),
		"a relaxation": sample(doc("Relaxation", "name: r\ngate: always\nto: warn\nmatch: size(findings.items) > 3\nuntil: 2027-04-01\nby: board\nreason: R.\n")),
		"applies":      probe("applies: size(findings.items) > 3\ncondition: 'true'\n"),
		"a condition":  probe("condition: size(findings.items) > 3\n"),
		"observed":     probe("condition: 'true'\nobserved: size(findings.items)\n"),
	} {
		if p := compiled(t, files); !p.NeedsList("findings") || p.NeedsList("change") || p.NeedsList("nothing") {
			t.Errorf("%s reads a list that is not loaded for it", name)
		}
	}
}

// A figure of a component is known or not by what the tests say of it.
func TestSilenceOfComponents(t *testing.T) {
	none, first, bare, whole := Previous{}, Previous{Known: true}, Previous{Known: true, Exists: true}, Previous{Known: true, Exists: true, LoadKnown: true}
	for _, c := range []struct {
		field  string
		part   LoadPart
		last   Previous
		silent bool
	}{
		{"name", LoadPart{}, none, false},
		{"requests", LoadPart{}, whole, true},
		{"requests", LoadPart{Requests: 1}, none, false},
		{"error_rate", LoadPart{ErrorRate: -1}, whole, true},
		{"error_rate", LoadPart{}, none, false},
		{"p50_ms", LoadPart{P95: 1}, whole, true},
		{"p50_ms", LoadPart{P50: 1}, none, false},
		{"p50_ms", LoadPart{New: true}, whole, true},
		{"p95_ms", LoadPart{P50: 1}, whole, true},
		{"p99_ms", LoadPart{P50: 1}, whole, true},
		{"mean_ms", LoadPart{P50: 1}, whole, true},
		{"p95_ms", LoadPart{P95: 1}, none, false},
		{"p99_ms", LoadPart{P99: 1}, none, false},
		{"mean_ms", LoadPart{Mean: 1}, none, false},
		{"new", LoadPart{}, none, true},
		{"new", LoadPart{}, first, false},
		{"new", LoadPart{}, bare, true},
		{"new", LoadPart{}, whole, false},
		{"previous_error_rate", LoadPart{PreviousErrorRate: -1}, whole, true},
		{"previous_error_rate", LoadPart{PreviousErrorRate: -1, New: true}, whole, false},
		{"previous_error_rate", LoadPart{}, whole, false},
		{"previous_error_rate", LoadPart{}, none, true},
		{"previous_error_rate", LoadPart{New: true}, bare, true},
		{"previous_error_rate", LoadPart{}, first, false},
		{"previous_p95_ms", LoadPart{}, whole, true},
		{"previous_p95_ms", LoadPart{New: true}, whole, false},
		{"previous_p95_ms", LoadPart{PreviousP95: 1}, whole, false},
		{"previous_p95_ms", LoadPart{PreviousP95: 1}, none, true},
		{"previous_p95_ms", LoadPart{New: true}, bare, true},
		{"previous_p95_ms", LoadPart{New: true}, first, false},
		{"previous_p50_ms", LoadPart{PreviousP50: 1}, whole, false},
		{"previous_p99_ms", LoadPart{PreviousP99: 1}, whole, false},
		{"previous_mean_ms", LoadPart{PreviousMean: 1}, whole, false},
	} {
		if why := c.part.silence(c.field, &c.last); (why != "") != c.silent || c.silent && !strings.Contains(why, " the "+c.field+" is not known") {
			t.Errorf("%s of %+v after %+v: %q", c.field, c.part, c.last, why)
		}
	}
}

// What the load tests do not give is silent for every rule that reads it, itself or as a whole.
func TestSilenceOfLoad(t *testing.T) {
	for _, c := range []struct {
		condition string
		change    func(*Inputs)
		want      Verdict
	}{
		{"load.mean_ms > 0.0", func(in *Inputs) { in.Load.Mean = 1 }, Go},
		{"load.mean_ms >= 0.0", func(*Inputs) {}, CannotTell},
		{"load.p50_ms >= 0.0", func(in *Inputs) { in.Load.P50 = 0 }, CannotTell},
		{"load.p95_ms >= 0.0", func(in *Inputs) { in.Load.P95 = 0 }, CannotTell},
		{"[load].all(l, l.p95_ms >= 0.0)", func(in *Inputs) { in.Change.Components = []string{} }, CannotTell}, // p99 is not given
		{"previous.load_p50_ms >= 0.0", func(*Inputs) {}, CannotTell},
		{"previous.load_mean_ms >= 0.0", func(*Inputs) {}, CannotTell},
		{"previous.load_p95_ms >= 0.0", func(*Inputs) {}, Go},
		{"!previous.exists || previous.load_p99_ms >= 0.0", func(in *Inputs) { in.Previous = Previous{Known: true} }, Go},
		{"previous.exists && previous.load_known", func(in *Inputs) { in.Previous.LoadKnown = false }, NoGo},
		{"size(load.untested) == 0", func(in *Inputs) { in.Change = Change{} }, CannotTell},
		{"change.components.size() == 0 && findings.high == 0", func(*Inputs) {}, CannotTell},
		{"load.p99_ms >= 0.0", func(in *Inputs) { in.Previous = Previous{Known: true} }, CannotTell},
		{"load.requests > 0", func(in *Inputs) { in.Load.Parts[0].Requests = 0 }, Go},
		{"load.parts.all(p, p.requests > 0)", func(in *Inputs) { in.Load.Parts[0].Requests = 0 }, CannotTell},
		{"findings.high == 0", func(in *Inputs) { in.Load, in.Previous = Load{}, Previous{} }, Go},
		{"change.components.size() == 0", func(in *Inputs) { in.Change.Components = nil }, CannotTell},
		{"change.components.size() == 0", func(in *Inputs) { in.Change.Components = []string{} }, Go},
		{"change.elsewhere == 0 && now > timestamp('2020-01-01T00:00:00Z')", func(in *Inputs) { in.Change.Components = nil }, CannotTell},
	} {
		if r := reason(t, listed(t, c.condition).Decide(tested(c.change)), "probe"); r.Verdict != c.want {
			t.Errorf("%s: %s %s", c.condition, r.Verdict, r.Why)
		}
	}
}

// A section that is read whole is read with all that it may lack.
func TestReadWhole(t *testing.T) {
	for condition, want := range map[string]time.Duration{
		"now > timestamp('2027-03-01T08:00:00Z') && size([service]) == 1": 0,
		"[findings].all(f, f.age_hours < 3.0)":                            time.Hour,
		"[tests].all(f, f.age_hours < 4.0) && size([service]) == 1":       2 * time.Hour,
		"now < timestamp('2027-03-01T10:00:00Z') && size([service]) == 1": time.Hour,
		"size([service]) == 1 && [release].all(r, r.submitted_at < now)":  0,
	} {
		o := listed(t, condition).Decide(with(func(in *Inputs) { in.Findings.Items = []Finding{} }))
		if r := reason(t, o, "probe"); r.Verdict != Go {
			t.Errorf("%s: %s %s", condition, r.Verdict, r.Why)
		}
		if want == 0 && !o.Until.IsZero() || want != 0 && o.Until.Sub(monday.Add(want)).Abs() > time.Second {
			t.Errorf("%s: until %s", condition, o.Until)
		}
	}
	p := listed(t, "[findings].all(f, f.high == 0) && size([service]) == 1 && findings.total >= 0")
	if r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Unrated, in.Findings.Items = 1, []Finding{} })), "probe"); r.Verdict != CannotTell {
		t.Errorf("without a severity: %s %s", r.Verdict, r.Why)
	}
	if r := reason(t, listed(t, "size([service]) == 1").Decide(with(func(in *Inputs) { in.Findings.Unrated = 1 })), "probe"); r.Verdict != Go {
		t.Errorf("no finding is read: %s %s", r.Verdict, r.Why)
	}
	q := listed(t, "[release].all(r, r.submitted_at < now) && size([service]) == 1")
	if r := reason(t, q.Decide(with(func(in *Inputs) { in.Release.SubmittedAt = time.Time{} })), "probe"); r.Verdict != CannotTell {
		t.Errorf("not submitted: %s %s", r.Verdict, r.Why)
	}
}

// Times are those of UTC, wherever the clock stands, and numbers are numbers.
func TestClockIsUTC(t *testing.T) {
	p := listed(t, "now.getHours() == 9 && release.submitted_at.getDayOfWeek() == 0 && findings.high < 0.5")
	east := time.FixedZone("east", 14*60*60)
	in := with(func(in *Inputs) { in.Now, in.Release.SubmittedAt = in.Now.In(east), in.Release.SubmittedAt.In(east) })
	if r := reason(t, p.Decide(in), "probe"); r.Verdict != Go {
		t.Errorf("%s %s", r.Verdict, r.Why)
	}
}

// What a rule that selects will say later is told, whichever it is.
func TestUntilOfRulesThatSelect(t *testing.T) {
	at := `now > timestamp("2027-03-01T09:10:00Z")`
	want := monday.Add(10*time.Minute + time.Second)
	for name, files := range map[string][]File{
		"a type that will":           without("ReleaseType", typed("later", at), typed("now", "!("+at+")")),
		"a rule that will, no other": without("ScopeRule", doc("ScopeRule", "name: later\nmatch: "+at+"\ngovernance: full\n")),
		"a relaxation that will":     sample(doc("Gate", "name: probe\ntitle: P\ncondition: 'true'\n"), doc("Relaxation", "name: r\ngate: probe\nto: warn\nmatch: "+at+"\nuntil: 2027-04-01\nby: board\nreason: R.\n")),
		"a relaxation that does":     sample(doc("Gate", "name: probe\ntitle: P\ncondition: 'true'\n"), doc("Relaxation", "name: r\ngate: probe\nto: warn\nmatch: '!("+at+")'\nuntil: 2027-04-01\nby: board\nreason: R.\n")),
	} {
		o := compiled(t, files).Decide(fine())
		if d := o.Until.Sub(want).Abs(); d > time.Second {
			t.Errorf("%s: until %s, want %s", name, o.Until, want)
		}
		if again := compiled(t, files).Decide(with(func(in *Inputs) { in.Now = want.Add(time.Second) })); again.Verdict == o.Verdict && cmp.Equal(again.Reasons, o.Reasons) {
			t.Errorf("%s: nothing has changed then", name)
		}
	}
	// The longest permit is the farthest that anyone looks, and just that far.
	for at, told := range map[time.Duration]bool{MaxPermitTTL - time.Minute: true, MaxPermitTTL: true, MaxPermitTTL + 30*time.Second: false, MaxPermitTTL + time.Hour: false} {
		o := listed(t, fmt.Sprintf("now < timestamp('%s')", monday.Add(at).Format(time.RFC3339))).Decide(fine())
		if o.Until.IsZero() == told {
			t.Errorf("in %s: until %s", at, o.Until)
		}
	}
}

// Firm are the gates that nothing keeps from asking under full governance.
func TestFirm(t *testing.T) {
	p := compiled(t, sample(
		doc("Gate", "name: warns\ntitle: T\ncondition: 'true'\nseverity: warn\n"),
		doc("Gate", "name: lightly\ntitle: T\ncondition: 'true'\ngovernance: [light]\n"),
		doc("Gate", "name: both\ntitle: T\ncondition: 'true'\ngovernance: [light, full]\n"),
		doc("Gate", "name: elsewhere\ntitle: T\ncondition: 'true'\napplies: service.tier == 9\n"),
		doc("Gate", "name: perhaps\ntitle: T\ncondition: 'true'\napplies: load.requests > 0\n"),
		doc("Gate", "name: off\ntitle: T\ncondition: 'true'\n"),
		doc("Gate", "name: softer\ntitle: T\ncondition: 'true'\n"),
		doc("Gate", "name: over\ntitle: T\ncondition: 'true'\n"),
		doc("Relaxation", "name: a\ngate: off\nto: off\nuntil: 2027-04-01\nby: board\nreason: R.\n"),
		doc("Relaxation", "name: b\ngate: softer\nto: warn\nuntil: 2027-04-01\nby: board\nreason: R.\n"),
		doc("Relaxation", "name: c\ngate: over\nto: warn\nuntil: 2027-02-01\nby: board\nreason: R.\n"),
	))
	var got []string
	for _, g := range p.Firm(fine()) {
		got = append(got, g.Name)
	}
	if want := []string{"always", "both", "perhaps", "over"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What does not operate is told with the controls of what blocks, each once.
func TestControlsThatDoNotOperate(t *testing.T) {
	p := compiled(t, without("ScopeRule",
		doc("ScopeRule", "name: all\ngovernance: full\nobserve: {by: board, until: 2027-03-03}\n"),
		doc("Gate", "name: one\ntitle: T\ncondition: 'true'\ncontrols: [soc2/CC8.1, house/C1]\n"),
		doc("Gate", "name: two\ntitle: T\ncondition: 'true'\ncontrols: [house/C1, house/A1]\n"),
		doc("Gate", "name: three\ntitle: T\ncondition: 'true'\nseverity: warn\ncontrols: [house/W1]\n")))
	all := p.NotOperating(monday)
	if len(all) != 1 || !slices.Equal(all[0].Controls, []string{"house/A1", "house/C1", "soc2/CC8.1"}) || all[0].Scope != EveryRelease {
		t.Errorf("%+v", all)
	}
}

// A relaxation that changes nothing is warned of, and one that does is not.
func TestRelaxationsThatChangeNothing(t *testing.T) {
	for to, severity := range map[string]string{"warn": "block", "observe": "warn", "off": "observe"} {
		relax := doc("Relaxation", "name: r\ngate: probe\nto: "+to+"\nuntil: 2027-04-01\nby: board\nreason: R.\n")
		for _, c := range []struct {
			severity string
			warned   bool
		}{{severity, false}, {to, true}} {
			if c.severity == "off" {
				continue
			}
			_, problems := Compile(sample(doc("Gate", "name: probe\ntitle: P\ncondition: 'true'\nseverity: "+c.severity+"\n"), relax))
			if warned := slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == "policy.unused" }); warned != c.warned || Failed(problems) {
				t.Errorf("%s to %s: %v", c.severity, to, problems)
			}
		}
	}
	// Nobody looks at what cannot be told: of two relaxations the one that holds counts.
	p := probed(t, "name: r1\ngate: probe\nto: off\nmatch: load.requests > 0\nuntil: 2027-04-01\nby: board\nreason: R.\n", warnOneDay)
	if r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Critical = 1 })), "probe"); r.Severity != Warn {
		t.Errorf("%+v", r)
	}
}

// Why an expression could not be computed is said in words, by what happened.
func TestFailuresInWords(t *testing.T) {
	for condition, says := range map[string]string{
		`{"a": 1}[service.name] == 1`:                  "an item that is not there",
		"findings.tools[7] == ''":                      "an item that is not there",
		"1 / findings.critical == 0":                   "divides by zero",
		"1 % findings.critical == 0":                   "divides by zero",
		"9223372036854775807 + findings.total + 1 > 0": "too large",
		"timestamp(service.name) > now":                "could not be computed",
		`service.name.matches("a") && int(service.name) > 0 || int(service.name) == 0`: "could not be computed",
	} {
		r := reason(t, listed(t, condition).Decide(with(func(in *Inputs) { in.Findings.Total = 1 })), "probe")
		if r.Verdict != CannotTell || r.Code != "error" || !strings.Contains(r.Why, says) {
			t.Errorf("%s: %s %s: %s", condition, r.Verdict, r.Code, r.Why)
		}
	}
	for message, says := range map[string]string{"no such attribute: x": "threshold", "modulus by zero": "divides by zero", "cost limit exceeded": "budget", "who knows": "could not be computed"} {
		if got := failure(errors.New(message)); !strings.Contains(got, says) {
			t.Errorf("%s: %s", message, got)
		}
	}
}

// typed is a release type of every release of which something holds.
func typed(name, when string) string {
	return doc("ReleaseType", "name: "+name+"\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: one\nthresholds: {rate: 0.5}\nwhen: '"+when+"'\n")
}

// One test is enough to have been tested, and what ages still ages where the rest cannot be told.
func TestWhatStillAges(t *testing.T) {
	if r := reason(t, listed(t, "tests.failed == 0").Decide(with(func(in *Inputs) { in.Tests.Total, in.Tests.Passed = 1, 1 })), "probe"); r.Verdict != Go {
		t.Errorf("one test: %s", r.Why)
	}
	o := compiled(t, probe("condition: 1 / findings.critical == 0\nmax_age: 3h\n")).Decide(fine())
	if r := reason(t, o, "probe"); r.Code != "error" || !o.Until.Equal(monday.Add(time.Hour)) {
		t.Errorf("%s, until %s", r.Code, o.Until)
	}
	later := `now > timestamp("2027-03-01T09:10:00Z")`
	o = compiled(t, without("ReleaseType", typed("later", later), typed("perhaps", "load.requests > 0"))).Decide(fine())
	if r := reason(t, o, gateType); r.Code != "unknown" || o.Until.Sub(monday.Add(10*time.Minute+time.Second)).Abs() > time.Second {
		t.Errorf("%s, until %s", r.Code, o.Until)
	}
	perhaps := doc("ScopeRule", "name: perhaps\nmatch: load.requests > 0\ngovernance: full\n")
	o = compiled(t, without("ScopeRule", doc("ScopeRule", "name: later\nmatch: '"+later+"'\ngovernance: light\n"), perhaps)).Decide(fine())
	if r := reason(t, o, gateScope); r.Code != "unknown" || o.Until.Sub(monday.Add(10*time.Minute+time.Second)).Abs() > time.Second {
		t.Errorf("%s, until %s", r.Code, o.Until)
	}
	if r := reason(t, probed(t, warnOneDay).Decide(with(func(in *Inputs) { in.Findings.Critical = 1 })), "probe"); !strings.HasSuffix(r.Why, "The gate is relaxed to warn until 2027-03-02T09:00:00Z by owner: Known finding.") {
		t.Errorf("%s", r.Why)
	}
	if r := reason(t, probed(t, offUntilNoon).Decide(fine()), "probe"); r.Verdict != CannotTell || r.Code != "relaxed" || r.Observed != "not asked" {
		t.Errorf("a gate that is not asked says %+v", r)
	}
	stale := reason(t, compiled(t, probe("condition: findings.critical == 0\nmax_age: 90m\n")).Decide(fine()), "probe")
	if stale.Observed != "findings.age_hours = 2" || stale.Required != "at most 1h30m old" {
		t.Errorf("%+v", stale)
	}
	both := listed(t, "findings.high == 0 && change.commit_list.size() == 0 && approval.votes.size() == 0")
	in := with(func(in *Inputs) { in.Findings.Unrated = 1; *in = in.With(Lists{Commits: []Commit{}, Votes: []Vote{}}) })
	if r := reason(t, both.Decide(in), "probe"); r.Verdict != CannotTell || !strings.Contains(r.Why, "without a severity") {
		t.Errorf("%+v", r)
	}
	spent := uint64(DecisionBudget)
	v := &values{in: &in, spent: &spent}
	if held, err := v.holds(&listed(t, "now.getHours() == 9").gates[1].condition); !held || err != nil {
		t.Errorf("a cheap rule has no budget: %v", err)
	}
	if _, ok := inputIndex("now.year"); ok {
		t.Error("an instant has fields")
	}
	if _, problems := Compile(sample(doc("Parameter", "name: word\nvalue: abc\n"), doc("Gate", "name: probe\ntitle: P\ncondition: param.word.contains(service.name)\n"))); Failed(problems) {
		t.Errorf("a text of the bundle is bounded: %v", problems)
	}
	byItems := compiled(t, without("ReleaseType", typed("many", "size(findings.items) > 1"), typed("few", "size(findings.items) < 2")))
	for n, want := range map[int]string{1: "few", 2: "many"} {
		in := with(func(in *Inputs) { in.Findings.Items = items(slices.Repeat([]string{"low"}, n)...) })
		if o := byItems.Decide(in); o.Type != want || !reflect.DeepEqual(inSteps(byItems, in), o) {
			t.Errorf("%d findings: %s at once, %s in steps", n, o.Type, inSteps(byItems, in).Type)
		}
	}
	// Of two that are as lenient the first is named.
	p := probed(t, warnOneDay, strings.Replace(strings.Replace(warnOneDay, "r3", "r4", 1), "by: owner", "by: somebody", 1))
	if r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Critical = 1 })), "probe"); !strings.Contains(r.Why, "by owner: ") {
		t.Errorf("%s", r.Why)
	}
}

// Every section that is read whole must be known, and what was classified once
// is decided on as often as one likes.
func TestSectionsReadWholeMustBeKnown(t *testing.T) {
	for s := range sectionCount {
		p := listed(t, "size(["+s.String()+"]) == 1")
		full := tested(func(in *Inputs) {
			*in = in.With(Lists{[]Finding{}, []Vote{}, []Commit{}, []Statement{}, []LoadPart{}})
			in.Load.P50, in.Load.P95, in.Load.P99, in.Load.Mean = 1, 1, 1, 1
			in.Previous.LoadP50, in.Previous.LoadP95, in.Previous.LoadP99, in.Previous.LoadMean = 1, 1, 1, 1
		})
		if r := reason(t, p.Decide(full), "probe"); r.Verdict != Go {
			t.Errorf("%s, known: %s", s, r.Why)
		}
		*full.known(s) = false
		if r := reason(t, p.Decide(full), "probe"); r.Verdict != CannotTell {
			t.Errorf("%s, not known: %s %s", s, r.Verdict, r.Why)
		}
	}
	in := fine()
	c := compiled(t, probe("condition: approval.satisfied\n")).Classify(&in)
	first := c.Decide()
	want := compiled(t, probe("condition: approval.satisfied\n")).Decide(in)
	full := in
	in.Approval, in.Calendar = Approval{Known: true}, Calendar{}
	if other := c.Decide(); other.Verdict != NoGo || first.Verdict != Go {
		t.Errorf("%s, then %s", first.Verdict, other.Verdict)
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("a second decision changed the first: %s", diff)
	}
	in = full
	if diff := cmp.Diff(want, c.Decide()); diff != "" {
		t.Errorf("a third differs from the first: %s", diff)
	}
	if diff := cmp.Diff(full, in); diff != "" {
		t.Errorf("deciding changed the inputs: %s", diff)
	}
}

// What is of this very moment is fresh.
func TestOfThisMoment(t *testing.T) {
	for age, want := range map[float64]string{0: "passed", 1: "passed", 1.001: "stale", -0.001: "stale"} {
		r := reason(t, compiled(t, probe("condition: findings.critical == 0\nmax_age: 1h\n")).Decide(with(func(in *Inputs) { in.Findings.AgeHours = age })), "probe")
		if r.Code != want || strings.Contains(r.Why, "future") != (age < 0) {
			t.Errorf("%g: %s %s", age, r.Code, r.Why)
		}
	}
	// Of a scope's and the mode's end of observing the later one is told.
	for until, want := range map[string]string{"2027-03-02": "board", "2027-03-09": "ada-example"} {
		files := without("ScopeRule", doc("ScopeRule", "name: all\ngovernance: full\nobserve: {by: ada-example, until: "+until+"}\n"))
		files[0].Data = []byte(strings.Replace(string(files[0].Data), "version: \"1\"\n", "version: \"1\"\nmode: observe\nby: board\nuntil: 2027-03-03T09:00:00Z\n", 1))
		if o := compiled(t, files).Decide(fine()); o.Enforced || o.Observe.By != want {
			t.Errorf("until %s: %+v", until, o.Observe)
		}
	}
	// Four things that are not known are tried both ways, five are not.
	names := []string{"load.known", "previous.known", "attestation.known", "coverage.known", "tests.known"}
	for n, want := range map[int]Verdict{maxPresence: Go, maxPresence + 1: CannotTell} {
		p := listed(t, "service.owned || ("+strings.Join(names[:n], " && ")+")")
		in := with(func(in *Inputs) { in.Tests.Known, in.Coverage.Known, in.Attestation.Known = false, false, false })
		if r := reason(t, p.Decide(in), "probe"); r.Verdict != want {
			t.Errorf("%d not known: %s %s", n, r.Verdict, r.Why)
		}
	}
	for message, want := range map[string]string{"zero": "could not be computed", "divides": "could not be computed", "division by zero": "divides by zero"} {
		if got := failure(errors.New(message)); !strings.Contains(got, want) {
			t.Errorf("%s: %s", message, got)
		}
	}
}

// A look at each text of a list is cheap enough, for their lengths are declared.
func TestTextsInListsAreShort(t *testing.T) {
	for list, item := range map[string]reflect.Type{
		"findings.items": reflect.TypeFor[Finding](), "approval.votes": reflect.TypeFor[Vote](), "change.commit_list": reflect.TypeFor[Commit](),
		"attestation.statements": reflect.TypeFor[Statement](), "load.parts": reflect.TypeFor[LoadPart](),
	} {
		for j := range item.NumField() {
			name := item.Field(j).Tag.Get("cel")
			condition := fmt.Sprintf("%s.all(x, x.%s.matches('abcd'))", list, name)
			switch item.Field(j).Type.Kind() {
			case reflect.String:
			case reflect.Slice:
				condition = fmt.Sprintf("%s.all(x, x.%s.all(y, y != 'a'))", list, name)
			default:
				continue
			}
			if _, problems := Compile(sample(doc("Attestor", "name: a\nslsa_level: 1\nkeys: [{name: k, key: /"+strings.Repeat("A", 42)+"=}]\n"), doc("Gate", "name: probe\ntitle: P\ncondition: \""+condition+"\"\n"))); Failed(problems) {
				t.Errorf("%s: %v", condition, problems)
			}
		}
	}
	if _, problems := Compile(probe("condition: service.flags.all(f, f.matches('abcd'))\n")); !Failed(problems) { // the control: these may be long
		t.Error("a thousand long texts are cheap")
	}
}

// What an expression costs is what it did, unless the inputs are modest: then it is what it may at most.
func TestWhatAnExpressionCosts(t *testing.T) {
	r := listed(t, "service.flags.all(f, f == 'x' || f != 'y')").gates[1].condition
	in := with(func(in *Inputs) { in.Service.Flags = []string{"x"} })
	if !r.metered || r.brief == nil {
		t.Fatal("the condition is not of the kind that is meant")
	}
	for _, modest := range []bool{true, false} {
		var spent uint64
		v := &values{in: &in, spent: &spent, modest: modest}
		if held, err := v.run(&r); held != true || err != nil || (spent == r.worst) != modest || spent == 0 || spent > r.worst {
			t.Errorf("modest %v: %d of %d, %v", modest, spent, r.worst, err)
		}
	}
	if dear := listed(t, "findings.items.all(f, f.rule.matches('abcdefgh') && f.package.matches('abcdefgh'))").gates[1].condition; !dear.metered || dear.brief != nil {
		t.Errorf("what costs more than %d even with modest inputs is not metered with them", briefRule)
	}
	if s, err := environment([]Parameter{{Name: "long", Value: strings.Repeat("x", modest+1)}, {Name: "short", Value: "x"}}, nil); err != nil || s.modest {
		t.Errorf("a short parameter behind a long one makes it modest: %v", err)
	}
	worded := compiled(t, sample(doc("Parameter", "name: word\nvalue: "+strings.Repeat("x", modest+1)+"\n"), doc("Gate", "name: probe\ntitle: P\ncondition: service.flags.all(f, f == 'x' || f != 'y')\n")))
	if worded.gates[1].condition.brief != nil {
		t.Error("beside a long parameter an expression is cheap with modest inputs")
	}
	for size, want := range map[int]bool{modest: true, modest + 1: false} {
		if s, err := environment([]Parameter{{Name: "word", Value: strings.Repeat("x", size)}}, nil); err != nil || s.modest != want {
			t.Errorf("a parameter of %d bytes: %v", size, err)
		}
	}
}
