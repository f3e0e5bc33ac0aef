package scan

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const snykIssue1 = `{"CVSSv3":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:L","cvssScore":6.5,"fixedIn":["2.1.4"],"id":"SNYK-JAVA-X-1","identifiers":{"CVE":["CVE-2026-0001"],"CWE":["CWE-611"],"GHSA":["GHSA-2222-3333-4444"]},"moduleName":"org.x:xmlsec","packageName":"org.x:xmlsec","severity":"high","severityWithCritical":"critical","title":"XXE","from":["shop@1","a@1","org.x:xmlsec@2.1.1"],"name":"org.x:xmlsec","version":"2.1.1"}`

const snykSample = `{"vulnerabilities":[` + snykIssue1 + `,
` + `{"id":"SNYK-JAVA-X-1","identifiers":{},"severity":"high","severityWithCritical":"critical","title":"XXE","from":["shop@1","b@1"],"name":"org.x:xmlsec","version":"2.1.1"},
{"id":"snyk:lic:maven:y:GPL-2.0","type":"license","severity":"medium","title":"GPL-2.0 license","from":["shop@1"],"packageName":"y","version":"1","nearestFixedInVersion":"2"}],
"ok":false,"dependencyCount":5,"packageManager":"maven","summary":"3 vulnerable dependency paths","uniqueCount":2,
"filtered":{"ignore":[{"id":"SNYK-JAVA-Z-1","severity":"low","title":"DoS","name":"z","version":"1","filtered":{"ignored":[{"reason":"not reachable","expires":"2030-01-01","source":"api"}]}}],"patch":[]},
"projectName":"com.x:shop","displayTargetFile":"pom.xml","path":"/src"}`

const snykClean = `{"vulnerabilities":[],"ok":true,"dependencyCount":5,"summary":"No known vulnerabilities","projectName":"com.x:other","displayTargetFile":"other/pom.xml"}`

func snykProject1(issues string) string {
	return `{"vulnerabilities":[` + issues + `],"ok":false,"projectName":"p","displayTargetFile":"f"}`
}

func TestSnyk(t *testing.T) {
	equal(t, []string{
		"2 1 1 of Snyk ",
		"critical by snyk:severity critical: SNYK-JAVA-X-1 in org.x:xmlsec@2.1.1 (2.1.4) at pom.xml [CVE-2026-0001 GHSA-2222-3333-4444 CWE-611]: XXE",
		"medium by snyk:severity medium: snyk:lic:maven:y:GPL-2.0 in y@1 (2) at pom.xml []: GPL-2.0 license",
		"low by snyk:severity low: SNYK-JAVA-Z-1 in z@1 () at pom.xml []: DoS -- ignored: not reachable",
	}, says(reader(ReadSnyk).must(t, snykSample)))
	equal(t, []string{
		"1 1 0 of Snyk ",
		"medium by snyk:severity medium: SNYK-CC-TF-4 in @ () at main.tf:7 []: Open bucket",
		"low by snyk:severity low: SNYK-CC-TF-5 in @ () at main.tf []: No log -- ignored",
	}, says(reader(ReadSnyk).must(t, `{"meta":{},"vulnerabilities":[],"ok":false,"targetFile":"main.tf","infrastructureAsCodeIssues":[
{"severity":"medium","id":"SNYK-CC-TF-4","title":"Open bucket","isIgnored":false,"lineNumber":7,"path":["resource",0,"acl"]},
{"severity":"low","id":"SNYK-CC-TF-5","title":"No log","isIgnored":true,"path":"resource"}]}`)))
}

func TestSnykCounts(t *testing.T) {
	other := func(from, to string) string {
		return snykProject1(snykIssue1 + "," + strings.Replace(snykIssue1, from, to, 1))
	}
	counted3(t, ReadSnyk, []countCase{
		{"clean", snykClean, "0 0 0"},
		{"clean projects", "[" + snykClean + "," + snykClean + "]", "0 0 0"},
		{"everything ignored", `{"vulnerabilities":[],"ok":true,"filtered":{"ignore":[` + snykIssue1 + `]}}`, "0 1 0"},
		{"patched", `{"vulnerabilities":[],"ok":true,"filtered":{"patch":[` + snykIssue1 + `]}}`, "0 1 0"},
		{"another path", other(`"a@1"`, `"b@1"`), "1 0 1"},
		{"another vulnerability", other("SNYK-JAVA-X-1", "SNYK-JAVA-X-2"), "2 0 0"},
		{"another version", other(`"version":"2.1.1"`, `"version":"2.1.0"`), "2 0 0"},
		{"another package", other(`"name":"org.x:xmlsec"`, `"name":"org.y:xmlsec"`), "2 0 0"},
		{"another project", "[" + snykProject1(snykIssue1) + "," + strings.Replace(snykProject1(snykIssue1), `"f"`, `"g"`, 1) + "]", "2 0 0"},
		{"the same project twice", "[" + snykProject1(snykIssue1) + "," + snykProject1(snykIssue1) + "]", "1 0 1"},
		{"the applications of an image", `{"vulnerabilities":[],"ok":false,"docker":{},"projectName":"docker-image|shop","applications":[` + snykProject1(snykIssue1) + `,` + snykClean + `]}`, "1 0 0"},
		{"found where it says that it is well", strings.Replace(snykProject1(snykIssue1), "false", "true", 1), "1 0 0"},
	})
}

func TestSnykSeverity(t *testing.T) {
	one := func(more string) string { return snykProject1(`{"id":"x"` + more + `}`) }
	severities(t, ReadSnyk, []severityCase{
		{"critical", one(`,"severity":"critical"`), evidence.Critical, "snyk:severity critical"},
		{"with critical", one(`,"severity":"high","severityWithCritical":"critical"`), evidence.Critical, "snyk:severity critical"},
		{"low", one(`,"severity":"low"`), evidence.Low, "snyk:severity low"},
		{"a new word", one(`,"severity":"info"`), evidence.Unrated, "snyk:severity info"},
		{"no word, a vector", one(`,"CVSSv3":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"`), evidence.Critical, "snyk:CVSS 9.8"},
		{"no word, a score", one(`,"CVSSv3":null,"cvssScore":5.3`), evidence.Medium, "snyk:CVSS 5.3"},
		{"no word, null", one(`,"severity":null,"cvssScore":null`), evidence.Unrated, "snyk:not rated"},
	})
}

func TestSnykRefused(t *testing.T) {
	refused(t, ReadSnyk, []refusalCase{
		{"a failure", `{"ok":false,"error":"Could not detect supported target files in /src.","path":"/src"}`, "Could not detect"},
		{"a failure beside a project", "[" + snykClean + `,{"ok":false,"error":"no","path":"x"}]`, "says: no"},
		{"a failure beside a list", `{"vulnerabilities":[],"ok":true,"error":"timed out"}`, "timed out"},
		{"no list", `{"ok":true,"dependencyCount":0}`, "no list"},
		{"a null list", `{"ok":true,"vulnerabilities":null}`, "no list"},
		{"nothing, and not well", `{"ok":false,"vulnerabilities":[]}`, "not well"},
		{"counted and not listed", `{"ok":true,"vulnerabilities":[],"uniqueCount":3}`, "counts 3"},
		{"nothing said of how it went", `{"vulnerabilities":[],"dependencyCount":5}`, "does not say"},
		{"an application that failed", `{"vulnerabilities":[` + snykIssue1 + `],"ok":false,"applications":[{"ok":false,"error":"x"}]}`, "says: x"},
		{"an application without a list", `{"vulnerabilities":[],"ok":true,"applications":[{"ok":true}]}`, "no list"},
		{"a project that is none", `[` + snykClean + `,1]`, "/1"},
		{"a list that is none", `{"ok":true,"vulnerabilities":"none"}`, "/vulnerabilities"},
	})
}
