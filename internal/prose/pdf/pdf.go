// Package pdf writes a document of prose as PDF.
//
// It knows pages, type and tables; it leaves what is said to prose. Invariant:
// the same document gives the same bytes, and a character that the type does not
// have is shown by its number and never left out.
package pdf

import (
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"signalbox.dev/signalbox/internal/prose"
)

// Millimetres of an A4 page.
const (
	margin     = 18.0
	textWidth  = 210 - 2*margin
	lineHeight = 4.6
	tableSize  = 8.0 // points
	textSize   = 10.0
)

// epoch is the date in every file, so that the same policy gives the same bytes.
func epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// Write writes the document to w. Foot stands at the foot of every page.
func Write(w io.Writer, d prose.Document, foot string) error {
	p := &page{Fpdf: fpdf.New("P", "mm", "A4", "")}
	p.SetCreationDate(epoch())
	p.SetModificationDate(epoch())
	p.SetCatalogSort(true)
	p.SetProducer("Signalbox", false)
	p.SetTitle(d.Title, true)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, margin)
	p.translate = p.UnicodeTranslatorFromDescriptor("")
	p.AliasNbPages("")
	p.SetFooterFunc(func() {
		p.SetY(-margin + 4)
		p.SetFont("Helvetica", "", 7)
		p.SetTextColor(90, 90, 90)
		p.CellFormat(textWidth-20, 4, p.text(foot), "", 0, "L", false, 0, "")
		p.CellFormat(20, 4, fmt.Sprintf("%d / {nb}", p.PageNo()), "", 0, "R", false, 0, "")
		p.SetTextColor(0, 0, 0)
	})
	p.AddPage()
	p.SetFont("Helvetica", "B", 20)
	p.MultiCell(textWidth, 9, p.text(d.Title), "", "L", false)
	for _, b := range d.Blocks {
		p.block(b)
	}
	if err := p.Output(w); err != nil {
		return fmt.Errorf("write the PDF: %w", err)
	}
	return nil
}

type page struct {
	*fpdf.Fpdf
	translate func(string) string
}

// text is a text in the encoding of the page.
func (p *page) text(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(strings.ReplaceAll(s, "`", "")), " ") {
		switch out := p.translate(string(r)); {
		case r == '☐':
			b.WriteString("[ ]")
		case r != '.' && out == ".":
			fmt.Fprintf(&b, "[U+%04X]", r)
		default:
			b.WriteString(out)
		}
	}
	return b.String()
}

func (p *page) block(b prose.Block) {
	switch {
	case b.Level > 0:
		p.heading(b)
	case b.Head != nil:
		p.table(b.Head, b.Rows)
	case b.Items != nil:
		for _, i := range b.Items {
			p.SetFont("Helvetica", "", textSize)
			p.SetX(margin)
			p.CellFormat(5, lineHeight, p.translate("•"), "", 0, "L", false, 0, "")
			p.MultiCell(textWidth-5, lineHeight, p.text(i), "", "L", false)
			p.Ln(1)
		}
	default:
		p.SetFont("Helvetica", "", textSize)
		p.MultiCell(textWidth, lineHeight, p.text(b.Text), "", "L", false)
		p.Ln(2)
	}
}

// heading keeps some of what follows on its page, and stands in the outline.
func (p *page) heading(b prose.Block) {
	if _, height := p.GetPageSize(); p.GetY() > height-margin-30 {
		p.AddPage()
	}
	p.Bookmark(p.text(b.Text), b.Level-1, -1)
	size := 14.0
	if b.Level > 1 {
		size = 11
	}
	p.Ln(4)
	p.SetFont("Helvetica", "B", size)
	p.MultiCell(textWidth, size/2, p.text(b.Text), "", "L", false)
	p.Ln(1)
}

// table has columns as wide as what stands in them asks for, and its head again
// on every page.
func (p *page) table(head []string, rows [][]string) {
	widths := p.widths(head, rows)
	p.row(widths, head, true)
	for _, r := range rows {
		if p.height(widths, r) > p.left() {
			p.AddPage()
			p.row(widths, head, true)
		}
		p.row(widths, r, false)
	}
	p.Ln(3)
}

// left is the height that is left on the page.
func (p *page) left() float64 {
	_, height := p.GetPageSize()
	return height - margin - p.GetY()
}

// widths share the page among columns: each gets its longest word, or a seventh of the page, at least, and
// of the rest as much as its text is long: at most, where that fits, else on average.
func (p *page) widths(head []string, rows [][]string) []float64 {
	p.SetFont("Helvetica", "B", tableSize)
	least, most, mean := make([]float64, len(head)), make([]float64, len(head)), make([]float64, len(head))
	for _, r := range append([][]string{head}, rows...) {
		for i, c := range r {
			for word := range strings.FieldsSeq(p.text(c)) {
				least[i] = max(least[i], min(p.GetStringWidth(word)+3, textWidth/7))
			}
			width := p.GetStringWidth(p.text(c)) + 3
			most[i] = max(most[i], width)
			mean[i] += width / float64(len(rows)+1)
		}
	}
	if sum(most) <= textWidth {
		return most
	}
	widths, spare := make([]float64, len(head)), textWidth-sum(least)
	for i := range widths {
		if spare <= 0 {
			widths[i] = textWidth * least[i] / sum(least)
		} else {
			widths[i] = least[i] + spare*mean[i]/sum(mean)
		}
	}
	return widths
}

func sum(all []float64) float64 {
	total := 0.0
	for _, x := range all {
		total += x
	}
	return total
}

const (
	cellLine = 3.8
	padding  = 1.2
)

// height is that of a row.
func (p *page) height(widths []float64, cells []string) float64 {
	lines := 1
	for i, c := range cells {
		lines = max(lines, len(p.SplitLines([]byte(p.text(c)), widths[i]-1)))
	}
	return float64(lines)*cellLine + 2*padding
}

func (p *page) row(widths []float64, cells []string, head bool) {
	style := ""
	if head {
		style = "B"
	}
	p.SetFont("Helvetica", style, tableSize)
	height := p.height(widths, cells)
	x, y := margin, p.GetY()
	p.SetDrawColor(190, 190, 190)
	p.SetFillColor(238, 238, 238)
	for i, c := range cells {
		p.Rect(x, y, widths[i], height, map[bool]string{true: "FD", false: "D"}[head])
		p.SetXY(x, y+padding)
		for _, line := range p.SplitLines([]byte(p.text(c)), widths[i]-1) {
			p.SetX(x)
			p.CellFormat(widths[i], cellLine, string(line), "", 2, "L", false, 0, "")
		}
		x += widths[i]
	}
	p.SetXY(margin, y+height)
}
