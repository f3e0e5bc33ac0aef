package scan

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const gitlabOne = `{"id":"1","category":"sast","name":"Injection","message":"Injection in a query","description":"long","cve":"a.go:hash:1","severity":"High","confidence":"Medium","scanner":{"id":"semgrep","name":"Semgrep"},
"location":{"file":"src/a.go","start_line":10,"end_line":12,"class":"A","method":"b"},"identifiers":[{"type":"semgrep_id","name":"go.sql","value":"go.sql","url":"x"},{"type":"cwe","name":"CWE-89","value":"89"}]}`

const gitlabSample = `{"version":"15.0.7","scan":{"analyzer":{"id":"a","name":"A","version":"1"},"scanner":{"id":"semgrep","name":"Semgrep","version":"1.40","vendor":{"name":"GitLab"}},"type":"sast","start_time":"2026-01-02T03:04:05","end_time":"2026-01-02T03:05:05","status":"success","messages":[{"level":"warn","value":"a rule is old"}]},
"vulnerabilities":[` + gitlabOne + `,` + gitlabOne + `,
{"id":"2","name":"Overflow","severity":"Unknown","location":{"dependency":{"package":{"name":"libc6"},"version":"2.28"},"operating_system":"debian 10","image":"shop:1"},"identifiers":[{"type":"gemnasium","name":"Gemnasium-7","value":"7"},{"type":"cve","name":"CVE-2026-0001","value":"CVE-2026-0001"},{"type":"ghsa","value":"GHSA-2222-3333-4444"}]},
{"id":"3","name":"Header","severity":"Info","flags":[{"type":"flagged-as-likely-false-positive","origin":"x","description":"y"}],"location":{"hostname":"https://shop","path":"/a","method":"GET","param":"q"},"identifiers":[{"type":"zap","name":"10021","value":"10021"}]}],"remediations":[]}`

func gitlabReport(version, more, vulnerabilities string) string {
	return fmt.Sprintf(`{"version":%q,%s"vulnerabilities":[%s]}`, version, more, vulnerabilities)
}

const gitlabWell = `"scan":{"status":"success"},`

func TestGitLab(t *testing.T) {
	c := reader(ReadGitLab).must(t, gitlabSample)
	equal(t, []string{
		"3 0 1 of Semgrep 1.40",
		"high by gitlab:severity High: go.sql in @ () at src/a.go:10 [CWE-89]: Injection in a query",
		"unrated by gitlab:severity Unknown: CVE-2026-0001 in libc6@2.28 () at shop:1 [CVE-2026-0001 GHSA-2222-3333-4444]: Overflow",
		"info by gitlab:severity Info: 10021 in @ () at GET https://shop/a q []: Header",
	}, says(c))
	if c.Version != "15.0.7" || c.Generated.Format("2006-01-02T15:04:05Z07:00") != "2026-01-02T03:05:05Z" || len(c.Notes) != 2 {
		t.Errorf("%s, %v, %q", c.Version, c.Generated, c.Notes)
	}
}

func TestGitLabCounts(t *testing.T) {
	other := func(from, to string) string {
		return gitlabReport("15.0.0", gitlabWell, gitlabOne+","+strings.Replace(gitlabOne, from, to, 1))
	}
	counted3(t, ReadGitLab, []countCase{
		{"clean", gitlabReport("15.0.0", gitlabWell, ""), "0 0 0"},
		{"clean, 14", gitlabReport("14.0.6", gitlabWell, ""), "0 0 0"},
		{"clean, 3", gitlabReport("3.0.0", gitlabWell, ""), "0 0 0"},
		{"clean, 2, which knows no scan", gitlabReport("2.3", "", ""), "0 0 0"},
		{"found, without a scan", gitlabReport("14.0.6", "", gitlabOne), "1 0 0"},
		{"another fingerprint", other(`"a.go:hash:1"`, `"a.go:hash:2"`), "1 0 1"},
		{"another id", other(`"id":"1"`, `"id":"9"`), "1 0 1"},
		{"another severity", other(`"High"`, `"Low"`), "1 0 1"},
		{"another line", other(`10`, `11`), "2 0 0"},
		{"another file", other(`src/a.go`, `src/b.go`), "2 0 0"},
		{"another rule", other(`"value":"go.sql"`, `"value":"go.other"`), "2 0 0"},
		{"another message", other(`in a query`, `in another`), "2 0 0"},
		{"another name", other(`"name":"Injection"`, `"name":"Other"`), "2 0 0"},
		{"one secret in two commits", other(`"file"`, `"commit":{"sha":"1"},"file"`), "2 0 0"},
		{"an empty vulnerability", gitlabReport("15.0.0", gitlabWell, `{}`), "1 0 0"},
		{"null for a vulnerability", gitlabReport("15.0.0", gitlabWell, `null`), "1 0 0"},
	})
	if c := reader(ReadGitLab).must(t, gitlabReport("15.2.1", `"scan":{"status":"success","partial_scan":{"mode":"differential"}},`, "")); !c.Findings.Unscanned || len(c.Notes) != 1 {
		t.Errorf("a part that is clean counts as the whole: %+v", c)
	}
}

func TestGitLabSeverity(t *testing.T) {
	one := func(more string) string { return gitlabReport("15.0.0", gitlabWell, `{"name":"x"`+more+`}`) }
	severities(t, ReadGitLab, []severityCase{
		{"critical", one(`,"severity":"Critical"`), evidence.Critical, "gitlab:severity Critical"},
		{"info", one(`,"severity":"Info"`), evidence.Info, "gitlab:severity Info"},
		{"unknown", one(`,"severity":"Unknown"`), evidence.Unrated, "gitlab:severity Unknown"},
		{"of old", one(`,"severity":"Undefined"`), evidence.Unrated, "gitlab:severity Undefined"},
		{"none", one(``), evidence.Unrated, "gitlab:not rated"},
		{"none, a vector", one(`,"cvss_vectors":[{"vendor":"x","vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`), evidence.Critical, "gitlab:CVSS 9.8"},
	})
}

func TestGitLabRefused(t *testing.T) {
	refused(t, ReadGitLab, []refusalCase{
		{"a failure", gitlabReport("15.0.0", `"scan":{"status":"failure"},`, ""), "says that the scan failed"},
		{"a failure with findings", gitlabReport("15.0.0", `"scan":{"status":"failure","messages":[{"level":"fatal","value":"no access"}]},`, gitlabOne), "no access"},
		{"a status that nobody knows", gitlabReport("15.0.0", `"scan":{"status":"Success"},`, ""), "says that the scan failed"},
		{"a fatal message", gitlabReport("15.0.0", `"scan":{"status":"success","messages":[{"level":"info"},{"level":"fatal","value":"halted"}]},`, gitlabOne), "halted"},
		{"clean without a scan", gitlabReport("14.0.0", "", ""), "does not say that the scan went well"},
		{"clean without a status", gitlabReport("15.0.0", `"scan":{"type":"sast"},`, ""), "does not say that the scan went well"},
		{"clean without a status, 3", gitlabReport("3.0.0", `"scan":{"type":"sast"},`, ""), "does not say that the scan went well"},
		{"version 16", gitlabReport("16.0.0", gitlabWell, ""), `version of the security report is "16.0.0"`},
		{"version 1", gitlabReport("1.3", gitlabWell, ""), `"1.3"`},
		{"version 150", gitlabReport("150.0.0", gitlabWell, ""), `"150.0.0"`},
		{"a version that is none", gitlabReport("15", gitlabWell, ""), `"15"`},
		{"no version", `{"scan":{"status":"success"},"vulnerabilities":[]}`, "is none"},
		{"no list", `{"version":"15.0.0","scan":{"status":"success"}}`, "no list"},
		{"a null list", `{"version":"15.0.0","scan":{"status":"success"},"vulnerabilities":null}`, "no list"},
		{"a list that is none", `{"version":"15.0.0","vulnerabilities":{}}`, "/vulnerabilities"},
	})
}
