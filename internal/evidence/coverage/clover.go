package coverage

import (
	"encoding/xml"

	"signalbox.dev/signalbox/internal/evidence"
)

// Clover names a format that is read here.
const Clover = "clover"

// IsClover reports whether the root element is one of Clover, which states when
// it was generated, or by which Clover; Cobertura's has the same name.
func IsClover(root xml.StartElement) bool {
	return root.Name.Local == "coverage" && root.Name.Space == "" && !IsCobertura(root)
}

// NewClover reads a report.
func NewClover() evidence.XMLReader { return &clover{} }

// clover reads the metrics of the project: its statements, which PHPUnit and
// Istanbul write one a line, and its conditionals, which are branches. The
// project of the tests themselves (testproject) counts for nothing.
type clover struct {
	root      map[string]string
	metrics   map[string]string // of the project
	projects  int
	statement counts // lines of statements
	condition counts // lines that branch
	branches  counts // two for each such line
}

// Open is evidence.XMLReader.
func (c *clover) Open(around []xml.Name, e xml.StartElement) error {
	switch n := len(around); {
	case n == 0:
		c.root = evidence.Attributes(e)
	case n == 1 && e.Name.Local == "project":
		if c.projects++; c.projects > 1 {
			return broken("two projects stand in the report").Because("Clover writes one")
		}
	case n < 2 || around[1].Local != "project":
	case n == 2 && e.Name.Local == "metrics":
		if c.metrics != nil {
			return broken("the project has metrics twice")
		}
		c.metrics = evidence.Attributes(e)
	case e.Name.Local == "line" && around[n-1].Local == "file":
		return c.line(evidence.Attributes(e))
	}
	return nil
}

func (c *clover) line(a map[string]string) error {
	number := func(name string) (n int, err error) {
		if s, there := a[name]; there {
			n, err = count("a line's "+name, s)
		}
		return n, err
	}
	hits, err := number("count")
	if err != nil {
		return err
	}
	yes, err := number("truecount")
	if err != nil {
		return err
	}
	no, err := number("falsecount")
	if err != nil {
		return err
	}
	switch a["type"] {
	case "stmt":
		c.statement.add(hits > 0)
	case "cond":
		c.condition.add(hits > 0 || yes > 0 || no > 0)
		c.branches.add(yes > 0)
		c.branches.add(no > 0)
	case "method":
	default:
		return broken("a line's type is %q", evidence.Cut(a["type"], 40)).Because("Clover knows stmt, cond and method")
	}
	return nil
}

// Text is evidence.XMLReader: nothing is read of texts.
func (c *clover) Text([]xml.Name, []byte) error { return nil }

// Shut is evidence.XMLReader.
func (c *clover) Shut([]xml.Name, xml.Name) error { return nil }

// Claim is evidence.XMLReader.
func (c *clover) Claim() (evidence.Claim, error) {
	claim := evidence.Claim{
		Format: Clover, Tool: evidence.Tool{Name: "Clover", Version: evidence.Cut(c.root["clover"], evidence.MaxWord)}, Generated: stamp(c.root["generated"]),
	}
	every := c.statement
	every.sum(c.condition)
	stated, there := c.metrics["statements"]
	if !there {
		return measured(claim, every, c.branches, noTotals)
	}
	lines, err := pair("statements", c.metrics["coveredstatements"], stated)
	if err != nil {
		return evidence.Claim{}, err
	}
	var branches counts
	if s, there := c.metrics["conditionals"]; there {
		if branches, err = pair("conditionals", c.metrics["coveredconditionals"], s); err != nil {
			return evidence.Claim{}, err
		}
	}
	if lines == c.statement { // some count lines that branch among the statements, some apart
		every = lines
	}
	return measured(claim, lines, branches, differ(lines, every))
}
