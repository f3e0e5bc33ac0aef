package gate_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"signalbox.dev/signalbox/bench/gate"
	"signalbox.dev/signalbox/internal/policy"
)

func sides(t testing.TB) (counted, listed *policy.Program, opa *gate.OPA) {
	t.Helper()
	counted, err := gate.Bundle(false)
	if err != nil {
		t.Fatal(err)
	}
	if listed, err = gate.Bundle(true); err != nil {
		t.Fatal(err)
	}
	if listed.Digest() == counted.Digest() || !listed.NeedsLists()["findings"] || counted.NeedsLists()["findings"] {
		t.Fatal("the two bundles do not differ as they should")
	}
	if opa, err = gate.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return counted, listed, opa
}

func denials(t testing.TB, d *gate.Document, p *policy.Program, opa *gate.OPA) (ours, theirs []string) {
	t.Helper()
	b, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	decision, err := gate.GateJSON(b, p)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := d.Gate(p)
	if err != nil {
		t.Fatal(err)
	}
	if direct.Basis != decision.Basis {
		t.Error("the document is another after it was JSON")
	}
	deny, err := opa.DenyJSON(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := gate.Map(b)
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := opa.DenyMap(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(deny, mapped) {
		t.Error("OPA answers otherwise in Go's own types")
	}
	return slices.Sorted(maps.Keys(gate.Denials(decision))), slices.Sorted(maps.Keys(deny))
}

func TestBothDenyTheSame(t *testing.T) {
	counted, listed, opa := sides(t)
	for name, p := range map[string]*policy.Program{"counted": counted, "listed": listed} {
		passing, err := gate.Passing(p)
		if err != nil {
			t.Fatal(err)
		}
		if ours, theirs := denials(t, passing, p, opa); len(ours) != 0 || len(theirs) != 0 {
			t.Errorf("%s: the passing document is denied: %v, %v", name, ours, theirs)
		}
		failing, err := gate.Failing(p)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"card-data-at-home", "commits-signed", "few-skipped", "findings-fresh", "no-critical-findings", "signalbox/calendar", "tests-pass"}
		if ours, theirs := denials(t, failing, p, opa); !slices.Equal(ours, want) || !slices.Equal(theirs, want) {
			t.Errorf("%s: ours %v\ntheirs %v\nwant %v", name, ours, theirs, want)
		}
	}
}

func TestBothDenyTheSameByChance(t *testing.T) {
	counted, listed, opa := sides(t)
	seen, denied := map[string]int{}, 0
	for seed := range uint64(200) {
		for _, p := range []*policy.Program{counted, listed} {
			d, err := gate.Random(rand.New(rand.NewPCG(seed, 1)), p)
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := denials(t, d, p, opa)
			if !slices.Equal(ours, theirs) {
				t.Errorf("seed %d: ours %v\ntheirs %v", seed, ours, theirs)
			}
			for _, name := range ours {
				seen[name]++
			}
			if len(ours) > 0 {
				denied++
			}
		}
	}
	// Two rules cannot deny alone: the engine counts what breaks as major by itself,
	// and what migrates as no routine. They deny where the change is not known.
	if len(seen) != 32 || denied == 400 {
		t.Errorf("%d of 32 rules ever deny, %d of 400 documents are denied: %v", len(seen), denied, seen)
	}
}

// Were the documents such that every answer is the same, the test above would say nothing.
func TestAnotherDocumentIsToldApart(t *testing.T) {
	counted, _, opa := sides(t)
	d, err := gate.Passing(counted)
	if err != nil {
		t.Fatal(err)
	}
	d.Release.Votes = d.Release.Votes[:3] // one that counts
	if ours, theirs := denials(t, d, counted, opa); !slices.Equal(ours, []string{"signalbox/approval"}) || !slices.Equal(theirs, ours) {
		t.Errorf("one vote short: ours %v, theirs %v", ours, theirs)
	}
}

func BenchmarkGate(b *testing.B) {
	counted, listed, _ := sides(b)
	for name, p := range map[string]*policy.Program{"counted": counted, "listed": listed} {
		d, err := gate.Passing(p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Gate(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
