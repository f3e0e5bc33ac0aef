package scan

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const grypeMatch1 = `{"vulnerability":{"id":"GHSA-2222-3333-4444","severity":"High","description":"bypass","cvss":[{"version":"3.1","vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","metrics":{"baseScore":9.8}}],"fix":{"versions":["3.2.10","4.0"],"state":"fixed"},"advisories":[]},
"relatedVulnerabilities":[{"id":"CVE-2026-0001","severity":"High","cvss":[]}],"matchDetails":[{"type":"exact-direct-match"}],
"artifact":{"name":"Django","version":"3.2.9","type":"python","purl":"pkg:pypi/Django@3.2.9","locations":[{"path":"/a/METADATA","layerID":"sha256:1"},{"path":"/a/RECORD"}]}}`

const grypeSample = `{"matches":[` + grypeMatch1 + `,` + grypeMatch1 + `,
{"vulnerability":{"id":"CVE-2026-0002","severity":"Negligible","fix":{"versions":[],"state":"wont-fix"}},"artifact":{"name":"libc6","version":"2.28-10","type":"deb","locations":[]}}],
"ignoredMatches":[
{"vulnerability":{"id":"CVE-2026-0003","severity":"Critical"},"artifact":{"name":"zlib","version":"1"},"appliedIgnoreRules":[{"namespace":"vex","vex-status":"not_affected","vex-justification":"component_not_present"}]},
{"vulnerability":{"id":"CVE-2026-0004","severity":"Low"},"artifact":{"name":"kernel-headers","version":"1"},"appliedIgnoreRules":[{"package":{"name":"kernel-headers"},"match-type":"exact-indirect-match"}]}],
"source":{"type":"image","target":{"userInput":"shop:1"}},"distro":{"name":"debian","version":"10","idLike":[]},
"descriptor":{"name":"grype","version":"0.94.0","db":{"built":"2026-01-01T00:00:00Z","error":null},"timestamp":"2026-01-02T03:04:05.123456789Z"}}`

func grypeMatches(matches string) string {
	return `{"matches":[` + matches + `],"source":{"type":"image"},"descriptor":{"name":"grype","version":"1"}}`
}

func TestGrype(t *testing.T) {
	c := reader(ReadGrype).must(t, grypeSample)
	equal(t, []string{
		"2 2 1 of Grype 0.94.0",
		"high by grype:severity High: GHSA-2222-3333-4444 in Django@3.2.9 (3.2.10, 4.0) at /a/METADATA [GHSA-2222-3333-4444 CVE-2026-0001]: bypass",
		"info by grype:severity Negligible: CVE-2026-0002 in libc6@2.28-10 () at  [CVE-2026-0002]: ",
		"critical by grype:severity Critical: CVE-2026-0003 in zlib@1 () at  [CVE-2026-0003]:  -- vex: not_affected, component_not_present",
		"low by grype:severity Low: CVE-2026-0004 in kernel-headers@1 () at  [CVE-2026-0004]:  -- ignored by rule: kernel-headers, exact-indirect-match",
	}, says(c))
	if c.Generated.IsZero() || c.Findings.Items[0].PURL != "pkg:pypi/Django@3.2.9" {
		t.Errorf("%v, %q", c.Generated, c.Findings.Items[0].PURL)
	}
}

func TestGrypeCounts(t *testing.T) {
	other := func(from, to string) string {
		return grypeMatches(grypeMatch1 + "," + strings.Replace(grypeMatch1, from, to, 1))
	}
	counted3(t, ReadGrype, []countCase{
		{"clean", grypeMatches(""), "0 0 0"},
		{"clean, of a package URL", `{"matches":[],"source":null,"distro":{},"descriptor":{"name":"grype"}}`, "0 0 0"},
		{"another vulnerability", other("GHSA-2222-3333-4444", "GHSA-2222-3333-5555"), "2 0 0"},
		{"another package", other(`"Django"`, `"django"`), "2 0 0"},
		{"another version", other(`"3.2.9"`, `"3.2.8"`), "2 0 0"},
		{"another place", other("/a/RECORD", "/b/RECORD"), "2 0 0"},
		{"another layer", other("sha256:1", "sha256:2"), "1 0 1"},
		{"another matcher", other("exact-direct-match", "cpe-match"), "1 0 1"},
		{"findings without a descriptor", `{"matches":[` + grypeMatch1 + `]}`, "1 0 0"},
		{"ignored without a rule", `{"matches":[],"ignoredMatches":[` + grypeMatch1 + `],"source":{},"descriptor":{"name":"grype"}}`, "0 1 0"},
	})
}

func TestGrypeSeverity(t *testing.T) {
	one := func(vulnerability string) string {
		return grypeMatches(`{"vulnerability":{"id":"x"` + vulnerability + `}}`)
	}
	severities(t, ReadGrype, []severityCase{
		{"critical", one(`,"severity":"Critical"`), evidence.Critical, "grype:severity Critical"},
		{"medium", one(`,"severity":"Medium"`), evidence.Medium, "grype:severity Medium"},
		{"negligible", one(`,"severity":"Negligible"`), evidence.Info, "grype:severity Negligible"},
		{"unknown, whatever the score", one(`,"severity":"Unknown","cvss":[{"metrics":{"baseScore":9.8}}]`), evidence.Unrated, "grype:severity Unknown"},
		{"a new word", one(`,"severity":"Bad"`), evidence.Unrated, "grype:severity Bad"},
		{"no word", one(``), evidence.Unrated, "grype:not rated"},
		{"no word, a score", one(`,"severity":"","cvss":[{"vector":"","metrics":{"baseScore":5}},{"metrics":{"baseScore":8.8}}]`), evidence.High, "grype:CVSS 8.8"},
	})
}

func TestGrypeRefused(t *testing.T) {
	refused(t, ReadGrype, []refusalCase{
		{"no matches", `{"source":{},"distro":{},"descriptor":{"name":"grype"}}`, "no list of matches"},
		{"null matches", `{"matches":null,"source":{},"descriptor":{"name":"grype"}}`, "no list of matches"},
		{"nothing found in nothing", `{"matches":[]}`, "does not say what was scanned"},
		{"nothing found, and no source", `{"matches":[],"descriptor":{"name":"grype"}}`, "does not say what was scanned"},
		{"a match of something else", grypeMatches(`{"name":"x"}`), "names neither"},
		{"null for a match", grypeMatches(`null`), "names neither"},
		{"a database that could not be read", `{"matches":[],"source":{},"descriptor":{"name":"grype","db":{"error":"it is too old"}}}`, "too old"},
		{"matches that are none", `{"matches":{},"source":{},"descriptor":{"name":"grype"}}`, "/matches"},
	})
}
