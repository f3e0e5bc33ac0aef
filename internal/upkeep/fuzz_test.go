package upkeep

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

// packed is a backup of entries, under digests that are right.
func packed(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := &archive{out: tar.NewWriter(z)}
	for _, e := range entries {
		if err := a.entry(e[0], []byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.entry(sumsName, a.sums.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := a.out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const manifestLine = `{"signalbox_backup":1,"program":"","taken":"","origin":"o","head":{"size":0,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},"checkpoint":"","keys":"","states":[],"originals":"included"}` + "\n"

func well() [][2]string {
	return [][2]string{
		{manifestName, manifestLine},
		{"journal/00000000.jsonl", ""},
		{"commands/00000000.jsonl", ""},
		{"parts/00000000.jsonl", ""},
		{"originals.txt", ""},
	}
}

// Entries stand in one order, each is whole, and none is a stranger.
func TestWalkRefuses(t *testing.T) {
	if _, err := walk(t.Context(), bytes.NewReader(packed(t, well()...)), visitor{}); err != nil {
		t.Fatalf("a well-formed one: %v", err)
	}
	for name, change := range map[string]func(all [][2]string) [][2]string{
		"no manifest":         func(all [][2]string) [][2]string { return all[1:] },
		"no list":             func(all [][2]string) [][2]string { return all[:4] },
		"out of order":        func(all [][2]string) [][2]string { all[2], all[3] = all[3], all[2]; return all },
		"twice":               func(all [][2]string) [][2]string { return append(all, all[4]) },
		"a part is missing":   func(all [][2]string) [][2]string { all[1][0] = "journal/00000001.jsonl"; return all },
		"a stranger":          func(all [][2]string) [][2]string { return append(all, [2]string{"../../etc/passwd", "x"}) },
		"another format":      func(all [][2]string) [][2]string { all[0][1] = `{"signalbox_backup":2}` + "\n"; return all },
		"an unknown member":   func(all [][2]string) [][2]string { all[0][1] = `{"signalbox_backup":1,"x":1}` + "\n"; return all },
		"half a line":         func(all [][2]string) [][2]string { all[2][1] = `{"id":"x"}`; return all },
		"a digest that lies":  func(all [][2]string) [][2]string { return append(all[:4], [2]string{"originals/00", "x"}, all[4]) },
		"a list that is none": func(all [][2]string) [][2]string { all[4][1] = "sha256:00\n"; return all },
	} {
		_, err := walk(t.Context(), bytes.NewReader(packed(t, change(well())...)), visitor{})
		if fault.KindOf(err) != fault.Unverified {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is read, it is a whole backup or refused, and nothing panics.
func FuzzCheck(f *testing.F) {
	f.Add(packed(f, well()...))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := Check(t.Context(), bytes.NewReader(b), Checking{}); err == nil && r.Digest == "" {
			t.Error("whole, and without a digest")
		}
	})
}
