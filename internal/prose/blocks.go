package prose

import (
	"strings"
)

// Document is a text in blocks, to be written as Markdown, for a terminal or as PDF.
type Document struct {
	Title  string  `json:"title"`
	Blocks []Block `json:"blocks"`
}

// Block is a heading (Level above zero), a paragraph, a list or a table.
type Block struct {
	Level int        `json:"level,omitempty"`
	Text  string     `json:"text,omitempty"`
	Items []string   `json:"items,omitempty"`
	Head  []string   `json:"head,omitempty"`
	Rows  [][]string `json:"rows,omitempty"`
}

// Only is the part of an explanation that says one document, by its name.
func (d Document) Only(name string) Document {
	var heading *Block
	out := Document{Title: d.Title}
	for i, x := range d.Blocks {
		if x.Level > 0 {
			heading = &d.Blocks[i]
		}
		for _, item := range x.Items {
			if strings.HasPrefix(strings.ToLower(item), name+": ") || strings.Contains(item, " ("+name+"): ") {
				out.heading(heading.Level, heading.Text)
				out.items(item)
			}
		}
	}
	return out
}

func (d *Document) heading(level int, text string) {
	d.Blocks = append(d.Blocks, Block{Level: level, Text: text})
}

func (d *Document) say(text string) {
	if text != "" {
		d.Blocks = append(d.Blocks, Block{Text: text})
	}
}

func (d *Document) items(all ...string) {
	if n := len(d.Blocks); n > 0 && d.Blocks[n-1].Items != nil {
		d.Blocks[n-1].Items = append(d.Blocks[n-1].Items, all...)
	} else if len(all) > 0 {
		d.Blocks = append(d.Blocks, Block{Items: all})
	}
}

func (d *Document) table(head []string, rows [][]string) {
	if len(rows) > 0 {
		d.Blocks = append(d.Blocks, Block{Head: head, Rows: rows})
	}
}

// Markdown is the document in CommonMark with tables.
func (d Document) Markdown() string {
	var b strings.Builder
	b.WriteString("# " + escape(d.Title) + "\n")
	for _, x := range d.Blocks {
		b.WriteString("\n")
		switch {
		case x.Level > 0:
			b.WriteString(strings.Repeat("#", x.Level+1) + " " + escape(x.Text) + "\n")
		case x.Items != nil:
			for _, i := range x.Items {
				b.WriteString("- " + escape(i) + "\n")
			}
		case x.Head != nil:
			row(&b, x.Head)
			b.WriteString("|" + strings.Repeat("---|", len(x.Head)) + "\n")
			for _, r := range x.Rows {
				row(&b, r)
			}
		default:
			b.WriteString(escape(x.Text) + "\n")
		}
	}
	return b.String()
}

func row(b *strings.Builder, cells []string) {
	b.WriteString("|")
	for _, c := range cells {
		b.WriteString(" " + strings.ReplaceAll(escape(c), "|", `\|`) + " |")
	}
	b.WriteString("\n")
}

// special are the characters by which Markdown means something; what stands
// between backquotes means nothing but itself.
var special = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`, "]", `\]`, "#", `\#`)

func escape(s string) string {
	parts := strings.Split(flat(s), "`")
	if len(parts)%2 == 0 { // a backquote without its other
		return strings.ReplaceAll(special.Replace(strings.Join(parts, "`")), "`", "\\`")
	}
	for i := 0; i < len(parts); i += 2 {
		parts[i] = special.Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// Text is the document for a terminal.
func (d Document) Text() string {
	var b strings.Builder
	b.WriteString(d.Title + "\n")
	for i, x := range d.Blocks {
		switch {
		case x.Level > 0:
			b.WriteString("\n" + x.Text + "\n")
		case x.Items != nil:
			for _, i := range x.Items {
				b.WriteString("  • " + flat(i) + "\n")
			}
		case x.Head != nil:
			for _, r := range x.Rows {
				b.WriteString("  • " + flat(strings.Join(r, " · ")) + "\n")
			}
		default:
			if i == 0 || d.Blocks[i-1].Level == 0 {
				b.WriteString("\n")
			}
			b.WriteString("  " + flat(x.Text) + "\n")
		}
	}
	return b.String()
}
