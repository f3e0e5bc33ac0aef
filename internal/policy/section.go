package policy

import (
	"cmp"
	"math"
	"math/bits"
	"reflect"
	"strings"
)

// section is one part of Inputs that may or may not be known.
type section uint8

const (
	secRelease section = iota
	secService
	secEnvironment
	secChange
	secFindings
	secTests
	secCoverage
	secLoad
	secPrevious
	secAttestation
	secApproval
	secCalendar
	sectionCount
)

var sectionNames = [sectionCount]string{"release", "service", "environment", "change", "findings", "tests", "coverage", "load", "previous", "attestation", "approval", "calendar"}

func (s section) String() string { return sectionNames[s] }

func sectionNamed(name string) (section, bool) {
	for i, n := range sectionNames {
		if n == name {
			return section(i), true
		}
	}
	return 0, false
}

// sections is a set of them.
type sections uint16

func (s sections) has(x section) bool      { return s&(1<<x) != 0 }
func (s sections) with(x section) sections { return s | 1<<x }

// each calls yield for every section of the set, in the order of Inputs.
func (s sections) each(yield func(section) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(section(bits.TrailingZeros16(uint16(s)))) {
			return
		}
	}
}

// known points at the Known of a section.
func (in *Inputs) known(s section) *bool {
	return [sectionCount]*bool{
		&in.Release.Known, &in.Service.Known, &in.Environment.Known, &in.Change.Known, &in.Findings.Known,
		&in.Tests.Known, &in.Coverage.Known, &in.Load.Known, &in.Previous.Known, &in.Attestation.Known, &in.Approval.Known, &in.Calendar.Known,
	}[s]
}

// provenance is who is believed for a section; ok is false where it has none.
func (in *Inputs) provenance(s section) (p Provenance, ok bool) {
	switch s {
	case secChange:
		return in.Change.Provenance, true
	case secFindings:
		return in.Findings.Provenance, true
	case secTests:
		return in.Tests.Provenance, true
	case secCoverage:
		return in.Coverage.Provenance, true
	case secLoad:
		return in.Load.Provenance, true
	case secAttestation:
		return in.Attestation.Provenance, true
	}
	return ByNobody, false
}

// age points at a section's age in hours, or is nil where it has none.
func (in *Inputs) age(s section) *float64 {
	switch s {
	case secFindings:
		return &in.Findings.AgeHours
	case secTests:
		return &in.Tests.AgeHours
	case secCoverage:
		return &in.Coverage.AgeHours
	case secLoad:
		return &in.Load.AgeHours
	}
	return nil
}

// Limits of Inputs that estimates of cost rest on: bytes of a text, items of a list.
const (
	MaxInputText = 4 << 10
	MaxInputList = 1000
)

// excess names the first input that is over a limit or not a finite number, or "";
// modest is whether none is over a limit of few.
func (in *Inputs) excess() (over string, modest bool) {
	figures := [...]figure{
		{"findings.age_hours", in.Findings.AgeHours},
		{"tests.age_hours", in.Tests.AgeHours},
		{"coverage.age_hours", in.Coverage.AgeHours},
		{"coverage.line_rate", in.Coverage.LineRate},
		{"coverage.branch_rate", in.Coverage.BranchRate},
	}
	for _, list := range [...][]figure{figures[:], in.rates(), in.times()} {
		if name := endless(list); name != "" {
			return name, false
		}
	}
	if cmp.Or(in.excessText(&few), in.excessList(&few)) == "" {
		return "", true
	}
	return cmp.Or(in.excessText(&most), in.excessList(&most)), false
}

// endless names the first figure that is not a finite number, or "".
func endless(figures []figure) string {
	for _, f := range figures {
		if math.IsNaN(f.value) || math.IsInf(f.value, 0) {
			return f.name
		}
	}
	return ""
}

func (in *Inputs) excessText(limit *limits) string {
	r, s, e, c := &in.Release, &in.Service, &in.Environment, &in.Change
	for _, l := range [...]struct {
		name  string
		texts [6]string
	}{
		{"release", [6]string{r.Version, r.Digest, r.Size, r.ChangeType, r.Type, r.RequestedBy}},
		{"service", [6]string{s.Name, s.Team}},
		{"environment", [6]string{e.Name, e.Kind, e.Region}},
		{"change", [6]string{string(c.Provenance), c.SemverStep, c.Head}},
		{"evidence", [6]string{string(in.Findings.Provenance), string(in.Tests.Provenance), string(in.Coverage.Provenance), string(in.Load.Provenance), string(in.Attestation.Provenance), in.Previous.Version}},
	} {
		if long(limit.text, l.texts[:]) {
			return l.name
		}
	}
	for _, l := range [...]struct {
		name string
		list []string
	}{
		{"service.flags", s.Flags},
		{"service.data_classes", s.DataClasses},
		{"findings.tools", in.Findings.Tools},
		{"load.tools", in.Load.Tools},
		{"load.untested", in.Load.Untested},
		{"change.components", c.Components},
		{"attestation.attestors", in.Attestation.Attestors},
		{"calendar.freezes", in.Calendar.Freezes},
		{"calendar.rules", in.Calendar.Rules},
		{"calendar.exempt", in.Calendar.Exempt},
	} {
		if len(l.list) > limit.list || long(limit.text, l.list) {
			return l.name
		}
	}
	return ""
}

func long(limit int, texts []string) bool {
	for _, t := range texts {
		if len(t) > limit {
			return true
		}
	}
	return false
}

// fieldIndex finds the Go field of a CEL name in a struct type.
func fieldIndex(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("cel") == name {
			return i, true
		}
	}
	return 0, false
}

// fieldNames are the CEL names of a struct type's fields.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("cel"))
	}
	return names
}

// inputIndex is where a dotted input such as findings.critical stands in Inputs.
func inputIndex(name string) ([]int, bool) {
	head, rest, dotted := strings.Cut(name, ".")
	t := reflect.TypeFor[Inputs]()
	i, ok := fieldIndex(t, head)
	if !dotted {
		return []int{i}, ok
	}
	if _, isSection := sectionNamed(head); !isSection {
		return nil, false
	}
	j, ok := fieldIndex(t.Field(i).Type, rest)
	return []int{i, j}, ok
}
