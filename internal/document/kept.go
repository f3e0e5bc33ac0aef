package document

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// laterKinds are documents of modules that this version does not have.
var laterKinds = []string{"Blackout", "BookingRule", "Council", "Escalation", "Notification", "Questionnaire", "RetentionRule", "RollbackPlan", "Runbook", "ServiceLevel"}

// RiskModel turns answers into a score from 0 to 100. This version keeps it and
// weighs nothing with it.
type RiskModel struct {
	Name, Title string
	Factors     []RiskFactor
	Thresholds  []RiskThreshold // from 0 to 100 without a gap
	Where       fault.Position
}

// RiskFactor is one question: its answers score from 0 (harmless) to 1.
type RiskFactor struct {
	Name, Question string
	Weight         float64 // weights sum to 100
	Answers        map[string]float64
}

// RiskThreshold names the scores from From (included) to To (left out, except 100).
type RiskThreshold struct {
	Level    string
	From, To float64
}

// Window is a time in which deployments are welcome. This version keeps it and
// weighs nothing with it.
type Window struct {
	Name, Title string
	Zone        string // IANA name
	Weekly      []WindowHours
	From, Until time.Time // zero: always
	Where       fault.Position
}

// WindowHours are hours of the wall clock; where To is not after From they end
// on the next day.
type WindowHours struct {
	Days     []string
	From, To string // HH:MM
}

// Owner says which group answers for the files of a pattern.
type Owner struct {
	Name, Files, Group string
	Where              fault.Position
}

// Owns reports whether a file is one of the pattern's: DIR/** is all below DIR.
func (o Owner) Owns(file string) bool {
	if o.Files == "**" {
		return true
	}
	if dir, deep := strings.CutSuffix(o.Files, "/**"); deep {
		return strings.HasPrefix(file, dir+"/")
	}
	match, _ := path.Match(o.Files, file)
	return match
}

func (r *Reader) owner(f *bundle.Fields) {
	o := Owner{Name: r.name(f, "Owner", nameForm), Files: f.Need("files"), Group: r.group(f, "group"), Where: f.At()}
	if !f.Has("group") {
		f.Missing("group")
	}
	if _, err := path.Match(strings.TrimSuffix(o.Files, "/**"), ""); err != nil || strings.Contains(strings.TrimSuffix(o.Files, "**"), "**") {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("files"), Code: "policy.pattern", What: fmt.Sprintf("%q is not a pattern of file names", o.Files), Fix: "write such as gates/*.yaml or regulated/**"})
	}
	r.Owners = append(r.Owners, o)
}

// owned warns of owners of nothing.
func (r *Reader) owned(p *Set) {
	for _, o := range p.Owners {
		if o.Files != "" && !slices.ContainsFunc(p.Files, func(f bundle.File) bool { return o.Owns(f.Name) }) {
			r.warn(bundle.Problem{Where: o.Where, Code: "policy.unused", What: fmt.Sprintf("no file of the bundle fits %q", o.Files), Why: "Owner " + o.Name + " owns nothing", Fix: "correct the pattern"})
		}
	}
}

// notWeighed warns that a document is kept, so that nobody believes it enforced.
func (r *Reader) notWeighed(f *bundle.Fields, kind string) {
	r.warn(bundle.Problem{Where: f.At(), Code: "policy.not-weighed", What: kind + " is kept, not yet weighed", Why: "no gate of this version can use it", Fix: "do not rely on it"})
}

func (r *Reader) riskModel(f *bundle.Fields) {
	m := RiskModel{Name: r.name(f, "RiskModel", nameForm), Title: f.Text("title"), Where: f.At()}
	sum := 0.0
	for _, x := range r.list(f, "factors") {
		factor := r.factor(x)
		sum += factor.Weight
		m.Factors = append(m.Factors, factor)
	}
	if len(m.Factors) > 0 && math.Abs(sum-100) > 1e-9 {
		r.Out.Add(bundle.Problem{Where: f.KeyAt("factors"), Code: "policy.risk", What: "the weights sum to " + figure(sum), Why: "a score runs from 0 to 100", Fix: "make the weights sum to 100"})
	}
	at := 0.0
	thresholds := r.list(f, "thresholds")
	for _, x := range thresholds {
		t := RiskThreshold{Level: x.Need("level")}
		t.From, t.To = r.percent(x, "from"), r.percent(x, "to")
		x.Done("a threshold")
		if t.From != at || t.To <= t.From {
			r.Out.Add(bundle.Problem{Where: x.ValueAt("from"), Code: "policy.risk", What: fmt.Sprintf("level %q runs from %s to %s", t.Level, figure(t.From), figure(t.To)), Why: "thresholds leave no gap and do not overlap: here one begins at " + figure(at)})
		}
		at = t.To
		m.Thresholds = append(m.Thresholds, t)
	}
	if len(thresholds) > 0 && at != 100 {
		r.Out.Add(bundle.Problem{Where: f.KeyAt("thresholds"), Code: "policy.risk", What: "the thresholds end at " + figure(at), Why: "a score above would have no level", Fix: "end the last one at 100"})
	}
	r.notWeighed(f, "RiskModel")
	r.RiskModels = append(r.RiskModels, m)
}

// list is a list of mappings that must not be empty.
func (r *Reader) list(f *bundle.Fields, key string) []*bundle.Fields {
	all := f.Mappings(key)
	if !f.Has(key) {
		f.Missing(key)
	} else if f.EmptyList(key) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt(key), Code: "policy.empty-list", What: fmt.Sprintf("%q is empty", key)})
	}
	return all
}

// percent is a number from 0 to 100.
func (r *Reader) percent(f *bundle.Fields, key string) float64 {
	v, ok := f.Number(key)
	if !f.Has(key) {
		f.Missing(key)
	} else if ok && (v < 0 || v > 100) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt(key), Code: "policy.out-of-range", What: fmt.Sprintf("%q is out of range", key), Why: "it is a number from 0 to 100"})
	}
	return v
}

func (r *Reader) factor(f *bundle.Fields) RiskFactor {
	x := RiskFactor{Name: f.Need("name"), Question: f.Text("question"), Weight: r.percent(f, "weight"), Answers: map[string]float64{}}
	answers := f.Mapping("answers")
	if !f.Has("answers") {
		f.Missing("answers")
	}
	if answers != nil {
		for _, name := range answers.Keys() {
			v, ok := answers.Number(name)
			if ok && (v < 0 || v > 1) {
				r.Out.Add(bundle.Problem{Where: answers.ValueAt(name), Code: "policy.out-of-range", What: fmt.Sprintf("%q is out of range", name), Why: "an answer scores from 0 to 1"})
			}
			x.Answers[name] = v
		}
	}
	f.Done("a factor")
	return x
}

var (
	zoneForm  = regexp.MustCompile(`^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_+-]+){1,2})$`)
	clockForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	weekdays  = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
)

func (r *Reader) window(f *bundle.Fields) {
	w := Window{Name: r.name(f, "Window", nameForm), Title: f.Text("title"), Zone: f.Need("zone"), From: f.Instant("from"), Until: f.Instant("until"), Where: f.At()}
	if w.Zone != "" && !zoneForm.MatchString(w.Zone) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("zone"), Code: "policy.zone", What: fmt.Sprintf("%q is not the name of a time zone", w.Zone), Why: "an offset would be wrong for half of the year in many places", Fix: "write such as Europe/Berlin or UTC"})
	}
	for _, x := range r.list(f, "weekly") {
		h := WindowHours{Days: r.some(x, "days", weekdays...), From: r.clock(x, "from"), To: r.clock(x, "to")}
		if h.From != "" && h.From == h.To {
			r.Out.Add(bundle.Problem{Where: x.ValueAt("to"), Code: "policy.out-of-range", What: "the hours end where they begin", Fix: "write from: \"00:00\" and to: \"23:59\" for a whole day"})
		}
		x.Done("weekly hours")
		w.Weekly = append(w.Weekly, h)
	}
	if !w.Until.IsZero() && !w.From.Before(w.Until) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("until"), Code: "policy.out-of-range", What: "the window ends before it begins"})
	}
	r.notWeighed(f, "Window")
	r.Windows = append(r.Windows, w)
}

// clock is a time of the day.
func (r *Reader) clock(f *bundle.Fields, key string) string {
	s := f.Need(key)
	if s != "" && !clockForm.MatchString(s) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt(key), Code: "policy.clock", What: fmt.Sprintf("%q is not a time of the day", s), Fix: `write such as "09:30"`})
		return ""
	}
	return s
}

// figure is a number without needless digits.
func figure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
