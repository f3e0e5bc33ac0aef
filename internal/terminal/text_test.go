package terminal

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// attacks are texts that a terminal, a runner or Markdown would act on.
var attacks = []string{
	"\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "\x9b31m", "a\rb", "a\nb", "\x00", "\x7f", "\u0085",
	"\u202eevil", "\u2066x\u2069", "zero\u200bwidth", "\ufeff", "\u2028", "\u2029", "::error::x", "%0A::set-output name=a::b", "a%b", "| cell | cell |",
	"<script>alert(1)</script>", "[link](javascript:alert(1))", "`code`", "\xff\xfe", "![image](http://evil.example)", "@everyone #1",
}

// acts is the first rune that a terminal acts on or hides, line ends excepted.
func acts(s string) (rune, bool) {
	for _, r := range s {
		if r != '\n' && hidden(r) {
			return r, true
		}
	}
	return 0, false
}

func TestCleanShowsWhatATerminalWouldActOn(t *testing.T) {
	for _, a := range attacks {
		for name, got := range map[string]string{"Clean": Clean(a), "CleanLines": CleanLines(a)} {
			if r, found := acts(got); found || !utf8.ValidString(got) {
				t.Errorf("%s(%q) keeps %U: %q", name, a, r, got)
			}
		}
		if strings.ContainsAny(Clean(a), "\r\n\t") {
			t.Errorf("Clean(%q) keeps a line end: %q", a, Clean(a))
		}
	}
	if _, found := acts(attacks[0]); !found {
		t.Error("the check finds nothing at all")
	}
	for _, plain := range []string{"payments 1.4.2", "Grüße, 世界 ✓ … ✗", "sha256:00"} {
		if Clean(plain) != plain {
			t.Errorf("Clean changes %q", plain)
		}
	}
}

func everywhere(text string) wire.Decision {
	d := base(policy.NoGo, wire.Reason{
		Gate: text, Title: text, Severity: "block", Verdict: "no-go", Why: text, Observed: text, Required: text, Controls: []string{text},
		Lift: text, Next: text, Until: utc("2026-11-24T06:00:00Z"), Where: wire.Place{File: text, Line: 1, Column: 1},
	}, wire.Reason{Gate: text, Severity: "warn", Verdict: "no-go", Why: text}, passed(text, text))
	d.ID, d.Release, d.Service, d.Version, d.Environment, d.Digest, d.Type, d.Policy = text, text, text, text, text, text, text, text
	d.Observe, d.Enforced, d.Assumed, d.Approvals, d.Permit = &wire.Observed{By: text, Until: utc("2026-12-01T00:00:00Z")}, false, []string{text}, []string{text}, text
	return d
}

// No field of a decision reaches a terminal with a byte that it acts on.
func TestDecisionNeverActsOnTheTerminal(t *testing.T) {
	for _, a := range attacks {
		o := Options{All: true, People: map[string]string{a: a}, URL: a, Receipt: &wire.Receipt{Origin: a, Leaf: a}}
		var b strings.Builder
		if err := PrintDecision(&b, everywhere(a), o); err != nil {
			t.Fatal(err)
		}
		if r, found := acts(b.String()); found {
			t.Errorf("%q: the print keeps %U", a, r)
		}
		if r, found := acts(Summary(everywhere(a), o)); found {
			t.Errorf("%q: the summary keeps %U", a, r)
		}
	}
}

// A runner sees exactly the commands that we mean: one a line, nothing within them.
func TestAnnotationsAreOneCommandEach(t *testing.T) {
	for _, a := range attacks {
		lines := strings.Split(strings.TrimRight(Annotations(everywhere(a)), "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%q makes %d lines: %q", a, len(lines), lines)
		}
		for _, line := range lines {
			rest, ours := strings.CutPrefix(line, "::warning title=")
			title, _, closed := strings.Cut(rest, "::")
			if !ours || !closed || strings.ContainsAny(title, ":,\r\n") {
				t.Errorf("%q: %q", a, line)
			}
			if i := strings.Index(line, "%"); i >= 0 && !strings.HasPrefix(line[i:], "%25") && !strings.HasPrefix(line[i:], "%3A") && !strings.HasPrefix(line[i:], "%2C") {
				t.Errorf("%q: an unescaped percent sign: %q", a, line)
			}
		}
	}
}

func TestAnnotationsStopAtNine(t *testing.T) {
	d := base(policy.NoGo)
	for range 12 {
		d.Reasons = append(d.Reasons, critical)
	}
	d.Reasons = append(d.Reasons, unsigned)
	text := Annotations(d)
	if n := strings.Count(text, "::error title="); n != maxAnnotations+1 {
		t.Errorf("%d errors", n)
	}
	if !strings.Contains(text, "::error title=Signalbox::3 more, see the job summary\n") {
		t.Errorf("what is left out is not said:\n%s", text)
	}
	if strings.Count(text, "::warning ") != 1 {
		t.Errorf("not one warning:\n%s", text)
	}
}

func TestSummary(t *testing.T) {
	for _, name := range []string{"no-go", "go-all", "observed", "hostile"} {
		c := decisions()[name]
		c.o.Color = false
		compare(t, name+".md", Summary(c.d, c.o))
	}
}

func TestSummaryHasABound(t *testing.T) {
	d := base(policy.NoGo)
	big := critical
	big.Why = strings.Repeat("<x>", 2000)
	for range 500 {
		d.Reasons = append(d.Reasons, big)
	}
	text := Summary(d, Options{})
	if len(text) > maxSummary {
		t.Errorf("%d bytes", len(text))
	}
	if !strings.Contains(text, "did not fit.") || !strings.Contains(text, digest("a")) {
		t.Error("what is left out is not said, or the end is missing")
	}
}

func TestMarkdownOnlyShows(t *testing.T) {
	for _, a := range attacks {
		if got := markdown(a); strings.ContainsAny(got, "<>|`[]*_\n") {
			t.Errorf("%q becomes %q", a, got)
		}
	}
	if got := markdown("Grüße 1.4.2"); got != "Grüße 1.4.2" {
		t.Errorf("plain text becomes %q", got)
	}
}

// JSON with escapes means the same, and acts on nothing.
func TestJSONKeepsTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]string{"text": rapid.String().Draw(t, "text") + rapid.SampledFrom(attacks[:18]).Draw(t, "attack")}
		var b strings.Builder
		if err := JSON(&b, want); err != nil {
			t.Fatal(err)
		}
		if r, found := acts(b.String()); found {
			t.Fatalf("%q keeps %U", b.String(), r)
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(want["text"], "\ufffd"); got["text"] != want {
			t.Fatalf("%q became %q", want, got["text"])
		}
	})
}

func TestYAMLIsTheJSON(t *testing.T) {
	type inner struct {
		On    bool      `json:"on"`
		Texts []string  `json:"texts"`
		At    time.Time `json:"at"`
	}
	v := struct {
		Zebra string         `json:"zebra"`
		Apple int            `json:"apple"`
		Inner inner          `json:"inner"`
		None  []string       `json:"none"`
		Map   map[string]int `json:"map"`
		Null  *int           `json:"null_value"`
	}{Zebra: "yes", Apple: 3, Inner: inner{Texts: []string{"no", "1.10", "a: b", "", "# x", "- y", "null", "0x1f", "2026-11-23", "plain-word", "two\nlines", "☃"}, At: utc("2026-11-23T09:12:03Z")}, None: []string{}, Map: map[string]int{"a": 1}}
	var b strings.Builder
	if err := YAML(&b, v); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Index(text, "zebra") > strings.Index(text, "apple") {
		t.Errorf("the order is lost:\n%s", text)
	}
	if !strings.HasSuffix(text, "\n") || strings.Contains(text, "{\"") {
		t.Errorf("not block style:\n%s", text)
	}
	var got, want any
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(j, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("YAML says something else (-JSON +YAML):\n%s\n%s", diff, text)
	}
}

func TestRowsAndFacts(t *testing.T) {
	for _, c := range []struct {
		name, want string
		write      func(io.Writer) error
	}{
		{"rows", "A    B\nx    y\nxxx  z\n", Rows([]string{"A", "B"}, [][]string{{"x", "y"}, {"xxx", "z"}})},
		{"no rows", "none\n", Rows([]string{"A"}, nil)},
		{"hostile rows", "A\n\ufffd[2J x\n", Rows([]string{"A"}, [][]string{{"\x1b[2J\nx"}})},
		{"facts", "a            1\nc            3\n", Facts("a", "1", "b", "", "c", "3")},
		{"said", "hello \ufffd\n", Said("hello %s", "\x1b")},
	} {
		var b strings.Builder
		if err := c.write(&b); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, b.String(), c.want)
		}
		if err := c.write(broken{}); err == nil {
			t.Errorf("%s: a write that fails is no error", c.name)
		}
	}
}

func TestWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, width := rapid.String().Draw(t, "text"), rapid.IntRange(1, 40).Draw(t, "width")
		lines := wrap(text, width)
		if strings.Join(lines, " ") != strings.Join(strings.Fields(text), " ") {
			t.Fatalf("words are lost: %q", lines)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width && strings.Contains(line, " ") {
				t.Fatalf("%q is longer than %d and could be broken", line, width)
			}
		}
	})
}

func FuzzPrintDecision(f *testing.F) {
	for _, a := range attacks {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		if err := PrintDecision(&b, everywhere(text), Options{All: true}); err != nil {
			t.Fatal(err)
		}
		for name, out := range map[string]string{"print": b.String(), "summary": Summary(everywhere(text), Options{})} {
			if r, found := acts(out); found {
				t.Errorf("the %s keeps %U of %q", name, r, text)
			}
		}
		if n := strings.Count(Annotations(everywhere(text)), "\n"); n != 2 {
			t.Errorf("%d annotations of %q", n, text)
		}
	})
}
