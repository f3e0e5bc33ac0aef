package terminal

import (
	"cmp"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// Bounds of GitHub Actions: ten annotations of a kind a step, 1 MiB of summary.
const (
	maxAnnotations = 9
	maxSummary     = 900 << 10
)

// Annotations are workflow commands: what blocks as errors, warnings as such.
func Annotations(d wire.Decision) string {
	blocking, warnings, _, _ := Sorted(d.Reasons)
	level := "error"
	if !d.Enforced && d.Observe != nil {
		level = "warning"
	}
	return annotate(level, blocking) + annotate("warning", warnings)
}

func annotate(level string, reasons []wire.Reason) string {
	var b strings.Builder
	for i, r := range reasons {
		if i == maxAnnotations {
			fmt.Fprintf(&b, "::%s title=Signalbox::%d more, see the job summary\n", level, len(reasons)-i)
			break
		}
		text := r.Why
		for _, part := range [][2]string{{"Observed", r.Observed}, {"Required", r.Required}, {"Next", r.Next}} {
			if part[1] != "" {
				text += " " + part[0] + ": " + strings.TrimSuffix(part[1], ".") + "."
			}
		}
		title := Verdict(r.Verdict).Words() + ": " + cmp.Or(r.Title, r.Gate)
		fmt.Fprintf(&b, "::%s title=%s::%s\n", level, property(title), message(text))
	}
	return b.String()
}

// message and property escape what the runner would read as a command.
func message(s string) string { return strings.ReplaceAll(Clean(s), "%", "%25") }

func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(message(s))
}

// Summary is the decision in Markdown, for a job's summary: at most 900 KiB,
// the verdict in its first line.
func Summary(d wire.Decision, o Options) string {
	p := printer{Options: o}
	var b strings.Builder
	v := Verdict(d.Verdict)
	fmt.Fprintf(&b, "## %s %s: %s\n\n", marks[v].symbol, v.Words(), markdown(Sentence(d, v)))
	if !d.Enforced && d.Observe != nil {
		fmt.Fprintf(&b, "`enforced: false`: observed on the word of %s until %s; no permit is signed.\n\n", markdown(d.Observe.By), p.instant(d.Observe.Until))
	}
	b.WriteString("| gate | answer | why | observed | required | lifted by | next |\n|---|---|---|---|---|---|---|\n")
	blocking, warnings, observed, passed := Sorted(d.Reasons)
	left := 0
	for _, group := range [][]wire.Reason{blocking, warnings, observed, passed} {
		for _, r := range group {
			line := summaryLine(r)
			if b.Len()+len(line) > maxSummary-4096 {
				left++
				continue
			}
			b.WriteString(line)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%s did not fit.\n", Count(left, "gate", "gates"))
	}
	b.WriteString("\n<details><summary>Rested on</summary>\n\n")
	for _, f := range [][2]string{
		{"artifact", d.Digest},
		{"policy", d.Policy},
		{"change", d.Change},
		{"evidence", d.Evidence},
		{"basis", d.Basis},
		{"decision", d.ID},
		{"taken", p.instant(d.At)},
		{"permit", d.Permit},
		{"receipt", receipt(o.Receipt)},
		{"page", o.URL},
	} {
		if f[1] != "" {
			fmt.Fprintf(&b, "- %s: %s\n", f[0], markdown(f[1]))
		}
	}
	b.WriteString("\n</details>\n\n")
	b.WriteString(proof(o))
	return b.String()
}

// proof is what an outsider holds the server to: the receipt word for word, to
// be copied into a file, and where the journal was when the job asked.
func proof(o Options) string {
	if len(o.Note) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<details><summary>Receipt: what the server can be held to</summary>\n\n")
	if lines := strings.Split(string(o.Checkpoint), "\n"); len(lines) > 3 {
		fmt.Fprintf(&b, "Newest checkpoint: %s facts, root %s\n\n", markdown(lines[1]), markdown(lines[2]))
	}
	b.WriteString("<pre>\n")
	for line := range strings.Lines(string(o.Note[:min(len(o.Note), 4<<10)])) {
		b.WriteString(markdown(strings.TrimSuffix(line, "\n")) + "\n")
	}
	b.WriteString("</pre>\n\n</details>\n\n")
	return b.String()
}

func receipt(r *wire.Receipt) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("position %d of %s, leaf %s", r.Position, r.Origin, r.Leaf)
}

func summaryLine(r wire.Reason) string {
	v := Verdict(r.Verdict)
	answer := marks[v].symbol + " " + v.Words()
	if v != policy.Go && r.Severity != string(policy.Block) {
		answer += " (" + r.Severity + ")"
	}
	cells := []string{cmp.Or(r.Title, r.Gate), answer, r.Why, r.Observed, r.Required, r.Lift, r.Next}
	for i := range cells {
		cells[i] = markdown(cells[i])
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// markdown escapes text so that Markdown and HTML only show it.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range Clean(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|!&~@$", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
