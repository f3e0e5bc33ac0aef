package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/fault"
)

// witness is a witness by others' code: its signer, and its key as it stands in a file of keys.
func witness(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	secret, public, err := note.GenerateKey(seeded(name), name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f_note.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	cosigning, err := f_note.VKeyToCosignatureV1(public)
	if err != nil {
		t.Fatal(err)
	}
	return s, "witness " + cosigning
}

// with is the sample's keys and those of witnesses.
func (s *sample) with(lines ...string) Keys {
	_, public := signer(s.t, "signalbox.example", "journal")
	return keysOf(s.t, append(lines, "journal "+public)...)
}

func TestCosigned(t *testing.T) {
	s := journal(t, 9, 4)
	w1, key1 := witness(t, "witness.example/one")
	w2, key2 := witness(t, "witness.example/two")
	text := s.headAt(9).Text()
	both := signed(t, text, s.signer, w1, w2)
	for name, c := range map[string]struct {
		note string
		keys Keys
		want []string
	}{
		"both known":      {both, s.with(key1, key2), []string{"witness.example/one", "witness.example/two"}},
		"one known":       {both, s.with(key2), []string{"witness.example/two"}},
		"none known":      {both, s.with(), nil},
		"not cosigned":    {signed(t, text, s.signer), s.with(key1, key2), nil},
		"no journal's":    {signed(t, text, w1, w2), s.with(key1, key2), []string{"refused"}},
		"none but theirs": {both, keysOf(t, key1, key2), []string{"refused"}},
		"a false one":     {strings.Replace(both, "— witness.example/one ", "— witness.example/one "+tampered(t, both, "witness.example/one")+"\n— witness.example/three ", 1), s.with(key1), []string{"refused"}},
	} {
		head, all, err := Cosigned([]byte(c.note), c.keys)
		var got []string
		for _, one := range all {
			if got = append(got, one.Witness); one.Time.Year() < 2026 {
				t.Errorf("%s: %v", name, one)
			}
		}
		if err != nil {
			got = []string{"refused"}
		}
		if !slices.Equal(got, c.want) || err == nil && head != s.headAt(9) {
			t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
		}
	}
}

// tampered is the signature of a name in a note with its time changed.
func tampered(t *testing.T, text, name string) string {
	t.Helper()
	_, after, _ := strings.Cut(text, "— "+name+" ")
	line, _, _ := strings.Cut(after, "\n")
	b, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		t.Fatal(err)
	}
	b[11]++
	return base64.StdEncoding.EncodeToString(b)
}

func TestWitnessKeys(t *testing.T) {
	_, good := witness(t, "witness.example/one")
	raw := append([]byte{4}, make([]byte, ed25519.PublicKeySize)...)
	key := func(name string, raw []byte) string {
		id := sha256.Sum256(append([]byte(name+"\n"), raw...))
		return fmt.Sprintf("witness %s+%08x+%s", name, binary.BigEndian.Uint32(id[:]), base64.StdEncoding.EncodeToString(raw))
	}
	for name, line := range map[string]string{
		"for permits":         strings.Replace(good, "witness ", "permit ", 1),
		"for the journal":     strings.Replace(good, "witness ", "journal ", 1),
		"an ordinary key":     key("x", append([]byte{1}, raw[1:]...)),
		"one for ML-DSA":      key("x", append([]byte{6}, raw[1:]...)),
		"too short":           key("x", raw[1:]),
		"no name":             key("", raw),
		"a name with a space": key("a\u00a0b", raw),
		"another name":        strings.Replace(good, "/one", "/two", 1),
		"another spelling":    strings.Replace(key("x", raw), "+0", "+00", 1) + "\x00",
		"nothing":             "witness ",
	} {
		if _, err := ParseKeys([]byte(line)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys := keysOf(t, good, key("x", raw)); len(keys.Of(ForWitness)) != 2 {
		t.Error("good keys are not read")
	}
}

// What was published is found again, and what was put in its place is not.
func TestPublished(t *testing.T) {
	w, key := witness(t, "witness.example/one")
	s := journal(t, 30, 10)
	kept := func(sizes ...uint64) (all []Published) {
		for _, n := range sizes {
			all = append(all, Published{fmt.Sprintf("kept-%d", n), []byte(signed(t, s.headAt(n).Text(), s.signer))})
		}
		return all
	}
	published := kept(7, 7, 10, 25, 30)
	other := journal(t, 30, 10)
	other.facts[22].body = []byte(`{"number":"another"}`)
	other.hash()
	other.marks = nil
	for _, n := range []uint64{10, 20, 30} {
		other.sign(n)
	}
	short := journal(t, 24, 10)
	foreign := journal(t, 30, 10)
	foreign.head.Origin = "signalbox.local/other"
	none := []byte(signed(t, Head{Origin: origin, Root: emptyRoot()}.Text(), s.signer))
	for name, c := range map[string]struct {
		s     *sample
		kept  []Published
		code  string
		first uint64
	}{
		"as it was":                            {s, published, "", 0},
		"nothing kept":                         {s, nil, "", 0},
		"hashed again":                         {other, published, "export.published", 20},
		"hashed again, and nothing kept of it": {other, kept(7, 10), "", 0}, // what only a kept checkpoint shows
		"cut off":                              {short, published, "export.published", 24},
		"another journal's":                    {s, []Published{{"x", []byte(signed(t, foreign.headAt(30).Text(), s.signer))}}, "export.published", nowhere},
		"of nothing":                           {s, []Published{{"x", none}}, "export.published", nowhere},
		"not signed":                           {s, []Published{{"x", []byte(s.headAt(7).Text() + "\n")}}, "export.published", nowhere},
		"by a witness":                         {s, []Published{{"x", []byte(signed(t, s.headAt(7).Text(), w))}}, "export.published", nowhere},
	} {
		r, err := Check{Keys: s.with(key), Published: c.kept}.Export(t.Context(), bytes.NewReader(c.s.export()))
		if c.code != "" && code(err) != c.code || c.code == "" && (err != nil || r.Published != uint64(len(c.kept))) {
			t.Errorf("%s: %v, %d agree", name, err, r.Published)
		}
		if c.code != "" && (r.FirstWrong == nil) != (c.first == nowhere) || r.FirstWrong != nil && *r.FirstWrong != c.first {
			t.Errorf("%s: the first wrong is %v, want %d: %s", name, r.FirstWrong, c.first, r.Problem)
		}
	}
}

// So many witnesses as are demanded must have seen everything; one counts once.
func TestWitnesses(t *testing.T) {
	w1, key1 := witness(t, "witness.example/one")
	w2, key2 := witness(t, "witness.example/two")
	s := journal(t, 30, 10)
	text := s.headAt(30).Text()
	s.marks[1].text = signed(t, s.headAt(20).Text(), s.signer, w1, w2)
	s.marks[2].text = signed(t, text, s.signer, w1)
	keys := s.with(key1, key2)
	by2 := []Published{{"x", []byte(signed(t, text, s.signer, w2))}}
	by1 := []Published{{"x", []byte(signed(t, text, s.signer, w1))}}
	for name, c := range map[string]struct {
		check Check
		first uint64
	}{
		"none demanded":       {Check{Keys: keys}, nowhere},
		"one":                 {Check{Keys: keys, Witnesses: 1}, nowhere},
		"two":                 {Check{Keys: keys, Witnesses: 2}, 20},
		"two, one elsewhere":  {Check{Keys: keys, Witnesses: 2, Published: by2}, nowhere},
		"the same, elsewhere": {Check{Keys: keys, Witnesses: 2, Published: by1}, 20},
		"three":               {Check{Keys: keys, Witnesses: 3, Published: by2}, 0},
		"of a key not known":  {Check{Keys: s.with(key2), Witnesses: 1}, 20},
		"without their keys":  {Check{Keys: s.with(), Witnesses: 1}, 0},
	} {
		r, err := c.check.Export(t.Context(), bytes.NewReader(s.export()))
		if (err == nil) != (c.first == nowhere) || err != nil && (code(err) != "export.witnesses" || *r.FirstWrong != c.first) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := Check{Keys: keys}.Export(t.Context(), bytes.NewReader(s.export()))
	if err != nil || len(r.Witnesses) != 2 || r.Witnesses[0].Size != 30 || r.Witnesses[1].Size != 20 || r.Witnesses[1].Time.IsZero() {
		t.Errorf("%+v: %v", r.Witnesses, err)
	}
}

// What is not a good export stays one whatever is kept, and no note makes a witness sign.
func FuzzCosigned(f *testing.F) {
	s := journal(f, 5, 2)
	w, key := witness(f, "witness.example/one")
	keys := s.with(key)
	good := signed(f, s.headAt(5).Text(), s.signer, w)
	f.Add([]byte(good))
	f.Add([]byte(signed(f, s.headAt(4).Text(), s.signer)))
	f.Add([]byte(signed(f, s.headAt(4).Text(), w)))
	export := s.export()
	f.Fuzz(func(t *testing.T, b []byte) {
		head, all, err := Cosigned(b, keys)
		if err == nil && (head != s.headAt(5) && head != s.headAt(4) || len(all) > 0 && head.Size != 5) {
			t.Errorf("nobody has signed %+v, cosigned %v", head, all)
		}
		if _, held := (Check{Keys: keys, Published: []Published{{"x", b}}}).Export(t.Context(), bytes.NewReader(export)); (held == nil) != (err == nil) {
			t.Errorf("read: %v; held against the export: %v", err, held)
		}
	})
}
