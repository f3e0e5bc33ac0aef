package scan

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const semgrepOne = `{"check_id":"py.exec","path":"a.py","start":{"line":31,"col":29,"offset":1},"end":{"line":31,"col":58},"extra":{"message":"exec of input","severity":"ERROR","metadata":{"cwe":["CWE-78: Command Injection"],"category":"security"},"fingerprint":"1","lines":"x","is_ignored":false,"engine_kind":"OSS"}}`

const semgrepSample = `{"version":"1.97.0","results":[` + semgrepOne + `,
{"check_id":"py.exec","path":"a.py","start":{"line":31,"col":29},"end":{"line":31,"col":58},"extra":{"message":"exec of input","severity":"ERROR","metadata":{},"fingerprint":"2","lines":"y"}},
{"check_id":"py.hash","path":"b.py","start":{"line":2,"col":1},"end":{"line":2,"col":9},"extra":{"message":"weak","severity":"WARNING","metadata":{"cwe":"CWE-328: Weak"},"is_ignored":true}},
{"check_id":"ssc-1","path":"poetry.lock","start":{"line":7,"col":0},"end":{"line":7,"col":0},"extra":{"message":"vulnerable","severity":"CRITICAL","metadata":{"sca-vuln-database-identifier":"CVE-2026-0001"},"sca_info":{"reachable":true,"dependency_match":{"found_dependency":{"package":"jinja2","version":"2.0"}}}}}],
"errors":[{"code":3,"level":"warn","type":["PartialParsing",[{"path":"c.py"}]],"message":"Syntax error","path":"c.py"}],"paths":{"scanned":["a.py","b.py"]},"skipped_rules":[{"rule_id":"x"}]}`

func semgrepReport(results, errors string) string {
	return `{"results":[` + results + `],"errors":[` + errors + `]}`
}

func TestSemgrep(t *testing.T) {
	c := reader(ReadSemgrep).must(t, semgrepSample)
	equal(t, []string{
		"2 1 1 of Semgrep 1.97.0",
		"high by semgrep:severity ERROR: py.exec in @ () at a.py:31:29 [CWE-78]: exec of input",
		"medium by semgrep:severity WARNING: py.hash in @ () at b.py:2:1 [CWE-328]: weak -- nosemgrep",
		"critical by semgrep:severity CRITICAL: ssc-1 in jinja2@2.0 () at poetry.lock:7 [CVE-2026-0001]: vulnerable",
	}, says(c))
	if len(c.Notes) != 2 {
		t.Errorf("%q", c.Notes)
	}
}

func TestSemgrepCounts(t *testing.T) {
	other := func(from, to string) string {
		return semgrepReport(semgrepOne+","+strings.Replace(semgrepOne, from, to, 1), "")
	}
	counted3(t, ReadSemgrep, []countCase{
		{"clean", `{"version":"1.0","results":[],"errors":[],"paths":{"scanned":["a.py"]}}`, "0 0 0"},
		{"clean, of old", semgrepReport("", ""), "0 0 0"},
		{"another fingerprint", other(`"fingerprint":"1"`, `"fingerprint":"2"`), "1 0 1"},
		{"another snippet", other(`"lines":"x"`, `"lines":"y"`), "1 0 1"},
		{"another rule", other(`py.exec`, `py.eval`), "2 0 0"},
		{"another file", other(`a.py`, `b.py`), "2 0 0"},
		{"another line", other(`"line":31`, `"line":30`), "2 0 0"},
		{"another column", other(`"col":29`, `"col":28`), "2 0 0"},
		{"another message", other(`exec of input`, `exec of more`), "2 0 0"},
		{"ignored there", other(`"is_ignored":false`, `"is_ignored":true`), "1 1 0"},
	})
}

func TestSemgrepSeverity(t *testing.T) {
	one := func(more string) string {
		return semgrepReport(`{"check_id":"a","path":"b","extra":{"message":"c"`+more+`}}`, "")
	}
	severities(t, ReadSemgrep, []severityCase{
		{"error", one(`,"severity":"ERROR"`), evidence.High, "semgrep:severity ERROR"},
		{"warning", one(`,"severity":"WARNING"`), evidence.Medium, "semgrep:severity WARNING"},
		{"info", one(`,"severity":"INFO"`), evidence.Low, "semgrep:severity INFO"},
		{"critical", one(`,"severity":"CRITICAL"`), evidence.Critical, "semgrep:severity CRITICAL"},
		{"inventory", one(`,"severity":"INVENTORY"`), evidence.Unrated, "semgrep:severity INVENTORY"},
		{"none", one(``), evidence.Unrated, "semgrep:not rated"},
	})
}

func TestSemgrepRefused(t *testing.T) {
	refused(t, ReadSemgrep, []refusalCase{
		{"an error", semgrepReport("", `{"level":"error","type":"Rule parse error","message":"no such rule"}`), "no such rule"},
		{"an error behind a warning, with findings", semgrepReport(semgrepOne, `{"level":"warn"},{"level":"error","type":"Fatal error"}`), "Fatal error"},
		{"an error without a level", semgrepReport("", `{"data":{"path":"x"},"message":"CoreRuntimeErrors"}`), "CoreRuntimeErrors"},
		{"an error of nothing", semgrepReport("", `{}`), "an error without words"},
		{"no results", `{"errors":[],"paths":{}}`, "no list of results"},
		{"null results", `{"results":null,"errors":[]}`, "no list of results"},
		{"no errors", `{"results":[]}`, "no list of results or of errors"},
		{"null errors", `{"results":[],"errors":null}`, "no list of results or of errors"},
		{"no file", `{"results":[],"errors":[],"paths":{"scanned":[]}}`, "scanned no file"},
		{"results of another tool", semgrepReport(`{"test_id":"B101","filename":"a.py"}`, ""), "no check_id"},
		{"null for a result", semgrepReport(`null`, ""), "no check_id"},
	})
}
