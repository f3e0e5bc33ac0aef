package web

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// Sentence says the verdict in plain words.
func (p decisionPage) Sentence() string {
	d := p.Decision
	what := d.Service + " " + d.Version
	switch d.Verdict {
	case policy.Go:
		may := "may"
		if !d.Enforced {
			may = "could"
		}
		return fmt.Sprintf("Every gate that blocks is passed: %s %s go to %s.", what, may, d.Environment)
	case policy.Wait:
		return fmt.Sprintf("%s cannot go to %s yet: %s.", what, d.Environment, p.tally("gate waits", "gates wait"))
	case policy.NoGo:
		return fmt.Sprintf("%s may not go to %s: %s.", what, d.Environment, p.tally("gate refuses it", "gates refuse it"))
	}
	return fmt.Sprintf("Not enough is known to let %s go to %s, and unknown is not yes: %s.", what, d.Environment, p.tally("gate cannot tell", "gates cannot tell"))
}

// tally counts the blocking reasons: those of the verdict, and the rest.
func (p decisionPage) tally(one, many string) string {
	decisive, rest := 0, 0
	for _, r := range p.Blocking() {
		if class(r.Verdict) == class(p.Decision.Verdict) {
			decisive++
		} else {
			rest++
		}
	}
	words := count(decisive, one, many)
	if rest > 0 {
		words += ", and " + count(rest, "more stands open", "more stand open")
	}
	return words
}

// Mode says whether the verdict binds.
func (p decisionPage) Mode() string {
	switch d := p.Decision; {
	case d.Enforced && d.Verdict == policy.Go:
		return "Enforced: a deployment permit was signed."
	case d.Enforced:
		return "Enforced: no deployment permit is signed."
	case d.Observe != nil:
		return "Observed, not enforced: this blocks nothing and signs no permit."
	}
	return "Not enforced: no deployment permit is signed."
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Blocking are the reasons that make the verdict, as the engine ordered them.
func (p decisionPage) Blocking() []policy.Reason {
	return p.reasons(func(r policy.Reason) bool { return r.Verdict != policy.Go && !mild(r) })
}

// Cautions are warnings and observations: they are listed and change nothing.
func (p decisionPage) Cautions() []policy.Reason {
	return p.reasons(func(r policy.Reason) bool { return r.Verdict != policy.Go && mild(r) })
}

func mild(r policy.Reason) bool { return r.Severity == policy.Warn || r.Severity == policy.Observe }

// Passed are the gates that hold or do not apply.
func (p decisionPage) Passed() []policy.Reason {
	return p.reasons(func(r policy.Reason) bool { return r.Verdict == policy.Go })
}

func (p decisionPage) reasons(which func(policy.Reason) bool) []policy.Reason {
	var list []policy.Reason
	for _, r := range p.Decision.Reasons {
		if which(r) {
			list = append(list, r)
		}
	}
	return list
}

// believed is one part of the decision and whose word it is.
type believed struct{ Part, Word string }

// Believed says for each part whose word it is.
func (p decisionPage) Believed() []believed {
	b := p.Decision.Believed
	list := []believed{
		{"Release", word(b.Release, "opened by")},
		{"Change", word(b.Change, "sent by")},
		{"Findings", word(b.Findings, "sent by")},
		{"Tests", word(b.Tests, "sent by")},
		{"Coverage", word(b.Coverage, "sent by")},
	}
	if b.Load != policy.ByNobody {
		list = append(list, believed{"Load test", word(b.Load, "sent by")})
	}
	return append(list, believed{"Attested by", orNobody(b.Attestors)})
}

func orNobody(attestors []string) string {
	if len(attestors) == 0 {
		return "nobody"
	}
	return strings.Join(attestors, ", ")
}

func word(p policy.Provenance, verb string) string {
	switch p {
	case policy.ByServer:
		return "read by the server itself"
	case policy.ByAttestor:
		return "signed by an attestor"
	case policy.ByPipeline:
		return verb + " a pipeline"
	case policy.ByPerson:
		return verb + " a person"
	case policy.Assumed:
		return "assumed, believed by nobody"
	}
	return "not known"
}

// digest is a digest and what it is of.
type digest struct{ Of, Sum, Note string }

// Digests are what the decision is bound to.
func (p decisionPage) Digests() []digest {
	d := p.Decision
	return []digest{
		{"Artifact", d.Digest, ""},
		{"Policy", d.Policy, "no policy was active"},
		{"Change", d.Change, "no change was known"},
		{"Evidence", d.Evidence, "no evidence was known"},
		{"Subject", d.Subject, ""},
		{"Basis", d.Basis, ""},
	}
}

// approver is a person whose approval counts.
type approver struct{ Name, ID string }

// Approvers are the persons whose approvals counted.
func (p decisionPage) Approvers() []approver {
	var list []approver
	for _, id := range p.Decision.Approvals {
		name := p.Names[id].Name
		if name == "" {
			name = "a person whose name is no longer kept"
		}
		list = append(list, approver{name, id})
	}
	return list
}

// Changed reports whether the gate, asked now, would answer on another basis.
func (p decisionPage) Changed() bool {
	return p.Asked != nil && p.Asked.Decision.Basis != p.Decision.Basis
}

// Over reports whether the time is over for which the decision holds.
func (p decisionPage) Over() bool {
	return !p.Decision.Until.IsZero() && !p.Now.Before(p.Decision.Until)
}

// AskAgain is the command that has the gate decide anew.
func (p decisionPage) AskAgain() string {
	d := p.Decision
	return fmt.Sprintf("signalbox gate --service %s --version %s --digest %s --environment %s", d.Service, d.Version, d.Digest, d.Environment)
}

// PermitState says where the permit stands, and since or until when.
func (p decisionPage) PermitState() (state, words string, at time.Time) {
	return permitState(*p.Permit, p.Now)
}

func permitState(permit release.Permit, now time.Time) (state, words string, at time.Time) {
	switch end := permit.NotAfter.Time(); {
	case permit.Recalled != 0:
		return "recalled", "It was taken back before use, at", permit.Recalled.Time()
	case permit.Redeemed != 0:
		return "redeemed", "A deployment started with it at", permit.Redeemed.Time()
	case !now.Before(end):
		return "expired", "It was not used, and ended at", end
	default:
		return "valid", "It can be redeemed once, before", end
	}
}

// step is a next step: words, and the command among them, if any.
type step struct{ Before, Command string }

// next splits a next step where its command begins.
func next(text string) step {
	if i := strings.Index(text, "signalbox "); i >= 0 && (i == 0 || text[i-1] == ' ') {
		return step{Before: capital(strings.TrimSpace(text[:i])), Command: text[i:]}
	}
	return step{Before: capital(text)}
}

func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if first == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	s = capital(strings.TrimSpace(s))
	if s == "" {
		return ""
	}
	if last, _ := utf8.DecodeLastRuneInString(s); !strings.ContainsRune(".!?…", last) {
		s += "."
	}
	return s
}

// class names a verdict in the style sheet.
func class(v policy.Verdict) string {
	switch v {
	case policy.Go, policy.Wait, policy.NoGo:
		return string(v)
	}
	return "cannot-tell"
}

// arm turns the signal's arm, in degrees: across is stop, half up is caution,
// upright is clear, as on an upper-quadrant semaphore.
func arm(v policy.Verdict) string {
	switch v {
	case policy.Go:
		return "rotate(-90 14 24)"
	case policy.Wait:
		return "rotate(-45 14 24)"
	}
	return "rotate(0 14 24)"
}

func spelled(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05\u00a0UTC") }

func machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func zones(version string) string {
	if version == "" {
		return ""
	}
	return ", time zone data " + version
}
