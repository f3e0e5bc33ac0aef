package measure

import (
	"fmt"
	"os"
	"strings"
)

// Publish writes tables into a document, each between its markers. What stands
// around them is written by hand and stays. A table without a place, and a place
// without a table, is an error, and then nothing is written.
func Publish(path string, tables []Table) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	text := string(b)
	for _, t := range tables {
		if text, err = place(text, t); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if left := strings.Count(text, beginning("")); left != len(tables) {
		return fmt.Errorf("%s has places for %d tables, %d were measured", path, left, len(tables))
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func beginning(name string) string { return "<!-- begin measured " + name }

func place(text string, t Table) (string, error) {
	begin, end := beginning(t.Name)+" -->\n", "<!-- end measured "+t.Name+" -->"
	before, rest, found := strings.Cut(text, begin)
	if !found {
		return "", fmt.Errorf("there is no place for the table %s: %s", t.Name, strings.TrimSpace(begin))
	}
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("the place of the table %s does not end", t.Name)
	}
	return before + begin + "\n" + t.Markdown() + "\n" + end + after, nil
}
