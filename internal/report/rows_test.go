package report

import (
	"bytes"
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

// fits counts the rows that know a report, of the table that is asked.
func fits(b []byte) (names []string) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	first := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(first) == 0 || bytes.IndexByte(b, 0) >= 0:
	case first[0] == '{' || first[0] == '[':
		top, err := evidence.TopOf(b)
		if err != nil {
			return nil
		}
		for _, f := range jsons {
			if f.is(top) {
				names = append(names, f.name)
			}
		}
	case first[0] == '<':
		_, _ = evidence.ReadXML(b, func(root xml.StartElement, _ string) (evidence.XMLReader, error) {
			for _, f := range xmls {
				if f.is(root) {
					names = append(names, f.name)
				}
			}
			return pickXML(b)(root, "")
		})
	default:
		for _, f := range texts {
			if f.is(first) {
				names = append(names, f.name)
			}
		}
	}
	return names
}

// No real document, report or not, fits two rows.
func TestNoDocumentFitsTwoRows(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "corpora")
	if _, err := os.Stat(root); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the corpora are absent")
		}
		t.Skip("the corpora are absent")
	}
	known := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() > 4<<20 {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch names := fits(b); len(names) {
		case 0:
		case 1:
			known[names[0]]++
		default:
			t.Errorf("%s fits %q", path, names)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if known["JMeter"] == 0 || known["SARIF 2.1.0"] == 0 {
		t.Errorf("the rows know nothing of the corpora: %v", known)
	}
}

// What the rows know and what the documentation lists is the same.
func TestDocumentedFormats(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "explanation", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, there := strings.Cut(string(b), "\n| format | claim |")
	if !there {
		t.Fatal("the table of formats is gone")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| (?:findings|tests|coverage|load|[a-z, ]+) \|`).FindAllStringSubmatch(table, -1) {
		documented = append(documented, m[1])
	}
	var read []string
	version := regexp.MustCompile(` \d[\d., –-]*(?:and \d[\d.]*)?$`)
	for _, name := range Names() {
		read = append(read, version.ReplaceAllString(name, ""))
	}
	read = slices.Compact(read)
	for _, name := range read {
		if !slices.ContainsFunc(documented, func(d string) bool { return strings.EqualFold(d, name) }) {
			t.Errorf("%s is read, but docs/explanation/evidence.md does not list it", name)
		}
	}
	for _, name := range documented {
		if !slices.ContainsFunc(read, func(r string) bool { return strings.EqualFold(r, name) }) {
			t.Errorf("docs/explanation/evidence.md lists %s, which no row reads", name)
		}
	}
}
