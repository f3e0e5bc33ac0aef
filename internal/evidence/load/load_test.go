package load

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// read is what report does, for the formats of this room alone.
func read(b []byte) (evidence.Claim, error) {
	first := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(first) == 0:
		return evidence.Claim{}, fault.Invalidf("test", "empty")
	case first[0] == '<':
		return evidence.ReadXML(b, func(root xml.StartElement, _ string) (evidence.XMLReader, error) {
			if !IsJMeterXML(root) {
				return nil, fault.Invalidf("test", "no row knows it")
			}
			return NewJMeterXML(), nil
		})
	case first[0] == '{' || first[0] == '[':
		top, err := evidence.TopOf(b)
		if err != nil {
			return evidence.Claim{}, err
		}
		switch {
		case IsK6(top):
			return ReadK6(b)
		case IsK6Points(top):
			return RefuseK6Points(b)
		case IsGatling(top):
			return ReadGatling(b)
		case IsLocust(top):
			return ReadLocust(b)
		}
	case IsJMeterCSV(first):
		return ReadJMeterCSV(b)
	case IsGatlingLog(first):
		return ReadGatlingLog(b)
	case IsLocustCSV(first):
		return ReadLocustCSV(b)
	case IsGoBench(first):
		return ReadGoBench(b)
	case IsStranger(first):
		return RefuseStranger(b)
	}
	return evidence.Claim{}, fault.Invalidf("test", "no row knows it")
}

func mustRead(t testing.TB, report string) evidence.Claim {
	t.Helper()
	c, err := read([]byte(report))
	if err != nil {
		t.Fatalf("%v\n%s", err, report[:min(len(report), 2000)])
	}
	if c.Kind != evidence.LoadKind || c.Load == nil {
		t.Fatalf("%+v", c)
	}
	return c
}

// says is what a claim comes to in one line: requests, error rate, p50, p95,
// p99, thresholds set and failed, seconds.
func says(c evidence.Claim) string {
	l := c.Load
	return fmt.Sprintf("%d %.4g %s %s %s %d/%d %gs", l.Requests, l.ErrorRate, ms(l.P50), ms(l.P95), ms(l.P99), l.Failed, l.Set, l.Seconds)
}

func ms(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%g", *v)
}

// parts are the components in one line each: name, requests, error rate, p50, p95, p99, mean.
func parts(c evidence.Claim) []string {
	var out []string
	for _, p := range c.Load.Parts {
		n := "-"
		if p.Requests != nil {
			n = fmt.Sprint(*p.Requests)
		}
		out = append(out, fmt.Sprintf("%s: %s %s %s %s %s %s", p.Name, n, ms(p.ErrorRate), ms(p.P50), ms(p.P95), ms(p.P99), ms(p.Mean)))
	}
	return out
}

func refused(t *testing.T, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		got, err := read([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %s", c.name, says(got))
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

type refusal struct{ name, report, says string }

// However a report is cut short, it is refused, or says what the whole says
// up to where it was cut: whole tells which cuts are a report of their own.
func cut(t *testing.T, report string, whole func(rest string) bool) {
	t.Helper()
	mustRead(t, report)
	for n := range len(report) {
		if c, err := read([]byte(report[:n])); err == nil && !whole(report[n:]) {
			t.Errorf("cut at %d (%q): read as %s", n, report[max(n-20, 0):n], says(c))
		}
	}
}

func TestNearestRank(t *testing.T) {
	for _, c := range []struct{ p, n, want int }{
		{50, 1, 1}, {99, 1, 1}, {50, 2, 1}, {95, 2, 2}, {50, 3, 2}, {50, 4, 2}, {50, 5, 3}, {95, 20, 19}, {95, 21, 20}, {99, 100, 99}, {99, 101, 100}, {95, 1000, 950},
	} {
		if got := rank(c.p, c.n); got != c.want {
			t.Errorf("percentile %d of %d: %d, want %d", c.p, c.n, got, c.want)
		}
	}
}

// The percentile is the smallest value from which at least p of 100 are at most as large.
func TestNearestRankModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int32Range(0, 50), 1, 300).Draw(t, "values")
		var s samples
		times := map[int64]int64{}
		for _, v := range values {
			if err := s.add(sample{elapsed: v, count: 1}); err != nil {
				t.Fatal(err)
			}
			times[int64(v)]++
		}
		c, err := s.claim(evidence.Claim{})
		if err != nil {
			t.Fatal(err)
		}
		h50, h95, h99 := nearest(times, int64(len(values)))
		for _, x := range []struct {
			p         int
			got, hist *float64
		}{{50, c.Load.P50, h50}, {95, c.Load.P95, h95}, {99, c.Load.P99, h99}} {
			want := int32(math.MaxInt32)
			for _, v := range values {
				upTo := 0
				for _, w := range values {
					if w <= v {
						upTo++
					}
				}
				if upTo*100 >= x.p*len(values) {
					want = min(want, v)
				}
			}
			if *x.got != float64(want) || *x.hist != float64(want) {
				t.Errorf("p%d of %v: %g and %g, want %d", x.p, values, *x.got, *x.hist, want)
			}
		}
	})
}

// What is not listed is counted.
func TestManyParts(t *testing.T) {
	var b strings.Builder
	b.WriteString("timeStamp,elapsed,label,success\n")
	for i := range 3 * evidence.MaxParts {
		for range i%7 + 1 {
			fmt.Fprintf(&b, "1700000000000,%d,part %d,true\n", i, i)
		}
	}
	c := mustRead(t, b.String())
	if len(c.Load.Parts) != evidence.MaxParts || c.Load.MoreParts != 2*evidence.MaxParts || len(c.Notes) != 1 {
		t.Fatalf("%d listed, %d more, notes %q", len(c.Load.Parts), c.Load.MoreParts, c.Notes)
	}
	if !slices.IsSortedFunc(c.Load.Parts, func(a, b evidence.LoadPart) int { return *b.Requests - *a.Requests }) {
		t.Errorf("%v", parts(c))
	}
}

// Beyond what can be told apart the totals still count.
func TestManyLabels(t *testing.T) {
	var b strings.Builder
	b.WriteString("timeStamp,elapsed,label,success\n")
	for i := range maxLabels + 5 {
		fmt.Fprintf(&b, "1700000000000,1,%d,false\n", i)
	}
	c := mustRead(t, b.String())
	if c.Load.Requests != maxLabels+5 || c.Load.ErrorRate != 1 || c.Load.MoreParts != maxLabels-evidence.MaxParts || len(c.Notes) != 2 {
		t.Errorf("%s, %d more, notes %q", says(c), c.Load.MoreParts, c.Notes)
	}
}

func TestStrangers(t *testing.T) {
	refused(t, []refusal{
		{"JMeter's log", "2017-08-18 17:23:41,964 INFO o.a.j.u.JMeterUtils: Setting Locale to en_US\n", "JMeter's log"},
		{"a newer log", "2024-01-02 17:23:41,964 INFO o.a.j.JMeter: Version 5.6\n", "JMeter's log"},
		{"k6's table", "metric_name,timestamp,metric_value,check,error\nhttp_reqs,1,1,,\n", "--out csv"},
		{"k6's points", `{"type":"Metric","data":{"name":"http_reqs","type":"counter"},"metric":"http_reqs"}` + "\n" + `{"metric":"http_reqs","type":"Point","data":{"time":"2026-01-02T03:04:05Z","value":1,"tags":{}}}`, "single points"},
		{"Locust's history", `"Timestamp","User Count","Type","Name","Requests/s"` + "\n", "history"},
		{"Locust's history, bare", "Timestamp,User Count,Type,Name,Requests/s\n", "history"},
		{"Locust's failures", "Method,Name,Error,Occurrences\n", "failures"},
		{"Locust's exceptions", "Count,Message,Traceback,Nodes\n", "failures"},
		{"Gatling's script", "var stats = {\n    type: \"GROUP\",\n", "js/stats.json"},
		{"a table of something else", "name,age,town\nA,1,B\n", "no row"},
		{"words with a comma", "elapsed, as they say\n", "no row"},
		{"another log", "2017-08-18 17:23:41,964 INFO main: all is well\n", "no row"},
	})
}
