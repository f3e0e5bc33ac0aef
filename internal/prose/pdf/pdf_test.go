package pdf

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
)

func written(t *testing.T, d prose.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d, "sha256:00"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSamePolicyGivesTheSameBytes(t *testing.T) {
	p, _ := policy.Compile(policy.Starter())
	d, err := prose.Describe(p, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	first, second := written(t, d), written(t, d)
	if !bytes.Equal(first, second) || !bytes.HasPrefix(first, []byte("%PDF-")) || len(first) < 5000 {
		t.Errorf("%d and %d bytes", len(first), len(second))
	}
	d.Title += " changed"
	if bytes.Equal(first, written(t, d)) {
		t.Error("another document gives the same bytes")
	}
	if dir := os.Getenv("SIGNALBOX_TEST_PAGES"); dir != "" { // to look at
		if err := os.WriteFile(dir+"/policy.pdf", first, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsLeftOut(t *testing.T) {
	d := prose.Document{Title: "Title", Blocks: []prose.Block{
		{Text: "漢 and é and €"},
		{Items: []string{"☐ to do"}},
		{Head: []string{"a", "b"}, Rows: [][]string{{strings.Repeat("long ", 400), strings.Repeat("x", 300)}, {"", "c"}}},
		{Head: []string{"many"}, Rows: slicesOf(200)},
	}}
	if n := bytes.Count(written(t, d), []byte("/Type /Page\n")); n < 3 {
		t.Errorf("%d pages", n)
	}
	p := &page{translate: func(s string) string {
		if s == "漢" {
			return "."
		}
		return s
	}}
	if got := p.text("漢.  ☐ `x`"); got != "[U+6F22]. [ ] x" {
		t.Errorf("%q", got)
	}
}

func slicesOf(n int) [][]string {
	var all [][]string
	for range n {
		all = append(all, []string{"row"})
	}
	return all
}
