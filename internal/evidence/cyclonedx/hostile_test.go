package cyclonedx

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// The rules of every version compile, and hold constraints alone.
func TestRules(t *testing.T) {
	for _, v := range every {
		if _, err := jsonRules(v); err != nil {
			t.Error(err)
		}
		if _, err := xmlRules(v); err != nil {
			t.Error(err)
		}
	}
	if _, err := jsonRules("1.1"); err == nil {
		t.Error("there are rules of 1.1")
	}
	files, err := rules.ReadDir("rules")
	if err != nil || len(files) != 2*len(every)+2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := rules.ReadFile("rules/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if prose := regexp.MustCompile(`"(?:description|title|\$comment|examples|documentation|meta:enum)":"`).Find(b); prose != nil {
			t.Errorf("%s explains: %s", f.Name(), prose)
		}
	}
}

// What XML Schema constrains is refused in every version that has it.
func TestXMLRules(t *testing.T) {
	const component = `<component type="library"><name>a</name><version>1</version>%s</component>`
	for _, v := range every {
		in := func(inner string) string {
			return `<bom xmlns="http://cyclonedx.org/schema/bom/` + v + `" xmlns:f="urn:f" version="1"><components>` + inner + `</components></bom>`
		}
		with := func(more string) string { return in(fmt.Sprintf(component, more)) }
		for _, doc := range []string{
			in(""), with(""), with(`<description>d</description><scope>required</scope><hashes><hash alg="SHA-1">` + strings.Repeat("a", 40) + `</hash></hashes>`), with(`<licenses><license><id>MIT</id></license></licenses>`),
			with(`<scope/>`), with(`<licenses><expression>MIT OR Apache-2.0</expression></licenses>`), with(`<cpe>cpe:2.3:a:b:c:1.0:*:*:*:*:*:*:*</cpe>`), with(`<purl>pkg:npm/a@1</purl>`), with(`<f:x f:y="1">z</f:x>`),
			in(strings.Replace(fmt.Sprintf(component, ""), "<component", `<component f:odd="1"`, 1)), in(strings.Replace(fmt.Sprintf(component, ""), "<component", `<component mime-type="text/plain"`, 1)),
			with(`<purl>pkg:npm/a@1</purl><externalReferences><reference type="vcs"><url>https://example.org/a b</url></reference></externalReferences>`), with(`<pedigree><patches><patch type="backport"/></patches></pedigree>`),
		} {
			if doc == with(`<scope/>`) && v < "1.5" {
				continue // without content it has a value by default from 1.5 on
			}
			if _, err := read(doc); err != nil {
				t.Errorf("%s refuses %s: %v", v, doc, err)
			}
		}
		for _, doc := range []string{
			in(`<component><name>a</name><version>1</version></component>`), in(`<component type="library"><version>1</version></component>`), in(`<component type="library"><version>1</version><name>a</name></component>`),
			in(`<component type="odd"><name>a</name><version>1</version></component>`), with(`<name>b</name>`), with(`<odd/>`), with(`text`), in(`<f:x/>`), with(`<scope>odd</scope>`), with(`<scope>required</scope><description/>`), with(`<hashes><hash>a</hash></hashes>`),
			with(`<hashes><hash alg="MD55">` + strings.Repeat("a", 32) + `</hash></hashes>`), with(`<hashes><hash alg="MD5">` + strings.Repeat("a", 31) + `</hash></hashes>`), with(`<licenses><license><id>odd</id></license></licenses>`),
			with(`<licenses><license><id>MIT</id><name>x</name></license></licenses>`), with(`<cpe>cpe:x</cpe>`), with(`<purl>http://a:b</purl>`), with(`<modified>maybe</modified>`), with(`<pedigree><patches><patch type="odd"/></patches></pedigree>`),
			in(strings.Replace(fmt.Sprintf(component, ""), "<component", `<component mime-type="x"`, 1)), in(fmt.Sprintf(component, "") + `<name/>`), in(strings.Repeat(strings.Replace(fmt.Sprintf(component, ""), "<component", `<component bom-ref="x"`, 1), 2)),
			strings.Replace(in(""), `version="1"`, `version="one"`, 1), strings.Replace(in(""), `version="1"`, `serialNumber="urn:uuid:1"`, 1), strings.Replace(in(""), "<components>", "<metadata><timestamp>2024-02-30T00:00:00Z</timestamp></metadata><components>", 1),
			strings.Replace(in(""), "</bom>", "<metadata/></bom>", 1), strings.Replace(in(""), "</bom>", "<dependencies><dependency/></dependencies></bom>", 1),
		} {
			if c, err := read(doc); err == nil {
				t.Errorf("%s reads %s: %+v", v, doc, c.Findings)
			}
		}
	}
}

// What is drawn comes out as a set counts it, in both forms.
func TestModel(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	packages := map[string]string{"a": "a", "a2": "a", "b": "b", "s": "s", "": ""}
	for range 400 {
		var js, xs []string
		stands, closed, all := map[string]bool{}, map[string]bool{}, 0
		for i := range random.IntN(6) {
			id := fmt.Sprintf("CVE-2024-000%d", random.IntN(3))
			var refs []string
			for _, r := range []string{"a", "a2", "b", "s"} {
				if random.IntN(3) == 0 {
					refs = append(refs, r)
				}
			}
			mj, mx, set := fmt.Sprintf(`,"bom-ref":"v%d"`, i), "", stands
			if random.IntN(3) == 0 {
				sj, sx := state("false_positive")
				mj, mx, set = mj+sj, sx, closed
			}
			j, x := vuln(id, refs, mj, mx)
			js, xs = append(js, j), append(xs, x)
			if refs == nil {
				refs = []string{""}
			}
			for _, r := range refs {
				set[id+" "+packages[r]] = true
				all++
			}
		}
		for _, doc := range both(strings.Join(js, ","), strings.Join(xs, "")) {
			f := mustRead(t, doc).Findings
			if f.Total != len(stands) || f.Suppressed != len(closed) || f.Total+f.Suppressed+f.Folded != all || len(f.Items) != f.Total+f.Suppressed {
				t.Fatalf("%+v, want %d and %d of %d\n%s", f, len(stands), len(closed), all, doc)
			}
		}
	}
}

// Drawn documents that conform are read, whatever they hold.
func TestDrawnAreRead(t *testing.T) {
	for _, v := range every {
		schema, s, n := merged(t, v), newSource(t, v, 11), 0
		rules, err := jsonRules(v)
		if err != nil {
			t.Fatal(err)
		}
		for range 400 {
			doc := s.draw(schema, 5).(map[string]any)
			doc["specVersion"] = v
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if rules.Check(b) != nil {
				continue
			}
			n++
			if c, err := Read(b); err != nil || c.Findings.Unscanned != (len(listOf(doc, "vulnerabilities")) == 0) && len(listOf(doc, "components"))+len(listOf(doc, "services")) > 0 {
				t.Errorf("%v\n%s", err, b)
			}
		}
		if n < 40 {
			t.Errorf("%s: %d of the documents conform", v, n)
		}
	}
}

func listOf(doc map[string]any, name string) []any {
	list, _ := doc[name].([]any)
	return list
}

// component n of a document that is long for its many small parts.
func smallJSON(n int) string {
	return fmt.Sprintf(`{"type":"library","bom-ref":"pkg:npm/lib-%d@1.0","name":"lib-%d","version":"1.0"}`, n, n)
}

func smallXML(n int) string {
	return fmt.Sprintf(`<component type="library" bom-ref="pkg:npm/lib-%d@1.0"><name>lib-%d</name><version>1.0</version></component>`, n, n)
}

func long(before, separator, after string, size int, part func(int) string) []byte {
	var b strings.Builder
	b.Grow(size + 1<<16)
	b.WriteString(before)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(part(i))
	}
	b.WriteString(after)
	return []byte(b.String())
}

func longJSON(size int) []byte {
	return long(`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[`, ",", `],"vulnerabilities":[{"id":"CVE-2024-0001","affects":[{"ref":"pkg:npm/lib-7@1.0"}]}]}`, size, smallJSON)
}

func longXML(size int) []byte {
	return long(`<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><components>`, "", `</components><vulnerabilities><vulnerability><id>CVE-2024-0001</id><affects><target><ref>pkg:npm/lib-7@1.0</ref></target></affects></vulnerability></vulnerabilities></bom>`, size, smallXML)
}

// A document as long as is accepted is read within 512 MiB, itself included.
func TestMemory(t *testing.T) {
	for name, build := range map[string]func(int) []byte{"JSON": longJSON, "XML": longXML} {
		doc := build(190 << 20)
		runtime.GC()
		peak, stop := make(chan uint64), make(chan struct{})
		go func() { peak <- watchHeap(stop) }()
		readIt := Read
		if name == "XML" {
			readIt = readXML
		}
		c, err := readIt(doc)
		close(stop)
		used := <-peak >> 20
		if err != nil || c.Findings.Total != 1 || c.Findings.Items[0].Package != "lib-7" || used > 512 {
			t.Errorf("%s: %d MiB, %v", name, used, err)
		}
		t.Logf("%s: %d MiB", name, used)
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
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for name, read := range map[string]func([]byte) (evidence.Claim, error){"JSON": Read, "XML": readXML} {
		doc := longJSON(8 << 20)
		if name == "XML" {
			doc = longXML(8 << 20)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, err := read(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// once keeps the rules that compile gives.
func once[T any](compile func(string) (T, error)) func(string) (T, error) {
	kept := map[string]T{}
	return func(version string) (T, error) {
		if t, there := kept[version]; there {
			return t, nil
		}
		t, err := compile(version)
		kept[version] = t
		return t, err
	}
}

func seeds(f *testing.F, form int) {
	j, x := vuln("CVE-2024-0001", []string{"a", "gone"}, `,"ratings":[{"severity":"high"},{"score":7.1,"method":"CVSSv3"}],"analysis":{"state":"resolved"}`, `<ratings><rating><severity>high</severity></rating></ratings><analysis><state>resolved</state></analysis>`)
	f.Add([]byte(both(j, x)[form]))
	f.Add([]byte(both("", "")[form]))
}

// whole refuses kindly, or gives a claim whose figures add up.
func whole(t *testing.T, c evidence.Claim, err error) {
	t.Helper()
	if err != nil {
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge || c.Findings != nil {
			t.Errorf("%v: %v %+v", k, err, c)
		}
		return
	}
	f := c.Findings
	if f.Total+f.Suppressed != len(f.Items)+f.Omitted || f.Total > 0 && f.Items == nil {
		t.Errorf("%+v", f)
	}
}

func FuzzJSON(f *testing.F) {
	seeds(f, 0)
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.4","metadata":{"component":{"type":"file","name":"x","version":"1","bom-ref":"p","purl":"pkg:a/b"}},"vulnerabilities":[{"id":"x","affects":[{"ref":"p","versions":[{"version":"1","status":"unaffected"}]}],"analysis":{"state":"not_affected"}}]}`))
	rules := once(jsonRules) // else most of the time goes there
	f.Fuzz(func(t *testing.T, b []byte) {
		if evidence.Bounded(b) == nil {
			c, err := readBy(rules, b)
			whole(t, c, err)
		}
	})
}

func FuzzXML(f *testing.F) {
	seeds(f, 1)
	f.Add([]byte(`<bom xmlns="http://cyclonedx.org/schema/bom/1.2" xmlns:v="http://cyclonedx.org/schema/ext/vulnerability/1.0"><components><component type="file"><name>a</name><version>1</version><v:vulnerabilities><v:vulnerability ref="x"><v:id>y</v:id><v:ratings><v:rating><v:score><v:base>1</v:base></v:score></v:rating></v:ratings></v:vulnerability></v:vulnerabilities></component></components></bom>`))
	rules := once(xmlRules)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := evidence.ReadXML(b, func(root xml.StartElement, _ string) (evidence.XMLReader, error) {
			if !RecogniseXML(root) {
				return nil, fault.Invalidf("evidence.unknown-format", "the root element is %q", root.Name.Local)
			}
			return &xmlCheck{doc: b, rules: rules}, nil
		})
		whole(t, c, err)
	})
}

// Damage to a document is refused, or leaves one that holds together.
func TestDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	j, x := vuln("CVE-2024-0001", []string{"a", "b"}, `,"ratings":[{"severity":"high"}]`, `<ratings><rating><severity>high</severity></rating></ratings>`)
	for _, good := range both(j, x) {
		for range 2000 {
			b := []byte(good)
			for range 1 + random.IntN(3) {
				b[random.IntN(len(b))] = byte(random.IntN(256))
			}
			if b[0] == good[0] {
				c, err := read(string(b))
				whole(t, c, err)
			}
		}
	}
}
