package web

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/view"
)

// hostile is text that would act, if anything let it.
const hostile = `</script><script>window.pwned=1</script>"'><img src=x onerror=window.pwned=1><a href="javascript:window.pwned=1">x</a>`

// extremes are texts that have broken pages before.
var extremes = map[string]string{
	"nothing":       "",
	"hostile":       hostile,
	"one long word": strings.Repeat("w", 3000),
	"right to left": "\u202eשלום עולם\u202c مرحبا",
	"control bytes": "a\x00b\x1b[31m\r\nc",
	"not UTF-8":     "\xff\xfe",
}

// fill sets every text, and makes every list and pointer hold something.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(text != "")
	case reflect.Int, reflect.Int64:
		v.SetInt(1_700_000_000_000_000)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_700_000_000, 0)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), text)
			}
		}
	}
}

func filled[T any](text string) T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), text)
	return v
}

// extremeDecision is a decision page in which every text is text, with 40
// reasons of every kind.
func extremeDecision(text string) decisionPage {
	p := filled[decisionPage](text)
	p.Names = map[string]view.Name{text: {Name: text}}
	p.Decision.Reasons = nil
	severities := []policy.Severity{policy.Block, policy.Warn, policy.Observe}
	for i := range 40 {
		r := filled[policy.Reason](text)
		r.Verdict = append(verdicts, policy.Verdict(text))[i%5]
		r.Severity = severities[i%3]
		p.Decision.Reasons = append(p.Decision.Reasons, r)
	}
	return p
}

// pages is every template, given text, in a frame.
func pages(text string, f frame) map[string]templ.Component {
	list := filled[listPage](text)
	for _, v := range verdicts {
		e := filled[recorded](text)
		e.State.Verdict = v
		list.Page.Items = append(list.Page.Items, e)
	}
	empty := filled[listPage](text)
	empty.Page.Items = nil
	asking, linked := filled[signInPage](text), filled[signInPage](text)
	asking.Code = ""
	setup, done := filled[setupPage](text), filled[setupPage](text)
	setup.Done, done.Done = false, true
	welcome, failed := filled[welcomePage](text), filled[errorPage](text)
	list.frame, empty.frame, asking.frame, linked.frame, setup.frame, done.frame, welcome.frame, failed.frame = f, f, f, f, f, f, f, f
	all := map[string]templ.Component{
		"list": showList(list), "empty list": showList(empty), "untouched list": showList(listPage{frame: f}),
		"sign in": showSignIn(asking), "one-time link": showSignIn(linked), "setup": showSetup(setup), "setup done": showSetup(done),
		"welcome": showWelcome(welcome), "error": showError(failed),
		"zero error": showError(errorPage{frame: f}), "zero decision": showDecision(decisionPage{frame: f}),
	}
	for _, v := range append(verdicts, policy.Verdict(text)) {
		for _, enforced := range []bool{true, false} {
			p := extremeDecision(text)
			p.frame, p.Decision.Verdict, p.Decision.Enforced, p.Voted = f, v, enforced, "approve"
			all[fmt.Sprintf("decision %.20s %t", v, enforced)] = showDecision(p)
			p.Voted, p.Asked, p.Ballot, p.Permit = "reject", nil, nil, nil
			all[fmt.Sprintf("bare decision %.20s %t", v, enforced)] = showDecision(p)
		}
	}
	return all
}

func rendered(t *testing.T, page templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	must(t, page.Render(t.Context(), &b))
	return b.String()
}

// Every template stands every text, and lets none of it become markup.
func TestTemplatesStandExtremes(t *testing.T) {
	for name, text := range extremes {
		for page, component := range pages(text, filled[frame](text)) {
			html := rendered(t, component)
			if !strings.HasSuffix(strings.TrimSpace(html), "</html>") {
				t.Errorf("%s, %s: the page ends early", page, name)
			}
			if n := strings.Count(html, "<script"); n != 1 {
				t.Errorf("%s, %s: %d scripts", page, name, n)
			}
			for _, bad := range []string{"<img", "<a href=\"javascript", " onerror=window.pwned=1>", "href=\"javascript"} {
				if strings.Contains(html, bad) {
					t.Errorf("%s, %s: holds %s", page, name, bad)
				}
			}
			if strings.Contains(html, "<style") || strings.Contains(html, " style=") {
				t.Errorf("%s, %s: styles of its own", page, name)
			}
		}
	}
}

// What is escaped is still there: the check above would pass on empty pages.
func TestHostileTextIsShown(t *testing.T) {
	for page, component := range pages(hostile, filled[frame](hostile)) {
		if html := rendered(t, component); !strings.Contains(html, "&lt;script&gt;window.pwned=1&lt;/script&gt;") {
			t.Errorf("%s does not show the text", page)
		}
	}
}

// Every part of a decision that a person needs is on the page.
func TestDecisionPageShowsEverything(t *testing.T) {
	at := time.Date(2026, 11, 23, 3, 46, 38, 0, time.UTC)
	r := policy.Reason{
		Gate: "the-gate", Title: "The title", Severity: policy.Block, Verdict: policy.NoGo, Why: "the why", Observed: "the observed", Required: "the required",
		Controls: []string{"soc2/CC8.1"}, Owner: "the owner", Lift: "the lifter", Next: "wait, or signalbox freeze lift x", Until: at.Add(time.Hour),
	}
	r.Where.File, r.Where.Line = "gates.yaml", 7
	warned, held := r, r
	warned.Title, warned.Severity = "The warning", policy.Warn
	held.Title, held.Verdict = "The held", policy.Go
	p := decisionPage{
		Decision: release.Decision{
			ID: "the-id", Service: "payments", Version: "2.4.1", Environment: "production", Digest: "sha256:artifact", Verdict: policy.NoGo, Enforced: true,
			Reasons: []policy.Reason{r, warned, held}, Approvals: []string{"p1", "p2"}, Policy: "sha256:policy", Change: "sha256:change", Evidence: "sha256:evidence",
			Subject: "sha256:subject", Basis: "sha256:basis", At: at, Until: at.Add(2 * time.Hour), Type: "the type", ScopeRule: "the scope", Governance: "full",
			Believed: release.Believed{Release: policy.ByServer, Change: policy.ByPipeline, Findings: policy.ByPerson, Tests: policy.Assumed},
		},
		Position: 4711, Origin: "signalbox.local/origin", Names: map[string]view.Name{"p1": {Name: "Ada Example"}},
		Permit: &release.Permit{ID: "the-permit", NotAfter: event.MicrosOf(at.Add(time.Minute))}, Now: at,
	}
	html := rendered(t, showDecision(p))
	for _, want := range []string{
		"no-go", "payments 2.4.1 may not go to production: 1 gate refuses it.", "Enforced", "The title", "The why.", "the observed", "the required", "soc2/CC8.1",
		"the owner", "the lifter", "Wait, or", "freeze</span>", "gates.yaml:7", "23 November 2026, 04:46:38\u00a0UTC", "2026-11-23T04:46:38Z", "The warning", "1 gate passed", "The held",
		"Ada Example", "a person whose name is no longer kept", "p2", "sha256:artifact", "sha256:policy", "sha256:change", "sha256:evidence", "sha256:subject", "sha256:basis",
		"read by the server itself", "sent by a pipeline", "sent by a person", "assumed, believed by nobody", "not known", "23 November 2026, 05:46:38\u00a0UTC",
		"the-permit", "valid", "/decisions/the-id/permit.json", "4711", "signalbox.local/origin", "journal</span>", "verify</span>", "the type", "the scope",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Index(html, "The title") > strings.Index(html, "The warning") || strings.Index(html, "The warning") > strings.Index(html, "The held") {
		t.Error("the reasons are out of order")
	}
	for _, never := range []string{"Approve (does not deploy)", "Something has changed"} {
		if strings.Contains(html, never) {
			t.Errorf("the page says %q", never)
		}
	}
	p.Ballot, p.Asked = &ballot{Seen: "sha256:subject"}, &control.Subject{Decision: release.Decision{Basis: "sha256:other", Verdict: policy.Go}}
	html = rendered(t, showDecision(p))
	for _, want := range []string{"Approve (does not deploy)", `name="seen" value="sha256:subject"`, "Something has changed"} {
		if !strings.Contains(html, want) {
			t.Errorf("with a ballot, the page does not say %q", want)
		}
	}
}
