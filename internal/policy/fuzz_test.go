package policy

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzCompile: no file makes Compile panic or speak Go, and what compiles decides.
func FuzzCompile(f *testing.F) {
	for _, s := range Starter() {
		f.Add(s.Data)
	}
	f.Add([]byte(base))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("? {a: b}\n: c\n---\n- 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, list := Compile([]File{{Name: "fuzz.yaml", Data: data}})
		if (p == nil) != Failed(list) {
			t.Fatalf("a program and errors, or neither: %v", list)
		}
		for _, problem := range list {
			if problem.What == "" || problem.Code == "" || strings.ContainsRune(problem.String(), 0) {
				t.Fatalf("a problem that says too little: %+v", problem)
			}
		}
		if p == nil {
			return
		}
		p.Test()
		if o := p.Decide(Inputs{}); o.Verdict == Go {
			for _, s := range p.scopes {
				if s.Governance == None {
					return
				}
			}
			t.Fatal("nothing is known and the answer is go")
		}
		if again, _ := Compile(p.Files()); again == nil || again.Digest() != p.Digest() {
			t.Fatal("the sources of a program do not give it again")
		}
	})
}

// FuzzCondition: no condition panics, says go where nothing is known, or costs
// more than its budget.
func FuzzCondition(f *testing.F) {
	for _, c := range append(conditions, late...) {
		f.Add(c)
	}
	f.Add(`service.flags.all(a, service.flags.exists(b, a + b == b + a))`)
	f.Add(`service.name.matches("(a+)+$")`)
	f.Add(`[1,2,3].map(x, [x, x].map(y, y * x)).size() > change.commits`)
	in := fine()
	in.Service.Flags = strings.Split(strings.Repeat("abc,", MaxInputList-1)+"abc", ",")
	f.Fuzz(func(t *testing.T, condition string) {
		if strings.ContainsAny(condition, "\n\r") || len(condition) > 500 {
			return
		}
		data := bytes.ReplaceAll([]byte("---\napiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\ncondition: |-\n  %\n"), []byte("%"), []byte(condition))
		p, _ := Compile([]File{{Name: "base.yaml", Data: []byte(base)}, {Name: "more.yaml", Data: data}})
		if p == nil {
			return
		}
		first := p.Decide(in)
		if second := p.Decide(in); first.Verdict != second.Verdict {
			t.Fatalf("%s, then %s", first.Verdict, second.Verdict)
		}
		for s, less := range lesser(in) {
			if o := p.Decide(less); o.Verdict == Go && first.Verdict != Go {
				t.Fatalf("without %s %s becomes go", s, first.Verdict)
			}
		}
	})
}
