package load

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/evidence"
)

const csvHeader = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect\n"

func csvRow(at int64, elapsed int, label, message string, success bool) string {
	return fmt.Sprintf("%d,%d,%s,200,%q,Users 1-1,text,%v,,10,1,1,1,http://a.example/,1,0,0\n", at, elapsed, label, message, success)
}

func testResults(samples string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><testResults version="1.2">` + samples + `</testResults>`
}

func TestJMeterCSV(t *testing.T) {
	const at = 1700000000000
	sum := "Number of samples in transaction : 2, number of failing samples : 1"
	for _, c := range []struct{ name, report, want string }{
		{"a header", csvHeader + csvRow(at, 10, "a", "OK", true) + csvRow(at+5, 30, "b", "OK", false), "2 0.5 10 30 30 0/0 0.035s"},
		{"no newline at the end", strings.TrimSuffix(csvHeader+csvRow(at, 10, "a", "OK", true), "\n"), "1 0 10 10 10 0/0 0.01s"},
		{"carriage returns", strings.ReplaceAll(csvHeader+csvRow(at, 10, "a", "OK", true), "\n", "\r\n"), "1 0 10 10 10 0/0 0.01s"},
		{"blank lines", "\n\n" + csvHeader + "\n" + csvRow(at, 10, "a", "OK", true) + "\n", "1 0 10 10 10 0/0 0.01s"},
		{"no header", "1700000000000,10,a,200,OK,Users 1-1,text,true,10,1\n1700000000001,12,a,500,NO,Users 1-1,text,false,10,1\n", "2 0.5 10 12 12 0/0 0.013s"},
		{"no header, semicolons", "1700000000000;10;a;200;OK;Users 1-1;text;true;10\n", "1 0 10 10 10 0/0 0.01s"},
		{"no header, instants written out", "2026/01/02 03:04:05.006,10,a,200,OK,Users 1-1,text,true,10\n", "1 0 10 10 10 0/0 0.01s"},
		{"tabs", "timeStamp\telapsed\tlabel\tsuccess\n1700000000000\t7\ta b, c\ttrue\n", "1 0 7 7 7 0/0 0.007s"},
		{"pipes", "timeStamp|elapsed|label|success\n1700000000000|7|a|true\n", "1 0 7 7 7 0/0 0.007s"},
		{"semicolons", "timeStamp;elapsed;label;success\n1700000000000;7;a;true\n", "1 0 7 7 7 0/0 0.007s"},
		{"variables of the test's own", "timeStamp,elapsed,success,label,\"user\"\n1700000000000,7,true,a,x\n", "1 0 7 7 7 0/0 0.007s"},
		{"names in quotes", "\"timeStamp\";\"elapsed\";\"success\"\n1700000000000;7;true\n", "1 0 7 7 7 0/0 0.007s"},
		{"another order and case", "Label,Success,Elapsed,Timestamp\na,TRUE,7,1700000000000\n", "1 0 7 7 7 0/0 0.007s"},
		{"no instants", "elapsed,label,success\n7,a,false\n", "1 1 7 7 7 0/0 0s"},
		{"instants written out", "timeStamp,elapsed,label,success\n2026-01-02 03:04:05.000,7,a,true\n2026-01-02 03:04:06.000,100,a,true\n", "2 0 7 100 100 0/0 1.1s"},
		{"instants that are none", "timeStamp,elapsed,label,success\n2001/20/20 12:05:05.123,7,a,true\n", "1 0 7 7 7 0/0 0s"},
		{"lines within quotes", "timeStamp,elapsed,label,success\n1700000000000,7,\"a\n  b \"\"c\"\"\",true\n", "1 0 7 7 7 0/0 0.007s"},
		{"several samples in one", "timeStamp,elapsed,label,success,SampleCount,ErrorCount\n1700000000000,7,a,true,1,0\n1700000000000,70,a,false,9,3\n", "10 0.3 - - - 0/0 0.07s"},
		{"transactions beside their requests", csvHeader + csvRow(at, 10, "a", "OK", true) + csvRow(at, 20, "b", "OK", false) + csvRow(at, 31, "sum", sum, false), "2 0.5 10 20 20 0/0 0.031s"},
		{"transactions alone", csvHeader + csvRow(at, 10, "sum", sum, true) + csvRow(at, 20, "sum", sum, false), "2 0.5 10 20 20 0/0 0.02s"},
	} {
		got := mustRead(t, c.report)
		if says(got) != c.want || got.Format != JMeter {
			t.Errorf("%s: %s, want %s", c.name, says(got), c.want)
		}
	}
}

func TestJMeterParts(t *testing.T) {
	const at = 1700000000000
	c := mustRead(t, csvHeader+csvRow(at, 10, "a", "OK", true)+csvRow(at, 20, "b", "OK", false)+csvRow(at, 40, "b", "OK", true)+
		csvRow(at, 71, "sum", "Number of samples in transaction : 3, number of failing samples : 1", false))
	want := []string{"b: 2 0.5 20 40 40 30", "a: 1 0 10 10 10 10", "sum: 1 1 71 71 71 71"}
	if d := cmp.Diff(want, parts(c)); d != "" {
		t.Error(d)
	}
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "1 samples sum up others") {
		t.Errorf("%q", c.Notes)
	}
	if want := time.UnixMilli(at + 71).UTC(); c.Generated != want {
		t.Errorf("%v, want %v", c.Generated, want)
	}
}

func TestJMeterXML(t *testing.T) {
	one := `<httpSample t="10" ts="1700000000000" s="true" lb="a" rc="200" rm="OK"/>`
	for _, c := range []struct{ name, report, want string }{
		{"one", testResults(one), "1 0 10 10 10 0/0 0.01s"},
		{"white space before the declaration", "\n  \n" + testResults(one), "1 0 10 10 10 0/0 0.01s"},
		{"samples of two kinds", testResults(one + `<sample t="30" ts="1700000000100" s="false" lb="b"/>`), "2 0.5 10 30 30 0/0 0.13s"},
		{"results within a sample", testResults(`<sample t="30" ts="1700000000000" s="false" lb="page"><httpSample t="10" ts="1" s="true" lb="x"><httpSample t="1" ts="1" s="true" lb="y"/></httpSample><assertionResult><name>n</name></assertionResult></sample>`), "1 1 30 30 30 0/0 0.03s"},
		{"a transaction around its requests", testResults(`<sample t="30" ts="1700000000000" s="true" lb="T" rm="Number of samples in transaction : 1, number of failing samples : 0"><httpSample t="10" ts="1" s="true" lb="x"/></sample>` + one), "2 0 10 30 30 0/0 0.03s"},
		{"a transaction beside its requests", testResults(one + `<sample t="30" ts="1700000000000" s="true" lb="T" rm="Number of samples in transaction : 1, number of failing samples : 0"/>`), "1 0 10 10 10 0/0 0.03s"},
		{"the names of JMeter 2.0", `<testResults><sampleResult time="10" timeStamp="1700000000000" success="true" label="a" responseMessage="OK"/></testResults>`, "1 0 10 10 10 0/0 0.01s"},
		{"no instants", testResults(`<sample t="10" s="true"/>`), "1 0 10 10 10 0/0 0s"},
		{"several requests in one", testResults(`<sample t="10" s="true" sc="4" ec="2"/>`), "4 0.5 - - - 0/0 0s"},
		{"texts around", testResults("\n" + one + "<!-- x -->\n"), "1 0 10 10 10 0/0 0.01s"},
	} {
		if got := mustRead(t, c.report); says(got) != c.want || got.Format != JMeter {
			t.Errorf("%s: %s, want %s", c.name, says(got), c.want)
		}
	}
}

func TestJMeterRefused(t *testing.T) {
	row := csvRow(1700000000000, 10, "a", "OK", true)
	refused(t, []refusal{
		{"a header alone", csvHeader, "measured nothing"},
		{"a header without its newline", strings.TrimSuffix(csvHeader, "\n"), "measured nothing"},
		{"no success", "timeStamp,elapsed,label\n1,2,a\n", "none success"},
		{"no time", "timeStamp,success,label\n1,true,a\n", "no row"},
		{"a column twice", "timeStamp,elapsed,elapsed,success\n1,2,3,true\n", "twice"},
		{"a time in words", csvHeader + strings.Replace(row, ",10,", ",ten,", 1), `"ten"`},
		{"a negative time", csvHeader + strings.Replace(row, ",10,", ",-10,", 1), `"-10"`},
		{"a time of 2^31", csvHeader + strings.Replace(row, ",10,", ",2147483648,", 1), `"2147483648"`},
		{"a fraction", csvHeader + strings.Replace(row, ",10,", ",1.5,", 1), `"1.5"`},
		{"success in words", csvHeader + strings.Replace(row, "true", "yes", 1), `"yes"`},
		{"a column too few", csvHeader + row + "1,2,3\n", "another number of columns"},
		{"a header in the midst", csvHeader + row + csvHeader, `"elapsed"`},
		{"an open quote", csvHeader + row + "1700000000000,10,\"a", "quote"},
		{"counts that are none", "elapsed,success,label,SampleCount,ErrorCount\n1,true,a,2,3\n", "not counts"},
		{"a count of nothing", "elapsed,success,label,SampleCount,ErrorCount\n1,true,a,0,0\n", "not counts"},
		{"a time that may be cut", "timeStamp,label,success,elapsed\n1700000000000,a,true,1425", "may be missing"},
		{"no sample", testResults(""), "measured nothing"},
		{"no sample's success", testResults(`<sample t="10" lb="a"/>`), "success"},
		{"no sample's time", testResults(`<sample s="true" lb="a"/>`), "milliseconds"},
		{"another version", `<testResults version="9"><sample t="1" s="true"/></testResults>`, `"9"`},
		{"another element", testResults(`<sampler t="1" s="true"/>`), `"sampler"`},
		{"an element around", testResults(`<group><sample t="1" s="true"/></group>`), `"group"`},
		{"another case", testResults(`<Sample t="1" s="true"/>`), `"Sample"`},
	})
	if _, err := read([]byte(csvHeader + row + strings.Replace(row, ",10,", ",x,", 1))); err == nil || !strings.HasPrefix(err.Error(), "3:15") {
		t.Errorf("the place is missing: %v", err)
	}
}

func TestJMeterTruncated(t *testing.T) {
	row := csvRow(1700000000000, 10, "a", "OK", true)
	cut(t, csvHeader+row+row, func(rest string) bool { // the last line is whole but for its last column, which is not read
		rest = strings.TrimPrefix(strings.TrimSuffix(rest, row), "0")
		return rest == "" || rest == "\n"
	})
	cut(t, testResults(`<httpSample t="10" ts="1700000000000" s="true" lb="a"><sample/></httpSample>`), func(string) bool { return false })
}

// Reports are drawn together with what they must come to.
func TestJMeterModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asXML := rapid.Bool().Draw(t, "xml")
		var b strings.Builder
		var values []int
		failed, byLabel := 0, map[string]int{}
		for i := range rapid.IntRange(1, 60).Draw(t, "samples") {
			v, ok := rapid.IntRange(0, 99).Draw(t, "elapsed"), rapid.Bool().Draw(t, "ok")
			label := rapid.SampledFrom([]string{"a", "b", "c d"}).Draw(t, "label")
			values, byLabel[label] = append(values, v), byLabel[label]+1
			if !ok {
				failed++
			}
			if asXML {
				inner := rapid.SampledFrom([]string{"", `<sample t="7" s="false" lb="x"/>`, `<assertionResult/>`}).Draw(t, "inner")
				fmt.Fprintf(&b, `<httpSample t="%d" ts="%d" s="%v" lb="%s">%s</httpSample>`, v, 1700000000000+i, ok, label, inner)
			} else {
				b.WriteString(csvRow(int64(1700000000000+i), v, label, "OK", ok))
			}
		}
		report := csvHeader + b.String()
		if asXML {
			report = testResults(b.String())
		}
		c, err := read([]byte(report))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(values)
		l := c.Load
		if l.Requests != len(values) || l.ErrorRate != float64(failed)/float64(len(values)) || len(l.Parts) != len(byLabel) || *l.P95 != float64(values[rank(95, len(values))-1]) {
			t.Errorf("%s", says(c))
		}
		for _, p := range l.Parts {
			if *p.Requests != byLabel[p.Name] {
				t.Errorf("%s: %d, want %d", p.Name, *p.Requests, byLabel[p.Name])
			}
		}
	})
}

func FuzzJMeterCSV(f *testing.F) {
	f.Add([]byte(csvHeader + csvRow(1700000000000, 10, "a", "OK", true)))
	f.Add([]byte("1700000000000;10;a;200;OK;Users 1-1;text;true;10\n"))
	f.Add([]byte("timeStamp\telapsed\tlabel\tsuccess\n2026-01-02 03:04:05.000\t7\t\"a\n\"\ttrue\n"))
	f.Fuzz(holds)
}

func FuzzJMeterXML(f *testing.F) {
	f.Add([]byte(testResults(`<httpSample t="10" ts="1700000000000" s="true" lb="a" rm="Number of samples in transaction : 1"><sample/></httpSample>`)))
	f.Fuzz(holds)
}

// holds: whatever the bytes, a claim holds together, and an error is the caller's.
func holds(t *testing.T, b []byte) {
	c, err := read(b)
	if err != nil {
		return
	}
	l := c.Load
	if l.Requests <= 0 || !(l.ErrorRate >= 0 && l.ErrorRate <= 1) || l.Failed > l.Set || !(l.Seconds >= 0) || len(l.Parts) > evidence.MaxParts || len(l.Limits) > evidence.MaxParts {
		t.Errorf("%+v", l)
	}
	for _, p := range append(l.Parts, evidence.LoadPart{P50: l.P50, P95: l.P95, P99: l.P99, Mean: l.Mean}) {
		for _, v := range []*float64{p.P50, p.P95, p.P99, p.Mean} {
			if v != nil && !(*v >= 0) {
				t.Errorf("%+v", p)
			}
		}
		if len(p.Name) > evidence.MaxPartName || p.ErrorRate != nil && !(*p.ErrorRate >= 0 && *p.ErrorRate <= 1) || p.Requests != nil && *p.Requests < 0 {
			t.Errorf("%+v", p)
		}
	}
}
