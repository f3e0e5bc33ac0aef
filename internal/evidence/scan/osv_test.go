package scan

import (
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const osvSample = `{"results":[{"packages":[{"package":{"name":"time","version":"0.1.0","ecosystem":"crates.io"},"vulnerabilities":[
{"id":"RUSTSEC-2020-0071","aliases":["CVE-2020-26235","GHSA-wcg3-cvx6-7396"],"summary":"Segfault","affected":[{"package":{"name":"time","ecosystem":"crates.io"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"0.2.23"}]}],"versions":["0.1.0"],"database_specific":{"cwes":[{"cweId":"CWE-476"}],"source":1}}]},
{"id":"GHSA-wcg3-cvx6-7396","aliases":["CVE-2020-26235"],"summary":"Segmentation fault","database_specific":{"severity":"MODERATE","cwe_ids":["CWE-476"]}},
{"id":"GHSA-2222-3333-4444","summary":"alone","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}],
"groups":[{"ids":["RUSTSEC-2020-0071","GHSA-wcg3-cvx6-7396"],"aliases":["CVE-2020-26235"],"max_severity":"6.2","experimentalAnalysis":{"RUSTSEC-2020-0071":{"called":false,"unimportant":false}}}]},
{"package":{"name":"quiet","version":"1","ecosystem":"npm"},"licenses":["GPL-3.0"],"license_violations":["GPL-3.0"]}],
"source":{"path":"/src/Cargo.lock","type":"lockfile"}}],"experimental_config":{"licenses":{"summary":false,"allowlist":null}}}`

func osvPackages(packages string) string {
	return `{"results":[{"source":{"path":"a","type":"lockfile"},"packages":[` + packages + `]}]}`
}

func osvPackage1(vulnerabilities, groups string) string {
	return osvPackages(`{"package":{"name":"p","version":"1","ecosystem":"npm"},"vulnerabilities":[` + vulnerabilities + `],"groups":[` + groups + `]}`)
}

func TestOSV(t *testing.T) {
	c := reader(ReadOSV).must(t, osvSample)
	equal(t, []string{
		"3 0 0 of OSV-Scanner ",
		"medium by osv-scanner:max_severity 6.2: RUSTSEC-2020-0071 in time@0.1.0 (0.2.23) at /src/Cargo.lock [RUSTSEC-2020-0071 GHSA-wcg3-cvx6-7396 CVE-2020-26235 CWE-476]: Segfault",
		"critical by osv-scanner:CVSS 9.8: GHSA-2222-3333-4444 in time@0.1.0 () at /src/Cargo.lock [GHSA-2222-3333-4444]: alone",
		"unrated by osv-scanner:not rated: licence GPL-3.0 in quiet@1 () at /src/Cargo.lock []: the licence GPL-3.0 is not allowed",
	}, says(c))
	if len(c.Notes) != 1 {
		t.Errorf("%q", c.Notes)
	}
}

func TestOSVCounts(t *testing.T) {
	two := `{"id":"A-1"},{"id":"B-1"}`
	counted3(t, ReadOSV, []countCase{
		{"clean", `{"results":[]}`, "0 0 0"},
		{"clean, with its configuration", `{"results":[],"experimental_config":{}}`, "0 0 0"},
		{"clean, all packages", osvPackages(`{"package":{"name":"p","version":"1","ecosystem":"npm"}}`), "0 0 0"},
		{"no groups", osvPackage1(two, ""), "2 0 0"},
		{"one group", osvPackage1(two, `{"ids":["A-1","B-1"]}`), "1 0 0"},
		{"two groups", osvPackage1(two, `{"ids":["A-1"]},{"ids":["B-1"]}`), "2 0 0"},
		{"one of two in a group", osvPackage1(two, `{"ids":["A-1"]}`), "2 0 0"},
		{"a group of what is not listed", osvPackage1("", `{"ids":["A-1"]}`), "1 0 0"},
		{"not called", osvPackage1(two, `{"ids":["A-1","B-1"],"experimentalAnalysis":{"A-1":{"called":false}}}`), "1 0 0"},
		{"unimportant", osvPackage1(two, `{"ids":["A-1","B-1"],"experimentalAnalysis":{"A-1":{"called":true,"unimportant":true}}}`), "1 0 0"},
		{"one package twice", osvPackages(`{"package":{"name":"p"},"vulnerabilities":[{"id":"A-1"}]},{"package":{"name":"p"},"vulnerabilities":[{"id":"A-1"}]}`), "1 0 1"},
		{"two ecosystems", osvPackages(`{"package":{"name":"p","ecosystem":"npm"},"vulnerabilities":[{"id":"A-1"}]},{"package":{"name":"p","ecosystem":"PyPI"},"vulnerabilities":[{"id":"A-1"}]}`), "2 0 0"},
		{"a commit", osvPackages(`{"package":{"commit":"abc"},"vulnerabilities":[{"id":"A-1"}]}`), "1 0 0"},
		{"found, beside members of others", `{"x":1,"results":[{"source":{"path":"a"},"packages":[{"package":{"name":"p"},"vulnerabilities":[{"id":"A-1"}]}]}]}`, "1 0 0"},
	})
}

func TestOSVSeverity(t *testing.T) {
	one := func(entry, group string) string {
		return osvPackage1(`{"id":"A-1"`+entry+`}`, `{"ids":["A-1"]`+group+`}`)
	}
	severities(t, ReadOSV, []severityCase{
		{"a score", one("", `,"max_severity":"9.8"`), evidence.Critical, "osv-scanner:max_severity 9.8"},
		{"a score as a number", one("", `,"max_severity":4`), evidence.Medium, "osv-scanner:max_severity 4"},
		{"the score wins", one(`,"database_specific":{"severity":"LOW"}`, `,"max_severity":"7.1"`), evidence.High, "osv-scanner:max_severity 7.1"},
		{"a score that is none", one("", `,"max_severity":"high?"`), evidence.Unrated, "osv-scanner:max_severity high?"},
		{"no score, a vector", one(`,"severity":[{"type":"CVSS_V2","score":"AV:N/AC:M/Au:N/C:N/I:P/A:N"}]`, `,"max_severity":""`), evidence.Medium, "osv-scanner:CVSS 4.3"},
		{"no score, a word", one(`,"database_specific":{"severity":"HIGH"}`, `,"max_severity":null`), evidence.High, "osv-scanner:database_specific.severity HIGH"},
		{"nothing", one("", ""), evidence.Unrated, "osv-scanner:not rated"},
	})
}

func TestOSVRefused(t *testing.T) {
	refused(t, ReadOSV, []refusalCase{
		{"a result of nothing", `{"results":[{}]}`, "no source or no packages"},
		{"a result without packages", `{"results":[{"source":{"path":"a"}}]}`, "no source or no packages"},
		{"a result with null packages", `{"results":[{"source":{"path":"a"},"packages":null}]}`, "no source or no packages"},
		{"a result without a source", `{"results":[{"packages":[]}]}`, "no source or no packages"},
		{"empty results of another tool", `{"version":"1","results":[]}`, `"version"`},
		{"a package without a name", osvPackages(`{"vulnerabilities":[]}`), "no name"},
		{"the first form", `{"results":[{"packageSource":{"path":"a"},"packages":[{"Package":{"name":"a"}}]}]}`, "no source"},
		{"results of another tool", `{"results":[{"check_id":"a","path":"b"}]}`, "no source"},
		{"packages that are none", `{"results":[{"source":{"path":"a"},"packages":{}}]}`, "/results/0/packages"},
	})
}
