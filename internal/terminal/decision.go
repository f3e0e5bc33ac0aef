package terminal

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// Options say how a decision is printed.
type Options struct {
	All      bool              // list the gates that passed, one by one
	Color    bool              // colour the verdicts; the words stand there all the same
	Zone     *time.Location    // in which instants are printed beside UTC; nil is UTC alone
	Now      time.Time         // for "in 3 h"; zero leaves that out
	People   map[string]string // names of persons by id
	Standing bool              // the decision was taken earlier and still stands
	Preview  bool              // nothing was recorded by asking
	Receipt  *wire.Receipt     // where the decision stands in the journal, if it does
	URL      string            // the decision's page, if there is one

	Note       []byte // the signed receipt, for a job's summary
	Checkpoint []byte // the newest signed checkpoint, for the same
}

// PrintDecision prints a decision as a person wants to read it: the verdict in
// the first line, then all that blocks, and what it rested on last.
func PrintDecision(w io.Writer, d wire.Decision, o Options) error {
	p := printer{Options: o}
	p.verdict(d)
	blocking, warnings, observed, passed := Sorted(d.Reasons)
	p.section("Blocking", blocking)
	p.section("Warnings, which do not change the answer", warnings)
	p.section("Observed only", observed)
	p.passed(passed)
	p.basis(d)
	p.record(d)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// Sorted parts reasons by what they do to the verdict, in the order given.
func Sorted(reasons []wire.Reason) (blocking, warnings, observed, passed []wire.Reason) {
	for _, r := range reasons {
		switch {
		case Verdict(r.Verdict) == policy.Go:
			passed = append(passed, r)
		case r.Severity == string(policy.Warn):
			warnings = append(warnings, r)
		case r.Severity == string(policy.Observe):
			observed = append(observed, r)
		default:
			blocking = append(blocking, r)
		}
	}
	return blocking, warnings, observed, passed
}

// Verdict is the verdict that the API wrote; whatever is none is cannot-tell.
func Verdict(word string) policy.Verdict { return policy.Verdict(word).Worse(policy.Go) }

// printer collects the text, so that it reaches the terminal in one piece.
type printer struct {
	Options
	b strings.Builder
}

func (p *printer) line(format string, args ...any) {
	p.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// marks stand before the words, so that a verdict is found at a glance.
var marks = map[policy.Verdict]struct{ symbol, colour string }{
	policy.Go: {"✓", green}, policy.Wait: {"…", yellow}, policy.NoGo: {"✗", red}, policy.CannotTell: {"?", magenta},
}

func (p *printer) mark(v policy.Verdict) string {
	m := marks[v.Worse(policy.Go)]
	return paint(p.Color, m.colour, m.symbol+" "+v.Words())
}

// grade is a reason's verdict, or, where that does not change the answer, its severity.
func (p *printer) grade(r wire.Reason) string {
	v := Verdict(r.Verdict)
	switch {
	case v == policy.Go || r.Severity != string(policy.Warn) && r.Severity != string(policy.Observe):
		return p.mark(v)
	case r.Severity == string(policy.Warn):
		return paint(p.Color, yellow, "! warning")
	}
	return "· observed"
}

func (p *printer) verdict(d wire.Decision) {
	v := Verdict(d.Verdict)
	p.line("%s: %s", p.mark(v), Sentence(d, v))
	if !d.Enforced && d.Observe != nil {
		p.line("  enforced: false. This scope is observed, on the word of %s until %s: the answer is recorded,",
			Clean(d.Observe.By), p.instant(d.Observe.Until))
		p.line("  nothing is blocked, and no permit is signed.")
	}
	if len(d.Assumed) > 0 {
		p.line("  offline: nothing here is recorded and no permit is signed; assumed: %s.", Clean(strings.Join(d.Assumed, ", ")))
	}
	if p.Preview {
		p.line("  This is what the gate would answer now; nothing was recorded by asking.")
	}
}

// Sentence is the verdict in one plain sentence.
func Sentence(d wire.Decision, v policy.Verdict) string {
	what, where := Clean(d.Service+" "+d.Version), Clean(d.Environment)
	var kinds [3]int
	for _, r := range d.Reasons {
		if r.Severity == string(policy.Block) || r.Severity == "" {
			switch Verdict(r.Verdict) {
			case policy.NoGo:
				kinds[0]++
			case policy.CannotTell:
				kinds[1]++
			case policy.Wait:
				kinds[2]++
			}
		}
	}
	may := "may not go"
	if !d.Enforced && d.Observe != nil {
		may = "would not be let go"
	}
	switch v {
	case policy.Go:
		return fmt.Sprintf("%s may go to %s now.", what, where)
	case policy.Wait:
		return fmt.Sprintf("%s %s to %s yet: %s.", what, may, where, Count(kinds[2], "gate waits", "gates wait")+" for a person or a time")
	case policy.NoGo:
		more := ""
		if kinds[1]+kinds[2] > 0 {
			more = fmt.Sprintf(", %d more stand open", kinds[1]+kinds[2])
			if kinds[1]+kinds[2] == 1 {
				more = ", 1 more stands open"
			}
		}
		return fmt.Sprintf("%s %s to %s: %s it%s.", what, may, where, Count(kinds[0], "gate forbids", "gates forbid"), more)
	}
	return fmt.Sprintf("whether %s may go to %s is not known: %s what is needed to tell.", what, where, Count(kinds[1], "gate lacks", "gates lack"))
}

// Count is a number of things in words: 1 gate, 2 gates.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (p *printer) section(title string, reasons []wire.Reason) {
	if len(reasons) == 0 {
		return
	}
	p.line("")
	p.line("%s:", title)
	for _, r := range reasons {
		p.reason(r)
	}
}

func (p *printer) reason(r wire.Reason) {
	name := Clean(cmp.Or(r.Title, r.Gate))
	p.line("  %s: %s [%s]", p.grade(r), paint(p.Color, bold, name), Clean(r.Gate))
	p.prose("why", r.Why)
	p.prose("observed", r.Observed)
	p.prose("required", r.Required)
	p.prose("controls", strings.Join(r.Controls, ", "))
	p.prose("lifted by", r.Lift)
	p.field("next", Clean(r.Next))
	switch {
	case r.Until.IsZero():
	case r.Code == "relaxed":
		p.field("until", "the gate is as it was from "+p.instant(r.Until))
	default:
		p.field("until", "may lift by itself at "+p.instant(r.Until))
	}
	p.field("rule", Clean(place(r.Where)))
}

// field is one line of a reason; nothing where there is nothing to say.
func (p *printer) field(name, text string) {
	if text != "" {
		p.line("      %-10s %s", name, text)
	}
}

const proseWidth = 86

// prose is a field that may take several lines.
func (p *printer) prose(name, text string) {
	for _, part := range wrap(Clean(text), proseWidth) {
		p.field(name, part)
		name = ""
	}
}

func (p *printer) passed(reasons []wire.Reason) {
	if len(reasons) == 0 {
		return
	}
	p.line("")
	if !p.All {
		p.line("%s: --all lists them.", paint(p.Color, green, "✓ "+Count(len(reasons), "gate", "gates")+" passed"))
		return
	}
	p.line("Passed:")
	for _, r := range reasons {
		p.line("  %s: %s [%s]", p.mark(policy.Go), Clean(cmp.Or(r.Title, r.Gate)), Clean(r.Gate))
		p.prose("why", r.Why)
		p.prose("observed", r.Observed)
	}
}

// basis is what the answer rested on, and whose word that is.
func (p *printer) basis(d wire.Decision) {
	p.line("")
	p.line("Rested on:")
	kind := strings.Join(slices.DeleteFunc([]string{d.Size, d.ChangeType}, func(s string) bool { return s == "" }), ", ")
	p.fact("release", d.Release, By(d.Believed.Release))
	p.fact("type", d.Type, kind)
	p.fact("governed", d.Governance, d.ScopeRule)
	p.fact("artifact", d.Digest)
	p.fact("policy", cmp.Or(d.Policy, "none is active"))
	p.fact("change", cmp.Or(d.Change, "not known"), By(d.Believed.Change))
	p.fact("evidence", d.Evidence)
	p.fact("findings", claimed(d.Believed.Findings, d.AgeHours[0]))
	p.fact("tests", claimed(d.Believed.Tests, d.AgeHours[1]))
	p.fact("coverage", claimed(d.Believed.Coverage, d.AgeHours[2]))
	if d.Believed.Load != "" {
		p.fact("load test", claimed(d.Believed.Load, d.LoadAge))
	}
	p.fact("attested by", strings.Join(d.Believed.Attestors, ", "))
	var names []string
	for _, id := range d.Approvals {
		names = append(names, cmp.Or(p.People[id], id))
	}
	p.fact("approved by", strings.Join(names, ", "))
}

// By says in words whose word a datum is; "" where there is none.
func By(provenance string) string {
	switch provenance {
	case "":
		return ""
	case string(policy.Assumed):
		return "assumed, believed by nobody"
	case string(policy.ByServer):
		return "read by the server"
	case string(policy.ByAttestor):
		return "signed by an attestor"
	}
	return "on the word of a " + provenance
}

// claimed says whose word a kind of evidence is, and how old; "" where there is none.
func claimed(provenance string, hours float64) string {
	if provenance == "" {
		return ""
	}
	return By(provenance) + ", " + age(hours) + " old"
}

// age is a number of hours in the unit that fits.
func age(hours float64) string {
	switch {
	case hours < 1:
		return fmt.Sprintf("%.0f min", hours*60)
	case hours < 48:
		return fmt.Sprintf("%.0f h", hours)
	}
	return fmt.Sprintf("%.0f days", hours/24)
}

// fact is one line about the basis: its value, and what is said of it.
func (p *printer) fact(name, value string, notes ...string) {
	if value == "" {
		return
	}
	notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
	if len(notes) > 0 {
		value += " (" + strings.Join(notes, ", ") + ")"
	}
	p.line("  %-11s %s", name, Clean(value))
}

// record is when the answer was taken, how long it holds and where it stands.
func (p *printer) record(d wire.Decision) {
	taken := "taken " + Stamp(d.At, p.Zone)
	if p.Standing {
		taken += ", and still stands"
	}
	p.fact("decision", cmp.Or(d.ID, "not recorded"), taken)
	if !d.Until.IsZero() {
		p.fact("holds until", p.instant(d.Until)+", if nothing but time changes")
	}
	if d.Permit != "" {
		p.fact("permit", d.Permit, "ends "+p.instant(d.PermitUntil))
	}
	if p.Receipt != nil {
		p.fact("journal", fmt.Sprintf("position %d of %s", p.Receipt.Position, p.Receipt.Origin), "leaf "+p.Receipt.Leaf)
	}
	p.fact("page", p.URL)
}

// instant is t in the reader's zone and in UTC, and how far away it is.
func (p *printer) instant(t time.Time) string {
	text := Stamp(t, p.Zone)
	if p.Now.IsZero() || t.IsZero() {
		return text
	}
	if d := t.Sub(p.Now); d > 0 {
		return text + ", in " + Span(d)
	}
	return text
}

// Stamp is an instant in a zone, with UTC beside it where that differs.
func Stamp(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "never"
	}
	utc := t.UTC()
	layout := "2006-01-02 15:04 MST"
	if utc.Second() != 0 {
		layout = "2006-01-02 15:04:05 MST"
	}
	if zone == nil {
		return utc.Format(layout)
	}
	local := t.In(zone)
	if _, offset := local.Zone(); offset == 0 {
		return utc.Format(layout)
	}
	if local.Day() == utc.Day() {
		layout2 := strings.TrimPrefix(layout, "2006-01-02 ")
		return local.Format(layout) + " (" + utc.Format(layout2) + ")"
	}
	return local.Format(layout) + " (" + utc.Format(layout) + ")"
}

// Span is a duration as people say it, rounded down to the unit that matters.
func Span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func place(w wire.Place) string {
	switch {
	case w.File == "":
		return ""
	case w.Line == 0:
		return w.File
	}
	return fmt.Sprintf("%s:%d:%d", w.File, w.Line, w.Column)
}
