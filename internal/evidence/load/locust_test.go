package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const locustHeader = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n"

const locustTable = locustHeader +
	"GET,/a,30,3,12,14.5,1,90,10,1,0.1,12,13,14,15,20,25,30,35,40,45,50\n" +
	"POST,\"/b,c\",10,0,20,24.5,1,90,10,1,0,20,23,24,25,30,35,40,45,50,55,60\n" +
	"GET,/never,0,0,0,0,0,0,0,0,0,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A\n" +
	",Aggregated,40,3,14,17,1,90,10,2,0.1,14,15,16,17,22,30,35,40,45,50,60\n"

func TestLocustCSV(t *testing.T) {
	for _, c := range []struct{ name, report, want string }{
		{"since 1.0", locustTable, "40 0.075 14 30 40 0/0 0s"},
		{"no newline at the end", strings.TrimSuffix(locustTable, "\n"), "40 0.075 14 30 40 0/0 0s"},
		{"before 1.0", "\"Method\",\"Name\",\"# requests\",\"# failures\",\"Median response time\",\"Average response time\"\n\"GET\",\"/a\",4,1,12,14\n\"None\",\"Total\",4,1,12,14\n", "4 0.25 12 - - 0/0 0s"},
		{"rows shorter than the header, all alike", "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Requests/s,Failures/s\nGET,/a,4,1,12,14,2\nNone,Aggregated,4,1,12,14,2\n", "4 0.25 12 - - 0/0 0s"},
	} {
		if got := mustRead(t, c.report); says(got) != c.want || got.Format != Locust || len(got.Notes) != 0 {
			t.Errorf("%s: %s, want %s; notes %q", c.name, says(got), c.want, got.Notes)
		}
	}
	c := mustRead(t, locustTable)
	if d := cmp.Diff([]string{"GET /a: 30 0.1 12 25 35 14.5", "POST /b,c: 10 0 20 35 45 24.5"}, parts(c)); d != "" {
		t.Error(d)
	}
	if c := mustRead(t, strings.Replace(locustTable, "Aggregated,40,3", "Aggregated,40,30", 1)); len(c.Notes) != 1 || c.Load.ErrorRate != 0.75 {
		t.Errorf("a difference is not noted: %s, %q", says(c), c.Notes)
	}
}

func TestLocustCSVRefused(t *testing.T) {
	refused(t, []refusal{
		{"a header alone", locustHeader, "Aggregated, is missing"},
		{"no row of all", strings.Replace(locustTable, ",Aggregated", "GET,/z", 1), "Aggregated, is missing"},
		{"no request", locustHeader + ",Aggregated,0,0,0,0,0,0,0,0,0,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A\n", "measured nothing"},
		{"a row after that of all", locustTable + "GET,/a,30,3,12,14.5,1,90,10,1,0.1,12,13,14,15,20,25,30,35,40,45,50\n", "follows"},
		{"a shorter row", strings.Replace(locustTable, ",45,50,60\n", "\n", 1), "columns"},
		{"more failures than requests", strings.Replace(locustTable, ",30,3,", ",3,30,", 1), "not counts"},
		{"a count in words", strings.Replace(locustTable, ",30,3,", ",thirty,3,", 1), "not counts"},
		{"a time in words", strings.Replace(locustTable, "14.5", "slow", 1), `"slow"`},
		{"a negative time", strings.Replace(locustTable, "14.5", "-1", 1), "no time"},
		{"an endless time", strings.Replace(locustTable, "14.5", "Inf", 1), "no time"},
	})
	cut(t, locustTable, func(rest string) bool { return rest == "\n" || rest == "0\n" || rest == "60\n" })
}

const locustJSON = `[{"name":"/a","method":"GET","last_request_timestamp":1700000010.5,"start_time":1700000000.0,"num_requests":4,"num_none_requests":1,"num_failures":1,"total_response_time":36,"max_response_time":20,"min_response_time":8,"response_times":{"8":2,"20":1},"num_reqs_per_sec":{"1700000000":4},"num_fail_per_sec":{}},
{"name":"/b","method":"POST","last_request_timestamp":1700000012.0,"start_time":1700000001.0,"num_requests":6,"num_none_requests":0,"num_failures":0,"total_response_time":600,"max_response_time":100,"min_response_time":100,"response_times":{"100":6},"num_reqs_per_sec":{}}]`

const locustWeb = `{"stats":[{"method":"GET","name":"/a","safe_name":"/a","num_requests":4,"num_failures":1,"avg_response_time":12,"median_response_time":10,"ninetieth_response_time":15,"ninety_ninth_response_time":19},
{"method":"","name":"Aggregated","safe_name":"Aggregated","num_requests":4,"num_failures":1,"avg_response_time":12.5,"median_response_time":10,"response_time_percentile_0.95":17,"response_time_percentile_0.99":18}],
"errors":[],"total_rps":1.5,"fail_ratio":0.25,"state":"stopped","user_count":1}`

func TestLocustJSON(t *testing.T) {
	for _, c := range []struct{ name, report, want string }{
		{"--json", locustJSON, "10 0.1 100 100 100 0/0 12s"},
		{"the web interface", locustWeb, "4 0.25 10 17 18 0/0 0s"},
		{"no row of all", strings.Replace(locustWeb, `"Aggregated","safe`, `"/b","safe`, 1), "8 0.25 - - - 0/0 0s"},
	} {
		if got := mustRead(t, c.report); says(got) != c.want || got.Format != Locust || len(got.Notes) != 0 {
			t.Errorf("%s: %s, want %s; notes %q", c.name, says(got), c.want, got.Notes)
		}
	}
	if d := cmp.Diff([]string{"POST /b: 6 0 100 100 100 100", "GET /a: 4 0.25 8 20 20 12"}, parts(mustRead(t, locustJSON))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"GET /a: 4 0.25 10 - 19 12"}, parts(mustRead(t, locustWeb))); d != "" {
		t.Error(d)
	}
}

func TestLocustJSONRefused(t *testing.T) {
	refused(t, []refusal{
		{"nothing", `[]`, "no row"},
		{"no request", `[{"name":"/a","method":"GET","num_requests":0,"num_failures":0}]`, "measured nothing"},
		{"no counts", `[{"name":"/a","method":"GET","num_requests":null,"num_failures":0}]`, "failed"},
		{"no counts in the second", `[{"name":"/a","method":"GET","num_requests":1,"num_failures":0},{"name":"/b"}]`, "failed"},
		{"more failures than requests", strings.Replace(locustJSON, `"num_failures":1`, `"num_failures":5`, 1), "failed"},
		{"times of other requests", strings.Replace(locustJSON, `"8":2`, `"8":3`, 1), "contradict"},
		{"a time in words", strings.Replace(locustJSON, `"8":2`, `"slow":2`, 1), `"slow"`},
		{"a time twice", strings.Replace(locustJSON, `"8":2`, `"8":2,"8":2`, 1), "twice"},
		{"a negative time", strings.Replace(locustWeb, `"avg_response_time":12`, `"avg_response_time":-12`, 1), "no time"},
		{"half a request", strings.Replace(locustWeb, `"num_requests":4`, `"num_requests":0.5`, 1), ""},
	})
	cut(t, locustJSON, func(string) bool { return false })
	cut(t, locustWeb, func(string) bool { return false })
}

func FuzzLocustCSV(f *testing.F) {
	f.Add([]byte(locustTable))
	f.Fuzz(holds)
}

func FuzzLocustJSON(f *testing.F) {
	f.Add([]byte(locustJSON))
	f.Add([]byte(locustWeb))
	f.Fuzz(holds)
}
