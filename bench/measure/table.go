package measure

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Table is what a part found, under the name of its place in the document.
type Table struct {
	Name  string
	Text  string // one paragraph above it; "" for none
	Head  []string
	Lines [][]string
}

// Add appends a line.
func (t *Table) Add(cells ...string) { t.Lines = append(t.Lines, cells) }

// Markdown is the table with its paragraph.
func (t Table) Markdown() string {
	var b strings.Builder
	if t.Text != "" {
		b.WriteString(t.Text + "\n\n")
	}
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.Head)
	b.WriteString("|---" + strings.Repeat("|---:", len(t.Head)-1) + "|\n")
	for _, l := range t.Lines {
		line(l)
	}
	return b.String()
}

// Aim is a figure that the product is held to.
type Aim struct {
	What, Wanted string
	Got          string
	Met          bool
}

// Aims are all of them as a table.
func Aims(all []Aim) Table {
	t := Table{Name: "aims", Head: []string{"what", "aim", "measured", ""}}
	for _, a := range all {
		verdict := "missed"
		if a.Met {
			verdict = "met"
		}
		t.Add(a.What, a.Wanted, a.Got, verdict)
	}
	return t
}

// Count is a number with three figures that count, and separators of thousands.
func Count(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) || f <= 0 {
		return "–"
	}
	if f < 100 {
		return fmt.Sprintf("%.3g", f)
	}
	unit := math.Pow(10, math.Floor(math.Log10(f))-2)
	digits := fmt.Sprintf("%.0f", math.Round(f/unit)*unit)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Micros is seconds as microseconds.
func Micros(seconds float64) string { return Count(seconds*1e6) + " µs" }

// Millis is seconds as milliseconds.
func Millis(seconds float64) string {
	if seconds == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3g ms", seconds*1e3)
}

// Percent is a share.
func Percent(f float64) string { return fmt.Sprintf("%.0f %%", f*100) }

// Times is a multiple.
func Times(f float64) string { return fmt.Sprintf("%.3g×", f) }

// Day is a date as the document writes it.
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
