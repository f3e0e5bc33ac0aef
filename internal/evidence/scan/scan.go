// Package scan reads what scanners write in formats of their own: Trivy,
// Grype, Snyk, npm audit, govulncheck, GitLab's security reports, Semgrep and
// OSV-Scanner.
//
// It leaves to report which of them a document is, and to openvex and policy
// what closes a finding. Its invariant: a list that is not there is not an
// empty one, and nothing found is believed only where the report shows that
// somebody looked.
package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// maxWords bounds the words of a tool's own messages in an error, in bytes.
const maxWords = 200

// refusal is why a report proves nothing, and what to do about it.
type refusal struct{ code, what, why, fix string }

func (r refusal) fault() *fault.Error {
	return fault.Invalidf("evidence."+r.code, "%s", r.what).Because(r.why).Remedy(r.fix)
}

const again = "run the scanner again, and send what it writes"

// failed is the refusal of a report in which the tool says that it failed.
func failed(tool, says string) *fault.Error {
	why := "what it did not find proves nothing"
	if says = strings.TrimSpace(says); says != "" {
		why = fmt.Sprintf("it says: %s", evidence.Cut(strings.Join(strings.Fields(says), " "), maxWords))
	}
	return refusal{"scan-failed", "the report of " + tool + " says that the scan failed", why, "repair the scan and run it again"}.fault()
}

// unread is the refusal of a version that is not read.
func unread(tool, member string, found evidence.Word, read string) *fault.Error {
	said := "none"
	if found != "" {
		said = strconv.Quote(string(found))
	}
	return refusal{"scan-version", fmt.Sprintf("the %s of %s is %s", member, tool, said), "only " + read + " is read", "have the scanner write " + read}.
		fault().On("/" + member)
}

// said is a string that may be absent or null.
func said(w *evidence.Word) evidence.Word {
	if w == nil {
		return ""
	}
	return *w
}

// list is a list of strings, of which the first 20 are kept.
type list []string

// UnmarshalJSONFrom reads an array of strings.
func (l *list) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "words in a list", func(i int) error {
		var s string
		if err := v2.UnmarshalDecode(dec, &s); err != nil {
			return err
		}
		if i < 20 {
			*l = append(*l, evidence.Cut(s, evidence.MaxWord))
		}
		return nil
	})
}

func (l list) first() string {
	if len(l) == 0 {
		return ""
	}
	return l[0]
}

func (l list) joined() string { return strings.Join(l, ", ") }

// names are the public identifiers in a string, list or object: tools write
// them as one string, as several, and as strings that hold a list.
type names []string

// UnmarshalJSONFrom finds identifiers anywhere in the value.
func (n *names) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if k := dec.PeekKind(); k == '0' || k == 't' || k == 'f' {
		var s []string
		return v2.UnmarshalDecode(dec, &s)
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*n = evidence.Identifiers(string(raw[:min(len(raw), 10_000)]))
	return nil
}

// count is how many elements an array has, and whether it is there.
type count struct {
	n     int
	there bool
}

// UnmarshalJSONFrom counts an array's elements.
func (c *count) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	c.there = dec.PeekKind() == '['
	return evidence.Each(dec, 10*evidence.MaxMembers, "elements", func(int) error {
		c.n++
		return dec.SkipValue()
	})
}

// rating is what a tool says of how severe a finding is.
type rating struct {
	from    string // the tool and the member, such as "trivy:Severity"
	word    string
	scale   evidence.Scale
	vectors []string // CVSS; they and the scores count only where there is no word
	scores  []string
}

// severity is by the word, else by the worst of the vectors and scores, else unrated.
func (r rating) severity() (evidence.Severity, string) {
	tool, _, _ := strings.Cut(r.from, ":")
	if r.word != "" {
		return r.scale.Severity(r.word), evidence.ScaleText(r.from, r.word)
	}
	worst := -1.0
	severity, text := evidence.Unrated, evidence.ScaleText(tool+":not rated")
	take := func(score string) {
		n, err := strconv.ParseFloat(score, 64)
		if s := evidence.SeverityOfScore(score); err == nil && s != evidence.Unrated && n > worst {
			worst, severity, text = n, s, evidence.ScaleText(tool+":CVSS", score)
		}
	}
	for _, v := range r.vectors {
		_, score := evidence.SeverityOfVector(v)
		take(score)
	}
	for _, s := range r.scores {
		take(s)
	}
	return severity, text
}

// at is a file, line and column, as far as known.
func at(file string, line, column int64) string {
	if line <= 0 {
		return file
	}
	s := fmt.Sprintf("%s:%d", evidence.Cut(file, evidence.MaxWord), line)
	if column > 0 {
		s += fmt.Sprintf(":%d", column)
	}
	return s
}

// ids joins identifiers, each once.
func ids(groups ...[]string) []string {
	var out []string
	for _, g := range groups {
		for _, id := range g {
			if id != "" && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// instant is a time with its zone; zero where the text is none.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// note adds a note about n things, where there are any.
func note(c *evidence.Claim, n int, format string) {
	if n > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf(format, n))
	}
}

// why joins the reasons that are given for a finding that does not stand.
func why(kind string, reasons ...string) string {
	var given []string
	for _, r := range reasons {
		if r = strings.TrimSpace(r); r != "" {
			given = append(given, evidence.Cut(r, maxWords))
		}
	}
	if len(given) == 0 {
		return kind
	}
	return kind + ": " + strings.Join(given, ", ")
}
