package scan

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const trivySample = `{"SchemaVersion":2,"Trivy":{"Version":"0.69.1"},"CreatedAt":"2026-01-02T03:04:05.5+01:00","ArtifactName":"shop:1","ArtifactType":"container_image",
"Metadata":{"OS":{"Family":"alpine","Name":"3.9","EOSL":true}},"Results":[
{"Vulnerabilities":[
 {"VulnerabilityID":"CVE-2026-0001","VendorIDs":["GHSA-2222-3333-4444"],"PkgName":"libssl","PkgIdentifier":{"PURL":"pkg:apk/alpine/libssl@1.0"},"InstalledVersion":"1.0","FixedVersion":"1.1, 2.0","Title":"overrun","Description":"long","Severity":"HIGH","CweIDs":["CWE-787"],"CVSS":{"nvd":{"V3Vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","V3Score":9.8}},"Layer":{"Digest":"sha256:1"}},
 {"VulnerabilityID":"CVE-2026-0001","PkgName":"libssl","InstalledVersion":"1.0","Title":"overrun","Severity":"HIGH","Layer":{"Digest":"sha256:2"}}],
 "ExperimentalModifiedFindings":[
 {"Type":"vulnerability","Status":"not_affected","Statement":"vulnerable_code_not_present","Source":"vex.json","Finding":{"VulnerabilityID":"CVE-2026-0002","PkgName":"zlib","InstalledVersion":"3","Title":"leak","Severity":"CRITICAL"}},
 {"Type":"misconfiguration","Status":"ignored","Statement":"accepted","Source":".trivyignore.yaml","Finding":{"ID":"DS002","Title":"root","Severity":"HIGH","Status":"FAIL"}},
 {"Finding":{"RuleID":"aws-key","Severity":"CRITICAL","StartLine":3},"Type":"secret","Status":"ignored","Statement":"","Source":""}],
 "Target":"shop:1 (alpine 3.9)","Class":"os-pkgs","Type":"alpine"},
{"Target":"Dockerfile","Class":"config","Type":"dockerfile","MisconfSummary":{"Successes":20,"Failures":1,"Exceptions":1},"Misconfigurations":[
 {"Type":"Dockerfile Security Check","ID":"DS026","AVDID":"AVD-DS-0026","Title":"No HEALTHCHECK","Message":"Add HEALTHCHECK","Severity":"LOW","Status":"FAIL","CauseMetadata":{"StartLine":7,"EndLine":9}},
 {"ID":"DS001","Title":"latest","Severity":"MEDIUM","Status":"PASS"},
 {"ID":"DS003","Title":"cache","Severity":"LOW","Status":"EXCEPTION"}]},
{"Target":"app/.env","Class":"secret","Secrets":[{"RuleID":"github-pat","Category":"GitHub","Severity":"CRITICAL","Title":"GitHub token","StartLine":2,"EndLine":2,"Match":"***"}]},
{"Target":"Java","Class":"lang-pkgs","Type":"jar","Vulnerabilities":[{"VulnerabilityID":"GHSA-2222-3333-5555","PkgName":"org.x:y","PkgPath":"app/y.jar","InstalledVersion":"1","Description":"no title","Severity":"UNKNOWN"}]},
{"Target":"OS Packages","Class":"license","Licenses":[{"Severity":"HIGH","Category":"restricted","PkgName":"bash","FilePath":"","Name":"GPL-3.0","Confidence":1}]},
{"Target":"package-lock.json","Class":"lang-pkgs","Type":"npm"}]}`

const trivyCluster = `{"ClusterName":"shop","Resources":[{"Namespace":"web","Kind":"Deployment","Name":"front","Results":[
{"Target":"Deployment/front","Class":"config","Type":"kubernetes","Misconfigurations":[{"ID":"KSV001","Message":"escalation","Severity":"MEDIUM","Status":"FAIL"}]}]},
{"Namespace":"web","Kind":"Deployment","Name":"back","Results":[
{"Target":"Deployment/front","Class":"config","Type":"kubernetes","Misconfigurations":[{"ID":"KSV001","Message":"escalation","Severity":"MEDIUM","Status":"FAIL"}]}]}]}`

const trivyArray = `[{"Target":"go.sum","Type":"gomod","Vulnerabilities":null},{"Target":"Gemfile.lock","Vulnerabilities":[
{"VulnerabilityID":"CVE-2018-16487","PkgName":"lodash","InstalledVersion":"4.17.4","FixedVersion":">=4.17.11","Title":"pollution","Severity":"HIGH"},{"PkgName":"nothing known"}]}]`

func trivyResults(results string) string { return `{"SchemaVersion":2,"Results":[` + results + `]}` }

func trivyOne(vulnerability string) string {
	return trivyResults(`{"Target":"a","Class":"os-pkgs","Vulnerabilities":[` + vulnerability + `]}`)
}

func TestTrivy(t *testing.T) {
	c := reader(ReadTrivy).must(t, trivySample)
	equal(t, []string{
		"5 4 1 of Trivy 0.69.1",
		"high by trivy:Severity HIGH: CVE-2026-0001 in libssl@1.0 (1.1, 2.0) at shop:1 (alpine 3.9) [CVE-2026-0001 GHSA-2222-3333-4444 CWE-787]: overrun",
		"critical by trivy:Severity CRITICAL: CVE-2026-0002 in zlib@3 () at shop:1 (alpine 3.9) [CVE-2026-0002]: leak -- vex: not_affected, vulnerable_code_not_present, vex.json",
		"high by trivy:Severity HIGH: DS002 in @ () at shop:1 (alpine 3.9) []: root -- ignored: accepted, .trivyignore.yaml",
		"critical by trivy:Severity CRITICAL: aws-key in @ () at shop:1 (alpine 3.9):3 []:  -- ignored",
		"low by trivy:Severity LOW: DS026 in @ () at Dockerfile:7 [AVD-DS-0026]: Add HEALTHCHECK",
		"low by trivy:Severity LOW: DS003 in @ () at Dockerfile []: cache -- an exception of the check",
		"critical by trivy:Severity CRITICAL: github-pat in @ () at app/.env:2 []: GitHub token",
		"unrated by trivy:Severity UNKNOWN: GHSA-2222-3333-5555 in org.x:y@1 () at app/y.jar [GHSA-2222-3333-5555]: no title",
		"high by trivy:Severity HIGH: GPL-3.0 in bash@ () at OS Packages []: licence GPL-3.0, restricted",
	}, says(c))
	if c.Version != "2" || c.Generated.Format("15:04:05.0Z07:00") != "02:04:05.5Z" || len(c.Notes) != 1 || c.Findings.Items[0].PURL != "pkg:apk/alpine/libssl@1.0" {
		t.Errorf("version %s, generated %v, notes %q, %s", c.Version, c.Generated, c.Notes, c.Findings.Items[0].PURL)
	}
	equal(t, []string{
		"2 0 0 of Trivy ",
		"medium by trivy:Severity MEDIUM: KSV001 in @ () at web/Deployment/front: Deployment/front []: escalation",
		"medium by trivy:Severity MEDIUM: KSV001 in @ () at web/Deployment/back: Deployment/front []: escalation",
	}, says(reader(ReadTrivy).must(t, trivyCluster)))
}

// What a target counts beside what it lists is noted.
func TestTrivySummary(t *testing.T) {
	for summary, notes := range map[string]int{
		`{"Successes":1,"Failures":1,"Exceptions":1}`: 0, `{"Failures":2,"Exceptions":1}`: 1, `{"Failures":1,"Exceptions":9}`: 1, `null`: 0,
	} {
		c := reader(ReadTrivy).must(t, trivyResults(`{"Class":"config","MisconfSummary":`+summary+`,"Misconfigurations":[{"ID":"a","Status":"FAIL"},{"ID":"b","Status":"EXCEPTION"}]}`))
		if counts(c) != "1 1 0" || len(c.Notes) != notes {
			t.Errorf("%s: %s, %q", summary, counts(c), c.Notes)
		}
	}
}

func TestTrivyCounts(t *testing.T) {
	v := `{"VulnerabilityID":"CVE-2026-0001","PkgName":"a","InstalledVersion":"1","Title":"t","Severity":"LOW"}`
	other := func(from, to string) string { return v + "," + strings.Replace(v, from, to, 1) }
	counted3(t, ReadTrivy, []countCase{
		{"clean", trivyResults(`{"Target":"a","Class":"os-pkgs","Type":"alpine"}`), "0 0 0"},
		{"clean, null", trivyResults(`{"Target":"a","Class":"os-pkgs","Vulnerabilities":null}`), "0 0 0"},
		{"a check that passed", trivyResults(`{"Target":"a","Class":"config","Misconfigurations":[{"ID":"x","Status":"PASS"}]}`), "0 0 0"},
		{"a check of a status that nobody knows", trivyResults(`{"Target":"a","Class":"config","Misconfigurations":[{"ID":"x","Status":"pass"}]}`), "1 0 0"},
		{"a check without a status", trivyResults(`{"Target":"a","Class":"config","Misconfigurations":[{"ID":"x"}]}`), "1 0 0"},
		{"another version", trivyOne(other(`"1"`, `"2"`)), "2 0 0"},
		{"another package", trivyOne(other(`"a"`, `"b"`)), "2 0 0"},
		{"another message", trivyOne(other(`"t"`, `"u"`)), "2 0 0"},
		{"another severity", trivyOne(other(`LOW`, `HIGH`)), "1 0 1"},
		{"another path", trivyOne(other(`"Title"`, `"PkgPath":"x","Title"`)), "2 0 0"},
		{"another fingerprint", trivyOne(other(`"Title"`, `"Fingerprint":"x","PkgID":"y","Title"`)), "1 0 1"},
		{"another target", trivyResults(`{"Target":"a","Class":"os-pkgs","Vulnerabilities":[` + v + `]},{"Target":"b","Class":"os-pkgs","Vulnerabilities":[` + v + `]}`), "2 0 0"},
		{"a statement that closes nothing", trivyResults(`{"Target":"a","Class":"os-pkgs","ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"affected","Finding":` + v + `}]}`), "1 0 0"},
		{"a statement under way", trivyResults(`{"Target":"a","Class":"os-pkgs","ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"under_investigation","Finding":` + v + `}]}`), "1 0 0"},
		{"a statement of a status that nobody knows", trivyResults(`{"Target":"a","Class":"os-pkgs","ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"Ignored","Finding":` + v + `}]}`), "1 0 0"},
		{"suppressed here, standing there", trivyResults(`{"Target":"a","Class":"os-pkgs","Vulnerabilities":[` + v + `],"ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"fixed","Finding":` + v + `}]}`), "1 1 0"},
		{"an empty vulnerability", trivyOne(`{}`), "1 0 0"},
		{"null for a vulnerability", trivyOne(`null`), "1 0 0"},
		{"a summary of a cluster", `{"ClusterName":"c","Findings":[{"Kind":"Pod","Name":"p","Results":[{"Target":"a","Class":"os-pkgs","Vulnerabilities":[` + v + `]}]}]}`, "1 0 0"},
		{"a cluster of old", `{"ClusterName":"c","Vulnerabilities":[{"Kind":"Pod","Name":"p","Results":[{"Target":"a","Class":"os-pkgs","Vulnerabilities":[` + v + `]}]}],"Misconfigurations":[{"Kind":"Pod","Name":"p","Results":[{"Target":"a","Class":"config","Misconfigurations":[{"ID":"x","Status":"FAIL"}]}]}]}`, "2 0 0"},
	})
}

func TestTrivySeverity(t *testing.T) {
	score := func(more string) string { return trivyOne(`{"VulnerabilityID":"CVE-2026-0001"` + more + `}`) }
	severities(t, ReadTrivy, []severityCase{
		{"critical", score(`,"Severity":"CRITICAL"`), evidence.Critical, "trivy:Severity CRITICAL"},
		{"medium", score(`,"Severity":"MEDIUM"`), evidence.Medium, "trivy:Severity MEDIUM"},
		{"unknown, whatever the score", score(`,"Severity":"UNKNOWN","CVSS":{"nvd":{"V3Score":9.8}}`), evidence.Unrated, "trivy:Severity UNKNOWN"},
		{"a new word", score(`,"Severity":"SEVERE"`), evidence.Unrated, "trivy:Severity SEVERE"},
		{"no word and nothing else", score(``), evidence.Unrated, "trivy:not rated"},
		{"no word, a vector", score(`,"CVSS":{"nvd":{"V3Vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}`), evidence.Critical, "trivy:CVSS 9.8"},
		{"no word, the worst of several", score(`,"Severity":null,"CVSS":{"a":{"V2Vector":"AV:N/AC:M/Au:N/C:N/I:P/A:N"},"b":{"V3Score":7.5},"c":null}`), evidence.High, "trivy:CVSS 7.5"},
		{"no word, a broken vector", score(`,"CVSS":{"nvd":{"V3Vector":"CVSS:3.1/AV:X"}}`), evidence.Unrated, "trivy:not rated"},
	})
}

func TestTrivyRefused(t *testing.T) {
	refused(t, ReadTrivy, []refusalCase{
		{"no results", `{"SchemaVersion":2,"ArtifactName":"a","ArtifactType":"filesystem"}`, "no results"},
		{"null results", `{"SchemaVersion":2,"Results":null}`, "no results"},
		{"empty results", `{"SchemaVersion":2,"Results":[]}`, "no results"},
		{"an empty result", trivyResults(`{}`), "neither class nor type"},
		{"an empty array", `[]`, "no results"},
		{"an array of nothing", `[{"Target":"a"}]`, "neither class nor type"},
		{"an array without a target", `[{"Vulnerabilities":null}]`, "neither class nor type"},
		{"another schema", `{"SchemaVersion":3,"Results":[{"Class":"os-pkgs"}]}`, `SchemaVersion of Trivy is "3"`},
		{"schema 1", `{"SchemaVersion":1,"Results":[{"Class":"os-pkgs"}]}`, `"1"`},
		{"no schema", `{"ArtifactName":"a","Results":[{"Class":"os-pkgs"}]}`, "is none"},
		{"a cluster of nothing", `{"ClusterName":"a"}`, "no results"},
		{"a cluster that was not scanned", `{"ClusterName":"a","Resources":[{"Kind":"Pod","Name":"p"}]}`, "no results"},
		{"a resource that failed", `{"ClusterName":"a","Resources":[{"Kind":"Pod","Name":"p","Error":"no image","Results":[{"Class":"os-pkgs"}]}]}`, "Pod/p: no image"},
		{"failures that are not listed", trivyResults(`{"Target":"a","Class":"config","MisconfSummary":{"Failures":2}}`), "counts 2 failures"},
		{"a modified finding of another type", trivyResults(`{"Class":"x","ExperimentalModifiedFindings":[{"Type":"cat","Finding":{}}]}`), `"cat"`},
		{"a modified finding that is gone", trivyResults(`{"Class":"x","ExperimentalModifiedFindings":[{"Type":"secret","Status":"ignored"}]}`), "not there"},
		{"results that are none", `{"SchemaVersion":2,"Results":{}}`, "/Results"},
		{"a word for a list", trivyResults(`{"Class":"x","Vulnerabilities":"none"}`), "Vulnerabilities"},
		{"a name twice", trivyOne(`{"Severity":"LOW","Severity":"HIGH"}`), "twice"},
		{"trailing data", trivyOne(`{}`) + "{}", ""},
	})
}
