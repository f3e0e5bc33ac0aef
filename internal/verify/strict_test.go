package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// One line of a good export made bad: it is found there, whatever follows.
func TestOneBadLine(t *testing.T) {
	s := journal(t, 10, 4)
	lines := strings.SplitAfter(string(s.export()), "\n")
	var fact map[string]any
	if err := json.Unmarshal([]byte(lines[3]), &fact); err != nil || fact["position"] == nil {
		t.Fatal(lines[3], err)
	}
	with := func(change func(m map[string]any)) string {
		m := map[string]any{}
		for k, v := range fact {
			m[k] = v
		}
		change(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	bad := map[string]string{
		"an empty object": "{}\n",
		"an empty line":   "\n",
		"text":            "text\n",
		"a fact and the end": with(func(m map[string]any) {
			m["end"] = ExportCounts{10, 3}
		}),
		"a fact and a checkpoint": with(func(m map[string]any) { m["checkpoint"] = s.marks[0].text }),
		"two values in a line":    "{}" + lines[3],
	}
	for part := range fact {
		bad["a fact without its "+part] = with(func(m map[string]any) { delete(m, part) })
		bad["a fact with null for its "+part] = with(func(m map[string]any) { m[part] = nil })
		only := map[string]any{part: fact[part]}
		for other, value := range map[string]any{"checkpoint": s.marks[0].text, "end": ExportCounts{10, 3}} {
			only[other] = value
			b, err := json.Marshal(only)
			if err != nil {
				t.Fatal(err)
			}
			bad[other+" and the "+part+" of a fact"] = string(b) + "\n"
			delete(only, other)
		}
	}
	for name, text := range bad {
		for what, whole := range map[string]string{
			"in place of a fact":       strings.Join(lines[:3], "") + text + strings.Join(lines[4:], ""),
			"between two facts":        strings.Join(lines[:3], "") + text + strings.Join(lines[3:], ""),
			"in place of a checkpoint": strings.Join(lines[:5], "") + text + strings.Join(lines[6:], ""),
		} {
			r, err := Export(t.Context(), strings.NewReader(whole), s.keys, nil)
			line := 4
			if strings.Contains(what, "checkpoint") {
				line = 6
			}
			var f *fault.Error
			if code(err) != "export.line" || !errors.As(err, &f) || f.Where.Line != line || r.FirstWrong == nil || *r.FirstWrong != uint64(line-2) {
				t.Errorf("%s %s: %v, %+v", name, what, err, r)
			}
		}
	}
}

// What is wrong is told in words that lead to it.
func TestProblemsInWords(t *testing.T) {
	s := journal(t, 10, 4)
	good := string(s.export())
	lines := strings.SplitAfter(good, "\n")
	for text, want := range map[string]string{
		"":                                "breaks off after 0 facts of 0",
		strings.Join(lines[:3], ""):       "breaks off after 2 facts of 10",
		good[:len(lines[0])+9]:            "line 2, where position 0 is due: not a line: it ends within a line",
		"x\n":                             "line 1 is not the head",
		lines[0][:9]:                      "line 1, where position 0 is due: not a line: it ends within a line",
		lines[0] + "x\n":                  "line 2, where position 0 is due, cannot be read",
		lines[0] + lines[2]:               "position 0 is due and 1 stands there",
		lines[0] + "{}\n":                 "line 2 is neither a fact nor a checkpoint nor the end",
		good + good:                       "something stands after the end",
		good + strings.Repeat(" ", 1<<20): "something stands after the end",
		lines[0] + line0(t, signed(t, Head{Origin: origin, Root: emptyRoot()}.Text(), s.signer)) + strings.Join(lines[1:], ""): "before the first fact",
		lines[0] + strings.Repeat(" ", maxLine) + "\n": fmt.Sprintf("longer than %d bytes", maxLine),
	} {
		if r, err := Export(t.Context(), strings.NewReader(text), s.keys, nil); fault.KindOf(err) != fault.Unverified || !strings.Contains(r.Problem, want) {
			t.Errorf("%.80q: %v, not %q", text, err, want)
		}
	}
	// A line of just maxLine bytes is read.
	padded := lines[0] + strings.Repeat(" ", maxLine-len(lines[1])) + strings.Join(lines[1:], "")
	if _, err := Export(t.Context(), strings.NewReader(padded), s.keys, nil); err != nil {
		t.Errorf("a line of %d bytes: %v", maxLine, err)
	}
}

func line0(t *testing.T, checkpoint string) string {
	t.Helper()
	b, err := json.Marshal(ExportCheckpoint{checkpoint})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// A header has all its parts, from the first fact on.
func TestHeadersAreWhole(t *testing.T) {
	for name, change := range map[string]func(h *event.Header){
		"no noun":     func(h *event.Header) { h.Stream = "/1" },
		"no id":       func(h *event.Header) { h.Stream = "release/" },
		"no stream":   func(h *event.Header) { h.Stream = "" },
		"no kind":     func(h *event.Header) { h.Kind = "" },
		"no actor":    func(h *event.Header) { h.Actor = "" },
		"no time":     func(h *event.Header) { h.Time = 0 },
		"before 1970": func(h *event.Header) { h.Time = -1 },
	} {
		s := journal(t, 10, 4)
		for i := range s.facts {
			change(&s.facts[i].header)
		}
		s.stamp()
		for i := range s.facts {
			if h := &s.facts[i].header; strings.Contains(name, "1970") {
				h.Time = -1
			}
		}
		s.hash()
		s.marks = nil
		s.sign(10)
		s.count()
		if r, err := s.verify(); code(err) != "export.header" || *r.FirstWrong != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A disposal that cannot be read accounts for nothing.
func TestUnreadableDisposal(t *testing.T) {
	s := journal(t, 10, 20)
	s.facts[3].private = s.dispose(3)
	s.accountForHalf()
	s.facts[10].body = []byte(`{"positions":[3],"more":1}`)
	s.hash()
	s.marks = nil
	s.sign(11)
	if r, err := s.verify(); code(err) != "export.disposed" || *r.FirstWrong != 10 {
		t.Errorf("%v", err)
	}
	s.facts[10].body = []byte(`{"positions":[3]}`)
	s.hash()
	s.marks = nil
	s.sign(11)
	if _, err := s.verify(); err != nil {
		t.Errorf("read: %v", err)
	}
}

// What is just as large as it may be is read, and a byte more is not.
func TestLimits(t *testing.T) {
	s := journal(t, 3, 2)
	note := func(size int) []byte {
		r := s.receipt(1, 3)
		text := signed(t, r.Text(), s.signer)
		r.Command += strings.Repeat("x", size-len(text))
		return []byte(signed(t, r.Text(), s.signer))
	}
	keys, id := permitKeys(t)
	p := permitOf(id)
	payload := func(size int) []byte {
		p := p
		p.Levels = []string{strings.Repeat("x", size-len(encoded(t, p))+len(p.Levels[0]))}
		b, err := json.Marshal(p.Statement())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	named := func(size int) []byte {
		p := p
		p.Engine = strings.Repeat("x", size)
		b, err := json.Marshal(p.Statement())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	levels := func(n int) []byte {
		p := p
		p.Levels = strings.Split(strings.Repeat("x,", n-1)+"x", ",")
		b, err := json.Marshal(p.Statement())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text := envelope(t, encoded(t, p), "permit")
	for name, c := range map[string]struct {
		limit int
		of    func(size int) []byte
		read  func(b []byte) error
		code  string
	}{
		"a receipt": {maxReceipt, note, func(b []byte) error { _, err := OpenReceipt(b, s.keys); return err }, "receipt.malformed"},
		"a permit":  {maxEnvelope, payload, func(b []byte) error { _, err := ParsePermit(b); return err }, "permit.malformed"},
		"a name":    {maxText, named, func(b []byte) error { _, err := ParsePermit(b); return err }, "permit.malformed"},
		"levels":    {maxLevels, levels, func(b []byte) error { _, err := ParsePermit(b); return err }, "permit.malformed"},
		"signatures": {maxSignatures, func(n int) []byte {
			return envelope(t, encoded(t, p), append(strings.Split(strings.Repeat("forger,", n-2)+"forger", ","), "permit")...)
		}, func(b []byte) error { _, _, err := Envelope(b, ForPermits, keys); return err }, "envelope.malformed"},
		"an envelope": {
			maxEnvelope, func(n int) []byte { return append(bytes.Repeat([]byte(" "), n-len(text)), text...) },
			func(b []byte) error { _, _, err := Envelope(b, ForPermits, keys); return err }, "envelope.too-large",
		},
	} {
		b := c.of(c.limit)
		if err := c.read(b); err != nil {
			t.Errorf("%s of %d: %v", name, c.limit, err)
		}
		if err := c.read(c.of(c.limit + 1)); code(err) != c.code {
			t.Errorf("%s of %d: %v", name, c.limit+1, err)
		}
	}
	large := Head{Origin: origin, Size: math.MaxInt64}
	if _, err := Checkpoint([]byte(signed(t, large.Text(), s.signer)), s.keys); err != nil {
		t.Errorf("the largest tree: %v", err)
	}
}

// Why a note or a proof is refused is said as well.
func TestRefusalsInWords(t *testing.T) {
	s := journal(t, 9, 4)
	good := s.marks[2].text
	forged := strings.Replace(good, "\n9\n", "\n8\n", 1)
	_, public := signer(t, "other.example", "other")
	sized := func(size string) string {
		return signed(t, strings.Replace(s.headAt(9).Text(), "\n9\n", "\n"+size+"\n", 1), s.signer)
	}
	for want, c := range map[string]struct {
		note string
		keys Keys
	}{
		"no trusted journal key has signed it":       {good, keysOf(t, "journal "+public)},
		"the signature of signalbox.example+":        {forged, s.keys},
		"it is not a signed note":                    {"text", s.keys},
		"the size is not a decimal number":           {sized("nine"), s.keys},
		"something in it is not in its one spelling": {sized("09"), s.keys},
	} {
		if _, err := Checkpoint([]byte(c.note), c.keys); fault.KindOf(err) != fault.Unverified || !strings.Contains(why(err), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
	w, key := witness(t, "witness.example/one")
	if _, err := Checkpoint([]byte(signed(t, s.headAt(9).Text(), w)), s.with(key)); code(err) != "checkpoint.signature" || !strings.Contains(why(err), "no trusted journal key") {
		t.Errorf("by a witness alone: %v", err)
	}
	older, newer := s.headAt(4), s.headAt(9)
	if err := Inclusion(older, Entry{Position: 4, Leaf: tlog.Hash(s.facts[4].leaf)}, nil); err == nil || !strings.Contains(err.Error(), "not within the first 4") {
		t.Errorf("just outside: %v", err)
	}
	if err := Consistency(Head{Origin: origin, Root: emptyRoot()}, Head{Origin: origin, Size: math.MaxInt64 + 1}, nil); code(err) != "proof.consistency" {
		t.Errorf("a tree that cannot be: %v", err)
	}
	if err := Consistency(Head{Origin: origin, Root: emptyRoot()}, Head{Origin: origin, Size: math.MaxInt64}, nil); err != nil {
		t.Errorf("the largest tree begins with none: %v", err)
	}
	if r := s.receipt(1, 4); r.Head() != s.headAt(4) {
		t.Errorf("%+v", r.Head())
	}
	if err := Consistency(newer, older, nil); err == nil || !strings.Contains(err.Error(), "shrunk from 9 to 4") {
		t.Errorf("shrunk: %v", err)
	}
	good = string(encoded(t, permitOf("0badcafe")))
	for _, digest := range []string{strings.Repeat("g", 64), strings.Repeat("A", 64), strings.Repeat("0", 32) + "-" + strings.Repeat("0", 31), strings.Repeat("0", 63), strings.Repeat("0", 65)} {
		e := expectation(permitOf("0badcafe"))
		e.Digest = DigestPrefix + digest
		if _, err := CheckPermit(nil, s.keys, e); code(err) != "permit.digest" {
			t.Errorf("%q: %v", digest, err)
		}
	}
	if _, err := ParsePermit([]byte(strings.Replace(good, `"subject":[`, `"subject":[{"name":"x","digest":{"sha256":""}},`, 1))); !strings.Contains(why(err), "one subject and three input attestations") {
		t.Errorf("two subjects: %v", err)
	}
	zoned := strings.Replace(good, `:00Z","not_after"`, `:00+00:00","not_after"`, 1)
	if _, err := ParsePermit([]byte(zoned)); !strings.Contains(why(err), "RFC 3339") {
		t.Errorf("an instant with a zone: %v", err)
	}
}

func why(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	return f.Why
}

// A receipt's hashes and time are each in their one spelling.
func TestReceiptSpellings(t *testing.T) {
	s := journal(t, 9, 4)
	r := s.receipt(1, 3)
	for old, replacement := range map[string]string{
		r.Tree.String():   tlog.Hash{}.String()[:40] + "====",
		r.Leaves.String(): strings.Repeat("A", 44),
		r.Time.String():   "yesterday",
	} {
		text := strings.Replace(r.Text(), old, replacement, 1)
		if _, err := OpenReceipt([]byte(signed(t, text, s.signer)), s.keys); code(err) != "receipt.malformed" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The same checkpoint twice is no two, and what is no private part has no hash.
func TestTheSameTwice(t *testing.T) {
	s := journal(t, 10, 4)
	s.marks = append(s.marks, s.marks[0])
	s.count()
	if r, err := s.verify(); err != nil || r.Checkpoints != 4 {
		t.Errorf("%d checkpoints: %v", r.Checkpoints, err)
	}
	if h, err := RecordHash([]byte("{}"), []byte("{}"), []byte(`[{"name":"a"}]x`)); err == nil || h != (tlog.Hash{}) {
		t.Errorf("%s: %v", h, err)
	}
}

// The report counts what no checkpoint covers.
func TestTail(t *testing.T) {
	s := journal(t, 10, 4)
	s.marks = s.marks[:2]
	s.count()
	if r, err := s.verify(); code(err) != "export.tail" || r.Tail != 2 || r.Head.Size != 8 || *r.FirstWrong != 8 {
		t.Errorf("%+v: %v", r, err)
	}
}

// The end counts what there is, facts and checkpoints alike.
func TestCountsAtTheEnd(t *testing.T) {
	for name, change := range map[string]func(s *sample){
		"a fact more": func(s *sample) { s.end.Facts++ }, "a fact less": func(s *sample) { s.end.Facts-- }, "none": func(s *sample) { s.end.Facts = 0 },
		"a checkpoint more": func(s *sample) { s.end.Checkpoints++ }, "a checkpoint less": func(s *sample) { s.end.Checkpoints-- },
		"more at the head": func(s *sample) { s.head.Size++ }, "more at both": func(s *sample) { s.head.Size++; s.end.Facts++ },
	} {
		s := journal(t, 10, 4)
		change(s)
		if _, err := s.verify(); code(err) != "export.counts" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
