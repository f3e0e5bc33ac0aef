package terminal

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/wire"
)

// Replay is what a replay found, as policy replay prints it.
type Replay struct {
	Summary wire.ReplaySummary `json:"summary"`
	Flips   []wire.ReplayFlip  `json:"flips"`
}

// flipsShown is how many flips the table lists; JSON and YAML have them all.
const flipsShown = 50

// effects are the effects as columns, in order.
var effects = []struct {
	name, head string
	count      func(wire.ReplayCounts) int
}{
	{"stopped", "STOPPED", func(c wire.ReplayCounts) int { return c.Stopped }},
	{"let through", "LET THROUGH", func(c wire.ReplayCounts) int { return c.Through }},
	{"another answer to the same effect", "OTHER ANSWER", func(c wire.ReplayCounts) int { return c.Other }},
	{"cannot be told", "CANNOT BE TOLD", func(c wire.ReplayCounts) int { return c.Untold }},
}

// PrintReplay prints what flips: in sum, by gate, service and team, and each
// decision with where its page is on the server.
func PrintReplay(w io.Writer, r Replay, server string, zone *time.Location) error {
	s := r.Summary
	var b strings.Builder
	fmt.Fprintf(&b, "%s replayed under %s, %s\n", Count(s.Total, "decision", "decisions"), Clean(strings.TrimSpace(s.Name+" "+s.Version)), Clean(s.Candidate))
	fmt.Fprintf(&b, "%8d  the same\n", s.Same)
	for _, e := range effects {
		if n := e.count(s.ReplayCounts); n > 0 {
			fmt.Fprintf(&b, "%8d  %s\n", n, e.name)
		}
	}
	for _, part := range []struct {
		head   string
		shares []wire.ReplayShare
	}{{"GATE", s.Gates}, {"SERVICE", s.Services}, {"TEAM", s.Teams}} {
		if len(part.shares) > 0 {
			b.WriteString("\n")
			_ = shareTable(part.head, part.shares)(&b)
		}
	}
	if s.LeftOut > 0 {
		fmt.Fprintf(&b, "%s smaller left out\n", Count(s.LeftOut, "line", "lines"))
	}
	if len(r.Flips) > 0 {
		b.WriteString("\n")
		_ = flipTable(r.Flips[:min(len(r.Flips), flipsShown)], server, zone)(&b)
	}
	if more := len(r.Flips) - flipsShown; more > 0 {
		fmt.Fprintf(&b, "%d more: -o json lists all\n", more)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func shareTable(head string, shares []wire.ReplayShare) func(io.Writer) error {
	heads := []string{head}
	for _, e := range effects {
		heads = append(heads, e.head)
	}
	var lines [][]string
	for _, s := range shares {
		line := []string{s.Name}
		if s.Name == "" {
			line[0] = "(none known)"
		}
		for _, e := range effects {
			line = append(line, strconv.Itoa(e.count(s.ReplayCounts)))
		}
		lines = append(lines, line)
	}
	return Rows(heads, lines)
}

// flipTable lists decisions. What the record leaves open is a sentence, often the
// same for many: it stands below, under a number.
func flipTable(flips []wire.ReplayFlip, server string, zone *time.Location) func(io.Writer) error {
	var lines [][]string
	var notes []string
	for _, f := range flips {
		now := Verdict(f.Now).Words()
		if f.Observed {
			now += " (observed)"
		}
		if f.Effect == "cannot-be-told" {
			now = "cannot be told"
		}
		lines = append(lines, []string{
			Stamp(f.At, zone), f.Service + " " + f.Version, f.Environment, Verdict(f.Was).Words(), now, causes(f, &notes), f.Outcome, server + "/decisions/" + f.Decision,
		})
	}
	return func(w io.Writer) error {
		err := Rows([]string{"DECIDED", "RELEASE", "ENVIRONMENT", "WAS", "NOW", "BECAUSE", "TURNED OUT", "DECISION"}, lines)(w)
		for i, note := range notes {
			if err == nil {
				_, err = fmt.Fprintf(w, "[%d] %s.\n", i+1, Clean(note))
			}
		}
		return err
	}
}

// causes are the gates whose word changed, and the number of what the record
// leaves open among notes.
func causes(f wire.ReplayFlip, notes *[]string) string {
	var all []string
	for _, g := range f.Gates {
		all = append(all, g.Gate)
	}
	text := strings.Join(all, ", ")
	if f.Why == "" {
		return text
	}
	i := slices.Index(*notes, f.Why)
	if i < 0 {
		i = len(*notes)
		*notes = append(*notes, f.Why)
	}
	return strings.TrimSpace(fmt.Sprintf("%s [%d]", text, i+1))
}
