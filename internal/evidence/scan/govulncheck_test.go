package scan

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

const (
	govulnConfig1 = `{"config":{"protocol_version":"v1.0.0","scanner_name":"govulncheck","scanner_version":"v1.1.4","db":"x","go_version":"go1.22.0","scan_level":"symbol","scan_mode":"source"}}` + "\n"
	govulnFetch   = `{"progress":{"message":"Fetching vulnerabilities from the database..."}}` + "\n"
	govulnCheck   = `{"progress":{"message":"Checking the code against the vulnerabilities..."}}` + "\n"
	govulnSBOM    = `{"SBOM":{"go_version":"go1.22.0","modules":[{"path":"example.org/shop"},{"path":"golang.org/x/text","version":"v0.3.5"},{"path":"stdlib","version":"v1.22.0"}],"roots":["example.org/shop"]}}` + "\n"
	govulnOSV1    = `{"osv":{"schema_version":"1.3.1","id":"GO-2021-0113","aliases":["CVE-2021-38561","GHSA-ppp9-7jff-5vj2"],"summary":"Out-of-bounds read","details":"Long.","affected":[{"package":{"name":"golang.org/x/text","ecosystem":"Go"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"0.3.7"}]}],"ecosystem_specific":{"imports":[{"path":"golang.org/x/text/language"}]}}]}}` + "\n"
	govulnOSV2    = `{"osv":{"id":"GO-2024-0002","summary":"In net/http","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"affected":[{"package":{"name":"stdlib"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.21.5"},{"introduced":"1.22.0-0"},{"fixed":"1.22.1"}]}]}]}}` + "\n"
	govulnOSV3    = `{"osv":{"id":"GO-2019-0003","summary":"mended long ago","affected":[{"package":{"name":"golang.org/x/text"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"0.3.1"}]}]}]}}` + "\n"
	govulnFound1  = `{"finding":{"osv":"GO-2021-0113","fixed_version":"v0.3.7","trace":[{"module":"golang.org/x/text","version":"v0.3.5"}]}}` + "\n"
	govulnFound2  = `{"finding":{"osv":"GO-2024-0002","fixed_version":"v1.22.1","trace":[{"module":"stdlib","version":"v1.22.0","package":"net/http"}]}}` + "\n"
	govulnLast    = `{"finding":{"osv":"GO-2021-0113","fixed_version":"v0.3.7","trace":[{"module":"golang.org/x/text","version":"v0.3.5","package":"golang.org/x/text/language","function":"Parse"},{"module":"example.org/shop","package":"example.org/shop","function":"main","position":{"filename":"main.go","offset":189,"line":12,"column":43}}]}}` + "\n"

	// The last message adds no vulnerability: without it the count is the same.
	govulnSample = govulnConfig1 + govulnSBOM + govulnFetch + govulnOSV1 + govulnOSV2 + govulnOSV3 + govulnCheck + govulnFound1 + govulnFound2 + govulnLast
)

const govulnObject = `{"Calls":{"Functions":{},"Entries":null},"Imports":{"Packages":{}},"Requires":{"Modules":{}},"Vulns":[
{"OSV":{"id":"GO-2022-1144","aliases":["CVE-2022-41717"],"details":"Excessive memory"},"Symbol":"ListenAndServe","PkgPath":"net/http","ModPath":"stdlib","CallSink":9,"ImportSink":57,"RequireSink":1},
{"OSV":{"id":"GO-2022-1144","aliases":["CVE-2022-41717"],"details":"Excessive memory"},"Symbol":"Serve","PkgPath":"net/http","ModPath":"stdlib","CallSink":0,"ImportSink":57},
{"OSV":{"id":"GO-2022-0001","details":"Other"},"PkgPath":"example.org/y","ModPath":"example.org/y","CallSink":0,"ImportSink":0,"RequireSink":2}],
"Modules":[{"Path":"stdlib","Version":"v1.19.0","Dir":"","Replace":null},{"Path":"example.org/y","Version":"v0.1.0"}]}`

func TestGovulncheck(t *testing.T) {
	c := reader(ReadGovulncheck).must(t, govulnSample)
	equal(t, []string{
		"2 0 0 of govulncheck v1.1.4",
		"unrated by govulncheck:not rated: GO-2021-0113 in golang.org/x/text@v0.3.5 (v0.3.7) at main.go:12:43 [GO-2021-0113 CVE-2021-38561 GHSA-ppp9-7jff-5vj2]: Out-of-bounds read (called)",
		"critical by govulncheck:CVSS 9.8: GO-2024-0002 in stdlib@v1.22.0 (v1.22.1) at net/http [GO-2024-0002]: In net/http (imported, not known to be called)",
	}, says(c))
	if c.Version != "v1.0.0" || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "1 of 2") {
		t.Errorf("%s, %q", c.Version, c.Notes)
	}
	equal(t, []string{
		"2 0 0 of govulncheck ",
		"unrated by govulncheck:not rated: GO-2022-1144 in stdlib@v1.19.0 () at net/http [GO-2022-1144 CVE-2022-41717]: Excessive memory (called)",
		"unrated by govulncheck:not rated: GO-2022-0001 in example.org/y@v0.1.0 () at example.org/y [GO-2022-0001]: Other (required, not known to be called)",
	}, says(reader(ReadGovulncheck).must(t, govulnObject)))
}

// What earlier versions say when they begin is all that they say.
const govulnBefore = `{"config":{"protocol_version":"v1.0.0","scanner_name":"govulncheck"}}{"progress":{"message":"Scanning your code and 47 packages across 1 dependent module for known vulnerabilities..."}}`

func TestGovulncheckCounts(t *testing.T) {
	counted3(t, ReadGovulncheck, []countCase{
		{"clean", govulnConfig1 + govulnSBOM + govulnFetch + govulnCheck, "0 0 0"},
		{"clean, with an entry about another version", govulnConfig1 + govulnSBOM + govulnFetch + govulnOSV3 + govulnCheck, "0 0 0"},
		{"clean, before 1.1.1", govulnBefore, "0 0 0"},
		{"clean, of a binary", govulnConfig1 + `{"progress":{"message":"Scanning your binary for known vulnerabilities..."}}` + govulnFetch + `{"progress":{"message":"Checking the binary against the vulnerabilities..."}}`, "0 0 0"},
		{"an entry without a finding and no list of modules", govulnBefore + govulnOSV1, "0 0 0"},
		{"without progress", govulnConfig1 + govulnOSV1 + govulnFound1, "1 0 0"},
		{"the finding before the entry", govulnConfig1 + govulnFound1 + govulnOSV1, "1 0 0"},
		{"a finding without an entry", govulnConfig1 + govulnFound1, "1 0 0"},
		{"two streams", govulnSample + govulnBefore, "2 0 0"},
		{"two streams about the same", govulnSample + govulnSample, "2 0 0"},
		{"converted", `{"config":{"protocol_version":"v1.0.0","scan_mode":"convert"}}` + govulnSample, "2 0 0"},
		{"a message that nobody knows", govulnSample + `{"note":{}}`, "2 0 0"},
		{"an entry limited to a platform", govulnConfig1 + govulnSBOM + govulnFetch + strings.Replace(govulnOSV1, `"path":`, `"goos":["windows"],"path":`, 1) + govulnCheck, "0 0 0"},
		{"an entry that was withdrawn", govulnConfig1 + govulnSBOM + govulnFetch + strings.Replace(govulnOSV1, `"aliases":`, `"withdrawn":"2024-01-01T00:00:00Z","aliases":`, 1) + govulnCheck, "0 0 0"},
		{"the object, clean", `{"Calls":{},"Vulns":null,"Modules":[{"Path":"a","Version":"v1.0.0"}]}`, "0 0 0"},
	})
}

func TestGovulncheckRefused(t *testing.T) {
	refused(t, ReadGovulncheck, []refusalCase{
		{"only its configuration", govulnConfig1, "before it compared"},
		{"stopped while it fetched", govulnConfig1 + govulnSBOM + govulnFetch, "before it compared"},
		{"stopped among the entries", govulnConfig1 + govulnSBOM + govulnFetch + govulnOSV3, "before it compared"},
		{"stopped after it began, since 1.1.1", govulnBefore + govulnFetch, "before it compared"},
		{"cut before the findings", govulnConfig1 + govulnSBOM + govulnFetch + govulnOSV1 + govulnCheck, "GO-2021-0113, which affects golang.org/x/text@v0.3.5"},
		{"cut within the findings", govulnConfig1 + govulnSBOM + govulnFetch + govulnOSV1 + govulnOSV2 + govulnCheck + govulnFound1, "GO-2024-0002"},
		{"a second stream that stopped", govulnSample + govulnConfig1, "before it compared"},
		{"a first stream that stopped", govulnConfig1 + govulnSample, "before it compared"},
		{"no configuration", govulnFetch + govulnCheck, "does not begin"},
		{"a finding before the configuration", govulnFound1 + govulnSample, "does not begin"},
		{"an older protocol", strings.Replace(govulnSample, `"v1.0.0"`, `"v0.1.0"`, 1), `protocol_version of govulncheck is "v0.1.0"`},
		{"a newer protocol", strings.Replace(govulnSample, `"v1.0.0"`, `"v2.0.0"`, 1), `"v2.0.0"`},
		{"no protocol", `{"config":{}}`, "is none"},
		{"a query", strings.Replace(govulnSample, `"scan_mode":"source"`, `"scan_mode":"query"`, 1), `"query"`},
		{"a finding of nothing", govulnConfig1 + `{"finding":{}}`, "names no vulnerability"},
		{"something else in the stream", govulnSample + "1", ""},
		{"the object of nothing", `{"Calls":{},"Vulns":null}`, "names no module"},
		{"the object with a nameless vulnerability", `{"Calls":{},"Vulns":[{}],"Modules":[]}`, "no id"},
		{"an array that stops", "[" + strings.TrimSpace(govulnConfig1) + "]", "before it compared"},
	})
}

// Entries are expected to have a finding exactly where they surely affect.
func TestGovulncheckAffects(t *testing.T) {
	for _, c := range []struct {
		version, events string
		want            bool
	}{
		{"v0.3.5", "0 -0.3.7", true},
		{"v0.3.7", "0 -0.3.7", false},
		{"v0.3.7-rc.1", "0 -0.3.7", true},
		{"v1.21.0", "0 -1.20.3 1.21.0-0 -1.21.1", true},
		{"v1.20.3", "0 -1.20.3 1.21.0-0 -1.21.1", false},
		{"v1.21.1", "1.21.0-0 -1.21.1 0 -1.20.3", false},
		{"v1.21.0", "1.21.0-0 -1.21.1 0 -1.20.3", true},
		{"v1.0.0", "0", true},
		{"v1.0.0", "1.0.0", true},
		{"v0.9.0", "1.0.0", false},
		{"v1.0.0", "", false},
		{"(devel)", "0", false},
		{"v1.0.0", "0 -not.a.version", false},
	} {
		var m govulnModule
		for e := range strings.FieldsSeq(c.events) {
			if fixed, ok := strings.CutPrefix(e, "-"); ok {
				m.events = append(m.events, govulnEvent{Fixed: fixed})
			} else {
				m.events = append(m.events, govulnEvent{Introduced: e})
			}
		}
		if got := m.affects(c.version); got != c.want {
			t.Errorf("%s in %q: %v", c.version, c.events, got)
		}
	}
}

func TestGovulncheckSeverity(t *testing.T) {
	one := func(more string) string {
		return govulnConfig1 + fmt.Sprintf(`{"osv":{"id":"GO-2021-0113"%s}}`, more) + govulnFound1
	}
	severities(t, ReadGovulncheck, []severityCase{
		{"none", one(""), evidence.Unrated, "govulncheck:not rated"},
		{"a vector", one(`,"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}]`), evidence.High, "govulncheck:CVSS 7.5"},
		{"a word", one(`,"severity":"Low"`), evidence.Low, "govulncheck:severity Low"},
		{"a new word", one(`,"severity":"Meh"`), evidence.Unrated, "govulncheck:severity Meh"},
		{"the database's word", one(`,"database_specific":{"severity":"MODERATE","url":1}`), evidence.Medium, "govulncheck:database_specific.severity MODERATE"},
		{"a broken vector", one(`,"severity":[{"score":"CVSS:3.1/?"}]`), evidence.Unrated, "govulncheck:not rated"},
	})
}
