package prose

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// comments are the lines of all comments, sorted.
func comments(data []byte) []string {
	var all []string
	for _, part := range split(data) {
		head, body := heading(part)
		all = append(all, remarks(head)...)
		docs, err := documents([]byte(body))
		if err != nil {
			return nil
		}
		var walk func(*yaml.Node)
		walk = func(n *yaml.Node) {
			for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
				all = append(all, remarks(c)...)
			}
			for _, c := range n.Content {
				walk(c)
			}
		}
		for _, d := range docs {
			walk(d)
		}
	}
	slices.Sort(all)
	return all
}

// remarks are the lines of a comment.
func remarks(comment string) []string {
	var all []string
	for line := range strings.Lines(comment) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// line is one line of a file.
type line struct {
	text    string // without the spaces around it
	indent  int    // spaces before it
	comment bool   // and nothing else
	within  bool   // within a block of text
}

// block is the end of a line after which a block of text begins.
var block = regexp.MustCompile(`(?:^|[:-] +)[|>][-+0-9]*(?: +#.*)?$`)

// lines are those of a file. Within quotes that go over several lines, a line
// of text may pass for a comment.
func lines(text string) []line {
	var all []line
	under := -1 // the indentation that a block of text stands under, or -1
	for raw := range strings.Lines(text) {
		l := line{text: strings.TrimSpace(raw)}
		l.indent = len(raw) - len(strings.TrimLeft(raw, " "))
		if under >= 0 && l.text != "" && l.indent <= under {
			under = -1
		}
		l.within = under >= 0
		l.comment = !l.within && strings.HasPrefix(l.text, "#")
		if !l.within && !l.comment && block.MatchString(l.text) {
			under = l.indent + deeper(l.text)
		}
		all = append(all, l)
	}
	return all
}

// deeper is how far to the right of its line a key stands whose value is a block
// of text: items of a list stand before it.
func deeper(text string) int {
	rest := text
	for {
		item, is := strings.CutPrefix(rest, "- ")
		if item = strings.TrimLeft(item, " "); !is || strings.HasPrefix(item, "|") || strings.HasPrefix(item, ">") {
			return len(text) - len(rest)
		}
		rest = item
	}
}

// gathered is a text without the blank lines between a comment and what stands
// below it, so that a reader does not take the one for the end of what is above.
func gathered(text string) string {
	var b strings.Builder
	raw := slices.Collect(strings.Lines(text))
	all := lines(text)
	last := -1 // the last line that is not blank
	for i, l := range all {
		if !l.within && l.text == "" {
			next := slices.IndexFunc(all[i:], func(x line) bool { return x.text != "" })
			if last >= 0 && all[last].comment && next >= 0 && !all[i+next].comment && all[i+next].indent == all[last].indent {
				continue
			}
		} else if l.text != "" {
			last = i
		}
		b.WriteString(raw[i])
	}
	return b.String()
}

// neighbours are the first words that stand above and below a comment.
type neighbours struct{ above, below string }

// astray reports whether a comment that stands in a line of its own has neither
// the neighbour above nor that below in another layout of the same.
func astray(before, after []byte) bool {
	stands := places(string(after))
	for comment, list := range places(string(before)) {
		left := stands[comment]
		for _, was := range list {
			i := slices.IndexFunc(left, func(is neighbours) bool { return is.above == was.above || is.below == was.below })
			if i < 0 {
				return true
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	return false
}

var firstWord = regexp.MustCompile(`^(?:- +)*[^\s:]*`)

// places are the neighbours of every comment.
func places(text string) map[string][]neighbours {
	all := lines(strings.ReplaceAll(text, "\r\n", "\n"))
	word := func(list func(func(int, line) bool)) string {
		for _, l := range list {
			if l.text != "" && !l.comment && !l.within {
				return firstWord.FindString(l.text)
			}
		}
		return ""
	}
	found := map[string][]neighbours{}
	for i, l := range all {
		if l.comment {
			found[l.text] = append(found[l.text], neighbours{word(slices.Backward(all[:i])), word(slices.All(all[i+1:]))})
		}
	}
	return found
}
