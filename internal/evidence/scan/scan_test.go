package scan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

type reader func([]byte) (evidence.Claim, error)

func (r reader) must(t testing.TB, report string) evidence.Claim {
	t.Helper()
	c, err := r([]byte(report))
	if err != nil {
		t.Fatalf("%v\n%s", err, report[:min(len(report), 500)])
	}
	return c
}

// counts are total, suppressed and folded.
func counts(c evidence.Claim) string {
	return fmt.Sprint(c.Findings.Total, c.Findings.Suppressed, c.Findings.Folded)
}

// says is what a claim says, a line a finding.
func says(c evidence.Claim) []string {
	lines := []string{fmt.Sprintf("%s of %s %s", counts(c), c.Tool.Name, c.Tool.Version)}
	for _, f := range c.Findings.Items {
		line := fmt.Sprintf("%s by %s: %s in %s@%s (%s) at %s %v: %s", f.Severity, f.Scale, f.Rule, f.Package, f.Version, f.Fixed, f.Location, f.Identifiers, f.Message)
		if f.Suppressed {
			line += " -- " + f.Why
		}
		lines = append(lines, line)
	}
	return lines
}

type severityCase struct {
	name, report string
	want         evidence.Severity
	scale        string
}

// severities checks the first finding's severity, and that it is counted so.
func severities(t *testing.T, read reader, cases []severityCase) {
	t.Helper()
	for _, c := range cases {
		f := read.must(t, c.report).Findings
		if len(f.Items) == 0 {
			t.Errorf("%s: nothing is found", c.name)
			continue
		}
		if got := f.Items[0]; got.Severity != c.want || got.Scale != c.scale {
			t.Errorf("%s: %s by %q, want %s by %q", c.name, got.Severity, got.Scale, c.want, c.scale)
		}
		var want evidence.Severities
		want.Add(c.want, 1)
		if f.BySeverity != want {
			t.Errorf("%s: counted as %+v", c.name, f.BySeverity)
		}
	}
}

type countCase struct{ name, report, want string }

func counted3(t *testing.T, read reader, cases []countCase) {
	t.Helper()
	for _, c := range cases {
		if got := counts(read.must(t, c.report)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

type refusalCase struct{ name, report, says string }

func refused(t *testing.T, read reader, cases []refusalCase) {
	t.Helper()
	for _, c := range cases {
		got, err := read([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %s", c.name, counts(got))
			continue
		}
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v: %v", c.name, k, err)
		}
	}
}

func equal(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// samples are small reports of each format, with what its rows know.
var samples = []struct {
	name   string
	is     func(evidence.Top) bool
	read   reader
	report string
	counts string
	cuts   []string // after these the report may end
}{
	{"trivy", IsTrivy, ReadTrivy, trivySample, "5 4 1", nil},
	{"trivy cluster", IsTrivy, ReadTrivy, trivyCluster, "2 0 0", nil},
	{"trivy before 0.20", IsTrivy, ReadTrivy, trivyArray, "2 0 0", nil},
	{"grype", IsGrype, ReadGrype, grypeSample, "2 2 1", nil},
	{"snyk", IsSnyk, ReadSnyk, snykSample, "2 1 1", nil},
	{"snyk projects", IsSnyk, ReadSnyk, "[" + snykSample + "," + snykClean + "]", "2 1 1", nil},
	{"npm 6", IsNPM, ReadNPM, npmOldSample, "3 0 1", nil},
	{"npm 7", IsNPM, ReadNPM, npmSample, "3 0 0", nil},
	{"govulncheck", IsGovulncheck, ReadGovulncheck, govulnSample, "2 0 0", []string{govulnSample[:len(govulnSample)-len(govulnLast)], govulnSample}},
	{"govulncheck array", IsGovulncheck, ReadGovulncheck, "[" + strings.ReplaceAll(strings.TrimSpace(govulnSample), "}\n", "},\n") + "]", "2 0 0", nil},
	{"govulncheck before 0.2", IsGovulncheck, ReadGovulncheck, govulnObject, "2 0 0", nil},
	{"gitlab", IsGitLab, ReadGitLab, gitlabSample, "3 0 1", nil},
	{"semgrep", IsSemgrep, ReadSemgrep, semgrepSample, "2 1 1", nil},
	{"osv-scanner", IsOSV, ReadOSV, osvSample, "3 0 0", nil},
}

// Each sample is known by its own row, and counts as it should.
func TestSamples(t *testing.T) {
	for _, s := range samples {
		if got := counts(s.read.must(t, s.report)); got != s.counts {
			t.Errorf("%s: %s, want %s", s.name, got, s.counts)
		}
		top, err := evidence.TopOf([]byte(s.report))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range samples {
			base, _, _ := strings.Cut(s.name, " ")
			if known := strings.HasPrefix(other.name, base); other.is(top) != known {
				t.Errorf("%s is known by the row of %s: %v", s.name, other.name, !known)
			}
		}
	}
}

// However a report is cut short, it is refused.
func TestTruncated(t *testing.T) {
	for _, s := range samples {
		for n := range len(s.report) {
			c, err := s.read([]byte(s.report[:n]))
			if err != nil {
				continue
			}
			whole := false
			for _, cut := range s.cuts {
				whole = whole || strings.TrimSpace(s.report[:n]) == strings.TrimSpace(cut)
			}
			if !whole {
				t.Errorf("%s cut at %d: read as %s", s.name, n, counts(c))
			}
		}
	}
}

func coherent(t *testing.T, read reader, b []byte) {
	t.Helper()
	c, err := read(b)
	if err != nil {
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
			t.Errorf("%v: %v", k, err)
		}
		if c.Findings != nil {
			t.Errorf("a claim beside an error: %+v", c)
		}
		return
	}
	f := c.Findings
	if f == nil || c.Kind != evidence.FindingsKind {
		t.Fatalf("a claim that says nothing: %+v", c)
	}
	s := f.BySeverity
	if f.Total != s.Critical+s.High+s.Medium+s.Low+s.Info+s.Unrated || f.Total+f.Suppressed != len(f.Items)+f.Omitted || min(f.Total, f.Suppressed, f.Folded, s.Critical, s.High, s.Medium, s.Low, s.Info, s.Unrated) < 0 {
		t.Errorf("the counts contradict each other: %+v", f)
	}
	for _, i := range f.Items {
		if i.Suppressed != (i.Why != "") {
			t.Errorf("suppressed without a reason, or standing with one: %+v", i)
		}
	}
}

// Damage is refused, or leaves a claim that holds together.
func TestDamaged(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range samples {
		for range 3000 {
			b := []byte(s.report)
			for range 1 + random.IntN(3) {
				b[random.IntN(len(b))] = byte(random.IntN(256))
			}
			coherent(t, s.read, b)
		}
	}
}

// Where a member is null, empty or of another type, the report is refused, or the
// claim holds together.
func TestMutilated(t *testing.T) {
	for _, s := range samples {
		if strings.Contains(s.name, "govulncheck") {
			continue // what it lists are single messages: see TestGovulncheckRefused
		}
		for _, value := range []string{"null", "0", `"x"`, "[]", "{}", "true", `[{}]`, `[null]`} {
			for _, at := range members(s.report) {
				b := []byte(s.report[:at.start] + value + s.report[at.end:])
				coherent(t, s.read, b)
			}
		}
	}
}

// members are where the values of members stand in a report.
func members(report string) (all []struct{ start, end int }) {
	for i := range report {
		if report[i] != ':' || i == 0 || report[i-1] != '"' {
			continue
		}
		start := i + 1
		end, depth, quoted := start, 0, false
	value:
		for ; end < len(report); end++ {
			switch c := report[end]; {
			case quoted && c == '\\':
				end++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth < 0 {
					break value
				}
			case c == ',' && depth == 0:
				break value
			}
		}
		all = append(all, struct{ start, end int }{start, end})
	}
	return all
}

// A list under a name that differs in case alone is not passed over.
func TestCaseOfNames(t *testing.T) {
	for _, c := range []struct {
		read     reader
		report   string
		from, to string
	}{
		{ReadTrivy, trivySample, `"Vulnerabilities"`, `"vulnerabilities"`},
		{ReadTrivy, trivySample, `"Results"`, `"results"`},
		{ReadTrivy, trivySample, `"SchemaVersion"`, `"schemaVersion"`},
		{ReadGrype, grypeSample, `"matches"`, `"Matches"`},
		{ReadSnyk, snykSample, `"vulnerabilities"`, `"Vulnerabilities"`},
		{ReadNPM, npmSample, `"vulnerabilities":{"lodash`, `"Vulnerabilities":{"lodash`},
		{ReadNPM, npmOldSample, `"advisories"`, `"Advisories"`},
		{ReadGovulncheck, govulnSample, `"finding"`, `"Finding"`},
		{ReadGovulncheck, govulnObject, `"Vulns"`, `"vulns"`},
		{ReadGitLab, gitlabSample, `"vulnerabilities"`, `"Vulnerabilities"`},
		{ReadSemgrep, semgrepSample, `"results"`, `"Results"`},
		{ReadSemgrep, semgrepSample, `"errors"`, `"Errors"`},
		{ReadOSV, osvSample, `"packages"`, `"Packages"`},
		{ReadOSV, osvSample, `"vulnerabilities"`, `"Vulnerabilities"`},
		{ReadOSV, osvSample, `"groups"`, `"Groups"`},
	} {
		changed := strings.Replace(c.report, c.from, c.to, 1)
		if changed == c.report {
			t.Fatalf("%s does not stand in the sample", c.from)
		}
		if got, err := c.read([]byte(changed)); err == nil {
			t.Errorf("%s: read as %s", c.to, counts(got))
		}
	}
}

// A refusal says where, and a wrong type is one.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		read           reader
		report         string
		pointer, place string
	}{
		{read: ReadTrivy, report: "{\"SchemaVersion\":2,\"Results\":[\n{\"Target\":\"a\",\"Class\":\"os-pkgs\",\"Vulnerabilities\":[\n{\"Severity\":1}]}]}", pointer: "/Results/0/Vulnerabilities/0/Severity", place: "3:13"},
		{read: ReadTrivy, report: "{\"SchemaVersion\":2,\"Results\":[{\"Target\":\"a\",\"Class\":\"os-pkgs\"},\n{}]}", pointer: "/Results/1", place: "2:1"},
		{read: ReadGrype, report: "{\"matches\":[\n{\"vulnerability\":{\"id\":[]}}]}", pointer: "/matches/0/vulnerability/id", place: "2:24"},
		{read: ReadSnyk, report: "[{\"ok\":true,\"vulnerabilities\":[]},\n{\"ok\":false,\"error\":\"x\"}]", pointer: "/1", place: "2:1"},
		{read: ReadNPM, report: "{\"auditReportVersion\":2,\"vulnerabilities\":{\n\"a\":{\"via\":\"b\"}}}", pointer: "/vulnerabilities/a/via", place: "2:12"},
		{read: ReadGovulncheck, report: "{\"config\":{\"protocol_version\":\"v1.0.0\"}}\n{\"finding\":{\"osv\":1}}", pointer: "/finding/osv", place: "2:19"},
		{read: ReadGitLab, report: "{\"version\":\"15.0.0\",\n\"vulnerabilities\":[{\"severity\":1}]}", pointer: "/vulnerabilities/0/severity", place: "2:32"},
		{read: ReadSemgrep, report: "{\"errors\":[],\"results\":[\n{\"path\":\"a\",\"check_id\":\"b\",\"start\":1}]}", pointer: "/results/0/start", place: "2:36"},
		{read: ReadOSV, report: "{\"results\":[{\"source\":{\"path\":\"a\"},\"packages\":[\n{\"package\":\"b\"}]}]}", pointer: "/results/0/packages/0/package", place: "2:12"},
	} {
		_, err := c.read([]byte(c.report))
		f, ok := err.(*fault.Error)
		if !ok || f.Field != c.pointer || f.Where.String() != c.place {
			t.Errorf("%s: %v", c.report, err)
			if ok {
				t.Errorf("at %q %s, want %q %s", f.Field, f.Where, c.pointer, c.place)
			}
		}
	}
}

// Members that nobody here knows change nothing.
func TestMoreMembers(t *testing.T) {
	for _, s := range samples {
		more := strings.ReplaceAll(s.report, `:{"`, `:{"x_more":[{"y":1}],"`)
		if strings.Contains(s.name, "npm") || more == s.report {
			continue // its packages are members
		}
		if got := counts(s.read.must(t, more)); got != s.counts {
			t.Errorf("%s: %s, want %s", s.name, got, s.counts)
		}
	}
}

func fuzz(f *testing.F, read reader, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { coherent(t, read, b) })
}

func FuzzTrivy(f *testing.F)       { fuzz(f, ReadTrivy, trivySample, trivyCluster, trivyArray) }
func FuzzGrype(f *testing.F)       { fuzz(f, ReadGrype, grypeSample) }
func FuzzSnyk(f *testing.F)        { fuzz(f, ReadSnyk, snykSample, "["+snykClean+"]") }
func FuzzNPM(f *testing.F)         { fuzz(f, ReadNPM, npmSample, npmOldSample) }
func FuzzGovulncheck(f *testing.F) { fuzz(f, ReadGovulncheck, govulnSample, govulnObject) }
func FuzzGitLab(f *testing.F)      { fuzz(f, ReadGitLab, gitlabSample) }
func FuzzSemgrep(f *testing.F)     { fuzz(f, ReadSemgrep, semgrepSample) }
func FuzzOSV(f *testing.F)         { fuzz(f, ReadOSV, osvSample) }
