package document

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// Documents whose conditions are still to be compiled.
type (
	// Scope is a ScopeRule.
	Scope struct {
		ScopeRule
		Matching *bundle.Expression // nil: there is none
	}
	// Type is a ReleaseType.
	Type struct {
		ReleaseType
		Whenever *bundle.Expression
		ChainAt  fault.Position
	}
	// GateRule is a Gate.
	GateRule struct {
		Gate
		Applying, Asking, Observing *bundle.Expression
		ControlsAt                  map[string]fault.Position
	}
	// Relax is a Relaxation.
	Relax struct {
		Relaxation
		Matching *bundle.Expression
		GateAt   fault.Position
	}
)

// Set is all that the documents of a bundle say, with overlays laid.
type Set struct {
	Files       []bundle.File
	Policy      Policy
	Scopes      []Scope
	Types       []Type
	Gates       []GateRule
	Chains      []ApprovalChain
	Freezes     []FreezeRule
	Parameters  []Parameter
	Frameworks  []Framework
	Controls    []Control
	Includes    []Include
	Overlays    []Overlay
	Relaxations []Relax
	RiskModels  []RiskModel
	Windows     []Window
	Owners      []Owner
	Attestors   []Attestor
}

// Reader reads documents one after the other. Every problem goes to Out.
type Reader struct {
	Set
	Out      *bundle.Problems
	policies []Policy
	guests   []Policy // of included bundles
	overlays []overlay
	names    map[string]string // kind and name to the place of the first
	more     []Kind
}

// Read is what a bundle says; more are kinds that its caller reads.
func Read(files []bundle.File, out *bundle.Problems, more ...Kind) *Set {
	r := NewReader(out)
	r.Files, r.more = bundle.Clone(files), more
	for _, d := range bundle.Read(files, out) {
		r.document(d)
	}
	if len(r.policies) > 0 {
		r.Policy = r.policies[0]
	}
	r.included(&r.Set)
	r.lay(&r.Set)
	r.link(&r.Set)
	return &r.Set
}

// NewReader reads nothing yet.
func NewReader(out *bundle.Problems) *Reader {
	return &Reader{Out: out, names: map[string]string{}}
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	wordForm  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	groupForm = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
)

// reserved are words that CEL does not take after a dot.
var reserved = []string{"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}

func (r *Reader) document(f *bundle.Fields) {
	if v := f.Need("apiVersion"); v != "" && v != bundle.APIVersion {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("apiVersion"), Code: "policy.api-version", What: fmt.Sprintf("apiVersion %q is not known", v), Fix: "write apiVersion: " + bundle.APIVersion})
	}
	kind := f.Need("kind")
	var known []string
	for _, k := range slices.Concat(kinds, r.more) {
		known = append(known, k.Name)
		if k.Name == kind {
			k.Read(r, f)
			f.Done("a " + kind)
			return
		}
	}
	if slices.Contains(laterKinds, kind) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("kind"), Code: "policy.unknown-kind", What: fmt.Sprintf("this version does not know the kind %s", kind), Why: "it belongs to a module that comes later", Fix: "take the document out"})
		return
	}
	if kind != "" {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("kind"), Code: "policy.unknown-kind", What: fmt.Sprintf("kind %q is not known", kind), Fix: bundle.DidYouMean(kind, known)})
	}
}

// name reads the name of a document, of the given form, unique within its kind.
func (r *Reader) name(f *bundle.Fields, kind string, form *regexp.Regexp) string {
	name := f.Need("name")
	if name == "" {
		return ""
	}
	if len(name) > 63 || !form.MatchString(name) || form == wordForm && slices.Contains(reserved, name) {
		want := "lower-case words joined by hyphens, such as no-critical-findings"
		if form == wordForm {
			want = "lower-case words joined by underscores, such as max_high; words of CEL are not names"
		}
		r.Out.Add(bundle.Problem{Where: f.ValueAt("name"), Code: "policy.name", What: fmt.Sprintf("%q is not a name", name), Why: "a name has at most 63 characters and is made of " + want})
	}
	r.Once(f.ValueAt("name"), kind+" "+name)
	return name
}

// Once reports a key, such as a kind and a name, that stands twice.
func (r *Reader) Once(at fault.Position, key string) {
	if first, twice := r.names[key]; twice {
		r.Out.Add(bundle.Problem{Where: at, Code: "policy.duplicate-name", What: key + " stands twice", Why: "it stands first at " + first, Fix: "rename or delete one"})
		return
	}
	r.names[key] = at.String()
}

func (r *Reader) policy(f *bundle.Fields) {
	guest := Included(f.At().File)
	kind := "Policy"
	if guest {
		kind = "Policy of " + f.At().File + ":"
	}
	p := Policy{Name: r.name(f, kind, nameForm), Version: f.Need("version"), Description: f.Text("description"), Owner: r.group(f, "owner"), Where: f.At()}
	if r.mode(f, &p); guest {
		r.guests = append(r.guests, p)
		return
	}
	r.policies = append(r.policies, p)
}

func (r *Reader) scopeRule(f *bundle.Fields) {
	s := Scope{ScopeRule: ScopeRule{Name: r.name(f, "ScopeRule", nameForm), Governance: f.Choice("governance", "", Full, Light, None), Reason: f.Text("reason"), Where: f.At()}}
	if !f.Has("governance") {
		f.Missing("governance")
	}
	s.Matching, s.Match = expression(f, "match")
	if o := f.Mapping("observe"); o != nil {
		s.Observe = &Observed{By: o.Need("by"), Until: o.Instant("until")}
		if !o.Has("until") {
			o.Missing("until")
		}
		o.Done("observe")
	}
	r.Scopes = append(r.Scopes, s)
}

// expression is a condition still to be compiled, and its text.
func expression(f *bundle.Fields, key string) (*bundle.Expression, string) {
	e := f.Expression(key)
	if e == nil {
		return nil, ""
	}
	return e, strings.TrimSpace(e.Text)
}

func (r *Reader) releaseType(f *bundle.Fields) {
	t := Type{ReleaseType: ReleaseType{
		Name:  r.name(f, "ReleaseType", nameForm),
		Sizes: r.some(f, "size", Major, Minor, Patch), ChangeTypes: r.some(f, "change_types", Standard, Normal, Emergency),
		Chain: f.Need("chain"), LeadTime: f.Duration("lead_time", 0, maxDuration), RollbackTimeObjective: f.Duration("rollback_time_objective", 0, maxDuration),
		PermitTTL: f.Duration("permit_ttl", DefaultPermitTTL, MaxPermitTTL), Thresholds: map[string]float64{}, Where: f.At(),
	}}
	t.ChainAt = f.KeyAt("chain")
	t.Whenever, t.When = expression(f, "when")
	if m := f.Mapping("thresholds"); m != nil {
		for _, name := range m.Keys() {
			r.threshold(m, name, t.Thresholds)
		}
	}
	r.Types = append(r.Types, t)
}

func (r *Reader) threshold(m *bundle.Fields, name string, into map[string]float64) {
	if !wordForm.MatchString(name) || slices.Contains(reserved, name) {
		r.Out.Add(bundle.Problem{Where: m.KeyAt(name), Code: "policy.name", What: fmt.Sprintf("%q is not the name of a threshold", name), Why: "it is made of lower-case words joined by underscores"})
	}
	if v, ok := m.Number(name); ok {
		into[name] = v
	}
}

// some is a list that must not be empty.
func (r *Reader) some(f *bundle.Fields, key string, options ...string) []string {
	all := f.Choices(key, options...)
	if !f.Has(key) {
		f.Missing(key)
	} else if f.EmptyList(key) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt(key), Code: "policy.empty-list", What: fmt.Sprintf("%q is empty", key), Why: "it would match nothing"})
	}
	return all
}

func (r *Reader) gate(f *bundle.Fields) {
	g := GateRule{Gate: Gate{
		Name: r.name(f, "Gate", nameForm), Title: f.Need("title"), Description: f.Text("description"),
		Governance: f.Choices("governance", Full, Light), Required: f.Text("required"), Needs: f.Choices("needs", Needable()...),
		MaxAge: f.Duration("max_age", 0, maxDuration), Provenance: Provenance(f.Choice("provenance", "", "server", "attested", "pipeline", "person")),
		Severity: Severity(f.Choice("severity", "block", "block", "warn", "observe")), OnFail: Verdict(f.Choice("on_fail", "no-go", "no-go", "wait")),
		Owner: r.group(f, "owner"), Lift: f.Text("lift"), Next: f.Text("next"), Where: f.At(),
	}}
	if len(g.Governance) == 0 {
		g.Governance = []string{Full, Light}
	}
	g.Applying, g.Applies = expression(f, "applies")
	g.Observing, g.Observed = expression(f, "observed")
	g.Asking, g.Condition = expression(f, "condition")
	if !f.Has("condition") {
		f.Missing("condition")
	}
	g.Controls, g.ControlsAt = r.labels(f), map[string]fault.Position{}
	for _, c := range g.Controls {
		g.ControlsAt[c] = f.ItemAt("controls", c)
	}
	r.Gates = append(r.Gates, g)
}

func (r *Reader) group(f *bundle.Fields, key string) string {
	g := f.Text(key)
	if g != "" && !groupForm.MatchString(g) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt(key), Code: "policy.group", What: fmt.Sprintf("%q is not the name of a group", g), Why: "names of groups are lower-case words joined by hyphens, dots or underscores", Fix: "name a group or team, not a person"})
	}
	return g
}

// groups is a list of names of groups.
func (r *Reader) groups(f *bundle.Fields, key string) []string {
	all := f.List(key)
	for _, g := range all {
		if !groupForm.MatchString(g) {
			r.Out.Add(bundle.Problem{Where: f.ItemAt(key, g), Code: "policy.group", What: fmt.Sprintf("%q is not the name of a group", g), Why: "names of groups are lower-case words joined by hyphens, dots or underscores", Fix: "name groups, not persons"})
		}
	}
	return all
}

func (r *Reader) chain(f *bundle.Fields) {
	c := ApprovalChain{Name: r.name(f, "ApprovalChain", nameForm), ValidFor: f.Duration("valid_for", DefaultValidFor, maxDuration), Rejections: f.Count("rejections", 1, 1, 100), Where: f.At()}
	if c.Name == NoChain {
		r.Out.Add(bundle.Problem{Where: f.KeyAt("name"), Code: "policy.name", What: `"none" is not the name of a chain`, Why: "a release type that names it asks nobody", Fix: "choose another name"})
	}
	tiers := f.Mappings("tiers")
	for _, t := range tiers {
		c.Tiers = append(c.Tiers, r.tier(t))
	}
	switch {
	case !f.Has("tiers"):
		f.Missing("tiers")
	case len(tiers) != 1:
		r.Out.Add(bundle.Problem{Where: f.KeyAt("tiers"), Code: "policy.tiers", What: fmt.Sprintf("the chain has %d tiers", len(tiers)), Why: "a chain has one tier in this version", Fix: "keep one tier; its groups and quorum can ask for several persons"})
	}
	r.Chains = append(r.Chains, c)
}

func (r *Reader) tier(f *bundle.Fields) Tier {
	t := Tier{Name: f.Need("name"), Groups: r.groups(f, "groups"), Quorum: 1}
	if len(t.Groups) == 0 {
		r.Out.Add(bundle.Problem{Where: f.KeyAt("groups"), Code: "policy.nobody", What: "the tier names no group", Why: "nobody could approve", Fix: "add groups: [release-approvers]"})
	}
	if !f.Has("quorum") {
		f.Missing("quorum")
	}
	t.Quorum = f.Count("quorum", 1, 1, 100)
	f.Done("a tier")
	return t
}

func (r *Reader) freezeRule(f *bundle.Fields) {
	z := FreezeRule{
		Name: r.name(f, "FreezeRule", nameForm), MayDeclare: r.groups(f, "may_declare"), MayLift: r.groups(f, "may_lift"), Exempt: f.List("exempt"),
		Verdict: Verdict(f.Choice("verdict", "", "wait", "no-go")), InFlight: f.Choice("in_flight", "continue", "continue", "stop"), Where: f.At(),
	}
	r.Freezes = append(r.Freezes, z)
}

func (r *Reader) parameter(f *bundle.Fields) {
	p := Parameter{Name: r.name(f, "Parameter", wordForm), Unit: f.Text("unit"), Description: f.Text("description"), MayChange: r.groups(f, "may_change"), Strict: f.Choice("strict", "", "min", "max"), Where: f.At()}
	for key, bound := range map[string]**float64{"min": &p.Min, "max": &p.Max} {
		if v, ok := f.Number(key); ok {
			*bound = &v
		}
	}
	value := f.Scalar("value")
	x, number := value.(float64)
	text, _ := value.(string)
	switch {
	case !f.Has("value"):
		f.Missing("value")
	case value == nil:
		f.Wrong("value", "a finite number, true, false or text")
	case len(text) > MaxText:
		r.Out.Add(bundle.Problem{Where: f.ValueAt("value"), Code: "policy.too-long", What: "the value is too long", Why: fmt.Sprintf("it may have %d bytes", MaxText)})
	case !number && (p.Min != nil || p.Max != nil || p.Strict != ""):
		r.Out.Add(bundle.Problem{Where: f.ValueAt("value"), Code: "policy.out-of-range", What: "only a number has bounds", Fix: "drop min, max and strict"})
	case number && (p.Min != nil && x < *p.Min || p.Max != nil && x > *p.Max):
		r.Out.Add(bundle.Problem{Where: f.ValueAt("value"), Code: "policy.out-of-range", What: fmt.Sprintf("the value of %q is outside its bounds", p.Name)})
	default:
		p.Value = value
	}
	r.Parameters = append(r.Parameters, p)
}
