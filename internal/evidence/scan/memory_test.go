package scan

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// grown is a report of about size bytes: each is repeated with its number.
func grown(size int, before, each, after string) string {
	var b strings.Builder
	b.Grow(size + len(after) + 4096)
	b.WriteString(before)
	for i := 0; b.Len() < size; i++ {
		if i > 0 && after != "" {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(each, "#", fmt.Sprint(i)))
	}
	b.WriteString(after)
	return b.String()
}

// A large report, honest or hostile, costs a bounded amount of memory beside its own.
func TestMemory(t *testing.T) {
	const size = 16 << 20
	text := strings.Repeat("d", 500)
	for _, c := range []struct {
		name                string
		read                reader
		before, each, after string
	}{
		{"trivy", ReadTrivy, `{"SchemaVersion":2,"Results":[{"Target":"a","Class":"b","Vulnerabilities":[`, `{"VulnerabilityID":"CVE-#","PkgName":"p#","Severity":"HIGH","Description":"` + text + `"}`, `]}]}`},
		{"trivy, many results", ReadTrivy, `{"SchemaVersion":2,"Results":[`, `{"Target":"#","Class":"` + text + `"}`, `]}`},
		{"trivy, one text", ReadTrivy, `{"SchemaVersion":2,"Results":[{"Target":"a","Class":"b","Vulnerabilities":[{"Title":"` + strings.Repeat("x", size) + `"`, "", `}]}]}`},
		{"grype", ReadGrype, `{"matches":[`, `{"vulnerability":{"id":"CVE-#","description":"` + text + `"},"artifact":{"name":"p","locations":[{"path":"#"}]}}`, `]}`},
		{"grype, places", ReadGrype, `{"matches":[{"vulnerability":{"id":"a"},"artifact":{"locations":[`, `{"path":"` + text + `#"}`, `]}}]}`},
		{"snyk", ReadSnyk, `{"ok":false,"vulnerabilities":[`, `{"id":"S-#","description":"` + text + `","from":["a"]}`, `]}`},
		{"npm 7", ReadNPM, `{"auditReportVersion":2,"vulnerabilities":{`, `"p#":{"via":[{"title":"` + text + `"}]}`, `}}`},
		{"npm 6, places", ReadNPM, `{"advisories":{"1":{"findings":[`, `{"version":"#","paths":["` + text + `"]}`, `]}}}`},
		{"govulncheck", ReadGovulncheck, `{"config":{"protocol_version":"v1.0.0"}}`, `{"osv":{"id":"G-#","details":"` + text + text + `"}}{"finding":{"osv":"G-#"}}`, ``},
		{"govulncheck, entries", ReadGovulncheck, `{"config":{"protocol_version":"v1.0.0"}}`, `{"osv":{"id":"G-#"}}`, ``},
		{"gitlab", ReadGitLab, `{"version":"15.0.0","vulnerabilities":[`, `{"name":"#","description":"` + text + `"}`, `]}`},
		{"semgrep", ReadSemgrep, `{"errors":[],"results":[`, `{"check_id":"#","path":"a","extra":{"lines":"` + text + `"}}`, `]}`},
		{"semgrep, errors", ReadSemgrep, `{"results":[],"errors":[`, `{"level":"warn","message":"` + text + `"}`, `]}`},
		{"osv", ReadOSV, `{"results":[{"source":{"path":"a"},"packages":[`, `{"package":{"name":"p#"},"vulnerabilities":[{"id":"A-#","details":"` + text + `"}]}`, `]}]}`},
		{"osv, one package", ReadOSV, `{"results":[{"source":{"path":"a"},"packages":[{"package":{"name":"p"},"vulnerabilities":[`, `{"id":"A-#","aliases":["` + text + `","b#"],"severity":[{"score":"x"}]}`, `]}]}]}`},
		{"osv, analyses", ReadOSV, `{"results":[{"source":{"path":"a"},"packages":[{"package":{"name":"p"},"groups":[`, `{"ids":["A-#"],"experimentalAnalysis":{"` + text + `":{"called":false}}}`, `]}]}]}`},
	} {
		b := []byte(grown(size, c.before, c.each, c.after))
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		peak, stop := make(chan uint64), make(chan struct{})
		go func() { peak <- watchHeap(stop) }()
		_, err := c.read(b)
		close(stop)
		used := int64(<-peak) - int64(before.HeapAlloc)
		t.Logf("%s: %d MiB, %v", c.name, used>>20, err)
		if used > 4*size {
			t.Errorf("%s: %d MiB", c.name, used>>20)
		}
		runtime.KeepAlive(b)
	}
}

func watchHeap(stop chan struct{}) uint64 {
	var m runtime.MemStats
	var peak uint64
	for {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		select {
		case <-stop:
			return peak
		case <-time.After(time.Millisecond):
		}
	}
}

func bench(b *testing.B, read reader, before, each, after string) {
	report := []byte(grown(4<<20, before, each, after))
	b.SetBytes(int64(len(report)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(report); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrivy(b *testing.B) {
	bench(b, ReadTrivy, `{"SchemaVersion":2,"Results":[{"Target":"a","Class":"b","Vulnerabilities":[`, `{"VulnerabilityID":"CVE-2026-#","PkgName":"p","InstalledVersion":"1","Title":"title","Description":"`+strings.Repeat("d ", 300)+`","Severity":"HIGH","CweIDs":["CWE-79"],"References":["https://example.org/a","https://example.org/b"]}`, `]}]}`)
}

func BenchmarkGrype(b *testing.B) { bench(b, ReadGrype, `{"matches":[`, grypeMatch1, `]}`) }

func BenchmarkSnyk(b *testing.B) {
	bench(b, ReadSnyk, `{"ok":false,"vulnerabilities":[`, snykIssue1, `]}`)
}

func BenchmarkNPM(b *testing.B) {
	bench(b, ReadNPM, `{"auditReportVersion":2,"vulnerabilities":{`, `"p#":{"name":"p#","severity":"high","via":[{"source":1,"title":"Pollution","url":"https://github.com/advisories/GHSA-2222-3333-4444","cwe":["CWE-1321"],"cvss":{"score":9.1,"vectorString":"x"}}],"nodes":["node_modules/p#"],"fixAvailable":true}`, `}}`)
}

func BenchmarkGovulncheck(b *testing.B) {
	bench(b, ReadGovulncheck, govulnConfig1, `{"osv":{"id":"GO-#","summary":"a","details":"`+strings.Repeat("d ", 500)+`"}}{"finding":{"osv":"GO-#","trace":[{"module":"m","version":"v1"}]}}`, ``)
}

func BenchmarkGitLab(b *testing.B) {
	bench(b, ReadGitLab, `{"version":"15.0.0","vulnerabilities":[`, gitlabOne, `]}`)
}

func BenchmarkSemgrep(b *testing.B) {
	bench(b, ReadSemgrep, `{"errors":[],"results":[`, semgrepOne, `]}`)
}

func BenchmarkOSV(b *testing.B) {
	bench(b, ReadOSV, `{"results":[{"source":{"path":"a"},"packages":[`, `{"package":{"name":"p#","version":"1"},"vulnerabilities":[{"id":"A-#","summary":"s","details":"`+strings.Repeat("d ", 300)+`","database_specific":{"severity":"HIGH","cwe_ids":["CWE-79"]}}],"groups":[{"ids":["A-#"],"max_severity":"7.5"}]}`, `]}]}`)
}
