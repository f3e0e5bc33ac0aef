package coverage

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// readAny is what report does, for the formats of this room alone.
func readAny(b []byte) (evidence.Claim, error) {
	first := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(first) > 0 && first[0] == '<':
		return evidence.ReadXML(b, func(root xml.StartElement, doctype string) (evidence.XMLReader, error) {
			switch {
			case IsCobertura(root):
				return NewCobertura(doctype), nil
			case IsClover(root):
				return NewClover(), nil
			case IsJaCoCo(root):
				return NewJaCoCo(doctype), nil
			}
			return nil, fault.Invalidf("test", "no row knows it")
		})
	case IsLCOV(first):
		return ReadLCOV(b)
	case IsGoCover(first):
		return ReadGoCover(b)
	}
	return evidence.Claim{}, fault.Invalidf("test", "no row knows it")
}

// says is a claim in one line: lines, rate and branch rate, and how many notes.
func says(c evidence.Claim) string {
	branch := "-"
	if r := c.Coverage.BranchRate; r != nil {
		branch = fmt.Sprintf("%.4g", *r)
	}
	return fmt.Sprintf("%d/%d %.4g %s %d", c.Coverage.LinesCovered, c.Coverage.LinesValid, c.Coverage.LineRate, branch, len(c.Notes))
}

type reading struct{ name, report, want string }

func reads(t *testing.T, format string, cases []reading) {
	t.Helper()
	for _, c := range cases {
		got, err := readAny([]byte(c.report))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if says(got) != c.want || got.Format != format || got.Kind != evidence.CoverageKind {
			t.Errorf("%s: %s %s, want %s; notes %q", c.name, got.Format, says(got), c.want, got.Notes)
		}
	}
}

func refuses(t *testing.T, cases []reading) {
	t.Helper()
	for _, c := range cases {
		got, err := readAny([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %s", c.name, says(got))
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge || !strings.Contains(err.Error(), c.want) || got.Coverage != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// cut refuses every report that is cut short, but where whole says otherwise.
func cut(t *testing.T, report string, whole func(rest string) bool) {
	t.Helper()
	if _, err := readAny([]byte(report)); err != nil {
		t.Fatal(err)
	}
	for n := range len(report) {
		if c, err := readAny([]byte(report[:n])); err == nil && !whole(report[n:]) {
			t.Errorf("cut at %d (%q): read as %s", n, report[max(n-20, 0):n], says(c))
		}
	}
}

func never(string) bool { return false }

func jacocoOf(root, lines string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="a"><sessioninfo id="x" start="1700000000000" dump="1700000001000"/>` +
		`<group name="g"><package name="p"><class name="p/A"><method name="m"><counter type="LINE" missed="9" covered="9"/></method><counter type="LINE" missed="9" covered="9"/></class>` +
		`<sourcefile name="A.java">` + lines + `<counter type="LINE" missed="9" covered="9"/></sourcefile><counter type="LINE" missed="9" covered="9"/></package></group>` + root + `</report>`
}

func TestJaCoCo(t *testing.T) {
	line := `<line nr="1" mi="0" ci="3" mb="1" cb="1"/><line nr="2" mi="2" ci="1" mb="0" cb="0"/><line nr="3" mi="2" ci="0" mb="2" cb="0"/>`
	total := `<counter type="INSTRUCTION" missed="4" covered="4"/><counter type="BRANCH" missed="3" covered="1"/><counter type="LINE" missed="1" covered="2"/>`
	reads(t, JaCoCo, []reading{
		{"totals", jacocoOf(total, line), "2/3 0.6667 0.25 0"},
		{"totals without lines", jacocoOf(total, ""), "2/3 0.6667 0.25 0"},
		{"totals that differ", jacocoOf(`<counter type="LINE" missed="10" covered="30"/>`, line), "30/40 0.75 - 1"},
		{"no branches", jacocoOf(`<counter type="LINE" missed="1" covered="2"/>`, ""), "2/3 0.6667 - 0"},
		{"no totals", jacocoOf("", line), "2/3 0.6667 0.25 1"},
		{"nothing covered", jacocoOf(`<counter type="LINE" missed="3" covered="0"/>`, ""), "0/3 0 - 0"},
		{"lines without branches", jacocoOf("", `<line nr="1" mi="0" ci="3"/>`), "1/1 1 - 1"},
	})
	c, err := readAny([]byte(jacocoOf(total, line)))
	if err != nil || c.Version != "1.1" || !c.Generated.Equal(time.UnixMilli(1700000001000)) || c.Tool.Name != "JaCoCo" {
		t.Errorf("%+v, %v", c, err)
	}
	refuses(t, []reading{
		{"no line", jacocoOf("", ""), "no line"},
		{"zero lines", jacocoOf(`<counter type="LINE" missed="0" covered="0"/>`, ""), "no line"},
		{"instructions alone", jacocoOf(`<counter type="INSTRUCTION" missed="4" covered="4"/>`, ""), "debug information"},
		{"a counter twice", jacocoOf(total+total, line), "two counters"},
		{"a count in words", jacocoOf(`<counter type="LINE" missed="x" covered="2"/>`, ""), "not a count"},
		{"a negative count", jacocoOf(`<counter type="LINE" missed="-1" covered="2"/>`, ""), "not a count"},
		{"no count", jacocoOf(`<counter type="LINE" missed="1"/>`, ""), "not a count"},
		{"a line without instructions", jacocoOf("", `<line nr="1"/>`), "not a count"},
		{"another element", jacocoOf(`<results/>`, ""), `"results"`},
		{"another report", `<report id="1" format_id="x"><results/></report>`, "no row"},
		{"another report with a name", `<report name="a"><test/></report>`, `"test"`},
	})
	cut(t, jacocoOf(total, line), never)
}

func cloverOf(root, metrics, lines string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><coverage ` + root + `><project timestamp="1700000000" name="All files">` + metrics +
		`<package name="p"><metrics statements="99" coveredstatements="99"/><file name="a" path="b"><metrics statements="99" coveredstatements="99"/>` + lines + `</file></package></project></coverage>`
}

func TestClover(t *testing.T) {
	lines := `<line num="1" type="method" count="1"/><line num="2" type="stmt" count="3"/><line num="3" type="stmt" count="0"/><line num="4" type="cond" truecount="2" falsecount="0"/>`
	metrics := func(s, cs, c, cc int) string {
		return fmt.Sprintf(`<metrics statements="%d" coveredstatements="%d" conditionals="%d" coveredconditionals="%d" methods="1" coveredmethods="1" elements="9" coveredelements="9"/>`, s, cs, c, cc)
	}
	const atlassian, phpunit, istanbul = `generated="1700000000000" clover="4.4.1"`, `generated="1700000000"`, `generated="1700000000000" clover="3.2.0"`
	reads(t, Clover, []reading{
		{"Atlassian", cloverOf(atlassian, metrics(2, 1, 2, 1), lines), "1/2 0.5 0.5 0"},
		{"PHPUnit", cloverOf(phpunit, metrics(2, 1, 0, 0), `<line num="1" type="method" name="m" crap="1" count="1"/><line num="2" type="stmt" count="1"/><line num="3" type="stmt" count="0"/>`), "1/2 0.5 - 0"},
		{"Istanbul counts lines that branch too", cloverOf(istanbul, metrics(3, 2, 2, 1), lines), "2/3 0.6667 0.5 0"},
		{"totals that differ", cloverOf(istanbul, metrics(100, 90, 0, 0), lines), "90/100 0.9 - 1"},
		{"no totals", cloverOf(istanbul, "", lines), "2/3 0.6667 0.5 1"},
		{"no conditionals", cloverOf(phpunit, `<metrics statements="4" coveredstatements="3"/>`, ""), "3/4 0.75 - 0"},
		{"the tests' own project", strings.Replace(cloverOf(atlassian, metrics(2, 1, 2, 1), lines), "</coverage>", `<testproject><metrics statements="50" coveredstatements="50"/><package><file><line num="1" type="stmt" count="1"/></file></package></testproject></coverage>`, 1), "1/2 0.5 0.5 0"},
	})
	c, err := readAny([]byte(cloverOf(atlassian, metrics(2, 1, 2, 1), lines)))
	if err != nil || c.Tool.Version != "4.4.1" || !c.Generated.Equal(time.UnixMilli(1700000000000)) {
		t.Errorf("%+v, %v", c, err)
	}
	refuses(t, []reading{
		{"nothing", `<coverage generated="1"/>`, "no line"},
		{"zero statements", cloverOf(phpunit, metrics(0, 0, 0, 0), ""), "no line"},
		{"more than all", cloverOf(phpunit, metrics(2, 3, 0, 0), ""), "more cannot be covered"},
		{"more branches than all", cloverOf(phpunit, metrics(2, 1, 2, 3), ""), "more cannot be covered"},
		{"half a total", cloverOf(phpunit, `<metrics statements="4"/>`, ""), "not a count"},
		{"a count in words", cloverOf(phpunit, `<metrics statements="x" coveredstatements="1"/>`, ""), "not a count"},
		{"hits in words", cloverOf(phpunit, "", `<line num="1" type="stmt" count="x"/>`), "not a count"},
		{"another type of line", cloverOf(phpunit, "", `<line num="1" type="x" count="1"/>`), `"x"`},
		{"two projects", `<coverage generated="1"><project/><project/></coverage>`, "two projects"},
		{"metrics twice", cloverOf(phpunit, metrics(2, 1, 0, 0)+metrics(2, 1, 0, 0), ""), "twice"},
	})
	cut(t, cloverOf(atlassian, metrics(2, 1, 2, 1), lines), never)
}

func TestLCOV(t *testing.T) {
	record := func(file, lines string) string { return "SF:" + file + "\n" + lines + "end_of_record\n" }
	reads(t, LCOV, []reading{
		{"totals", "TN:\n" + record("a.c", "FN:1,f\nFNDA:1,f\nFNF:1\nFNH:1\nDA:1,3\nDA:2,0\nLF:2\nLH:1\nBRDA:1,0,0,1\nBRDA:1,0,1,-\nBRF:2\nBRH:1\n"), "1/2 0.5 0.5 0"},
		{"no totals", record("a.c", "DA:1,3\nDA:2,0\nBRDA:1,0,0,1\nBRDA:1,0,1,0\nBRDA:1,0,2,-\n"), "1/2 0.5 0.3333 0"},
		{"totals alone", record("a.c", "LF:10\nLH:9\nBRF:0\nBRH:0\n"), "9/10 0.9 - 0"},
		{"totals that differ", record("a.c", "DA:1,3\nLF:10\nLH:9\n"), "9/10 0.9 - 1"},
		{"several files", "TN:x\n" + record("a.c", "DA:1,3\n") + "TN:x\n" + record("b.c", "DA:1,0\n"), "1/2 0.5 - 0"},
		{"one file in two records", record("a.c", "DA:1,1\nDA:2,0\nDA:3,0\nLF:3\nLH:1\nBRDA:1,0,0,1\nBRDA:1,0,1,0\n") + record("a.c", "DA:2,5\nDA:3,0\nDA:4,1\nLF:3\nLH:2\nBRDA:1,0,1,4\n"), "3/4 0.75 1 1"},
		{"a line twice in one record", record("a.c", "DA:1,0\nDA:1,2\n"), "1/1 1 - 0"},
		{"checksums", record("a.c", "DA:1,3,abcDEF==\n"), "1/1 1 - 0"},
		{"LCOV 2", record("a.c", "VER:2\nFNL:0,1,2\nFNA:0,1,f\nBRDA:1,e0,x == 1, 2,1\nBRDA:1,e0,else,0\nMCDC:1,1,t,1,0,x\nMRF:1\nMRH:0\nDA:1,1\n"), "1/1 1 0.5 0"},
		{"comments and blank lines", "# a\n\nTN:\n" + record("a.c", "# b\n\nDA:1,1\n"), "1/1 1 - 0"},
		{"carriage returns", strings.ReplaceAll(record("a.c", "DA:1,1\n"), "\n", "\r\n"), "1/1 1 - 0"},
		{"a key that is not known", record("a.c", "DA:1,1\nXYZ:1\n"), "1/1 1 - 1"},
		{"hits beyond 64 bits", record("a.c", "DA:1,99999999999999999999999\n"), "1/1 1 - 0"},
		{"a file without lines beside others", record("a.c", "DA:1,1\n") + record("b.c", "LF:0\nLH:0\n"), "1/1 1 - 0"},
		{"no newline at the end", strings.TrimSuffix(record("a.c", "DA:1,1\n"), "\n"), "1/1 1 - 0"},
	})
	refuses(t, []reading{
		{"no line", record("a.c", ""), "no line"},
		{"no end", "SF:a.c\nDA:1,1\n", "does not end"},
		{"a record in another", "SF:a.c\nSF:b.c\nend_of_record\n", "within another"},
		{"an end without a beginning", record("a.c", "DA:1,1\n") + "end_of_record\n", "did not begin"},
		{"a line outside", record("a.c", "DA:1,1\n") + "DA:1,1\n", "outside"},
		{"hits in words", record("a.c", "DA:1,x\n"), "DA"},
		{"negative hits", record("a.c", "DA:1,-1\n"), "DA"},
		{"no hits", record("a.c", "DA:1\n"), "DA"},
		{"a branch too short", record("a.c", "BRDA:1,0,1\n"), "BRDA"},
		{"a branch in words", record("a.c", "BRDA:1,0,0,x\n"), "not a count"},
		{"more than all", record("a.c", "LF:1\nLH:2\n"), "more cannot be covered"},
		{"a total twice", record("a.c", "LF:1\nLF:1\nLH:1\n"), "twice"},
		{"a total in words", record("a.c", "LF:x\nLH:1\n"), "not a count"},
		{"one file in two records without lines", record("a.c", "LF:3\nLH:1\n") + record("a.c", "DA:1,1\n"), "several records"},
		{"prose", record("a.c", "all is well\n"), "no record"},
		{"a key in lower case", record("a.c", "da:1,1\n"), "no record"},
		{"many lines", record("a.c", strings.Repeat("DA:1,1\n", maxFileLines+1)), "more than"},
	})
	if _, err := readAny([]byte("TN:\nSF:a.c\nDA:1,x\nend_of_record\n")); err == nil || !strings.HasPrefix(err.Error(), "3:1") {
		t.Errorf("the place is missing: %v", err)
	}
	cut(t, "TN:\n"+record("a.c", "DA:1,3\nLF:1\nLH:1\n")+record("b.c", "DA:1,0\n"), func(rest string) bool {
		return rest == "\n" || strings.HasPrefix(rest, "SF:b") || strings.HasPrefix(rest, "\nSF:b")
	})
}

func TestGoCover(t *testing.T) {
	reads(t, GoCover, []reading{
		{"set", "mode: set\na/b.go:1.2,3.4 2 1\na/b.go:5.2,6.4 3 0\n", "2/5 0.4 - 1"},
		{"count", "mode: count\na/b.go:1.2,3.4 2 7\n", "2/2 1 - 1"},
		{"atomic", "mode: atomic\na/b.go:1.2,3.4 2 0\n", "0/2 0 - 1"},
		{"blocks that stand twice", "mode: atomic\na.go:1.2,3.4 2 0\nb.go:1.2,3.4 1 0\na.go:1.2,3.4 2 4\n", "2/3 0.6667 - 1"},
		{"a colon in the name", "mode: set\nC:\\a.go:1.2,3.4 2 1\n", "2/2 1 - 1"},
		{"blocks of no statement", "mode: set\na.go:1.2,3.4 0 1\na.go:4.2,5.4 1 0\n", "0/1 0 - 1"},
		{"carriage returns", "mode: set\r\na.go:1.2,3.4 2 1\r\n", "2/2 1 - 1"},
	})
	refuses(t, []reading{
		{"the mode alone", "mode: set\n", "no line"},
		{"the mode without its newline", "mode: set", "does not end"},
		{"no statement", "mode: set\na.go:1.2,3.4 0 1\n", "no line"},
		{"another mode", "mode: some\na.go:1.2,3.4 1 1\n", "no row"},
		{"a mode in the midst", "mode: set\na.go:1.2,3.4 1 1\nmode: set\n", "no block"},
		{"other statements at one place", "mode: set\na.go:1.2,3.4 1 1\na.go:1.2,3.4 2 1\n", "statements here"},
		{"no place", "mode: set\na.go 1 1\n", "no block"},
		{"a place too short", "mode: set\na.go:1.2,3 1 1\n", "no block"},
		{"a negative count", "mode: set\na.go:1.2,3.4 1 -1\n", "no block"},
		{"a word too many", "mode: set\na.go:1.2,3.4 1 1 1\n", "no block"},
		{"no file", "mode: set\n:1.2,3.4 1 1\n", "no block"},
	})
	cut(t, "mode: set\na.go:1.2,3.4 1 1\nb.go:1.2,3.4 1 10\n", func(rest string) bool { return strings.HasPrefix(rest, "b.go") })
}

// The totals are those of the Go tool, on a profile that it wrote itself.
func TestGoCoverAsTheToolCounts(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}
	profile := filepath.Join(t.TempDir(), "c.out")
	for mode, pkgs := range map[string]string{"set": "./../../fault", "count": "./../../fault,./../../strict"} {
		cmd := exec.Command(tool, "test", "-count=1", "-covermode="+mode, "-coverpkg="+pkgs, "-coverprofile="+profile, "./../../fault", "./../../strict")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.Command(tool, "tool", "cover", "-func="+profile).Output()
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`total:\s+\(statements\)\s+([\d.]+)%`).FindSubmatch(out)
		b, err := os.ReadFile(profile)
		if err != nil || m == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		c, err := readAny(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.1f", c.Coverage.LineRate*100); got != string(m[1]) {
			t.Errorf("%s: %s %%, the tool says %s %%", mode, got, m[1])
		}
	}
}

// Tracefiles are drawn together with what they must come to.
func TestLCOVModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		lines := map[string]bool{}
		for range rapid.IntRange(1, 5).Draw(t, "records") {
			file := rapid.SampledFrom([]string{"a.c", "b.c"}).Draw(t, "file")
			fmt.Fprintf(&b, "TN:\nSF:%s\n", file)
			for range rapid.IntRange(1, 8).Draw(t, "lines") {
				n, hits := rapid.IntRange(1, 6).Draw(t, "line"), rapid.IntRange(0, 2).Draw(t, "hits")
				fmt.Fprintf(&b, "DA:%d,%d\n", n, hits)
				key := fmt.Sprint(file, n)
				lines[key] = lines[key] || hits > 0
			}
			b.WriteString("end_of_record\n")
		}
		covered := 0
		for _, hit := range lines {
			if hit {
				covered++
			}
		}
		c, err := readAny([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		if c.Coverage.LinesCovered != covered || c.Coverage.LinesValid != len(lines) {
			t.Errorf("%s, want %d/%d\n%s", says(c), covered, len(lines), b.String())
		}
	})
}

func holds(t *testing.T, b []byte) {
	c, err := readAny(b)
	if err != nil {
		return
	}
	v := c.Coverage
	if !(v.LineRate >= 0 && v.LineRate <= 1) || v.LinesCovered < 0 || v.LinesValid <= 0 || v.LinesCovered > v.LinesValid || v.BranchRate != nil && !(*v.BranchRate >= 0 && *v.BranchRate <= 1) {
		t.Errorf("%+v", v)
	}
}

func FuzzJaCoCo(f *testing.F) {
	f.Add([]byte(jacocoOf(`<counter type="LINE" missed="1" covered="2"/>`, `<line nr="1" mi="0" ci="3" mb="1" cb="1"/>`)))
	f.Fuzz(holds)
}

func FuzzClover(f *testing.F) {
	f.Add([]byte(cloverOf(`generated="1"`, `<metrics statements="2" coveredstatements="1" conditionals="2" coveredconditionals="1"/>`, `<line num="1" type="cond" truecount="1" falsecount="0"/>`)))
	f.Fuzz(holds)
}

func FuzzLCOV(f *testing.F) {
	f.Add([]byte("TN:\nSF:a.c\nDA:1,3,x\nLF:1\nLH:1\nBRDA:1,e0,x,-\nBRF:1\nBRH:0\nend_of_record\n"))
	f.Add([]byte("SF:a.c\nDA:1,1\nend_of_record\nSF:a.c\nDA:1,0\nDA:2,0\nend_of_record\n"))
	f.Fuzz(holds)
}

func FuzzGoCover(f *testing.F) {
	f.Add([]byte("mode: set\na/b.go:1.2,3.4 2 1\na/b.go:5.2,6.4 3 0\n"))
	f.Fuzz(holds)
}

func BenchmarkLCOV(b *testing.B) {
	var out bytes.Buffer
	for i := 0; out.Len() < 8<<20; i++ {
		fmt.Fprintf(&out, "TN:\nSF:src/file%d.c\n", i)
		for l := range 200 {
			fmt.Fprintf(&out, "DA:%d,%d\n", l, l%3)
		}
		out.WriteString("LF:200\nLH:133\nend_of_record\n")
	}
	benchmark(b, out.Bytes())
}

func BenchmarkGoCover(b *testing.B) {
	var out bytes.Buffer
	out.WriteString("mode: atomic\n")
	for i := 0; out.Len() < 8<<20; i++ {
		fmt.Fprintf(&out, "example.org/mod/pkg%d/file.go:%d.2,%d.30 3 %d\n", i/500, i%500, i%500+2, i%2)
	}
	benchmark(b, out.Bytes())
}

func benchmark(b *testing.B, report []byte) {
	b.SetBytes(int64(len(report)))
	for b.Loop() {
		if _, err := readAny(report); err != nil {
			b.Fatal(err)
		}
	}
}
