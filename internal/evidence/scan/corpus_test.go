package scan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

// corpus is a folder of real reports, kept outside of the repository.
func corpus(t *testing.T, name string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "corpora", "scans", name, "*"))
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

// expected are the counts that the tests of another project expect.
func expected(t *testing.T) map[string]int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(corpus(t, "trivy")[0])), "expected-findings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var counts map[string]int
	if err := json.Unmarshal(b, &counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

// Every real report counts as others expect, or differs as the documentation
// says; and its table is what is read.
func TestScans(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "explanation", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := expected(t)
	rows := regexp.MustCompile(`(?m)^\| (\w+) \| (\d+ of \d+ \| \d+ \| \d+ \| \d+) \|(.*)\|$`).FindAllStringSubmatch(string(doc), -1)
	readers := map[string]reader{
		"trivy": ReadTrivy, "anchore_grype": ReadGrype, "snyk": ReadSnyk, "npm_audit": ReadNPM, "npm_audit_7_plus": ReadNPM, "govulncheck": ReadGovulncheck,
		"gitlab_container_scan": ReadGitLab, "gitlab_dep_scan": ReadGitLab, "gitlab_sast": ReadGitLab, "semgrep": ReadSemgrep, "osv_scanner": ReadOSV,
	}
	if len(rows) != len(readers) {
		t.Fatalf("the documentation lists %d folders", len(rows))
	}
	for _, row := range rows {
		folder, differs := row[1], row[3]
		var sum evidence.Findings
		read, files := 0, corpus(t, folder)
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(file)
			others, known := want[folder+"/"+name]
			c, err := readers[folder](b)
			if err != nil {
				if !strings.Contains(differs, "`"+name+"` is refused") {
					t.Errorf("%s/%s: %v", folder, name, err)
				}
				continue
			}
			read++
			f := c.Findings
			sum.Total, sum.Suppressed, sum.Folded = sum.Total+f.Total, sum.Suppressed+f.Suppressed, sum.Folded+f.Folded
			if documented := strings.Contains(differs, fmt.Sprintf("`%s` %d (%d)", name, f.Total, others)); known && documented == (f.Total == others) {
				t.Errorf("%s/%s: total %d, expected %d, documented: %v", folder, name, f.Total, others, documented)
			}
		}
		if got := fmt.Sprintf("%d of %d | %d | %d | %d", read, len(files), sum.Total, sum.Suppressed, sum.Folded); got != row[2] {
			t.Errorf("%s: %s, documented %s", folder, got, row[2])
		}
	}
}

// Reports of tools that no reader here is for are known by none of the rows.
func TestStrangers(t *testing.T) {
	rows := map[string]func(evidence.Top) bool{
		"trivy": IsTrivy, "grype": IsGrype, "snyk": IsSnyk, "npm": IsNPM, "govulncheck": IsGovulncheck, "gitlab": IsGitLab, "semgrep": IsSemgrep, "osv": IsOSV,
	}
	for _, folder := range []string{"bandit", "checkov", "gitleaks", "sonarqube", "sarif", "openvex"} {
		for _, file := range corpus(t, folder) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			top, err := evidence.TopOf(b)
			if err != nil {
				continue // not JSON
			}
			for name, is := range rows {
				if is(top) {
					t.Errorf("%s is taken for a report of %s", file, name)
				}
			}
		}
	}
}

// A real report that is cut at any of its parts is refused.
func TestScansTruncated(t *testing.T) {
	for _, c := range []struct {
		file string
		read reader
	}{
		{"trivy/license_scheme.json", ReadTrivy},
		{"anchore_grype/many_vulns4.json", ReadGrype},
		{"snyk/single_project_one_vuln.json", ReadSnyk},
		{"npm_audit/one_vuln.json", ReadNPM},
		{"npm_audit_7_plus/issue_10801.json", ReadNPM},
		{"govulncheck/many_vulns_new_version.json", ReadGovulncheck},
		{"gitlab_dep_scan/gl-dependency-scanning-report-1-vuln_v15.json", ReadGitLab},
		{"semgrep/many_findings.json", ReadSemgrep},
		{"osv_scanner/some_findings.json", ReadOSV},
	} {
		folder, name, _ := strings.Cut(c.file, "/")
		for _, file := range corpus(t, folder) {
			if filepath.Base(file) != name {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b = []byte(strings.TrimSpace(string(b)))
			c.read.must(t, string(b))
			for n := 0; n < len(b); n += 37 {
				if got, err := c.read(b[:n]); err == nil {
					t.Errorf("%s cut at %d: read as %s", c.file, n, counts(got))
				}
			}
		}
	}
}
