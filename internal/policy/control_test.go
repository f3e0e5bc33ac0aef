package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/internal/fault"
)

const aFramework = "name: house\ntitle: House rules\nauthority: Example Ltd\nversion: \"2\"\nnote: N.\n"

const aControl = "name: house-c1\nframework: house\nid: C1.2(a)\nstatement: S.\nobjective: segregation\nowner: board\nfrequency: per-release\nnature: detective\nkey: true\n" +
	"coverage: partial\nduty: D.\nstatus: verified\nmandatory: { flags: [icfr], data_classes: [health] }\nsource: clause 1\n"

func TestControls(t *testing.T) {
	p := compiled(t, sample(doc("Framework", aFramework), doc("Control", aControl), doc("Gate", "name: g\ntitle: T\ncondition: service.owned\ncontrols: [house/C1.2(a), other/X1]\n")))
	noPlace := cmpopts.IgnoreTypes(fault.Position{})
	if diff := cmp.Diff([]Framework{{Name: "house", Title: "House rules", Authority: "Example Ltd", Version: "2", Note: "N."}}, p.Frameworks(), noPlace); diff != "" {
		t.Error(diff)
	}
	want := Control{
		Name: "house-c1", Framework: "house", ID: "C1.2(a)", Statement: "S.", Objective: "segregation", Owner: "board", Frequency: "per-release", Nature: "detective", Key: true,
		Coverage: CoveragePartial, Duty: "D.", Status: "verified", Mandatory: Mandatory{Flags: []string{"icfr"}, DataClasses: []string{"health"}}, Source: "clause 1",
	}
	if diff := cmp.Diff([]Control{want}, p.Controls(), noPlace); diff != "" {
		t.Error(diff)
	}
	if c, ok := p.Control("house/C1.2(a)"); !ok || c.Name != "house-c1" || c.Where.Line == 0 {
		t.Errorf("control %+v", c)
	}
	if _, ok := p.Control("house/C9"); ok {
		t.Error("a control that nobody described was found")
	}
}

func TestMandatory(t *testing.T) {
	m := Mandatory{Flags: []string{"icfr"}, DataClasses: []string{"health"}}
	for _, c := range []struct {
		m              Mandatory
		flags, classes []string
		want           bool
	}{
		{m, []string{"icfr"}, nil, true},
		{m, nil, []string{"public", "health"}, true},
		{m, []string{"health"}, []string{"icfr"}, false},
		{m, nil, nil, false},
		{Mandatory{}, []string{"icfr"}, []string{"health"}, false},
	} {
		if got := c.m.Asks(c.flags, c.classes); got != c.want {
			t.Errorf("%v asked of %v %v: %v", c.m, c.flags, c.classes, got)
		}
	}
}
