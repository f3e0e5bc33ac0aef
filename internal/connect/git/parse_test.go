package git

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/change"
)

func TestParseNumstat(t *testing.T) {
	got, binary, err := parseNumstat([]byte("1\t2\ta b\x00-\t-\tc\x003\t0\t\x00old\tname\x00new\nname\x000\t0\t\xff\x00"))
	want := []change.File{
		{Path: "a b", Added: 1, Deleted: 2},
		{Path: "c", Binary: true},
		{Path: "new\nname", OldPath: "old\tname", Added: 3},
		{Path: `"\xff"`},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(binary) != 1 || string(binary[0]) != "c" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range []string{"1\t2\ta", "1\ta\x00", "-\t1\ta\x00", "x\ty\ta\x00", "1\t2\t\x00old\x00", "1\t2\t\x00\x00new\x00", "-1\t0\ta\x00"} {
		if got, _, err := parseNumstat([]byte(bad)); err == nil {
			t.Errorf("%q: read as %+v", bad, got)
		}
	}
}

func TestParseIdentity(t *testing.T) {
	for in, want := range map[string]change.Identity{
		"Ada Example <ada@example.com> 1700000000 +0100": {Name: "Ada Example", Email: "ada@example.com"},
		"<ada@example.com> 1700000000 +0100":             {Email: "ada@example.com"},
		"Ada <x> Example <ada@example.com> 1 +0000":      {Name: "Ada", Email: "x"},
		"Ada Example <> 1 +0000":                         {Name: "Ada Example"},
		"Ada Example":                                    {Name: "Ada Example"},
		"> Ada <":                                        {Name: "> Ada <"},
		"Ada <ada@example.com>":                          {Name: "Ada", Email: "ada@example.com"},
		"Ada <ada@example.com> never":                    {Name: "Ada", Email: "ada@example.com"},
		"":                                               {},
	} {
		if got, _ := parseIdentity(in); got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

// Two identities that differ in bytes stay two, whatever the bytes.
func TestTextKeepsApart(t *testing.T) {
	seen := map[string]int{}
	for c := 0x80; c <= 0xff; c++ {
		s := text([]byte{'a', byte(c)}, "")
		if other, ok := seen[s]; ok {
			t.Errorf("%#x and %#x are both %q", c, other, s)
		}
		seen[s] = c
	}
	for _, c := range []struct{ in, encoding, want string }{
		{"Ren\xe9", "ISO-8859-1", "René"},
		{"Ren\xe9", "", "René"},
		{"René", "", "René"},
		{"René", "UTF-8", "René"},
		{"\xe9", "windows-1251", "й"},
		{"Ren\xe9", "EBCDIC", "René"},
		{"\x93\xfa\x96{", "Shift_JIS", "日本"},
		{"\x80", "ISO-8859-1", "\u0080"},
		{"\x80", "windows-1252", "€"},
		{"René", "utf8", "René"},
	} {
		if got := text([]byte(c.in), c.encoding); got != c.want {
			t.Errorf("%q as %q: %q", c.in, c.encoding, got)
		}
	}
}

func batch(object string) string {
	return fmt.Sprintf("%s commit %d\n%s\n", hashOf([]byte(object), 40), len(object), object)
}

func TestReadBatchRefuses(t *testing.T) {
	good := batch("tree x\nauthor A <a@example.com> 1 +0000\n\nsubject\n")
	if got, err := readBatch(bufio.NewReader(strings.NewReader(good)), 1, nil); err != nil || got[0].Subject != "subject" {
		t.Fatalf("control: %+v, %v", got, err)
	}
	for name, in := range map[string]string{
		"nothing":   "",
		"forged":    strings.Replace(good, "A <a", "B <b", 1),
		"short id":  "1111 commit 0\n\n",
		"cut short": good[:len(good)-5],
		"missing":   "1111111111111111111111111111111111111111 missing\n",
		"another":   "1111111111111111111111111111111111111111 blob 1\nx\n",
		"giant":     "1111111111111111111111111111111111111111 commit 999999999999\n",
		"no number": "1111111111111111111111111111111111111111 commit x\n",
		"negative":  "1111111111111111111111111111111111111111 commit -1\n",
		"endless":   strings.Repeat("x", 1<<17),
	} {
		if got, err := readBatch(bufio.NewReader(strings.NewReader(in)), 1, nil); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func FuzzReadBatch(f *testing.F) {
	f.Add([]byte(batch("tree x\nparent y\nauthor A <a@example.com> 1 +0000\ncommitter B <b@example.com> 1 +0000\nencoding ISO-8859-1\ngpgsig x\n y\n\nsub\nject\n\nbody\nCo-authored-by: C <c@example.com>\n")))
	f.Add([]byte(batch("")))
	f.Add([]byte("1 missing\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := readBatch(bufio.NewReader(bytes.NewReader(b)), 2, &Keys{})
		if err == nil && len(list) != 2 {
			t.Errorf("%d commits of 2", len(list))
		}
	})
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte("tree x\nauthor A <a@example.com> 1 +0000\n\nsubject\n\nbody"))
	f.Add([]byte("author \xff <\xfe> x\nencoding KOI8-R\n\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := parseCommit("id", b)
		for _, s := range []string{c.Subject, c.Body, c.Author.Name, c.Author.Email} {
			if strings.ToValidUTF8(s, "") != s {
				t.Errorf("not UTF-8: %q", s)
			}
		}
		change.Describe(change.Raw{Commits: []change.Commit{c}})
	})
}

func FuzzParseNumstat(f *testing.F) {
	f.Add([]byte("1\t2\ta\x003\t0\t\x00old\x00new\x00-\t-\tc\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		files, _, err := parseNumstat(b)
		for _, file := range files {
			if err == nil && (file.Added < 0 || file.Deleted < 0) {
				t.Errorf("negative: %+v", file)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	got := nearest([]string{"main", "v1.0.0", "v1.1.0", "v2.0.0", "release"}, "v1.1.1")
	if diff := cmp.Diff([]string{"v1.1.0", "v1.0.0", "v2.0.0"}, got); diff != "" {
		t.Error(diff)
	}
}
