package policy

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Finding is one result of a scanner.
type Finding struct {
	Severity   string `cel:"severity" json:"severity"` // critical, high, medium, low, info; "" is unrated
	Rule       string `cel:"rule" json:"rule"`
	Package    string `cel:"package" json:"package"`
	Location   string `cel:"location" json:"location"`
	Tool       string `cel:"tool" json:"tool"`
	Suppressed bool   `cel:"suppressed" json:"suppressed"`
}

// Vote is one person's answer, without the person.
type Vote struct {
	Groups  []string `cel:"groups" json:"groups"` // of the voter
	Answer  string   `cel:"answer" json:"answer"` // approve or reject
	Counted bool     `cel:"counted" json:"counted"`
	Reason  string   `cel:"reason" json:"reason"` // why it does not count; "" where it does
}

// Commit is one commit, without the persons and without its words.
type Commit struct {
	Signed   bool   `cel:"signed" json:"signed"` // carries a signature (not: one that holds)
	Type     string `cel:"type" json:"type"`     // of Conventional Commits; other; "" is none
	Breaking bool   `cel:"breaking" json:"breaking"`
	Merge    bool   `cel:"merge" json:"merge"`
	Revert   bool   `cel:"revert" json:"revert"`
}

// Statement is one attestor's word about the artifact. An attestation that is the
// word of two attestors is two.
type Statement struct {
	Attestor      string    `cel:"attestor" json:"attestor"`
	Keys          []string  `cel:"keys" json:"keys"` // of the attestor, that signed
	PredicateType string    `cel:"predicate_type" json:"predicate_type"`
	Builder       string    `cel:"builder" json:"builder"` // id; of a verification summary the verifier's
	BuildType     string    `cel:"build_type" json:"build_type"`
	Source        string    `cel:"source" json:"source"` // repository
	Ref           string    `cel:"ref" json:"ref"`
	Commit        string    `cel:"commit" json:"commit"`
	Invocation    string    `cel:"invocation" json:"invocation"`
	StartedAt     time.Time `cel:"started_at" json:"started_at,omitzero"`
	FinishedAt    time.Time `cel:"finished_at" json:"finished_at,omitzero"`
	Materials     int       `cel:"materials" json:"materials"`
	Subjects      int       `cel:"subjects" json:"subjects"`
	SLSALevel     int       `cel:"slsa_level" json:"slsa_level"`
	Result        string    `cel:"result" json:"result"` // of a verification summary: PASSED, FAILED
	Levels        []string  `cel:"levels" json:"levels"` // of a verification summary
}

// Limits of a text in a list, in bytes, and of the groups of one vote.
const (
	MaxItemWord   = 32   // a severity, an answer, a type of commit
	MaxItemText   = 300  // a rule, a package, a tool, a reason, a group
	MaxItemPlace  = 1000 // a location
	MaxItemList   = 20
	MaxStatements = 100 // items of attestation.statements
)

// listIn is the field of a section that holds a list of items, or "".
func listIn(s section) string {
	switch s {
	case secChange:
		return "commit_list"
	case secFindings:
		return "items"
	case secLoad:
		return "parts"
	case secAttestation:
		return "statements"
	case secApproval:
		return "votes"
	}
	return ""
}

// listSize is the declared size of a part of a list, told by its path for CEL.
func (l *limits) listSize(path string) (size int, ok bool) {
	switch path {
	case "findings.items.@items.severity", "approval.votes.@items.answer", "change.commit_list.@items.type":
		return l.word, true
	case "load.parts.@items.name", "load.parts.@items.tool", "findings.items.@items.rule", "findings.items.@items.package", "findings.items.@items.tool", "approval.votes.@items.reason", "approval.votes.@items.groups.@items":
		return l.itemText, true
	case "findings.items.@items.location":
		return l.place, true
	case "approval.votes.@items.groups", "attestation.statements.@items.keys", "attestation.statements.@items.levels":
		return l.itemList, true
	case "attestation.statements":
		return l.statements, true
	}
	return l.place, strings.HasPrefix(path, "attestation.statements.@items.")
}

// unlisted reports whether the list of a section was not loaded.
func (in *Inputs) unlisted(s section) bool {
	switch s {
	case secChange:
		return in.Change.CommitList == nil
	case secFindings:
		return in.Findings.Items == nil
	case secLoad:
		return in.Load.Parts == nil
	case secAttestation:
		return in.Attestation.Statements == nil
	case secApproval:
		return in.Approval.Votes == nil
	}
	return false
}

// unloaded says which list that a rule reads was not loaded, or "".
func (v *values) unloaded(r *rule) string {
	for s := range r.lists.each {
		if v.in.unlisted(s) {
			return s.String() + "." + listIn(s) + " was not loaded"
		}
	}
	return ""
}

// limits are the sizes of a text, of a list and of what stands in its items.
type limits struct{ text, list, word, itemText, place, itemList, statements int }

// most are the limits of all inputs, and few of those that are modest: most are,
// and what a rule costs with them is so much less that it need not be metered.
var (
	most = limits{MaxInputText, MaxInputList, MaxItemWord, MaxItemText, MaxItemPlace, MaxItemList, MaxStatements}
	few  = limits{modest, modest, MaxItemWord, modest, modest, MaxItemList, MaxStatements}
)

const modest = 256

// excessList names the first list that is over a limit, or "".
func (in *Inputs) excessList(l *limits) string {
	over := func(limit int, texts ...string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return len(t) > limit })
	}
	switch {
	case len(in.Findings.Items) > l.list || slices.ContainsFunc(in.Findings.Items, func(f Finding) bool {
		return over(l.word, f.Severity) || over(l.itemText, f.Rule, f.Package, f.Tool) || over(l.place, f.Location)
	}):
		return "findings.items"
	case len(in.Load.Parts) > l.list || slices.ContainsFunc(in.Load.Parts, func(p LoadPart) bool {
		return over(l.itemText, p.Name, p.Tool) || endless(p.times()) != "" || endless([]figure{{"error_rate", p.ErrorRate}, {"previous_error_rate", p.PreviousErrorRate}}) != ""
	}):
		return "load.parts"
	case len(in.Approval.Votes) > l.list || slices.ContainsFunc(in.Approval.Votes, func(v Vote) bool {
		return len(v.Groups) > l.itemList || over(l.itemText, v.Groups...) || over(l.word, v.Answer) || over(l.itemText, v.Reason)
	}):
		return "approval.votes"
	case len(in.Change.CommitList) > l.list || slices.ContainsFunc(in.Change.CommitList, func(c Commit) bool { return over(l.word, c.Type) }):
		return "change.commit_list"
	case len(in.Attestation.Statements) > l.statements || slices.ContainsFunc(in.Attestation.Statements, func(s Statement) bool {
		return len(s.Keys) > l.itemList || len(s.Levels) > l.itemList || over(l.place, append(append(s.texts(), s.Keys...), s.Levels...)...)
	}):
		return "attestation.statements"
	}
	return ""
}

func (s Statement) texts() []string {
	return []string{s.Attestor, s.PredicateType, s.Builder, s.BuildType, s.Source, s.Ref, s.Commit, s.Invocation, s.Result}
}

// Bounded is the inputs less every list that is over a limit: a rule that reads
// it cannot tell, where the whole would be refused.
func (in Inputs) Bounded() Inputs {
	for {
		switch in.excessList(&most) {
		case "findings.items":
			in.Findings.Items = nil
		case "load.parts":
			in.Load.Parts = nil
		case "approval.votes":
			in.Approval.Votes = nil
		case "change.commit_list":
			in.Change.CommitList = nil
		case "attestation.statements":
			in.Attestation.Statements = nil
		default:
			return in
		}
	}
}

// Lists are the lists of Inputs, apart from the counts.
type Lists struct {
	Findings []Finding `json:"findings,omitzero"`
	Votes    []Vote    `json:"votes,omitzero"`
	Commits  []Commit  `json:"commits,omitzero"`

	Statements []Statement `json:"statements,omitzero"`
	Parts      []LoadPart  `json:"parts,omitzero"`
}

// Empty reports that no list was loaded.
func (l Lists) Empty() bool {
	return l.Findings == nil && l.Votes == nil && l.Commits == nil && l.Statements == nil && l.Parts == nil
}

// Apart is the inputs without lists, and the lists.
func (in Inputs) Apart() (Inputs, Lists) {
	l := Lists{in.Findings.Items, in.Approval.Votes, in.Change.CommitList, in.Attestation.Statements, in.Load.Parts}
	return in.With(Lists{}), l
}

// With is the inputs with those lists.
func (in Inputs) With(l Lists) Inputs {
	in.Findings.Items, in.Approval.Votes, in.Change.CommitList = l.Findings, l.Votes, l.Commits
	in.Attestation.Statements, in.Load.Parts = l.Statements, l.Parts
	return in
}

// NeedsLists are the sections (change, findings, load, attestation, approval) of whose list some
// rule of the bundle reads; nobody need load any other.
func (p *Program) NeedsLists() map[string]bool {
	needs := map[string]bool{}
	for s := range p.lists.each {
		needs[s.String()] = true
	}
	return needs
}

// NeedsList is NeedsLists for one section.
func (p *Program) NeedsList(name string) bool {
	s, is := sectionNamed(name)
	return is && p.lists.has(s)
}

// rules are all that the bundle computes, those that are absent left out.
func (p *Program) rules() []*rule {
	var all []*rule
	for i := range p.scopes {
		all = append(all, &p.scopes[i].match)
	}
	for i := range p.types {
		all = append(all, &p.types[i].when)
	}
	for i := range p.relaxed {
		all = append(all, &p.relaxed[i].match)
	}
	for i := range p.gates {
		all = append(all, &p.gates[i].applies, &p.gates[i].condition, &p.gates[i].observed)
	}
	return slices.DeleteFunc(all, (*rule).absent)
}

// itemType is the type of an input's items where they have fields of their own.
func itemType(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
		return t.Elem(), true
	}
	return nil, false
}
