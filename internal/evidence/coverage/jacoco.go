package coverage

import (
	"encoding/xml"
	"regexp"
	"slices"

	"signalbox.dev/signalbox/internal/evidence"
)

// JaCoCo names a format that is read here.
const JaCoCo = "jacoco"

// IsJaCoCo reports whether the root element is that of JaCoCo's report.
func IsJaCoCo(root xml.StartElement) bool {
	a := evidence.Attributes(root)
	_, named := a["name"]
	return root.Name.Local == "report" && root.Name.Space == "" && named && len(a) == 1
}

// NewJaCoCo reads a report with the document type.
func NewJaCoCo(doctype string) evidence.XMLReader {
	j := &jacoco{stated: map[string]counts{}}
	if m := jacocoVersion.FindStringSubmatch(doctype); m != nil {
		j.version = m[1]
	}
	return j
}

var jacocoVersion = regexp.MustCompile(`JACOCO//DTD Report ([\d.]{1,10})//`)

// jacoco reads the counters that stand directly in the report: LINE and BRANCH.
// A line counts as covered where at least one of its instructions ran, which is
// how JaCoCo counts it too.
type jacoco struct {
	version  string
	stated   map[string]counts // by type of counter
	lines    counts
	branches counts
	dumped   string // when the newest session ended, milliseconds since 1970
}

// Open is evidence.XMLReader.
func (j *jacoco) Open(around []xml.Name, e xml.StartElement) error {
	n, name := len(around), e.Name.Local
	switch {
	case n == 1 && !slices.Contains([]string{"sessioninfo", "group", "package", "counter"}, name):
		return broken("an element %q stands in the report", evidence.Cut(name, 40)).Because("JaCoCo writes no such element")
	case n == 1 && name == "sessioninfo":
		if d := evidence.Attributes(e)["dump"]; stamp(d).After(stamp(j.dumped)) {
			j.dumped = d
		}
	case n == 1 && name == "counter":
		return j.counter(evidence.Attributes(e))
	case name == "line" && around[n-1].Local == "sourcefile":
		return j.line(evidence.Attributes(e))
	}
	return nil
}

func (j *jacoco) counter(a map[string]string) error {
	kind := a["type"]
	if _, twice := j.stated[kind]; twice {
		return broken("two counters of type %q stand in the report", evidence.Cut(kind, 40))
	}
	missed, err := count("missed", a["missed"])
	if err != nil {
		return err
	}
	covered, err := count("covered", a["covered"])
	j.stated[kind] = counts{covered, covered + missed}
	return err
}

func (j *jacoco) line(a map[string]string) error {
	var n [4]int
	for i, name := range []string{"mi", "ci", "mb", "cb"} {
		s, there := a[name]
		if !there && i >= 2 {
			s = "0"
		}
		var err error
		if n[i], err = count(name, s); err != nil {
			return err
		}
	}
	if n[0]+n[1] > 0 {
		j.lines.add(n[1] > 0)
	}
	j.branches.sum(counts{n[3], n[2] + n[3]})
	return nil
}

// Text is evidence.XMLReader: nothing is read of texts.
func (j *jacoco) Text([]xml.Name, []byte) error { return nil }

// Shut is evidence.XMLReader.
func (j *jacoco) Shut([]xml.Name, xml.Name) error { return nil }

// Claim is evidence.XMLReader.
func (j *jacoco) Claim() (evidence.Claim, error) {
	c := evidence.Claim{Format: JaCoCo, Version: j.version, Tool: evidence.Tool{Name: "JaCoCo"}, Generated: stamp(j.dumped)}
	lines, stated := j.stated["LINE"]
	if !stated && len(j.stated) > 0 && j.lines.valid == 0 {
		return evidence.Claim{}, broken("the report counts instructions, but no lines").
			Because("the classes hold no line numbers").Remedy("compile with debug information: javac -g")
	}
	if !stated {
		return measured(c, j.lines, j.branches, noTotals)
	}
	return measured(c, lines, j.stated["BRANCH"], differ(lines, j.lines))
}
