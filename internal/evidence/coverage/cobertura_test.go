package coverage

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

func read(b []byte) (evidence.Claim, error) {
	return evidence.ReadXML(b, func(root xml.StartElement, doctype string) (evidence.XMLReader, error) {
		if !IsCobertura(root) {
			return nil, fault.Invalidf("test", "no report")
		}
		return NewCobertura(doctype), nil
	})
}

func class(lines string) string {
	return `<packages><package><classes><class filename="a"><methods><method><lines><line number="1" hits="0"/></lines></method></methods><lines>` + lines + `</lines></class></classes></package></packages>`
}

func cov(rate float64, covered, valid int, branches *float64) evidence.Coverage {
	return evidence.Coverage{LineRate: rate, LinesCovered: covered, LinesValid: valid, BranchRate: branches}
}

func TestCobertura(t *testing.T) {
	half := 0.5
	body := class(`<line number="1" hits="3"/><line number="2" hits="0"/><line number="3" hits="1"/><line number="4" hits="0" branch="true"/>`)
	for _, c := range []struct {
		name, report string
		want         evidence.Coverage
		notes        int
	}{
		{"totals", `<coverage line-rate="0.5" lines-covered="2" lines-valid="4" branch-rate="0.5" branches-covered="1" branches-valid="2">` + body + `</coverage>`, cov(0.5, 2, 4, &half), 0},
		{"totals differ from lines", `<coverage line-rate="0.9" lines-covered="9" lines-valid="10">` + body + `</coverage>`, cov(0.9, 9, 10, nil), 1},
		{"rate differs from totals", `<coverage line-rate="0.9" lines-covered="1" lines-valid="10"/>`, cov(0.9, 1, 10, nil), 1},
		{"no counts", `<coverage line-rate="0.5">` + body + `</coverage>`, cov(0.5, 2, 4, nil), 1},
		{"nothing stated", `<coverage>` + body + `</coverage>`, cov(0.5, 2, 4, nil), 1},
		{"no rate", `<coverage lines-covered="1" lines-valid="3"/>`, cov(0.333333, 1, 3, nil), 0},
		{"rate of no branches", `<coverage line-rate="1" lines-covered="4" lines-valid="4" branch-rate="0" branches-covered="0" branches-valid="0"/>`, cov(1, 4, 4, nil), 0},
		{"rate without branches", `<coverage line-rate="1" lines-covered="4" lines-valid="4" branch-rate="1"/>`, cov(1, 4, 4, nil), 0},
		{"branches without a rate", `<coverage line-rate="1" lines-covered="4" lines-valid="4" branches-covered="2" branches-valid="4"/>`, cov(1, 4, 4, &half), 0},
		{"nothing covered", `<coverage line-rate="0" lines-covered="0" lines-valid="4"/>`, cov(0, 0, 4, nil), 0},
		{"a small exponent", `<coverage line-rate="1e-05" lines-covered="1" lines-valid="100000"/>`, cov(1e-05, 1, 100000, nil), 0},
	} {
		got := mustRead(t, c.report)
		if diff := cmp.Diff(c.want, *got.Coverage); diff != "" || got.Kind != evidence.CoverageKind || got.Format != Cobertura {
			t.Errorf("%s: %s\n%s", c.name, got.Kind, diff)
		}
		if len(got.Notes) != c.notes {
			t.Errorf("%s: notes %q", c.name, got.Notes)
		}
	}
}

func TestCoberturaHeader(t *testing.T) {
	c := mustRead(t, `<?xml version="1.0"?><!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage version="7.4" timestamp="1767322800123" line-rate="1" lines-covered="1" lines-valid="1"/>`)
	if c.Version != "04" || c.Tool.Version != "7.4" || c.Generated.UnixMilli() != 1767322800123 {
		t.Errorf("%+v", c)
	}
	for in, want := range map[string]int64{"1767322800": 1767322800, "1767322800123": 1767322800, "0": 0, "-5": 0, "x": 0, "": 0, "99999999999999999": 0} {
		got := stamp(in)
		if want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestCoberturaRefused(t *testing.T) {
	for _, c := range []struct{ name, report, says string }{
		{"no lines at all", `<coverage line-rate="1"/>`, "no lines"},
		{"zero lines", `<coverage line-rate="1" lines-covered="0" lines-valid="0"/>`, "no lines"},
		{"above 1", `<coverage line-rate="1.01" lines-covered="1" lines-valid="1"/>`, "between 0 and 1"},
		{"per cent", `<coverage line-rate="85" lines-covered="85" lines-valid="100"/>`, "between 0 and 1"},
		{"negative", `<coverage line-rate="-0.1" lines-covered="1" lines-valid="1"/>`, "between 0 and 1"},
		{"NaN", `<coverage line-rate="NaN" lines-covered="1" lines-valid="1"/>`, "between 0 and 1"},
		{"hexadecimal", `<coverage line-rate="0x1p-1" lines-covered="1" lines-valid="2"/>`, "between 0 and 1"},
		{"a comma", `<coverage line-rate="0,85" lines-covered="1" lines-valid="2"/>`, "between 0 and 1"},
		{"an empty rate", `<coverage line-rate="" lines-covered="1" lines-valid="2"/>`, "between 0 and 1"},
		{"branches NaN", `<coverage line-rate="1" lines-covered="1" lines-valid="1" branch-rate="NaN" branches-valid="1"/>`, "between 0 and 1"},
		{"more than all", `<coverage line-rate="1" lines-covered="2" lines-valid="1"/>`, "more cannot be covered"},
		{"more branches than all", `<coverage line-rate="1" lines-covered="1" lines-valid="1" branches-covered="2" branches-valid="1"/>`, "more cannot be covered"},
		{"a negative count", `<coverage line-rate="1" lines-covered="-1" lines-valid="1"/>`, "not a count"},
		{"a count in words", `<coverage line-rate="1" lines-covered="one" lines-valid="1"/>`, "not a count"},
		{"hits that are none", `<coverage>` + class(`<line number="1" hits="x"/>`) + `</coverage>`, "not a count"},
		{"hits NaN", `<coverage>` + class(`<line number="1" hits="NaN"/>`) + `</coverage>`, "not a count"},
		{"no hits", `<coverage>` + class(`<line number="1"/>`) + `</coverage>`, "not a count"},
	} {
		got, err := read([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %+v", c.name, got.Coverage)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCoberturaModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hits := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 40).Draw(t, "hits")
		var b strings.Builder
		covered := 0
		for i, h := range hits {
			fmt.Fprintf(&b, `<line number="%d" hits="%d"/>`, i+1, h)
			if h > 0 {
				covered++
			}
		}
		got, err := read([]byte(`<coverage>` + class(b.String()) + `</coverage>`))
		if err != nil {
			t.Fatal(err)
		}
		c := got.Coverage
		if c.LinesCovered != covered || c.LinesValid != len(hits) || c.LineRate < 0 || c.LineRate > 1 {
			t.Errorf("%+v, want %d of %d", c, covered, len(hits))
		}
		rate := float64(covered) / float64(len(hits))
		if c.LineRate-rate > 1e-6 || rate-c.LineRate > 1e-6 {
			t.Errorf("rate %g, want %g", c.LineRate, rate)
		}
	})
}

func mustRead(t *testing.T, report string) evidence.Claim {
	t.Helper()
	c, err := read([]byte(report))
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	return c
}
