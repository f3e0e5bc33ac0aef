package policy

import "testing"

func BenchmarkDecideStarter(b *testing.B) {
	p := compiled(b, Starter())
	in := fine()
	b.ReportAllocs()
	for b.Loop() {
		if p.Decide(in).Verdict != Go {
			b.Fatal("not go")
		}
	}
}

func BenchmarkCompileStarter(b *testing.B) {
	files := Starter()
	for b.Loop() {
		if p, _ := Compile(files); p == nil {
			b.Fatal("does not compile")
		}
	}
}
