package load

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/evidence"
)

// exported is a summary as --summary-export writes it; a threshold that is true failed.
const exported = `{"root_group":{"name":"","path":"","id":"0","groups":{},"checks":{}},"metrics":{
"http_reqs":{"count":200,"rate":20},
"http_req_failed":{"passes":0,"fails":200,"value":0,"thresholds":{"rate<0.01":false}},
"http_req_duration":{"avg":12.5,"min":1,"med":10,"max":90,"p(90)":30,"p(95)":40,"thresholds":{"p(95)<30":true,"p(95)<300":false}},
"http_req_duration{expected_response:true}":{"avg":12.5,"med":10,"p(95)":40},
"http_req_duration{scenario:browse}":{"avg":11,"med":9,"p(95)":35,"p(99)":50,"thresholds":{"p(99)<40":true}},
"http_reqs{scenario:browse}":{"count":150,"rate":15},
"checks":{"passes":10,"fails":1,"value":0.9,"thresholds":{"rate>0.9":false}},
"vus":{"value":1,"min":1,"max":10}}}`

// handled is what handleSummary is handed; a threshold that is ok held.
const handled = `{"metrics":{
"http_reqs":{"type":"counter","contains":"default","values":{"count":200,"rate":20}},
"http_req_failed":{"type":"rate","contains":"default","values":{"rate":0.25,"passes":50,"fails":150},"thresholds":{"rate<0.01":{"ok":false}}},
"http_req_duration":{"type":"trend","contains":"time","values":{"avg":12.5,"med":10,"p(95)":40,"p(99)":70},"thresholds":{"p(95)<300":{"ok":true}}}},
"root_group":{"name":"","groups":[],"checks":[]},"options":{"summaryTrendStats":["avg","med"],"summaryTimeUnit":"s","noColor":false},
"state":{"isStdOutTTY":false,"isStdErrTTY":false,"testRunDurationMs":10123.4}}`

// machine is the machine-readable summary.
const machine = `{"version":"1.0.0","metadata":{"generatedAt":"2026-03-02T10:00:00.5+01:00","k6Version":"1.5.0"},
"config":{"duration":10.5,"execution":"local","script":"a.js"},
"results":{"checks":{"metrics":[]},"metrics":[
{"name":"http_reqs","type":"counter","contains":"default","values":{"count":200}},
{"name":"http_req_failed","type":"rate","contains":"default","values":{"matches":50,"rate":0.25,"total":200}},
{"name":"http_req_duration","type":"trend","contains":"time","values":{"avg":12.5,"med":10,"p(90)":30,"p(95)":40}}]}}`

func TestK6(t *testing.T) {
	for _, c := range []struct{ name, report, want string }{
		{"--summary-export", exported, "200 0 10 40 - 2/5 10s"},
		{"handleSummary", handled, "200 0.25 10 40 70 1/2 10.1234s"},
		{"machine-readable", machine, "200 0.25 10 40 - 0/0 10.5s"},
		{"a test that failed as a whole", strings.Replace(machine, `"results":{`, `"results":{"passed":false,`, 1), "200 0.25 10 40 - 1/1 10.5s"},
		{"a test that passed as a whole", strings.Replace(machine, `"results":{`, `"results":{"passed":true,`, 1), "200 0.25 10 40 - 0/0 10.5s"},
		{"no thresholds", `{"root_group":{},"metrics":{"http_reqs":{"count":1,"rate":0.5},"http_req_failed":{"passes":1,"fails":0,"value":1},"http_req_duration":{"p(50)":3}}}`, "1 1 3 - - 0/0 2s"},
		{"2,223 of 2,223 did not fail", `{"root_group":{},"metrics":{"http_reqs":{"count":2223},"http_req_failed":{"passes":0,"fails":2223,"value":0}}}`, "2223 0 - - - 0/0 0s"},
		{"a rate alone", `{"root_group":{},"metrics":{"http_reqs":{"count":4},"http_req_failed":{"value":0.5}}}`, "4 0.5 - - - 0/0 0s"},
	} {
		if got := mustRead(t, c.report); says(got) != c.want || got.Format != K6 || got.Tool.Name != "k6" {
			t.Errorf("%s: %s, want %s", c.name, says(got), c.want)
		}
	}
}

// The two forms say the opposite by the same word; each is turned over once.
func TestK6Thresholds(t *testing.T) {
	want := []evidence.Limit{
		{Name: "http_req_duration: p(95)<30", Failed: true},
		{Name: "http_req_duration{scenario:browse}: p(99)<40", Failed: true},
		{Name: "checks: rate>0.9"},
		{Name: "http_req_duration: p(95)<300"},
		{Name: "http_req_failed: rate<0.01"},
	}
	if d := cmp.Diff(want, mustRead(t, exported).Load.Limits); d != "" {
		t.Error(d)
	}
	want = []evidence.Limit{{Name: "http_req_failed: rate<0.01", Failed: true}, {Name: "http_req_duration: p(95)<300"}}
	if d := cmp.Diff(want, mustRead(t, handled).Load.Limits); d != "" {
		t.Error(d)
	}
	for _, c := range []struct {
		old, turned string
		failed      int
	}{{`"p(95)<30":true`, `"p(95)<30":false`, 1}, {`"rate<0.01":false`, `"rate<0.01":true`, 3}} {
		report := strings.Replace(exported, c.old, c.turned, 1)
		if got := mustRead(t, report).Load.Failed; got != c.failed || report == exported {
			t.Errorf("%s turned: %d failed, want %d", c.old, got, c.failed)
		}
	}
}

func TestK6Parts(t *testing.T) {
	c := mustRead(t, exported)
	if d := cmp.Diff([]string{"scenario:browse: 150 - 9 35 50 11"}, parts(c)); d != "" {
		t.Error(d)
	}
	if c := mustRead(t, machine); c.Version != "1.0.0" || c.Tool.Version != "1.5.0" || !c.Generated.Equal(time.Date(2026, 3, 2, 9, 0, 0, 5e8, time.UTC)) || len(c.Notes) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestK6Refused(t *testing.T) {
	metrics := func(m string) string { return `{"root_group":{},"metrics":{` + m + `}}` }
	const some = `"http_reqs":{"count":4},`
	refused(t, []refusal{
		{"no request", metrics(`"http_reqs":{"count":0},"http_req_failed":{"passes":0,"fails":0,"value":0}`), "measured nothing"},
		{"no metric", metrics(``), "measured nothing"},
		{"no HTTP", metrics(`"iterations":{"count":5}`), "measured nothing"},
		{"no failures known", metrics(some + `"http_req_duration":{"med":1}`), "how many requests failed"},
		{"failures of nothing", metrics(some + `"http_req_failed":{"passes":0,"fails":0,"value":0}`), "how many requests failed"},
		{"a contradiction", metrics(some + `"http_req_failed":{"passes":0,"fails":4,"value":1}`), "contradict"},
		{"a rate of 2", metrics(some + `"http_req_failed":{"value":2}`), "between 0 and 1"},
		{"negative failures", metrics(some + `"http_req_failed":{"passes":-1,"fails":5}`), "not counts"},
		{"half a request", metrics(`"http_reqs":{"count":0.5},"http_req_failed":{"value":0}`), "not a count"},
		{"a negative time", metrics(some + `"http_req_failed":{"value":0},"http_req_duration":{"med":-1}`), "no time"},
		{"a threshold in words", metrics(some + `"http_req_failed":{"value":0,"thresholds":{"rate<1":"ok"}}`), "no verdict"},
		{"a threshold that is null", metrics(some + `"http_req_failed":{"value":0,"thresholds":{"rate<1":null}}`), "no verdict"},
		{"a threshold without ok", metrics(some + `"http_req_failed":{"value":0,"thresholds":{"rate<1":{"OK":true}}}`), ""},
		{"an empty verdict", metrics(some + `"http_req_failed":{"value":0,"thresholds":{"rate<1":{}}}`), "no verdict"},
		{"both forms", metrics(some + `"http_req_failed":{"values":{"rate":0},"thresholds":{"rate<1":true}}`), "mixes"},
		{"both forms in two metrics", metrics(some + `"http_req_failed":{"value":0,"thresholds":{"rate<1":true}},"http_req_duration":{"thresholds":{"p(95)<1":{"ok":true}}}`), "mixes"},
		{"a statistic twice", metrics(some + `"http_req_failed":{"value":0,"values":{"value":1}}`), "stands both"},
		{"a threshold twice", metrics(some + `"http_req_failed":{"value":0,"thresholds":{"a":true,"a":false}}`), "twice"},
		{"a metric twice", metrics(some + some + `"http_req_failed":{"value":0}`), "twice"},
		{"a metric that is none", metrics(`"http_reqs":4,"http_req_failed":{"value":0}`), "no object"},
		{"another schema", strings.Replace(machine, "1.0.0", "2.0.0", 1), `"2.0.0"`},
		{"no version of k6", strings.Replace(machine, `"k6Version":"1.5.0"`, `"x":1`, 1), "schema"},
		{"a metric twice in a list", strings.Replace(machine, `"http_req_duration"`, `"http_reqs"`, 1), "twice"},
		{"a negative duration", strings.Replace(handled, "10123.4", "-1", 1), "seconds"},
		{"another document with metrics", `{"metrics":{}}`, "no row"},
	})
}

func TestK6Truncated(t *testing.T) {
	for _, report := range []string{exported, handled, machine} {
		cut(t, report, func(string) bool { return false })
	}
}

func FuzzK6(f *testing.F) {
	for _, s := range []string{exported, handled, machine} {
		f.Add([]byte(s))
	}
	f.Fuzz(holds)
}
