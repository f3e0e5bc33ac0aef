package load

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func gatlingOf(name string, total, ok, ko any, more string) string {
	return fmt.Sprintf(`{"name":%q,"numberOfRequests":{"total":%v,"ok":%v,"ko":%v},"minResponseTime":{"total":1,"ok":1,"ko":1},"meanResponseTime":{"total":42,"ok":40,"ko":50},
"percentiles1":{"total":40,"ok":1,"ko":1},"percentiles2":{"total":60,"ok":1,"ko":1},"percentiles3":{"total":90,"ok":1,"ko":1},"percentiles4":{"total":120,"ok":1,"ko":1}%s}`, name, total, ok, ko, more)
}

func gatlingEntry(kind, name, path, stats, contents string) string {
	if contents != "" {
		contents = `,"contents":{` + contents + `}`
	}
	return fmt.Sprintf(`{"type":%q,"name":%q,"path":%q,"pathFormatted":"x","stats":%s%s}`, kind, name, path, stats, contents)
}

func TestGatling(t *testing.T) {
	nested := gatlingEntry("GROUP", "All Requests", "", gatlingOf("All Requests", 10, 8, 2, ""),
		`"a":`+gatlingEntry("REQUEST", "login", "login", gatlingOf("login", 4, 4, 0, ""), "")+
			`,"b":`+gatlingEntry("GROUP", "shop", "shop", gatlingOf("shop", 1, 1, 0, ""),
			`"c":`+gatlingEntry("REQUEST", "buy", "shop / buy", gatlingOf("buy", 6, 4, 2, ""), "")+
				`,"d":`+gatlingEntry("REQUEST", "never", "shop / never", gatlingOf("never", 0, 0, 0, ""), "")))
	for _, c := range []struct{ name, report, want string }{
		{"global_stats.json", gatlingOf("All Requests", 4, 3, 1, ""), "4 0.25 40 90 120 0/0 0s"},
		{"numbers in quotes", gatlingOf("All Requests", `"4"`, `"4"`, `"-"`, ""), "4 0 40 90 120 0/0 0s"},
		{"no percentiles", `{"name":"x","numberOfRequests":{"total":2,"ok":2,"ko":0},"meanResponseTime":{"total":3,"ok":3,"ko":0}}`, "2 0 - - - 0/0 0s"},
		{"stats.json", nested, "10 0.2 40 90 120 0/0 0s"},
	} {
		if got := mustRead(t, c.report); says(got) != c.want || got.Format != Gatling {
			t.Errorf("%s: %s, want %s", c.name, says(got), c.want)
		}
	}
	c := mustRead(t, nested)
	if d := cmp.Diff([]string{"shop / buy: 6 0.3333333333333333 40 90 120 42", "login: 4 0 40 90 120 42"}, parts(c)); d != "" || len(c.Notes) != 2 {
		t.Errorf("%s\n%q", d, c.Notes)
	}
	if c := mustRead(t, strings.Replace(nested, `"total":4,"ok":4`, `"total":5,"ok":5`, 1)); len(c.Notes) != 3 || !strings.Contains(c.Notes[0], "the single ones say 11") {
		t.Errorf("a difference is not noted: %q", c.Notes)
	}
}

func TestGatlingRefused(t *testing.T) {
	refused(t, []refusal{
		{"no request", gatlingOf("x", 0, 0, 0, ""), "measured nothing"},
		{"a contradiction", gatlingOf("x", 5, 3, 1, ""), "contradict"},
		{"no count", gatlingOf("x", `"-"`, 0, 0, ""), "no count total"},
		{"half a request", gatlingOf("x", 0.5, 0.5, 0, ""), "no count"},
		{"a negative count", gatlingOf("x", -1, 0, -1, ""), "no number"},
		{"a count in words", gatlingOf("x", `"many"`, 1, 0, ""), `"many"`},
		{"a count in brackets", gatlingOf("x", `[1]`, 1, 0, ""), "no number"},
		{"NaN", gatlingOf("x", `"NaN"`, 1, 0, ""), "NaN"},
		{"an entry without stats", gatlingEntry("GROUP", "all", "", gatlingOf("x", 1, 1, 0, ""), `"a":{"type":"REQUEST","name":"b"}`), "no stats"},
		{"stats that are null", gatlingEntry("GROUP", "all", "", "null", `"a":{}`), "no row"},
		{"a name twice", gatlingOf("x", 1, 1, 0, `,"name":"y"`), "twice"},
		{"something with contents", `{"contents":{},"stats":{}}`, "no row"},
	})
	cut(t, gatlingOf("x", 1, 1, 0, ""), func(string) bool { return false })
}

const gatlingRun = "RUN\ta.Simulation\tsimulation\t1700000000000\t \t3.9.5\n"

func TestGatlingLog(t *testing.T) {
	for _, c := range []struct{ name, report, want string }{
		{"since 3.4", gatlingRun + "USER\tscn\tSTART\t1700000000000\nREQUEST\t\ta\t1700000000000\t1700000000010\tOK\t \nREQUEST\tg,h\tb\t1700000000100\t1700000000130\tKO\tstatus 500\nGROUP\tg,h\t1\t2\t3\tKO\nERROR\tx\t1\nUSER\tscn\tEND\t1700000001000\n", "2 0.5 10 30 30 0/0 0.13s"},
		{"before 3.4", strings.Replace(gatlingRun, "3.9.5", "3.0.0", 1) + "REQUEST\t7\tg\ta\t1700000000000\t1700000000010\tOK\t \n", "1 0 10 10 10 0/0 0.01s"},
		{"no message", gatlingRun + "REQUEST\t\ta\t1700000000000\t1700000000010\tOK\n", "1 0 10 10 10 0/0 0.01s"},
	} {
		if got := mustRead(t, c.report); says(got) != c.want || got.Format != Gatling {
			t.Errorf("%s: %s, want %s", c.name, says(got), c.want)
		}
	}
	c := mustRead(t, gatlingRun+"REQUEST\tg,h\tb\t1700000000100\t1700000000130\tKO\tx\n")
	if d := cmp.Diff([]string{"g / h / b: 1 1 30 30 30 30"}, parts(c)); d != "" || c.Version != "3.9.5" {
		t.Errorf("%s %s", c.Version, d)
	}
}

func TestGatlingLogRefused(t *testing.T) {
	refused(t, []refusal{
		{"no request", gatlingRun + "USER\tscn\tSTART\t1\n", "measured nothing"},
		{"Gatling 2", "RUN\ta.Simulation\tsimulation\t1700000000000\t \t2.3\n", `"2.3"`},
		{"no version", "RUN\ta.Simulation\tsimulation\t1700000000000\t \n", `" "`},
		{"two runs", gatlingRun + gatlingRun, "one run each"},
		{"another record", gatlingRun + "THING\ta\n", `"THING"`},
		{"an end before the start", gatlingRun + "REQUEST\t\ta\t20\t10\tOK\t \n", "no instants"},
		{"an instant in words", gatlingRun + "REQUEST\t\ta\tnow\t10\tOK\t \n", `"now"`},
		{"another outcome", gatlingRun + "REQUEST\t\ta\t1\t10\tMAYBE\t \n", "outcome"},
		{"too few fields", gatlingRun + "REQUEST\t\ta\n", "outcome"},
		{"another form in the midst", gatlingRun + "REQUEST\t\ta\t1\t10\tOK\t \nREQUEST\t7\tg\ta\t1\t10\tOK\t \n", "outcome"},
		{"a last line that does not end", gatlingRun + "REQUEST\t\ta\t1700000000000\t1700000000010\tOK", "does not end"},
	})
	cut(t, gatlingRun+"REQUEST\t\ta\t1700000000000\t1700000000010\tOK\t \n", func(string) bool { return false })
}

func FuzzGatling(f *testing.F) {
	f.Add([]byte(gatlingOf("All Requests", `"4"`, 4, `"-"`, "")))
	f.Add([]byte(gatlingEntry("GROUP", "All Requests", "", gatlingOf("All Requests", 1, 1, 0, ""), `"a":`+gatlingEntry("REQUEST", "b", "b", gatlingOf("b", 1, 1, 0, ""), ""))))
	f.Fuzz(holds)
}

func FuzzGatlingLog(f *testing.F) {
	f.Add([]byte(gatlingRun + "REQUEST\t\ta\t1700000000000\t1700000000010\tOK\t \n"))
	f.Add([]byte(gatlingRun + "REQUEST\t7\tg\ta\t1700000000000\t1700000000010\tKO\t \n"))
	f.Fuzz(holds)
}
