package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

const (
	facts = 330
	every = 50
)

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return fmt.Sprint(err)
}

// stretch is the first position after the last checkpoint that does not cover p.
func stretch(p uint64) uint64 { return p / every * every }

func exactly(p uint64) uint64 { return p }
func first(uint64) uint64     { return 0 }
func none(uint64) uint64      { return nowhere }

// positions are where each tampering is tried: everywhere when proving, else in
// some places, among them those around checkpoints and ends.
func positions() []uint64 {
	if os.Getenv("SIGNALBOX_PROVE") == "" {
		return []uint64{1, 2, 48, 49, 50, 51, 99, 150, 201, 299, 300, 327}
	}
	var all []uint64
	for p := uint64(1); p < facts-2; p++ {
		all = append(all, p)
	}
	return all
}

func flip(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

func TestGoodExport(t *testing.T) {
	for _, n := range []uint64{1, 2, 49, 50, 51, facts} {
		s := journal(t, n, every)
		r, err := s.verify()
		if err != nil {
			t.Fatalf("%d facts: %v", n, err)
		}
		var kinds uint64
		for _, count := range r.Kinds {
			kinds += count
		}
		if r.Facts != n || r.Origin != origin || r.Head != s.headAt(n) || r.Tail != 0 || kinds != n ||
			r.Checkpoints != uint64(len(s.marks)) || r.FirstWrong != nil || r.Problem != "" || r.Kinds[event.JournalBegun] != 1 {
			t.Errorf("%d facts: the report says %+v", n, r)
		}
	}
}

// The tampering matrix: what someone who can write to the database, but has no
// signing key, may try, and where it must be found.
func TestTampering(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func(s *sample, p uint64)
		code   string
		at     func(p uint64) uint64
	}{
		{"edit a body", func(s *sample, p uint64) { s.facts[p].body = flip(s.facts[p].body) }, "export.leaf", exactly},
		{"edit an actor", func(s *sample, p uint64) { s.facts[p].header.Actor = "person/2" }, "export.leaf", exactly},
		{"edit a name", func(s *sample, p uint64) {
			s.facts[p].private = bytes.Replace(s.facts[p].private, []byte("Ada"), []byte("Bob"), 1)
		}, "export.leaf", exactly},
		{"edit a stored hash", func(s *sample, p uint64) { s.facts[p].leaf = flip(s.facts[p].leaf) }, "export.leaf", exactly},
		{"edit and hash again", func(s *sample, p uint64) { s.facts[p].header.Actor = "person/2"; s.hash() }, "export.checkpoint", stretch},
		{"edit, hash and sign with another key", func(s *sample, p uint64) {
			s.facts[p].header.Actor = "person/2"
			s.hash()
			resign(s, "signalbox.example")
		}, "export.checkpoint", first},
		{"sign with another key alone", func(s *sample, p uint64) { resign(s, "signalbox.example") }, "export.checkpoint", first},
		{"sign under another name", func(s *sample, p uint64) { resign(s, "other.example") }, "export.checkpoint", first},
		{"delete", func(s *sample, p uint64) { s.remove(p); s.count() }, "export.position", exactly},
		{"delete, renumber the lines", func(s *sample, p uint64) { s.remove(p); s.renumber(); s.count() }, "export.position", exactly},
		{"delete, renumber, hash again", func(s *sample, p uint64) {
			s.remove(p % 300) // beyond, no checkpoint is reached: that is a tail
			s.stamp()
			s.hash()
			s.count()
		}, "export.checkpoint", func(p uint64) uint64 { return stretch(p % 300) }},
		{"delete from the last stretch, renumber, hash again", func(s *sample, p uint64) {
			s.remove(300 + p%30)
			s.stamp()
			s.hash()
			s.count()
		}, "export.tail", func(uint64) uint64 { return 300 }},
		{"swap two", func(s *sample, p uint64) { s.swap(p) }, "export.position", exactly},
		{"swap two, renumber, hash again", func(s *sample, p uint64) { s.swap(p); s.stamp(); s.hash() }, "export.checkpoint", stretch},
		{"insert", func(s *sample, p uint64) { s.insert(p); s.count() }, "export.position", func(p uint64) uint64 { return p + 1 }},
		{"insert, renumber, hash again", func(s *sample, p uint64) { s.insert(p); s.stamp(); s.hash(); s.count() }, "export.checkpoint", func(p uint64) uint64 { return stretch(p + 1) }},
		{"break a version", func(s *sample, p uint64) { s.facts[p].header.Version++; s.hash() }, "export.version", exactly},
		{"set the clock back", func(s *sample, p uint64) { s.facts[p].header.Time = 1; s.hash() }, "export.time", exactly},
		{"repeat a line", func(s *sample, p uint64) { s.facts = slices.Insert(s.facts, int(p)+1, s.facts[p]); s.count() }, "export.position", func(p uint64) uint64 { return p + 1 }},
		{"cut off, counts as they were", func(s *sample, p uint64) { s.facts = s.facts[:p] }, "export.counts", exactly},
		{"cut off, counts made right", func(s *sample, p uint64) { s.facts = s.facts[:p]; s.marks = s.upTo(p - 1); s.count() }, "export.tail", func(p uint64) uint64 { return stretch(p - 1) }},
		{"cut off, end and all", func(s *sample, p uint64) { s.facts = s.facts[:p]; s.end = nil }, "export.line", exactly},
		{"drop checkpoints", func(s *sample, p uint64) { s.marks = s.upTo(p); s.count() }, "export.tail", stretch},
		{"drop checkpoints in silence", func(s *sample, p uint64) { s.marks = s.upTo(p) }, "export.counts", none},
		{"edit, hash again, drop later checkpoints", func(s *sample, p uint64) {
			s.facts[p].header.Actor = "person/2"
			s.hash()
			s.marks = s.upTo(p)
			s.count()
		}, "export.tail", stretch},
		{"move a byte from body to private", func(s *sample, p uint64) {
			f := &s.facts[p]
			f.private = append([]byte(" "), f.private...)
			f.body = f.body[:len(f.body)-1]
		}, "export.leaf", exactly},
		{"move a byte from header to body", func(s *sample, p uint64) {
			f := &s.facts[p]
			f.raw = f.headerBytes()
			f.body = append([]byte{f.raw[len(f.raw)-1]}, f.body...)
			f.raw = f.raw[:len(f.raw)-1]
		}, "export.header", exactly},
		{"move a letter from a field's value to its name", func(s *sample, p uint64) {
			f := &s.facts[p]
			f.private = bytes.Replace(f.private, []byte(`"name":"reason"`), []byte(`"name":"reasonb"`), 1)
			f.private = bytes.Replace(f.private, []byte(`"because"`), []byte(`"ecause"`), 1)
		}, "export.leaf", exactly},
		{"swap private parts", func(s *sample, p uint64) {
			s.facts[p].private, s.facts[p+1].private = s.facts[p+1].private, s.facts[p].private
		}, "export.leaf", exactly},
		{"swap bodies and hashes", func(s *sample, p uint64) {
			a, b := &s.facts[p], &s.facts[p+1]
			a.body, b.body, a.leaf, b.leaf = b.body, a.body, b.leaf, a.leaf
		}, "export.leaf", exactly},
		{"add a private field", func(s *sample, p uint64) {
			s.facts[p].private = append(s.facts[p].private[:len(s.facts[p].private)-1:len(s.facts[p].private)-1],
				`,{"name":"z","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`...)
		}, "export.leaf", exactly},
		{"add a private member that no hash covers", func(s *sample, p uint64) {
			s.facts[p].private = bytes.Replace(s.facts[p].private, []byte(`[{`), []byte(`[{"note":"guilty",`), 1)
		}, "export.leaf", exactly},
		{"remove a private field", func(s *sample, p uint64) { s.facts[p].private = []byte("[]") }, "export.leaf", exactly},
		{"dispose under another digest", func(s *sample, p uint64) {
			disposed := s.dispose(p)
			s.facts[p].private = bytes.Replace(disposed, []byte(`"digest":"`), []byte(`"digest":"A`), 1)
		}, "export.leaf", exactly},
		{"another format", func(s *sample, p uint64) { s.facts[p].header.Format = 2; s.hash() }, "export.header", exactly},
		{"no actor", func(s *sample, p uint64) { s.facts[p].header.Actor = ""; s.hash() }, "export.header", exactly},
		{"a member more in the header", func(s *sample, p uint64) {
			s.facts[p].raw = bytes.Replace(s.facts[p].headerBytes(), []byte("{"), []byte(`{"more":1,`), 1)
			s.hash()
		}, "export.header", exactly},
		{"a fact of another journal", func(s *sample, p uint64) { s.facts[p].header.Stream = "journal/other"; s.stamp(); s.hash() }, "export.origin", exactly},
		{"a second checkpoint of the same size", func(s *sample, p uint64) {
			head := s.headAt(every)
			head.Root[0] ^= 1
			s.marks = append(s.marks, mark{every, signed(s.t, head.Text(), s.signer)})
			s.count()
		}, "export.checkpoint", none},
		{"a checkpoint in another's place", func(s *sample, p uint64) { s.marks[1].after, s.marks[2].after = 150, 100 }, "export.checkpoint", func(uint64) uint64 { return 100 }},
		{"an edited checkpoint", func(s *sample, p uint64) {
			s.marks[1].text = strings.Replace(s.marks[1].text, "\n100\n", "\n101\n", 1)
		}, "export.checkpoint", func(uint64) uint64 { return every }},
		{"a checkpoint of another journal", func(s *sample, p uint64) {
			head := s.headAt(100)
			head.Origin = "other"
			s.marks[1].text = signed(s.t, head.Text(), s.signer)
		}, "export.origin", func(uint64) uint64 { return every }},
		{"another origin at the head", func(s *sample, p uint64) { s.head.Origin = "other" }, "export.origin", first},
		{"another format at the head", func(s *sample, p uint64) { s.head.Format = 2 }, "export.line", none},
		{"another size at the head", func(s *sample, p uint64) { s.head.Size++ }, "export.counts", func(uint64) uint64 { return facts }},
		{"something after the end", func(s *sample, p uint64) { s.after = "\n" }, "export.line", none},
		{"no newline after the end", func(s *sample, p uint64) { s.after = "{" }, "export.line", none},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, p := range positions() {
				s := journal(t, facts, every)
				c.tamper(s, p)
				r, err := s.verify()
				if fault.KindOf(err) != fault.Unverified || code(err) != c.code {
					t.Fatalf("at %d: %v (%s), want %s", p, err, code(err), c.code)
				}
				at := uint64(nowhere)
				if r.FirstWrong != nil {
					at = *r.FirstWrong
				}
				if at != c.at(p) {
					t.Fatalf("at %d: first wrong is %d, want %d: %s", p, at, c.at(p), r.Problem)
				}
			}
		})
	}
}

// What an export alone cannot show is said in the package comment; this is the
// negative control for it, and shows that the head tells the difference.
func TestWhatAnExportCannotShow(t *testing.T) {
	whole := journal(t, facts, every)
	cut := journal(t, facts, every)
	cut.facts, cut.marks = cut.facts[:100], cut.upTo(100)
	cut.count()
	r, err := cut.verify()
	if err != nil {
		t.Errorf("a journal cut back to a checkpoint: %v", err)
	}
	if r.Head.Size != 100 || r.Head == whole.headAt(facts) {
		t.Errorf("its head is %+v", r.Head)
	}
	fork := journal(t, facts, every)
	fork.facts[40].header.Actor = "person/2"
	fork.hash()
	fork.marks = nil
	fork.sign(facts)
	fork.count()
	r, err = fork.verify()
	if err != nil {
		t.Errorf("a journal rewritten with the key: %v", err)
	}
	if r.Head == whole.headAt(facts) {
		t.Error("a rewritten journal has the head of the true one")
	}
}

func TestDisposedFactsVerify(t *testing.T) {
	s := journal(t, facts, every)
	for p := range uint64(facts) {
		if p%2 == 0 {
			s.facts[p].private = s.dispose(p)
		}
	}
	r, err := s.verify()
	if r.FirstWrong == nil || *r.FirstWrong != 0 || err == nil {
		t.Errorf("fields that went without a fact that says so: %v, first wrong %v", err, r.FirstWrong)
	}
	s.accountForHalf()
	if r, err = s.verify(); err != nil || r.Disposed != facts {
		t.Errorf("%d fields disposed of: %v", r.Disposed, err)
	}
	if bytes.Contains(s.facts[0].private, []byte("Ada")) {
		t.Error("the sample still holds a name")
	}
}

// accountForHalf appends the fact that says that every second one's private fields went.
func (s *sample) accountForHalf() {
	var d event.Disposed
	for p := range uint64(len(s.facts)) {
		if p%2 == 0 {
			d.Positions = append(d.Positions, p)
		}
	}
	body, err := json.Marshal(d)
	if err != nil {
		s.t.Fatal(err)
	}
	s.facts = append(s.facts, fact{
		header: event.Header{Format: 1, Stream: event.StreamOf("journal", origin), Kind: event.FieldsDisposed, Actor: "system/test", Auth: "local", Source: "test"},
		body:   body, private: []byte("[]"),
	})
	s.stamp()
	s.hash()
	s.marks = nil
	s.sign(uint64(len(s.facts)))
	s.count()
}

func (s *sample) dispose(p uint64) []byte {
	b, err := event.Dispose(s.facts[p].private)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *sample) remove(p uint64) { s.facts = slices.Delete(s.facts, int(p), int(p)+1) }

func (s *sample) swap(p uint64) { s.facts[p], s.facts[p+1] = s.facts[p+1], s.facts[p] }

func (s *sample) insert(p uint64) {
	f := s.facts[p]
	f.header.Command = "backdated"
	s.facts = slices.Insert(s.facts, int(p)+1, f)
}

func (s *sample) renumber() {
	for i := range s.facts {
		s.facts[i].line = uint64(i)
	}
}

// upTo is the checkpoints over no more than p facts.
func (s *sample) upTo(p uint64) []mark {
	var kept []mark
	for _, m := range s.marks {
		if m.after <= p {
			kept = append(kept, m)
		}
	}
	return kept
}

// resign replaces all checkpoints by those of a key that nobody trusts.
func resign(s *sample, name string) {
	s.signer, _ = signer(s.t, name, "forger")
	old := s.marks
	s.marks = nil
	for _, m := range old {
		s.sign(m.after)
	}
}

// A rotated key: what either key signed is good, and only while both are trusted.
func TestTwoKeys(t *testing.T) {
	s := journal(t, 100, every)
	next, public := signer(t, "signalbox.example", "next")
	s.marks[1].text = signed(t, s.headAt(100).Text(), next)
	if _, err := s.verify(); code(err) != "export.checkpoint" {
		t.Errorf("with the old key alone: %v", err)
	}
	s.keys = keysOf(t, "journal "+s.keys.Of(ForJournal)[0].Text, "journal "+public)
	if _, err := s.verify(); err != nil {
		t.Errorf("with both keys: %v", err)
	}
	s.keys = keysOf(t, "permit "+public)
	if _, err := s.verify(); code(err) != "keys.none" {
		t.Errorf("with a permit key: %v", err)
	}
}

func TestWitnessSignatureIsPassedOver(t *testing.T) {
	s := journal(t, 10, every)
	witness, _ := signer(t, "witness.example", "witness")
	s.marks[0].text = signed(t, s.headAt(10).Text(), s.signer, witness)
	if _, err := s.verify(); err != nil {
		t.Error(err)
	}
	s.marks[0].text = signed(t, s.headAt(10).Text(), witness)
	if _, err := s.verify(); code(err) != "export.checkpoint" {
		t.Errorf("by a witness alone: %v", err)
	}
}

func TestLines(t *testing.T) {
	good := string(journal(t, 3, every).export())
	parts := strings.SplitAfter(good, "\n")
	long, err := json.Marshal(ExportFact{Body: make([]byte, maxLine)})
	if err != nil {
		t.Fatal(err)
	}
	keys := journal(t, 1, 1).keys
	for name, text := range map[string]string{
		"nothing":                        "",
		"an empty line":                  "\n",
		"no head":                        strings.Join(parts[1:], ""),
		"a head alone":                   parts[0],
		"a head twice":                   parts[0] + good,
		"no origin":                      `{"signalbox_export":1,"origin":"","size":0}` + "\n" + `{"end":{"facts":0,"checkpoints":0}}` + "\n",
		"a line too long":                parts[0] + string(long) + "\n",
		"an endless line":                parts[0] + strings.Repeat(" ", maxLine*3),
		"an unknown member":              parts[0] + `{"position":0,"x":1}` + "\n",
		"a fact without a leaf":          parts[0] + `{"position":0,"header":"e30=","body":"e30=","private":"W10="}` + "\n",
		"a fact that is also a note":     parts[0] + strings.Replace(parts[1], `{`, `{"checkpoint":"x",`, 1),
		"a note that is also the end":    parts[0] + `{"checkpoint":"x","end":{"facts":0,"checkpoints":0}}` + "\n",
		"an empty object":                parts[0] + "{}\n",
		"null":                           parts[0] + "null\n",
		"a member twice":                 parts[0] + `{"checkpoint":"x","checkpoint":"x"}` + "\n",
		"a member in capitals":           parts[0] + `{"Checkpoint":"x"}` + "\n",
		"the end cut short":              good[:len(good)-1],
		"two exports":                    good + good,
		"half a fact":                    good[:len(parts[0])+20],
		"a fact in a line of two values": parts[0] + "{}" + parts[1],
	} {
		if _, err := Export(t.Context(), strings.NewReader(text), keys, nil); fault.KindOf(err) != fault.Unverified || code(err) != "export.line" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Export(t.Context(), strings.NewReader(good), keys, nil); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestEmptyExportProvesNothing(t *testing.T) {
	s := journal(t, 1, 1)
	s.facts, s.marks = nil, nil
	s.count()
	if _, err := s.verify(); code(err) != "export.empty" {
		t.Error(err)
	}
}

func TestTouchedStreamsAreFollowed(t *testing.T) {
	s := journal(t, 30, every)
	s.facts[7].header.Touches[0].Version++
	s.hash()
	if r, err := s.verify(); code(err) != "export.version" || *r.FirstWrong != 7 {
		t.Error(err)
	}
	s = journal(t, 30, every)
	s.facts[7].header.Touches = nil
	s.hash()
	if r, err := s.verify(); code(err) != "export.version" || *r.FirstWrong != 10 {
		t.Error(err)
	}
}
