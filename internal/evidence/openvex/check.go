package openvex

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

func number(i int) string { return strconv.Itoa(i) }

func broken(what, why string) *fault.Error {
	return fault.Invalidf("evidence.openvex", "%s", what).Because(why).Remedy("write OpenVEX " + Version)
}

// check refuses a document that lacks what the specification requires, and
// tells its time.
func (d document) check() (time.Time, error) {
	switch {
	case d.ID == "":
		return time.Time{}, broken("the document has no @id", "it is required").On("/@id")
	case d.Author == "":
		return time.Time{}, broken("the document names no author", "nobody can be believed for it").On("/author")
	case d.Version == nil || *d.Version < 1:
		return time.Time{}, broken("the document has no version of 1 or more", "a later one could not be told from it").On("/version")
	case !d.Statements.there:
		return time.Time{}, broken("the document holds no list of statements", "it is required").On("/statements")
	}
	at, err := instant(cmp.Or(d.Updated, d.Timestamp))
	if err != nil {
		return time.Time{}, err.On("/timestamp")
	}
	return at, nil
}

func instant(s string) (time.Time, *fault.Error) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, broken("the time "+strconv.Quote(evidence.Cut(s, 40))+" cannot be read", "it is not of RFC 3339")
	}
	return at.UTC(), nil
}

var justifications = []string{
	"component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
	"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
}

// read is the statement once for each product and subcomponent.
func (s statement) read(at time.Time) ([]evidence.Statement, *fault.Error) {
	names := slices.DeleteFunc(append([]string{cmp.Or(s.Vulnerability.Name, s.Vulnerability.ID)}, s.Vulnerability.Aliases...), func(n string) bool { return n == "" })
	if err := s.check(names); err != nil {
		return nil, err
	}
	if stamp := cmp.Or(s.Updated, s.Timestamp); stamp != "" {
		var err *fault.Error
		if at, err = instant(stamp); err != nil {
			return nil, err
		}
	}
	one := evidence.Statement{Vulnerability: names, Status: evidence.Status(s.Status), Why: cmp.Or(s.Justification, s.Impact, s.Action), At: at}
	var out []evidence.Statement
	for _, p := range s.Products {
		thing := p.thing()
		if one.Product = thing; len(thing.IDs)+len(thing.Digests) == 0 {
			return nil, broken("a product has neither @id, identifiers nor hashes", "nobody can tell what it is")
		}
		if len(p.Subcomponents) == 0 {
			out = append(out, one)
		}
		for _, sub := range p.Subcomponents {
			part, thing := one, sub.thing()
			if part.Component = &thing; len(thing.IDs)+len(thing.Digests) == 0 {
				return nil, broken("a subcomponent has neither @id, identifiers nor hashes", "nobody can tell what it is")
			}
			out = append(out, part)
		}
	}
	return out, nil
}

func (s statement) check(names []string) *fault.Error {
	switch status := evidence.Status(s.Status); {
	case len(names) == 0:
		return broken("a statement names no vulnerability", "vulnerability.name is required")
	case len(s.Products) == 0:
		return broken("a statement names no product", "it would be true of everything, and so of nothing")
	case status != evidence.NotAffected && status != evidence.Fixed && status != evidence.Affected && status != evidence.UnderWay:
		return broken("the status "+strconv.Quote(evidence.Cut(s.Status, 40))+" is not known", "it is one of not_affected, affected, fixed, under_investigation")
	case s.Justification != "" && !slices.Contains(justifications, s.Justification):
		return broken("the justification "+strconv.Quote(evidence.Cut(s.Justification, 60))+" is not known", "it is one of "+strings.Join(justifications, ", "))
	case status == evidence.NotAffected && s.Justification == "" && s.Impact == "":
		return broken("a statement says not_affected and not why", "a justification or an impact statement is required")
	}
	return nil
}

func (c component) thing() evidence.Thing {
	t := evidence.Thing{}
	for _, id := range []string{c.ID, c.Identifiers["purl"], c.Identifiers["cpe23"], c.Identifiers["cpe22"]} {
		if id != "" && !slices.Contains(t.IDs, id) {
			t.IDs = append(t.IDs, id)
		}
	}
	if sum := c.Hashes["sha-256"]; sum != "" {
		t.Digests = []string{"sha256:" + strings.ToLower(sum)}
	}
	return t
}
