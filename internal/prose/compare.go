package prose

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// register is all documents of one kind, by name.
type register struct {
	kind string
	docs map[string]reflect.Value
}

func of[D any](kind string, list []D, name func(D) string) register {
	r := register{kind, map[string]reflect.Value{}}
	for _, d := range list {
		r.docs[name(d)] = reflect.ValueOf(d)
	}
	return r
}

// registers are the documents of a bundle, all of them.
func registers(p *policy.Program) []register {
	return []register{
		of("Policy", []policy.Policy{p.Policy()}, func(policy.Policy) string { return "" }),
		of("ScopeRule", p.ScopeRules(), func(d policy.ScopeRule) string { return d.Name }),
		of("ReleaseType", p.ReleaseTypes(), func(d policy.ReleaseType) string { return d.Name }),
		of("Gate", p.Gates(), func(d policy.Gate) string { return d.Name }),
		of("ApprovalChain", p.Chains(), func(d policy.ApprovalChain) string { return d.Name }),
		of("FreezeRule", p.FreezeRules(), func(d policy.FreezeRule) string { return d.Name }),
		of("Parameter", p.Parameters(), func(d policy.Parameter) string { return d.Name }),
		of("Framework", p.Frameworks(), func(d policy.Framework) string { return d.Name }),
		of("Control", p.Controls(), func(d policy.Control) string { return d.Label() }),
		of("RiskModel", p.RiskModels(), func(d policy.RiskModel) string { return d.Name }),
		of("Window", p.Windows(), func(d policy.Window) string { return d.Name }),
		of("Relaxation", p.Relaxations(), func(d policy.Relaxation) string { return d.Name }),
		of("Attestor", p.Attestors(), func(d policy.Attestor) string { return d.Name }),
		of("Include", p.Includes(), func(d policy.Include) string { return d.Name }),
		of("Overlay", p.Overlays(), func(d policy.Overlay) string { return d.Name }),
		of("Owner", p.Owners(), func(d policy.Owner) string { return d.Files }),
		of("TestCase", p.Cases(), func(d policy.Case) string { return d.Name }),
	}
}

// documents compares every field of every document. What procedures told of
// release types and chains is not told again.
func (d *differ) documents() {
	after := registers(d.to)
	for i, before := range registers(d.from) {
		for _, name := range union(before.docs, after[i].docs) {
			x, was := before.docs[name]
			y, is := after[i].docs[name]
			who := d.affected(before.kind, x, y)
			label := strings.TrimSpace(titles[before.kind] + " " + name)
			switch {
			case !was:
				d.note(who, Added, label+" is added"+d.gist(d.b, y)+".")
			case !is:
				d.note(who, Removed, label+" is removed"+d.gist(d.a, x)+".")
			default:
				d.fields(who, before.kind, label, x, y)
			}
		}
	}
}

var titles = map[string]string{
	"Policy": "the policy", "ScopeRule": "scope rule", "ReleaseType": "release type", "Gate": "gate", "ApprovalChain": "approval chain", "FreezeRule": "freeze rule",
	"Parameter": "parameter", "Framework": "framework", "Control": "control", "RiskModel": "risk model", "Window": "window", "Relaxation": "relaxation", "Attestor": "attestor", "Include": "include",
	"Overlay": "overlay", "Owner": "owner of", "TestCase": "test case",
}

// gist says in a few words what a document asks for.
func (d *differ) gist(s *speaker, doc reflect.Value) string {
	switch x := doc.Interface().(type) {
	case policy.Gate:
		return ": " + strings.TrimSuffix(s.gate(x), ".")
	case policy.ScopeRule:
		_, text, _ := strings.Cut(s.scope(x), ": ")
		return ": " + strings.TrimSuffix(text, ".")
	case policy.Relaxation:
		return fmt.Sprintf(": gate %s is %s until %s, on the word of %s", x.Gate, relaxed[x.To], day(x.Until), x.By)
	case policy.Overlay:
		return ": " + tightened(x)
	case policy.Parameter:
		return ": " + strings.TrimSpace(literal(x.Value)+" "+x.Unit)
	case policy.Attestor:
		_, text, _ := strings.Cut(attestor(x), ": ")
		return ": " + strings.TrimSuffix(text, ".")
	case policy.Control:
		return ": " + strings.TrimSuffix(x.Statement, ".")
	}
	return ""
}

// affected is who a change of a document concerns.
func (d *differ) affected(kind string, docs ...reflect.Value) string {
	s := d.b
	doc := docs[len(docs)-1]
	if !doc.IsValid() {
		s, doc = d.a, docs[0]
	}
	switch x := doc.Interface().(type) {
	case policy.Gate:
		if len(x.Governance) == 1 {
			return "Releases " + governed[x.Governance[0]]
		}
		return "All releases that are governed"
	case policy.ScopeRule:
		if x.Match == "" {
			return "All releases"
		}
		return "Releases" + s.where(s.canonical(x.Match))
	case policy.FreezeRule:
		return "Releases during a freeze"
	case policy.Control, policy.Framework:
		return "Auditors"
	case policy.Case:
		return "Those who keep the policy: tests"
	case policy.Parameter, policy.Relaxation, policy.Overlay, policy.Attestor:
		return "All releases that are governed"
	}
	return "Those who keep the policy"
}

// told are the fields that procedures compared already.
var told = map[string][]string{
	"ReleaseType":   {"Sizes", "ChangeTypes", "When", "Chain", "Thresholds", "LeadTime", "RollbackTimeObjective", "PermitTTL"},
	"ApprovalChain": {"Tiers", "ValidFor", "Rejections"},
}

// fields compares two documents of one name.
func (d *differ) fields(who, kind, label string, x, y reflect.Value) {
	for i := range x.NumField() {
		f := x.Type().Field(i)
		if f.Type == reflect.TypeFor[fault.Position]() || !f.IsExported() || slices.Contains(told[kind], f.Name) && d.covered(kind, x, y) {
			continue
		}
		if a, is := x.Interface().(policy.Attestor); is && slices.Contains(attestorFields, f.Name) {
			for _, one := range attestorField(f.Name, a, y.Interface().(policy.Attestor)) {
				d.note(who, one.mark, label+": "+one.text+".")
			}
			continue
		}
		was, is := x.Field(i).Interface(), y.Field(i).Interface()
		said, mark := d.said(f.Name, was, is), Changed
		if verbs[f.Name] != (verb{}) && said != "" {
			said, mark = d.conditioned(kind, f.Name, was.(string), is.(string))
		} else if said != "" {
			mark = d.mark(kind, f.Name, x, y)
		}
		if said != "" {
			d.note(who, mark, label+": "+said+".")
		}
	}
}

// covered reports whether procedures told of a document: a chain that no type
// names is told of here.
func (d *differ) covered(kind string, x, y reflect.Value) bool {
	chain, is := y.Interface().(policy.ApprovalChain)
	if !is {
		return true
	}
	return slices.ContainsFunc(d.to.ReleaseTypes(), func(t policy.ReleaseType) bool { return t.Chain == chain.Name }) &&
		slices.ContainsFunc(d.from.ReleaseTypes(), func(t policy.ReleaseType) bool { return t.Chain == x.Interface().(policy.ApprovalChain).Name })
}

// conditions are the fields that hold expressions.
var conditions = []string{"Match", "Condition", "Applies", "Observed", "When"}

// said is how a field changed, or "" where it means the same.
func (d *differ) said(field string, was, is any) string {
	a, aText := was.(string)
	b, bText := is.(string)
	if aText && bText && slices.Contains(conditions, field) {
		if d.a.canonical(a) == d.b.canonical(b) {
			return ""
		}
		if field == "Observed" {
			return "what it shows is now `" + flat(b) + "` instead of `" + flat(a) + "`"
		}
		return words(field) + " is now that " + d.b.orAlways(b) + ", instead of that " + d.a.orAlways(a)
	}
	if reflect.DeepEqual(was, is) || fmt.Sprint(was) == fmt.Sprint(is) && empty(was) && empty(is) {
		return ""
	}
	if long(was) || long(is) {
		return "its " + words(field) + " changed"
	}
	return words(field) + " is now " + shown(is) + " instead of " + shown(was)
}

func (s *speaker) orAlways(text string) string {
	if text == "" {
		return "it is any release"
	}
	return s.condition(text) + " (`" + s.canonical(text) + "`)"
}

func empty(v any) bool {
	return reflect.ValueOf(v).IsZero() || reflect.ValueOf(v).Kind() == reflect.Slice && reflect.ValueOf(v).Len() == 0
}

// long are values too long to be told whole.
func long(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Struct && r.Type() != reflect.TypeFor[time.Time]() || r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Struct || r.Kind() == reflect.Map
}

// words is the name of a Go field as people read it.
func words(field string) string {
	var b strings.Builder
	for i, r := range field {
		if r >= 'A' && r <= 'Z' && i > 0 && field[i-1] >= 'a' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// shown is a value of a field.
func shown(v any) string {
	switch x := v.(type) {
	case time.Duration:
		return span(x)
	case time.Time:
		if x.IsZero() {
			return "nothing"
		}
		return day(x)
	case *policy.Observed:
		if x == nil {
			return "nothing"
		}
		return "until " + day(x.Until) + " on the word of " + x.By
	case *float64:
		if x == nil {
			return "nothing"
		}
		return number(*x)
	case float64:
		return number(x)
	case policy.Verdict:
		if x == "" {
			return "as the freeze ends or not"
		}
		return x.Words()
	case []string:
		if len(x) == 0 {
			return "nothing"
		}
		return strings.Join(x, ", ")
	}
	if text := flat(fmt.Sprint(v)); text != "" {
		return "“" + text + "”"
	}
	return "nothing"
}

// stricter ranks the values of fields, strictest last.
var stricter = map[string][]string{
	"Gate.Severity":        {"observe", "warn", "block"},
	"Gate.OnFail":          {"wait", "no-go"},
	"Gate.Provenance":      {"", "person", "pipeline", "attested", "server"},
	"ScopeRule.Governance": {"none", "light", "full"},
	"FreezeRule.InFlight":  {"continue", "stop"},
	"Policy.Mode":          {"draft", "observe", "warn", "enforce"},
}

// growing are lists that tighten as they grow, shrinking those that loosen.
var growing = map[string]Mark{
	"Gate.Needs": Tightened, "Gate.Governance": Tightened, "Gate.Controls": Tightened, "FreezeRule.Exempt": Loosened, "FreezeRule.MayLift": Loosened,
}

// mark is the direction of a change of one field.
func (d *differ) mark(kind, field string, x, y reflect.Value) Mark {
	was, is := x.FieldByName(field), y.FieldByName(field)
	if ranks := stricter[kind+"."+field]; ranks != nil {
		return direction(slices.Index(ranks, is.String()) > slices.Index(ranks, was.String()), Tightened)
	}
	if more := growing[kind+"."+field]; more != "" {
		a, b := was.Interface().([]string), is.Interface().([]string)
		switch {
		case within(a, b):
			return more
		case within(b, a):
			return direction(false, more)
		}
		return Changed
	}
	switch kind + "." + field {
	case "Gate.MaxAge": // none accepts any age
		a, b := was.Int(), is.Int()
		return direction(a == 0 || b != 0 && b < a, Tightened)
	case "ScopeRule.Observe":
		a, b := was.Interface().(*policy.Observed), is.Interface().(*policy.Observed)
		return direction(b == nil || a != nil && b.Until.Before(a.Until), Tightened)
	case "Parameter.Value":
		return d.parameter(x.Interface().(policy.Parameter), y.Interface().(policy.Parameter))
	}
	return Changed
}

// within reports whether every item of a is in b.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// parameter is the direction of a change of value: as the parameter says, else
// as the gates that read it compare.
func (d *differ) parameter(x, y policy.Parameter) Mark {
	a, number := x.Value.(float64)
	b, still := y.Value.(float64)
	if !number || !still {
		return Changed
	}
	more := map[string]Mark{"min": Loosened, "max": Tightened}[y.Strict]
	if more == "" {
		more = d.pull("param." + y.Name)
	}
	return direction(b > a, more)
}
