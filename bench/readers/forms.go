package readers

import (
	"encoding/base64"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
)

// form is a report of one format that grows by repeating an element.
type form struct {
	format              string // as report.Names names it
	variant             string // where a format has several
	before, each, after string // # in each is its number
	comma               bool   // between elements
	clean               bool   // an inventory: its elements are no findings
	count               func(evidence.Claim) int
	wrap                func(string) string // nil: as it is
	most                int                 // elements that the reader accepts; 0: more than fit
}

func findings(c evidence.Claim) int { return c.Findings.Total + c.Findings.Folded }
func listed(c evidence.Claim) int   { return c.Findings.Total + c.Findings.Suppressed }
func tests(c evidence.Claim) int    { return c.Tests.Total }
func lines(c evidence.Claim) int    { return c.Coverage.LinesValid }
func requests(c evidence.Claim) int { return c.Load.Requests }

// parts counts the components of a load test.
func parts(c evidence.Claim) int { return len(c.Load.Parts) + c.Load.MoreParts }

func subjects(c evidence.Claim) int { return c.Attestation.SubjectCount }

// grown is a report of about size bytes, and how often its element stands in it.
func (f form) grown(size int) (report []byte, n int) {
	var b strings.Builder
	b.WriteString(f.before)
	for ; n == 0 || b.Len() < size && (f.most == 0 || n < f.most); n++ {
		if f.comma && n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(f.each, "#", fmt.Sprint(n)))
	}
	b.WriteString(f.after)
	text := b.String()
	if f.wrap != nil {
		text = f.wrap(text)
	}
	return []byte(text), n
}

// envelope is a statement in a signed envelope; whether the signature is good is asked elsewhere.
func envelope(statement string) string {
	return `{"payloadType":"application/vnd.in-toto+json","payload":"` + base64.StdEncoding.EncodeToString([]byte(statement)) +
		`","signatures":[{"keyid":"build","sig":"` + base64.StdEncoding.EncodeToString(make([]byte, 64)) + `"}]}`
}

func prose(n int) string { return strings.Repeat("What goes wrong, in words. ", n) }

// forms are all formats that are read. A test sees that none is missing.
func forms() []form {
	return append(append(scans(), inventories()...), append(runs(), loads()...)...)
}

func scans() []form {
	return []form{
		{
			format: "SARIF 2.1.0", count: findings, comma: true,
			before: `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scan","rules":[{"id":"r1","properties":{"security-severity":"7.5"}}]}},"results":[`,
			each:   `{"ruleId":"r1","level":"error","message":{"text":"` + prose(3) + `"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/a#.go"},"region":{"startLine":1#,"startColumn":3}}}],"partialFingerprints":{"a":"b#"}}`,
			after:  `]}]}`,
		},
		{
			format: "Trivy", count: findings, comma: true,
			before: `{"SchemaVersion":2,"Results":[{"Target":"shop (debian 12)","Class":"os-pkgs","Vulnerabilities":[`,
			each:   `{"VulnerabilityID":"CVE-2026-#","PkgName":"lib#","InstalledVersion":"1.2.3","FixedVersion":"1.2.4","Title":"A title","Description":"` + prose(15) + `","Severity":"HIGH","CweIDs":["CWE-79"],"References":["https://example.org/a","https://example.org/b"]}`,
			after:  `]}]}`,
		},
		{
			format: "Grype", count: findings, comma: true, before: `{"matches":[`, after: `]}`,
			each: `{"vulnerability":{"id":"CVE-2026-#","severity":"High","description":"` + prose(8) + `","fix":{"versions":["1.2.4"],"state":"fixed"}},"artifact":{"name":"lib#","version":"1.2.3","type":"deb","locations":[{"path":"/var/lib/dpkg/status"}],"purl":"pkg:deb/debian/lib#@1.2.3"}}`,
		},
		{
			format: "Snyk", count: findings, comma: true, before: `{"ok":false,"vulnerabilities":[`, after: `]}`,
			each: `{"id":"SNYK-JS-P-#","title":"Pollution","severity":"high","packageName":"p#","version":"1.0.0","description":"` + prose(20) + `","from":["shop@1.0.0","p#@1.0.0"],"identifiers":{"CVE":["CVE-2026-1#"],"CWE":["CWE-1321"]}}`,
		},
		{
			format: "npm audit", count: findings, comma: true, before: `{"auditReportVersion":2,"vulnerabilities":{`, after: `}}`,
			each: `"p#":{"name":"p#","severity":"high","via":[{"source":1,"title":"Pollution","url":"https://github.com/advisories/GHSA-2222-3333-4444","cwe":["CWE-1321"],"cvss":{"score":9.1,"vectorString":"x"},"severity":"high","range":"<2"}],"nodes":["node_modules/p#"],"fixAvailable":true}`,
		},
		{
			format: "govulncheck", count: findings,
			before: `{"config":{"protocol_version":"v1.0.0","scanner_name":"govulncheck","scan_level":"symbol","scan_mode":"source"}}`,
			each:   `{"osv":{"id":"GO-2026-#","summary":"A summary","details":"` + prose(30) + `"}}{"finding":{"osv":"GO-2026-#","fixed_version":"v1.2.4","trace":[{"module":"example.org/m#","version":"v1.2.3"}]}}`,
		},
		{
			format: "GitLab security report 2–15", count: findings, comma: true,
			before: `{"version":"15.0.7","scan":{"scanner":{"id":"s","name":"S","version":"1"},"type":"sast","status":"success"},"vulnerabilities":[`, after: `]}`,
			each: `{"id":"#","name":"Injection","description":"` + prose(6) + `","severity":"High","location":{"file":"src/a#.go","start_line":10,"end_line":12},"identifiers":[{"type":"rule","name":"go.sql","value":"go.sql"},{"type":"cwe","name":"CWE-89","value":"89"}]}`,
		},
		{
			format: "Semgrep", count: findings, comma: true, before: `{"errors":[],"results":[`, after: `]}`,
			each: `{"check_id":"go.sql","path":"src/a#.go","start":{"line":10,"col":3},"end":{"line":10,"col":9},"extra":{"message":"` + prose(4) + `","severity":"ERROR","lines":"requires login","metadata":{"cwe":["CWE-89"],"confidence":"HIGH"}}}`,
		},
		{
			format: "OSV-Scanner", count: findings, comma: true, before: `{"results":[{"source":{"path":"go.mod"},"packages":[`, after: `]}]}`,
			each: `{"package":{"name":"p#","version":"1","ecosystem":"Go"},"vulnerabilities":[{"id":"A-#","summary":"s","details":"` + prose(15) + `","database_specific":{"severity":"HIGH","cwe_ids":["CWE-79"]}}],"groups":[{"ids":["A-#"],"max_severity":"7.5"}]}`,
		},
		{
			format: "OpenVEX 0.2.0", count: listed, comma: true, after: `]}`, most: 10_000,
			before: `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://shop.example/vex/1","author":"Example","timestamp":"2026-01-02T03:04:05Z","version":1,"statements":[`,
			each:   `{"vulnerability":{"name":"CVE-2026-#"},"products":[{"@id":"pkg:deb/debian/lib#@1.2.3"}],"status":"not_affected","justification":"component_not_present"}`,
		},
	}
}

func inventories() []form {
	return []form{
		{
			format: "CycloneDX 1.2–1.7", variant: "JSON", count: findings, clean: true, comma: true, before: `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[`, after: `]}`,
			each: `{"type":"library","bom-ref":"pkg:npm/lib-#@1.0","name":"lib-#","version":"1.0","purl":"pkg:npm/lib-#@1.0","hashes":[{"alg":"SHA-256","content":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}],"licenses":[{"license":{"id":"MIT"}}]}`,
		},
		{
			format: "CycloneDX 1.2–1.7", variant: "XML", count: findings, clean: true, before: `<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>`, after: `</components></bom>`,
			each: `<component type="library" bom-ref="pkg:npm/lib-#@1.0"><name>lib-#</name><version>1.0</version><hashes><hash alg="SHA-256">9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</hash></hashes><licenses><license><id>MIT</id></license></licenses><purl>pkg:npm/lib-#@1.0</purl></component>`,
		},
		{
			format: "SPDX 2.3", variant: "JSON", count: findings, clean: true, comma: true, after: `]}`,
			before: `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","dataLicense":"CC0-1.0","name":"shop","documentNamespace":"https://shop.example/spdx/1","creationInfo":{"created":"2026-01-02T03:04:05Z","creators":["Tool: builder-1"]},"packages":[`,
			each:   `{"SPDXID":"SPDXRef-p#","name":"lib-#","versionInfo":"1.0","downloadLocation":"NOASSERTION","licenseConcluded":"MIT","licenseDeclared":"MIT","copyrightText":"NOASSERTION"}`,
		},
		{
			format: "SPDX 2.3", variant: "tags", count: findings, clean: true,
			before: "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: shop\nDocumentNamespace: https://shop.example/spdx/1\nCreator: Tool: builder-1\nCreated: 2026-01-02T03:04:05Z\n",
			each:   "\nPackageName: lib-#\nSPDXID: SPDXRef-p#\nPackageVersion: 1.0\nPackageDownloadLocation: NOASSERTION\nPackageLicenseConcluded: MIT\n",
		},
		{
			format: "in-toto attestation", count: subjects, comma: true, wrap: envelope, most: 1024,
			before: `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://build.example/t","externalParameters":{"source":"https://git.example/shop"}},"runDetails":{"builder":{"id":"https://build.example"}}},"subject":[`,
			each:   `{"name":"shop-#.tar.gz","digest":{"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}`, after: `]}`,
		},
	}
}

func runs() []form {
	return []form{
		{
			format: "JUnit XML", count: tests, before: `<testsuites><testsuite name="shop">`, after: `</testsuite></testsuites>`,
			each: `<testcase classname="shop.OrdersTest" name="places order #" time="0.012"/>`,
		},
		{
			format: "Cobertura", count: lines, before: `<coverage line-rate="1" branch-rate="1" version="1" timestamp="1"><packages><package name="shop"><classes><class name="Orders" filename="orders.py"><lines>`,
			each: `<line number="1#" hits="3"/>`, after: `</lines></class></classes></package></packages></coverage>`,
		},
		{
			format: "Clover", count: lines, before: `<coverage generated="1700000000"><project timestamp="1700000000"><file name="orders.php">`,
			each: `<line num="1#" type="stmt" count="3"/>`, after: `</file></project></coverage>`,
		},
		{
			format: "JaCoCo", count: lines, before: `<report name="shop"><package name="shop"><sourcefile name="Orders.java">`,
			each: `<line nr="1#" mi="0" ci="4" mb="0" cb="2"/>`, after: `</sourcefile></package></report>`,
		},
		{format: "LCOV", count: lines, before: "TN:\nSF:src/orders.c\n", each: "DA:1#,3\n", after: "end_of_record\n"},
		{format: "Go cover profile", count: lines, before: "mode: atomic\n", each: "example.org/shop/file#.go:5.2,5.30 1 1\n"},
	}
}

func loads() []form {
	return []form{
		{
			format: "JMeter", variant: "CSV", count: requests, before: "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads,Latency\n",
			each: "1700000000000,12,GET /orders,200,OK,Thread Group 1-1,true,771,1,1,3\n",
		},
		{
			format: "JMeter", variant: "XML", count: requests, before: `<testResults version="1.2">`, after: `</testResults>`,
			each: `<httpSample t="12" lt="3" ts="1700000000000" s="true" lb="GET /orders" rc="200" rm="OK" tn="Thread Group 1-1" dt="text" by="771"/>`,
		},
		{
			format: "Gatling", variant: "log", count: requests, before: "RUN\tshop.Simulation\tsimulation\t1700000000000\t \t3.9.5\n",
			each: "REQUEST\tshop\tGET /orders\t1700000000000\t1700000000012\tOK\t \n",
		},
		{
			format: "k6", count: parts, after: `}}`,
			before: `{"root_group":{"name":"","path":"","id":"0","groups":{},"checks":{}},"metrics":{"http_reqs":{"count":200,"rate":20},"http_req_failed":{"passes":0,"fails":200,"value":0},"http_req_duration":{"avg":12.5,"med":10,"p(95)":40}`,
			each:   `,"http_req_duration{name:orders #}":{"avg":12.5,"med":10,"p(95)":40}`,
		},
		{
			format: "Locust", variant: "JSON", count: parts, comma: true, before: `[`, after: `]`, most: 10_000,
			each: `{"name":"/orders/#","method":"GET","last_request_timestamp":1700000010.5,"start_time":1700000000.0,"num_requests":4,"num_none_requests":1,"num_failures":1,"total_response_time":36,"max_response_time":20,"min_response_time":8,"response_times":{"8":2,"20":1},"num_reqs_per_sec":{"1700000000":4},"num_fail_per_sec":{}}`,
		},
		{format: "Go benchmarks", count: parts, most: 10_000, before: "goos: linux\ngoarch: amd64\npkg: example.org/shop\n", each: "BenchmarkOrders/case#-8   \t    1000\t   2000000 ns/op\t  64 B/op\t 2 allocs/op\n", after: "PASS\nok  \texample.org/shop\t3.210s\n"},
	}
}
