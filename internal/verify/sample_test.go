package verify

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/event"
)

const origin = "signalbox.local/01990000-0000-7000-8000-000000000001"

// seeded is a source of the same random bytes every time.
func seeded(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

// salt is read as the same 32 bytes again and again: whatever order fields are
// encoded in, the sample is the same in every process that fuzzes it.
type salt [32]byte

func (s salt) Read(p []byte) (int, error) { return copy(p, s[:]), nil }

// signer is a test key: the same for the same seed and name.
func signer(t testing.TB, name, seed string) (note.Signer, string) {
	t.Helper()
	secret, public, err := note.GenerateKey(seeded(seed), name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func keysOf(t testing.TB, lines ...string) Keys {
	t.Helper()
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	keys, err := ParseKeys(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// The lines of an export as they are written.
type (
	ExportFact struct {
		Position uint64 `json:"position"`
		Header   []byte `json:"header"`
		Body     []byte `json:"body"`
		Private  []byte `json:"private"`
		Leaf     []byte `json:"leaf"`
	}
	ExportCheckpoint struct {
		Checkpoint string `json:"checkpoint"`
	}
	ExportEnd struct {
		End ExportCounts `json:"end"`
	}
)

// sample is a journal as whoever holds the database sees it, open to change.
type sample struct {
	t      testing.TB
	head   ExportHead
	facts  []fact
	marks  []mark
	end    *ExportCounts
	after  string // what stands after the end
	keys   Keys
	signer note.Signer
}

type fact struct {
	line    uint64 // position as the line says it
	header  event.Header
	raw     []byte // stands for header if set
	body    []byte
	private []byte
	leaf    []byte
}

// mark is a checkpoint that stands after so many facts.
type mark struct {
	after uint64
	text  string
}

func (f fact) headerBytes() []byte {
	if f.raw != nil {
		return f.raw
	}
	b, err := json.Marshal(f.header)
	if err != nil {
		panic(err)
	}
	return b
}

// journal is a good sample of n facts with a checkpoint every so many and at the end.
func journal(t testing.TB, n, every uint64) *sample {
	t.Helper()
	s := &sample{t: t, head: ExportHead{Format: 1, Origin: origin}}
	var public string
	s.signer, public = signer(t, "signalbox.example", "journal")
	s.keys = keysOf(t, "journal "+public)
	for i := range n {
		h := event.Header{
			Format: 1, Stream: event.StreamOf("release", fmt.Sprint(i%7)), Kind: event.ReleaseMoved, Time: event.Micros(1_000_000 + i/3),
			Actor: "person/1", Auth: "token/1", Source: "api", Command: fmt.Sprint(i),
		}
		if i == 0 {
			h.Stream, h.Kind = event.StreamOf("journal", origin), event.JournalBegun
		}
		if i%3 == 1 {
			h.Kind, h.Touches = event.FreezeDeclared, []event.Touch{{Stream: event.SetFreezes}}
		}
		private, err := event.EncodePrivate(map[string]string{"name": fmt.Sprintf("Ada Example %d", i), "reason": "because"}, salt(sha256.Sum256(fmt.Append(nil, i))))
		if err != nil {
			t.Fatal(err)
		}
		s.facts = append(s.facts, fact{header: h, body: fmt.Appendf(nil, `{"number":%d}`, i), private: private})
	}
	s.stamp()
	s.hash()
	for size := every; size < n; size += every {
		s.sign(size)
	}
	s.sign(n)
	s.count()
	return s
}

// stamp gives every fact the position, versions and time it would have had in this order.
func (s *sample) stamp() {
	versions := map[event.Stream]uint64{}
	var last event.Micros
	for i := range s.facts {
		f := &s.facts[i]
		f.line, f.header.Position = uint64(i), uint64(i)
		versions[f.header.Stream]++
		f.header.Version = versions[f.header.Stream]
		f.header.Touches = slices.Clone(f.header.Touches)
		for j := range f.header.Touches {
			versions[f.header.Touches[j].Stream]++
			f.header.Touches[j].Version = versions[f.header.Touches[j].Stream]
		}
		last = max(last, f.header.Time)
		f.header.Time = last
	}
}

// hash stores the leaf that each fact's bytes have now.
func (s *sample) hash() {
	for i := range s.facts {
		f := &s.facts[i]
		if leaf, err := RecordHash(f.headerBytes(), f.body, f.private); err == nil {
			f.leaf = leaf[:]
		}
	}
}

func (s *sample) headAt(size uint64) Head {
	var tree frontier
	for _, f := range s.facts[:size] {
		tree.add([32]byte(f.leaf))
	}
	return Head{Origin: s.head.Origin, Size: size, Root: tree.root()}
}

// sign adds a checkpoint over the first facts as they are now.
func (s *sample) sign(size uint64) {
	s.marks = append(s.marks, mark{size, signed(s.t, s.headAt(size).Text(), s.signer)})
}

func signed(t testing.TB, text string, signers ...note.Signer) string {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// count makes head and end say what is there.
func (s *sample) count() {
	s.head.Size = uint64(len(s.facts))
	var reached uint64
	for _, m := range s.marks {
		if m.after <= s.head.Size {
			reached++
		}
	}
	s.end = &ExportCounts{Facts: s.head.Size, Checkpoints: reached}
}

func (s *sample) export() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	line := func(v any) {
		if err := e.Encode(v); err != nil {
			s.t.Fatal(err)
		}
	}
	line(s.head)
	for i, f := range s.facts {
		line(ExportFact{Position: f.line, Header: f.headerBytes(), Body: f.body, Private: f.private, Leaf: f.leaf})
		for _, m := range s.marks {
			if m.after == uint64(i+1) {
				line(ExportCheckpoint{m.text})
			}
		}
	}
	if s.end != nil {
		line(ExportEnd{*s.end})
	}
	b.WriteString(s.after)
	return b.Bytes()
}

func (s *sample) verify() (Report, error) {
	return Export(context.Background(), bytes.NewReader(s.export()), s.keys, nil)
}

// permitOf is a whole permit for api 1.2.3 in production, from 12:00 to 12:15.
func permitOf(keyID string) Permit {
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	return Permit{
		ID: "01990000-0000-7000-8000-0000000000aa", Release: "01990000-0000-7000-8000-0000000000bb", ReleaseType: "normal",
		Service: "api", Version: "1.2.3", Environment: "production", Digest: digest("artifact"), Origin: origin, Position: 41,
		Engine: "0.1.0", Decided: noon, NotBefore: noon, NotAfter: noon.Add(15 * time.Minute),
		Policy: digest("policy"), Change: digest("change"), Evidence: digest("evidence"), Basis: digest("basis"),
		Levels: []string{"SIGNALBOX_GO"}, KeyID: keyID,
	}
}

func digest(of string) string { return fmt.Sprintf("%s%x", DigestPrefix, sha256.Sum256([]byte(of))) }

// envelope signs a payload with the keys of the seeds.
func envelope(t testing.TB, payload []byte, seeds ...string) []byte {
	t.Helper()
	e := struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
		Signatures  []any  `json:"signatures"`
	}{PayloadType: PayloadType, Payload: payload}
	for _, seed := range seeds {
		s, _ := signer(t, "signalbox.example", seed)
		sig, err := s.Sign(PAE(PayloadType, payload))
		if err != nil || len(sig) != ed25519.SignatureSize {
			t.Fatal(err)
		}
		e.Signatures = append(e.Signatures, map[string]any{"keyid": fmt.Sprintf("%08x", s.KeyHash()), "sig": sig})
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
