package sarif

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// log is a SARIF log of one run, with results and rules as JSON.
func log(results, rules string) string {
	return fmt.Sprintf(`{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json",
"runs":[{"tool":{"driver":{"name":"scanner","semanticVersion":"1.2.3","rules":[%s]}},"results":[%s]}]}`, rules, results)
}

func result(rule, file string, line int, message string, more ...string) string {
	return fmt.Sprintf(`{"ruleId":%q,"message":{"text":%q},"locations":[{"physicalLocation":{"artifactLocation":{"uri":%q},"region":{"startLine":%d}}}]%s}`,
		rule, message, file, line, strings.Join(append([]string{""}, more...), ","))
}

func mustRead(t *testing.T, report string) evidence.Claim {
	t.Helper()
	c, err := Read([]byte(report))
	if err != nil {
		t.Fatalf("%v\n%s", err, report[:min(len(report), 500)])
	}
	return c
}

func TestSARIFCounts(t *testing.T) {
	a := result("R1", "a.go", 1, "one")
	for _, c := range []struct {
		name                      string
		results                   []string
		total, suppressed, folded int
	}{
		{"none", nil, 0, 0, 0},
		{"one", []string{a}, 1, 0, 0},
		{"the same twice", []string{a, a}, 1, 0, 1},
		{"fingerprints do not tell apart", []string{result("R1", "a.go", 1, "one", `"fingerprints":{"x":"1"}`), result("R1", "a.go", 1, "one", `"fingerprints":{"x":"2"}`)}, 1, 0, 1},
		{"fingerprints do not fold", []string{result("R1", "a.go", 1, "one", `"fingerprints":{"x":"1"}`), result("R1", "a.go", 2, "one", `"fingerprints":{"x":"1"}`)}, 2, 0, 0},
		{"another line", []string{a, result("R1", "a.go", 2, "one")}, 2, 0, 0},
		{"another file", []string{a, result("R1", "b.go", 1, "one")}, 2, 0, 0},
		{"another rule", []string{a, result("R2", "a.go", 1, "one")}, 2, 0, 0},
		{"another message", []string{a, result("R1", "a.go", 1, "two")}, 2, 0, 0},
		{"suppressed", []string{a, result("R1", "b.go", 1, "one", `"suppressions":[{"kind":"inSource"}]`)}, 1, 1, 0},
		{"suppressed and accepted", []string{result("R1", "b.go", 1, "one", `"suppressions":[{"kind":"external","status":"accepted"}]`)}, 0, 1, 0},
		{"suppression under review", []string{result("R1", "b.go", 1, "one", `"suppressions":[{"kind":"external","status":"underReview"}]`)}, 1, 0, 0},
		{"suppression rejected", []string{result("R1", "b.go", 1, "one", `"suppressions":[{"kind":"inSource"},{"kind":"external","status":"rejected"}]`)}, 1, 0, 0},
		{"no suppression", []string{result("R1", "b.go", 1, "one", `"suppressions":[]`)}, 1, 0, 0},
		{"suppressed here, standing there", []string{result("R1", "a.go", 1, "one", `"suppressions":[{"kind":"inSource"}]`), a}, 1, 1, 0},
		{"kind fail", []string{result("R1", "a.go", 1, "one", `"kind":"fail"`)}, 1, 0, 0},
		{"kind pass", []string{result("R1", "a.go", 1, "one", `"kind":"pass"`)}, 0, 1, 0},
		{"kind review", []string{result("R1", "a.go", 1, "one", `"kind":"review"`)}, 0, 1, 0},
		{"kind that nobody knows", []string{result("R1", "a.go", 1, "one", `"kind":"Pass"`)}, 1, 0, 0},
		{"gone since the baseline", []string{result("R1", "a.go", 1, "one", `"baselineState":"absent"`)}, 0, 1, 0},
		{"unchanged since the baseline", []string{result("R1", "a.go", 1, "one", `"baselineState":"unchanged"`)}, 1, 0, 0},
		{"no location", []string{`{"ruleId":"R1","message":{"text":"x"}}`, `{"ruleId":"R1","message":{"text":"y"}}`}, 2, 0, 0},
		{"arguments tell apart", []string{`{"ruleId":"R1","message":{"id":"m","arguments":["a"]}}`, `{"ruleId":"R1","message":{"id":"m","arguments":["b"]}}`}, 2, 0, 0},
		{"second locations tell apart", []string{
			`{"ruleId":"R1","message":{"text":"x"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a"}}},{"physicalLocation":{"artifactLocation":{"uri":"b"}}}]}`,
			`{"ruleId":"R1","message":{"text":"x"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a"}}},{"physicalLocation":{"artifactLocation":{"uri":"c"}}}]}`,
		}, 2, 0, 0},
		{"nothing but an empty object", []string{`{}`}, 1, 0, 0},
	} {
		f := mustRead(t, log(strings.Join(c.results, ","), "")).Findings
		if f.Total != c.total || f.Suppressed != c.suppressed || f.Folded != c.folded {
			t.Errorf("%s: total %d, suppressed %d, folded %d; want %d, %d, %d", c.name, f.Total, f.Suppressed, f.Folded, c.total, c.suppressed, c.folded)
		}
		if f.Total+f.Suppressed+f.Folded != len(c.results) {
			t.Errorf("%s: a result is lost", c.name)
		}
	}
}

// What inspection prints always has a list and all counts, also of nothing.
func TestSARIFPrinted(t *testing.T) {
	b, err := json.Marshal(mustRead(t, log("", "")))
	want := `{"kind":"findings","format":"sarif","version":"2.1.0","tool":{"name":"scanner","version":"1.2.3"},"findings":{"total":0,"suppressed":0,"folded":0,` +
		`"by_severity":{"critical":0,"high":0,"medium":0,"low":0,"info":0,"unrated":0},"items":[]}}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

func TestSARIFSeverity(t *testing.T) {
	rule := func(more string) string { return `{"id":"R1"` + more + `}` }
	for _, c := range []struct {
		name, result, rule string
		want               evidence.Severity
		scale              string
	}{
		{"nothing said", `{"ruleId":"R1"}`, "", evidence.Medium, "sarif:level warning by default"},
		{"level error", `{"ruleId":"R1","level":"error"}`, "", evidence.High, "sarif:level error"},
		{"level warning", `{"ruleId":"R1","level":"warning"}`, "", evidence.Medium, "sarif:level warning"},
		{"level note", `{"ruleId":"R1","level":"note"}`, "", evidence.Low, "sarif:level note"},
		{"level none", `{"ruleId":"R1","level":"none"}`, "", evidence.Info, "sarif:level none"},
		{"level in capitals", `{"ruleId":"R1","level":"Error"}`, "", evidence.High, "sarif:level Error"},
		{"level unknown", `{"ruleId":"R1","level":"fatal"}`, "", evidence.Unrated, "sarif:level fatal"},
		{"rule's default", `{"ruleId":"R1"}`, rule(`,"defaultConfiguration":{"level":"error"}`), evidence.High, "sarif:default level error"},
		{"result before rule", `{"ruleId":"R1","level":"note"}`, rule(`,"defaultConfiguration":{"level":"error"}`), evidence.Low, "sarif:level note"},
		{"rule by index", `{"ruleIndex":0}`, rule(`,"defaultConfiguration":{"level":"error"}`), evidence.High, "sarif:default level error"},
		{"rule above", `{"ruleId":"R1/2"}`, rule(`,"defaultConfiguration":{"level":"error"}`), evidence.High, "sarif:default level error"},
		{"rule by reference", `{"rule":{"id":"R1"}}`, rule(`,"defaultConfiguration":{"level":"error"}`), evidence.High, "sarif:default level error"},
		{"index beyond the rules", `{"ruleId":"R9","ruleIndex":7}`, rule(""), evidence.Unrated, "sarif:rule not found"},
		{"index beyond, level stated", `{"ruleId":"R9","ruleIndex":7,"level":"error"}`, rule(""), evidence.High, "sarif:level error"},
		{"index of another rule", `{"ruleId":"R9","ruleIndex":0}`, rule(`,"defaultConfiguration":{"level":"note"}`), evidence.Unrated, "sarif:rule not found"},
		{"no index", `{"ruleId":"R9","ruleIndex":-1}`, rule(""), evidence.Medium, "sarif:level warning by default"},
		{"score of the rule", `{"ruleId":"R1","level":"note"}`, rule(`,"properties":{"security-severity":"9.8"}`), evidence.Critical, "sarif:security-severity 9.8"},
		{"score of the result", `{"ruleId":"R1","properties":{"security-severity":"3.1"}}`, rule(`,"properties":{"security-severity":"9.8"}`), evidence.Low, "sarif:security-severity 3.1"},
		{"score as a number", `{"ruleId":"R1","properties":{"security-severity":7.0}}`, "", evidence.High, "sarif:security-severity 7.0"},
		{"score 9", `{"properties":{"security-severity":"9"}}`, "", evidence.Critical, "sarif:security-severity 9"},
		{"score 8.9", `{"properties":{"security-severity":"8.9"}}`, "", evidence.High, "sarif:security-severity 8.9"},
		{"score 4", `{"properties":{"security-severity":"4.0"}}`, "", evidence.Medium, "sarif:security-severity 4.0"},
		{"score 0.1", `{"properties":{"security-severity":"0.1"}}`, "", evidence.Low, "sarif:security-severity 0.1"},
		{"score 0", `{"properties":{"security-severity":"0.0"}}`, "", evidence.Info, "sarif:security-severity 0.0"},
		{"score 11", `{"properties":{"security-severity":"11"}}`, "", evidence.Unrated, "sarif:security-severity 11"},
		{"score below", `{"properties":{"security-severity":"-1"}}`, "", evidence.Unrated, "sarif:security-severity -1"},
		{"score NaN", `{"properties":{"security-severity":"NaN"}}`, "", evidence.Unrated, "sarif:security-severity NaN"},
		{"score in a word", `{"properties":{"security-severity":"HIGH"}}`, "", evidence.High, "sarif:security-severity HIGH"},
		{"score in an unknown word", `{"level":"note","properties":{"security-severity":"so-so"}}`, "", evidence.Unrated, "sarif:security-severity so-so"},
		{"score empty", `{"level":"note","properties":{"security-severity":""}}`, "", evidence.Unrated, "sarif:security-severity "},
		{"score null", `{"level":"note","properties":{"security-severity":null}}`, "", evidence.Low, "sarif:level note"},
		{"score an object", `{"level":"note","properties":{"security-severity":{}}}`, "", evidence.Unrated, "sarif:security-severity {}"},
	} {
		f := mustRead(t, log(c.result, c.rule)).Findings
		if got := f.Items[0]; got.Severity != c.want || got.Scale != c.scale {
			t.Errorf("%s: %s by %q, want %s by %q", c.name, got.Severity, got.Scale, c.want, c.scale)
		}
		var want evidence.Severities
		want.Add(c.want, 1)
		if f.BySeverity != want {
			t.Errorf("%s: counted as %+v", c.name, f.BySeverity)
		}
	}
}

// Rules of extensions, configuration of the run, messages by id, artifacts by index.
func TestSARIFReferences(t *testing.T) {
	c := mustRead(t, `{"runs":[{"results":[
 {"ruleId":"X1","rule":{"id":"X1","index":0,"toolComponent":{"index":0}},"message":{"id":"m","arguments":["here","there"]},"locations":[{"physicalLocation":{"artifactLocation":{"index":1},"region":{"startLine":3,"startColumn":4}}}]},
 {"rule":{"id":"X1","toolComponent":{"name":"pack"}},"message":{"markdown":"**x**"},"locations":[{"logicalLocations":[{"name":"f","fullyQualifiedName":"p.f"}]}]},
 {"rule":{"guid":"11111111-AAAA-1111-8888-111111111111","toolComponent":{"guid":"22222222-2222-2222-2222-222222222222"}},"message":{"text":"by guid"}},
 {"rule":{"index":0,"toolComponent":{"index":5}},"message":{"text":"no such component"}},
 {"ruleId":"D1","provenance":{"invocationIndex":0},"message":{"text":"configured"}},
 {"ruleId":"D1","message":{"text":"not configured"}}],
"artifacts":[{"location":{"uri":"zero"}},{"location":{"uri":"one"}}],
"invocations":[{"executionSuccessful":true,"startTimeUtc":"2026-01-02T03:04:05Z","endTimeUtc":"2026-01-02T03:05:05.5Z","ruleConfigurationOverrides":[{"descriptor":{"id":"D1","index":0},"configuration":{"level":"error"}}]}],
"tool":{"driver":{"name":"d","version":"9","rules":[{"id":"D1","defaultConfiguration":{"level":"note"},"properties":{"tags":["external/cwe/cwe-079","CVE-2021-44228",7]}}]},
 "extensions":[{"name":"pack","guid":"22222222-2222-2222-2222-222222222222","rules":[{"id":"X1","guid":"11111111-aaaa-1111-8888-111111111111","messageStrings":{"m":{"text":"{0} and {1}"}},"properties":{"security-severity":"9.1"}}]}]}}],"version":"2.1.0"}`)
	type row struct{ Rule, Severity, Location, Message string }
	var got []row
	for _, f := range c.Findings.Items {
		got = append(got, row{f.Rule, string(f.Severity), f.Location, f.Message})
	}
	want := []row{
		{"X1", "critical", "one:3:4", "here and there"},
		{"X1", "critical", "p.f", "**x**"},
		{"X1", "critical", "", "by guid"},
		{"", "unrated", "", "no such component"},
		{"D1", "high", "", "configured"},
		{"D1", "low", "", "not configured"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"CWE-79", "CVE-2021-44228"}, c.Findings.Items[4].Identifiers); diff != "" {
		t.Error(diff)
	}
	if c.Tool != (evidence.Tool{Name: "d", Version: "9"}) || c.Generated.Format("15:04:05.0") != "03:05:05.5" {
		t.Errorf("tool %+v, generated %v", c.Tool, c.Generated)
	}
}

func TestSARIFRuns(t *testing.T) {
	run := func(tool, results string) string {
		return fmt.Sprintf(`{"tool":{"driver":{"name":%q}},"results":[%s]}`, tool, results)
	}
	a := result("R1", "a.go", 1, "one")
	c := mustRead(t, `{"version":"2.1.0","runs":[`+run("x", a)+","+run("x", a)+","+run("y", a)+`]}`)
	if c.Findings.Total != 2 || c.Findings.Folded != 1 || c.Tool.Name != "x + y" || len(c.Notes) != 1 {
		t.Errorf("%+v %+v", c.Findings, c)
	}
}

func TestSARIFRefused(t *testing.T) {
	good := log(result("R1", "a.go", 1, "one"), "")
	mustRead(t, good)
	for _, c := range []struct {
		name, report, says string
	}{
		{"version 1", strings.Replace(good, `"2.1.0"`, `"1.0.0"`, 1), `version is "1.0.0"`},
		{"version 2.0.0", strings.Replace(good, `"2.1.0"`, `"2.0.0"`, 1), `version is "2.0.0"`},
		{"a draft", strings.Replace(good, `"2.1.0"`, `"2.0.0-csd.2.beta.2018-10-10"`, 1), "csd.2"},
		{"a number", strings.Replace(good, `"2.1.0"`, `2.1`, 1), `version is "2.1"`},
		{"no version", strings.Replace(good, `"version":"2.1.0",`, ``, 1), "version is none"},
		{"no runs", `{"version":"2.1.0","$schema":"x"}`, "no run"},
		{"runs null", `{"version":"2.1.0","runs":null}`, "no run"},
		{"runs empty", `{"version":"2.1.0","runs":[]}`, "no run"},
		{"runs an object", `{"version":"2.1.0","runs":{}}`, "cannot be"},
		{"a run null", `{"version":"2.1.0","runs":[null]}`, "names no tool"},
		{"no results", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}}}]}`, "no results"},
		{"results null", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":null}]}`, "no results"},
		{"results an object", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":{}}]}`, "cannot be"},
		{"results in another case", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"Results":[]}]}`, "no results"},
		{"second run without results", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[]},{"tool":{"driver":{"name":"x"}}}]}`, "no results"},
		{"results elsewhere", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[],"externalPropertyFileReferences":{"results":[{}]}}]}`, "another file"},
		{"no tool", `{"version":"2.1.0","runs":[{"results":[]}]}`, "names no tool"},
		{"the scan failed", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"invocations":[{"executionSuccessful":true},{"executionSuccessful":false}],"results":[]}]}`, "failed"},
		{"twice the same name", `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{}],"results":[]}]}`, "twice"},
		{"twice runs", strings.Replace(good, `"runs":`, `"runs":[],"runs":`, 1), "twice"},
		{"trailing data", good + "{}", "cannot be read"},
		{"trailing comma", strings.Replace(good, "]}]}", "],}]}", 1), "cannot be read"},
		{"a level that is a number", log(`{"level":1}`, ""), "level"},
		{"not UTF-8", strings.Replace(good, "one", "\xff", 1), "UTF-8"},
		{"a list", `[1]`, "cannot be"},
		{"too many results", log(strings.Repeat("{},", evidence.MaxResults)+"{}", ""), "more than 200000 results"},
		{"too many runs", `{"version":"2.1.0","runs":[` + strings.Repeat(`{"tool":{"driver":{"name":"x"}},"results":[]},`, maxRuns) + `{}]}`, "more than 1000 runs"},
	} {
		got, err := Read([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %+v", c.name, got.Findings)
			continue
		}
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v: %v", c.name, k, err)
		}
	}
}

// A refusal says where, in the log and not in the run.
func TestSARIFPlace(t *testing.T) {
	for name, c := range map[string]struct{ report, pointer, place string }{
		"a wrong type":    {log("{},\n{\"level\":1}", ""), "/runs/0/results/1/level", "3:10"},
		"a second run":    {"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"x\"}},\"results\":[]},\n{\"results\":[]}]}", "/runs/1", "2:1"},
		"the control":     {log("", ""), "", ""},
		"bad suppression": {log("\n{\"suppressions\":[{\"status\":[]}]}", ""), "/runs/0/results/0/suppressions/0/status", "3:28"},
	} {
		_, err := Read([]byte(c.report))
		if c.place == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Field != c.pointer || f.Where.String() != c.place {
			t.Errorf("%s: %q at %s: %v", name, f.Field, f.Where, err)
		}
	}
}

// However a log is cut short, it is refused.
func TestSARIFTruncated(t *testing.T) {
	good := log(result("R1", "a.go", 1, "one")+","+result("R2", "b.go", 2, "two"), `{"id":"R1"}`)
	for n := range len(good) {
		if c, err := Read([]byte(good[:n])); err == nil {
			t.Fatalf("cut at %d: read as %+v", n, c)
		}
	}
}

// What is not listed is counted all the same.
func TestSARIFManyResults(t *testing.T) {
	const n = 25_000
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(result("R1", "a.go", i+1, "one", `"level":"error"`))
	}
	c := mustRead(t, log(b.String(), ""))
	if f := c.Findings; f.Total != n || f.BySeverity.High != n || len(f.Items) != evidence.MaxItems || f.Omitted != n-evidence.MaxItems || len(c.Notes) != 1 {
		t.Errorf("total %d, high %d, listed %d, omitted %d, notes %q", f.Total, f.BySeverity.High, len(f.Items), f.Omitted, c.Notes)
	}
}

// corpus is a folder of real reports, kept outside of the repository.
func corpus(t *testing.T, name string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "corpora", name, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("the corpus %s is absent", name)
		}
		t.Skipf("the corpus %s is absent", name)
	}
	return list
}

// Every log of the corpus is read, or refused for a reason that was looked into.
func TestSARIFCorpus(t *testing.T) {
	reasons := map[string]int{}
	for _, file := range corpus(t, "sarif") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Read(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
		switch {
		case err == nil:
			reasons["read"]++
			if c.Findings.Total+c.Findings.Suppressed+c.Findings.Folded != strings.Count(string(b), `"ruleId"`) {
				reasons["read, but a result is lost"]++
			}
		case strings.Contains(err.Error(), `version is "1.0.0"`):
			reasons["version 1.0.0"]++
		case strings.Contains(err.Error(), "invalid character ','"):
			reasons["an object begins with a comma"]++
		default:
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	want := map[string]int{"read": 14, "version 1.0.0": 105, "an object begins with a comma": 1}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Error(diff)
	}
}

// The counts of real scans. Where others count otherwise, the comment says why.
func TestSARIFScans(t *testing.T) {
	want := map[string][3]int{ // total, suppressed, folded
		"LGTM.com":                 {510, 0, 0},
		"CodeQL":                   {72, 0, 0},
		"Grype":                    {22, 0, 0},
		"dependency-check":         {13, 0, 0},
		"Dockle":                   {4, 0, 0},
		"Semgrep OSS":              {77, 0, 0},
		"mobsfscan":                {9, 0, 0}, // others count 18: once more for each of the locations
		"nodejsscan":               {2, 0, 0}, // likewise 3
		"Python Security Analysis": {11, 0, 0},
		"Example-Application":      {5, 0, 0},
		"Shell Script Analysis":    {2, 0, 2}, // equal in rule, location and message
		"BinaryScanner":            {1, 0, 0},
	}
	for _, file := range corpus(t, "scans/sarif") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		got := [3]int{c.Findings.Total, c.Findings.Suppressed, c.Findings.Folded}
		if w, ok := want[c.Tool.Name]; ok && got != w {
			t.Errorf("%s: %v, want %v", filepath.Base(file), got, w)
		}
		if c.Tool.Name == "CodeScanner" && got[0]+got[1] > 4 { // the specification's own examples
			t.Errorf("%s: %v", filepath.Base(file), got)
		}
	}
}
