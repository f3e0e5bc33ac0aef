package scan

import (
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const npmOldSample = `{"actions":[{"action":"install","module":"express","resolves":[{"id":534,"path":"a>b"}]}],"advisories":{
"534":{"findings":[{"version":"2.2.0","paths":["body-parser>debug","express>debug"]},{"version":"2.2.0","paths":["c>debug"]},{"version":"3.0.0","paths":["d>debug"]}],"id":534,"title":"Slow","module_name":"debug","cves":["CVE-2017-16137"],"patched_versions":">= 3.1.0","severity":"low","cwe":"CWE-400","url":"https://npmjs.com/advisories/534","found_by":{"name":"x"}},
"1059337":{"findings":[{"version":"0.0.7","paths":["x>ansi-html"]}],"module_name":"ansi-html","severity":"high","github_advisory_id":"GHSA-2222-3333-4444","cves":["CVE-2021-23424"],"patched_versions":">=0.0.8","cvss":{"score":7.5,"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"},"cwe":"[\"CWE-400\"]","id":1059337,"title":"Uncontrolled","metadata":null}},
"muted":[],"metadata":{"vulnerabilities":{"info":0,"low":3,"moderate":0,"high":1,"critical":0},"dependencies":159},"runId":"1"}`

const npmSample = `{"auditReportVersion":2,"vulnerabilities":{"lodash":{"name":"lodash","severity":"critical","isDirect":true,"via":[
{"source":1065,"name":"lodash","dependency":"lodash","title":"Pollution","url":"https://github.com/advisories/GHSA-2222-3333-4444","severity":"critical","cwe":["CWE-1321"],"cvss":{"score":9.1,"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N"},"range":"<4.17.11"},
{"source":1066,"name":"lodash","title":"Injection","url":"https://github.com/advisories/GHSA-2222-3333-5555","severity":"high","cwe":[],"range":"<4.17.21"}],
"effects":["gulp"],"range":"<=4.17.20","nodes":["node_modules/lodash","node_modules/x/node_modules/lodash"],"fixAvailable":true},
"gulp":{"name":"gulp","severity":"high","isDirect":true,"via":["lodash","vinyl"],"effects":[],"range":"1 - 3","nodes":["node_modules/gulp"],"fixAvailable":{"name":"gulp","version":"4.0.0","isSemVerMajor":true}},
"got":{"name":"got","severity":"moderate","via":[{"source":1088,"title":"Redirect","url":"https://npmjs.com/advisories/1088","severity":"moderate"}],"nodes":[],"fixAvailable":{"name":"nodemon","version":"3.1.4"}}},
"metadata":{"vulnerabilities":{"info":0,"low":0,"moderate":1,"high":1,"critical":1,"total":3},"dependencies":{"prod":98,"total":98}}}`

func TestNPM(t *testing.T) {
	equal(t, []string{
		"3 0 0 of npm audit ",
		"critical by npm audit:severity critical: GHSA-2222-3333-4444, GHSA-2222-3333-5555 in lodash@ () at node_modules/lodash, node_modules/x/node_modules/lodash [GHSA-2222-3333-4444 GHSA-2222-3333-5555 CWE-1321]: Pollution; Injection",
		"high by npm audit:severity high: vulnerable-dependency in gulp@ (4.0.0) at node_modules/gulp []: needs vulnerable versions of lodash, vinyl",
		"medium by npm audit:severity moderate: 1088 in got@ (nodemon@3.1.4) at  []: Redirect",
	}, says(reader(ReadNPM).must(t, npmSample)))
	c := reader(ReadNPM).must(t, npmOldSample)
	equal(t, []string{
		"3 0 1 of npm audit ",
		"low by npm audit:severity low: CVE-2017-16137 in debug@2.2.0 (>= 3.1.0) at body-parser>debug [CVE-2017-16137 CWE-400]: Slow",
		"low by npm audit:severity low: CVE-2017-16137 in debug@3.0.0 (>= 3.1.0) at d>debug [CVE-2017-16137 CWE-400]: Slow",
		"high by npm audit:severity high: GHSA-2222-3333-4444 in ansi-html@0.0.7 (>=0.0.8) at x>ansi-html [GHSA-2222-3333-4444 CVE-2021-23424 CWE-400]: Uncontrolled",
	}, says(c))
	if len(c.Notes) != 0 {
		t.Errorf("%q", c.Notes)
	}
}

func npm7(packages, total string) string {
	return `{"auditReportVersion":2,"vulnerabilities":{` + packages + `},"metadata":{"vulnerabilities":{"total":` + total + `}}}`
}

// A package has one finding for all its advisories: a statement about one of
// them does not close the others.
func TestNPMClosed(t *testing.T) {
	const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	one, two, old := `{"url":"https://github.com/advisories/GHSA-2222-3333-4444"}`, `{"url":"https://github.com/advisories/GHSA-2222-3333-5555"}`, `{"source":1088,"url":"https://npmjs.com/advisories/1088"}`
	for _, c := range []struct {
		via    string
		named  []string
		closes int
	}{
		{one, []string{"GHSA-2222-3333-4444"}, 1},
		{one + "," + one, []string{"GHSA-2222-3333-4444"}, 1},
		{one + "," + two, []string{"GHSA-2222-3333-4444"}, 0},
		{one + "," + two, []string{"GHSA-2222-3333-4444", "GHSA-2222-3333-5555"}, 1},
		{one + "," + old, []string{"GHSA-2222-3333-4444"}, 0},
		{`"other"`, []string{"GHSA-2222-3333-4444"}, 0},
	} {
		claim := reader(ReadNPM).must(t, npm7(`"a":{"via":[`+c.via+`]}`, "1"))
		_, n := evidence.Close(claim, digest, []evidence.Statement{{Vulnerability: c.named, Product: evidence.Thing{Digests: []string{digest}}, Status: evidence.NotAffected}})
		if n != c.closes {
			t.Errorf("%q closes %d findings of %s", c.named, n, c.via)
		}
	}
}

func TestNPMCounts(t *testing.T) {
	counted3(t, ReadNPM, []countCase{
		{"clean", npm7("", "0"), "0 0 0"},
		{"clean, npm 6", `{"actions":[],"advisories":{},"muted":[],"metadata":{"vulnerabilities":{"info":0,"low":0}}}`, "0 0 0"},
		{"another count than it states", npm7(`"a":{},"b":{"via":[]}`, "7"), "2 0 0"},
		{"an advisory without places", `{"advisories":{"1":{"id":1}}}`, "1 0 0"},
		{"an advisory with null places", `{"advisories":{"1":{"id":"1","findings":null}}}`, "1 0 0"},
		{"findings without metadata", `{"auditReportVersion":2,"vulnerabilities":{"a":{}}}`, "1 0 0"},
	})
	if c := reader(ReadNPM).must(t, npm7(`"a":{}`, "0")); len(c.Notes) != 1 {
		t.Errorf("a difference is not noted: %q", c.Notes)
	}
}

func TestNPMSeverity(t *testing.T) {
	one := func(p string) string { return npm7(`"a":{`+p+`}`, "1") }
	severities(t, ReadNPM, []severityCase{
		{"moderate", one(`"severity":"moderate"`), evidence.Medium, "npm audit:severity moderate"},
		{"info", one(`"severity":"info"`), evidence.Info, "npm audit:severity info"},
		{"a new word", one(`"severity":"medium"`), evidence.Unrated, "npm audit:severity medium"},
		{"no word", one(``), evidence.Unrated, "npm audit:not rated"},
		{"no word, a score of an advisory", one(`"via":["x",{"cvss":{"score":7.2}},{"cvss":null}]`), evidence.High, "npm audit:CVSS 7.2"},
		{"npm 6, no word, a vector", `{"advisories":{"1":{"cvss":{"score":0,"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}}}`, evidence.Critical, "npm audit:CVSS 9.8"},
	})
}

func TestNPMRefused(t *testing.T) {
	refused(t, ReadNPM, []refusalCase{
		{"no lock file", `{"error":{"code":"ENOLOCK","summary":"This command requires an existing lockfile.","detail":"Try creating one"}}`, "ENOLOCK This command requires"},
		{"the registry's failure", `{"message":"request to registry failed","method":"POST","uri":"x","error":{"code":"","summary":"","detail":""}}`, "failed"},
		{"a failure beside a list", `{"auditReportVersion":2,"vulnerabilities":{},"metadata":{},"error":{"code":"E"}}`, "says: E"},
		{"another version", `{"auditReportVersion":3,"vulnerabilities":{}}`, `auditReportVersion of npm audit is "3"`},
		{"version 1", `{"auditReportVersion":1,"vulnerabilities":{}}`, `"1"`},
		{"no list", `{"auditReportVersion":2,"metadata":{}}`, "lists no packages"},
		{"a null list", `{"auditReportVersion":2,"vulnerabilities":null,"metadata":{}}`, "lists no packages"},
		{"advisories in place of packages", `{"auditReportVersion":2,"advisories":{},"metadata":{}}`, "lists no packages"},
		{"nothing found, nothing said", `{"auditReportVersion":2,"vulnerabilities":{}}`, "does not say what it looked at"},
		{"counted and not listed", npm7("", "4"), "counts 4 vulnerabilities"},
		{"counted and not listed, npm 6", `{"advisories":{},"metadata":{"vulnerabilities":{"low":1,"high":2}}}`, "counts 3 vulnerabilities"},
		{"a list of packages", `{"auditReportVersion":2,"vulnerabilities":[]}`, "/vulnerabilities"},
		{"a package that is none", npm7(`"a":"high"`, "1"), "/vulnerabilities/a"},
		{"a package twice", npm7(`"a":{},"a":{}`, "2"), "twice"},
	})
}
