package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader turns documents into the parts of a Program, without compiling any condition.
type reader struct {
	out      *problems
	policies []Policy
	scopes   []scope
	types    []releaseType
	gates    []gate
	chains   []ApprovalChain
	freezes  []FreezeRule
	params   []Parameter
	cases    []testCase
	names    map[string]string // kind and name to the place of the first
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	wordForm  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	groupForm = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
)

// reserved are words that CEL does not take after a dot.
var reserved = []string{"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}

func (r *reader) document(d document) {
	f := fieldsOf(d.src, d.root, r.out)
	if v := f.need("apiVersion"); v != "" && v != APIVersion {
		r.out.add(Problem{Where: place(d.src, f.vals["apiVersion"]), Code: "policy.api-version", What: fmt.Sprintf("apiVersion %q is not known", v), Fix: "write apiVersion: " + APIVersion})
	}
	kind := f.need("kind")
	for _, k := range kinds {
		if k.name == kind {
			k.read(r, f)
			f.done("a " + kind)
			return
		}
	}
	if kind != "" {
		r.out.add(Problem{Where: place(d.src, f.vals["kind"]), Code: "policy.unknown-kind", What: fmt.Sprintf("kind %q is not known", kind), Fix: kindFix(kind)})
	}
}

func kindFix(kind string) string {
	for _, k := range kindNames() {
		if strings.EqualFold(k, kind) || distance(strings.ToLower(kind), strings.ToLower(k), 3) <= 3 {
			return fmt.Sprintf("did you mean %q?", k)
		}
	}
	return "use one of: " + strings.Join(kindNames(), ", ")
}

// name reads the name of a document, of the given form, unique within its kind.
func (r *reader) name(f *fields, kind string, form *regexp.Regexp) string {
	name := f.need("name")
	if name == "" {
		return ""
	}
	n := f.vals["name"]
	if len(name) > 63 || !form.MatchString(name) || form == wordForm && slices.Contains(reserved, name) {
		want := "lower-case words joined by hyphens, such as no-critical-findings"
		if form == wordForm {
			want = "lower-case words joined by underscores, such as max_high; words of CEL are not names"
		}
		r.out.add(Problem{Where: place(f.src, n), Code: "policy.name", What: fmt.Sprintf("%q is not a name", name), Why: "a name has at most 63 characters and is made of " + want})
	}
	r.once(f, n, kind+" "+name)
	return name
}

func (r *reader) once(f *fields, n *yaml.Node, key string) {
	if first, twice := r.names[key]; twice {
		r.out.add(Problem{Where: place(f.src, n), Code: "policy.duplicate-name", What: key + " stands twice", Why: "it stands first at " + first, Fix: "rename or delete one"})
		return
	}
	r.names[key] = place(f.src, n).String()
}

func (r *reader) policy(f *fields) {
	r.policies = append(r.policies, Policy{
		Name: r.name(f, "Policy", nameForm), Version: f.need("version"), Description: f.text("description"), Owner: r.group(f, "owner"), Where: f.at(),
	})
}

func (r *reader) scopeRule(f *fields) {
	s := scope{ScopeRule: ScopeRule{Name: r.name(f, "ScopeRule", nameForm), Governance: f.choice("governance", "", Full, Light, None), Reason: f.text("reason"), Where: f.at()}}
	if !f.has("governance") {
		f.missing("governance")
	}
	s.match, s.Match = f.rule("match")
	if o := f.mapping("observe"); o != nil {
		s.Observe = &Observed{By: o.need("by"), Until: o.instant("until")}
		if !o.has("until") {
			o.missing("until")
		}
		o.done("observe")
	}
	r.scopes = append(r.scopes, s)
}

// rule is an expression still to be compiled, and its text.
func (f *fields) rule(key string) (rule, string) {
	e := f.expression(key)
	if e == nil {
		return rule{}, ""
	}
	return rule{source: e}, strings.TrimSpace(e.text)
}

func (r *reader) releaseType(f *fields) {
	t := releaseType{ReleaseType: ReleaseType{
		Name:  r.name(f, "ReleaseType", nameForm),
		Sizes: r.some(f, "size", Major, Minor, Patch), ChangeTypes: r.some(f, "change_types", Standard, Normal, Emergency),
		Chain: f.need("chain"), LeadTime: f.duration("lead_time", 0, maxDuration), RollbackTimeObjective: f.duration("rollback_time_objective", 0, maxDuration),
		PermitTTL: f.duration("permit_ttl", DefaultPermitTTL, MaxPermitTTL), Thresholds: map[string]float64{}, Where: f.at(),
	}}
	t.chainAt = f.keyAt("chain")
	t.when, t.When = f.rule("when")
	if m := f.mapping("thresholds"); m != nil {
		for i := 0; i+1 < len(m.node.Content); i += 2 {
			r.threshold(m, m.node.Content[i], t.Thresholds)
		}
	}
	r.types = append(r.types, t)
}

func (r *reader) threshold(m *fields, key *yaml.Node, into map[string]float64) {
	if !wordForm.MatchString(key.Value) || slices.Contains(reserved, key.Value) {
		r.out.add(Problem{Where: place(m.src, key), Code: "policy.name", What: fmt.Sprintf("%q is not the name of a threshold", key.Value), Why: "it is made of lower-case words joined by underscores"})
	}
	if v, ok := m.number(key.Value); ok {
		into[key.Value] = v
	}
}

// some is a list that must not be empty.
func (r *reader) some(f *fields, key string, options ...string) []string {
	all := f.choices(key, options...)
	if !f.has(key) {
		f.missing(key)
	} else if n := f.vals[key]; n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.out.add(Problem{Where: place(f.src, n), Code: "policy.empty-list", What: fmt.Sprintf("%q is empty", key), Why: "it would match nothing"})
	}
	return all
}

func (r *reader) gate(f *fields) {
	g := gate{Gate: Gate{
		Name: r.name(f, "Gate", nameForm), Title: f.need("title"), Description: f.text("description"),
		Governance: f.choices("governance", Full, Light), Required: f.text("required"), Needs: f.choices("needs", needable()...),
		MaxAge: f.duration("max_age", 0, maxDuration), Provenance: Provenance(f.choice("provenance", "", "server", "pipeline", "person")),
		Severity: Severity(f.choice("severity", "block", "block", "warn", "observe")), OnFail: Verdict(f.choice("on_fail", "no-go", "no-go", "wait")),
		Owner: r.group(f, "owner"), Lift: f.text("lift"), Next: f.text("next"), Controls: f.list("controls"), Where: f.at(),
	}}
	if len(g.Governance) == 0 {
		g.Governance = []string{Full, Light}
	}
	g.applies, g.Applies = f.rule("applies")
	g.observed, g.Observed = f.rule("observed")
	g.condition, g.Condition = f.rule("condition")
	if !f.has("condition") {
		f.missing("condition")
	}
	for _, c := range g.Controls {
		if framework, id, ok := strings.Cut(c, "/"); !ok || framework == "" || id == "" {
			r.out.add(Problem{Where: place(f.src, f.item("controls", c)), Code: "policy.control", What: fmt.Sprintf("%q does not name a control", c), Fix: "write framework/id, such as soc2/CC8.1"})
		}
	}
	r.gates = append(r.gates, g)
}

func (r *reader) group(f *fields, key string) string {
	g := f.text(key)
	if g != "" && !groupForm.MatchString(g) {
		r.out.add(Problem{Where: place(f.src, f.vals[key]), Code: "policy.group", What: fmt.Sprintf("%q is not the name of a group", g), Why: "names of groups are lower-case words joined by hyphens, dots or underscores", Fix: "name a group or team, not a person"})
	}
	return g
}

// groups is a list of names of groups.
func (r *reader) groups(f *fields, key string) []string {
	all := f.list(key)
	for _, g := range all {
		if !groupForm.MatchString(g) {
			r.out.add(Problem{Where: place(f.src, f.item(key, g)), Code: "policy.group", What: fmt.Sprintf("%q is not the name of a group", g), Why: "names of groups are lower-case words joined by hyphens, dots or underscores", Fix: "name groups, not persons"})
		}
	}
	return all
}

func (r *reader) chain(f *fields) {
	c := ApprovalChain{Name: r.name(f, "ApprovalChain", nameForm), ValidFor: f.duration("valid_for", DefaultValidFor, maxDuration), Rejections: f.count("rejections", 1, 1, 100), Where: f.at()}
	if c.Name == NoChain {
		r.out.add(Problem{Where: f.keyAt("name"), Code: "policy.name", What: `"none" is not the name of a chain`, Why: "a release type that names it asks nobody", Fix: "choose another name"})
	}
	tiers := f.mappings("tiers")
	for _, t := range tiers {
		c.Tiers = append(c.Tiers, r.tier(t))
	}
	switch {
	case !f.has("tiers"):
		f.missing("tiers")
	case len(tiers) != 1:
		r.out.add(Problem{Where: f.keyAt("tiers"), Code: "policy.tiers", What: fmt.Sprintf("the chain has %d tiers", len(tiers)), Why: "a chain has one tier in this version", Fix: "keep one tier; its groups and quorum can ask for several persons"})
	}
	r.chains = append(r.chains, c)
}

func (r *reader) tier(f *fields) Tier {
	t := Tier{Name: f.need("name"), Groups: r.groups(f, "groups"), Quorum: 1}
	if len(t.Groups) == 0 {
		r.out.add(Problem{Where: f.keyAt("groups"), Code: "policy.nobody", What: "the tier names no group", Why: "nobody could approve", Fix: "add groups: [release-approvers]"})
	}
	if !f.has("quorum") {
		f.missing("quorum")
	}
	t.Quorum = f.count("quorum", 1, 1, 100)
	f.done("a tier")
	return t
}

func (r *reader) freezeRule(f *fields) {
	z := FreezeRule{
		Name: r.name(f, "FreezeRule", nameForm), MayDeclare: r.groups(f, "may_declare"), MayLift: r.groups(f, "may_lift"), Exempt: f.list("exempt"),
		Verdict: Verdict(f.choice("verdict", "", "wait", "no-go")), InFlight: f.choice("in_flight", "continue", "continue", "stop"), Where: f.at(),
	}
	r.freezes = append(r.freezes, z)
}

func (r *reader) parameter(f *fields) {
	p := Parameter{Name: r.name(f, "Parameter", wordForm), Unit: f.text("unit"), Description: f.text("description"), MayChange: r.groups(f, "may_change"), Where: f.at()}
	for key, bound := range map[string]**float64{"min": &p.Min, "max": &p.Max} {
		if v, ok := f.number(key); ok {
			*bound = &v
		}
	}
	n := f.take("value")
	switch v, number := valueOf(n); {
	case n == nil:
		f.missing("value")
	case v == nil:
		f.wrong(n, "value", "a finite number, true, false or text")
	case n.Kind == yaml.ScalarNode && len(n.Value) > MaxInputText:
		r.out.add(Problem{Where: place(f.src, n), Code: "policy.too-long", What: "the value is too long", Why: fmt.Sprintf("it may have %d bytes", MaxInputText)})
	case !number && (p.Min != nil || p.Max != nil):
		r.out.add(Problem{Where: place(f.src, n), Code: "policy.out-of-range", What: "only a number has bounds", Fix: "drop min and max"})
	case number && (p.Min != nil && v.(float64) < *p.Min || p.Max != nil && v.(float64) > *p.Max):
		r.out.add(Problem{Where: place(f.src, n), Code: "policy.out-of-range", What: fmt.Sprintf("the value of %q is outside its bounds", p.Name)})
	default:
		p.Value = v
	}
	r.params = append(r.params, p)
}

// valueOf is the value of a parameter: float64, bool or string, or nil.
func valueOf(n *yaml.Node) (value any, number bool) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil, false
	}
	if v, ok := numberOf(n); ok {
		return v, true
	}
	switch n.ShortTag() {
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), false
	case "!!str":
		return n.Value, false
	}
	return nil, false
}
