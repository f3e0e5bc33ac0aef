package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/verify"
)

// Counter is the test's noun: it adds up, has a unique name, a lookup by parity
// and an interval as long as its sum.
type counter struct {
	Name string `json:"name,omitempty"`
	Sum  int64  `json:"sum"`
}

type added struct {
	Name string `json:"name,omitempty"`
	N    int64  `json:"n"`
}

const addedKind event.Kind = "counter.added"

func counterShape(number int) event.Shape {
	return event.ShapeOf("counter", number, func(c *counter, f event.Recorded) error {
		var a added
		if f.Kind != addedKind {
			return fmt.Errorf("%s is not a kind of a counter", f.Kind)
		}
		if err := f.Body(&a); err != nil {
			return err
		}
		if a.Name != "" {
			c.Name = a.Name
		}
		c.Sum += a.N * int64(number)
		return nil
	}, func(c counter) []event.Key {
		keys := []event.Key{{Kind: event.Lookup, Name: "counter.parity", Value: fmt.Sprint(c.Sum % 2)}}
		if c.Name != "" {
			keys = append(keys, event.Key{Kind: event.Unique, Name: "counter.name", Value: c.Name})
		}
		if c.Sum > 0 {
			keys = append(keys, event.Key{Kind: event.Interval, Name: "counter.span", Value: "all", From: 100, Until: event.Micros(100 + c.Sum)})
		}
		return keys
	})
}

// kit is a journal over a database, with its key.
type kit struct {
	*journal.Journal
	db       *store.DB
	verifier note.Verifier
	keys     verify.Keys
	options  journal.Options
}

// start opens a journal with the key of all tests.
func start(t testing.TB, db *store.DB, change func(*journal.Options)) *kit {
	t.Helper()
	signer, public, err := testSigner()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	o := journal.Options{DB: db, Shapes: []event.Shape{counterShape(1)}, Signer: signer}
	if change != nil {
		change(&o)
	}
	keys, err := verify.ParseKeys([]byte("journal " + public))
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{db: db, verifier: verifier, keys: keys, options: o}
	k.reopen(t)
	return k
}

// testSigner is the key of all tests, and its public half.
func testSigner() (signer note.Signer, public string, err error) {
	secret, public, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "signalbox.test")
	if err == nil {
		signer, err = note.NewSigner(secret)
	}
	return signer, public, err
}

// reopen opens the journal over the same database.
func (k *kit) reopen(t testing.TB) {
	t.Helper()
	j, err := journal.Open(context.Background(), k.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	k.Journal = j
}

func counterStream(id string) event.Stream { return event.StreamOf("counter", id) }

// add is a command that adds n to a counter.
func add(id string, n int64, reads ...journal.Read) journal.Command {
	return journal.Command{
		Actor: "person/ada", Auth: "local", Source: "cli", Reads: reads,
		Facts: []event.Draft{{Stream: counterStream(id), Kind: addedKind, Body: added{N: n}}},
	}
}

// keyed is a command under an idempotency key that adds 1 to the counter "k".
func keyed(id string) journal.Command {
	c := add("k", 1)
	c.ID, c.Request = id, digest(id)
	return c
}

func digest(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func (k *kit) must(t testing.TB, c journal.Command) journal.Receipt {
	t.Helper()
	r, err := k.Append(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (k *kit) load(t testing.TB, s event.Stream) (version uint64, c counter) {
	t.Helper()
	err := k.Snapshot(t.Context(), func(s2 *journal.Snapshot) error {
		v, b, err := s2.Load(t.Context(), s)
		if err != nil {
			return err
		}
		version = v
		c, err = event.Decode[counter](b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return version, c
}

// verify checks the whole chain from an export, with another implementation of
// the tree than the journal's and with the one that outsiders use, and the
// stored state with a cold fold. It returns the number of facts.
func (k *kit) verify(t testing.TB) uint64 {
	t.Helper()
	var b bytes.Buffer
	if err := k.Export(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	n, err := verifyExport(b.Bytes(), k.verifier)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Export(context.Background(), &b, k.keys, nil)
	if err != nil || report.Facts != n || report.Origin != k.Origin() {
		t.Fatalf("the offline verifier: %+v, %v", report, err)
	}
	if err := k.CheckRebuild(context.Background(), func(string, uint64, uint64) {}); err != nil {
		t.Fatal(err)
	}
	return n
}

type exportLine struct {
	Format     int    `json:"signalbox_export"`
	Origin     string `json:"origin"`
	Size       uint64 `json:"size"`
	Position   uint64 `json:"position"`
	Header     []byte `json:"header"`
	Body       []byte `json:"body"`
	Private    []byte `json:"private"`
	Leaf       []byte `json:"leaf"`
	Checkpoint string `json:"checkpoint"`
	End        *struct{ Facts, Checkpoints uint64 }
}

// chain is what verifyExport has seen so far.
type chain struct {
	head     exportLine
	facts    uint64
	signed   uint64
	notes    uint64
	time     event.Micros
	versions map[event.Stream]uint64
	tree     *compact.Range
	ended    bool
}

func verifyExport(export []byte, v note.Verifier) (uint64, error) {
	c := chain{versions: map[event.Stream]uint64{}, tree: (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)}
	lines := bufio.NewScanner(bytes.NewReader(export))
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		var l exportLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return 0, err
		}
		if err := c.line(n, l, v); err != nil {
			return 0, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	if !c.ended || c.facts != c.head.Size || v != nil && c.signed != c.facts {
		return 0, fmt.Errorf("ended %v with %d of %d facts, %d signed", c.ended, c.facts, c.head.Size, c.signed)
	}
	return c.facts, nil
}

func (c *chain) line(n int, l exportLine, v note.Verifier) error {
	switch {
	case c.ended:
		return errors.New("a line after the end")
	case n == 0:
		c.head = l
		if l.Format != 1 || l.Origin == "" {
			return errors.New("no head")
		}
		return nil
	case l.Checkpoint != "":
		return c.checkpoint(l.Checkpoint, v)
	case l.End != nil:
		c.ended = true
		if l.End.Facts != c.facts || l.End.Checkpoints != c.notes {
			return fmt.Errorf("end says %+v", *l.End)
		}
		return nil
	}
	return c.fact(l)
}

func (c *chain) checkpoint(text string, v note.Verifier) error {
	opened, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return err
	}
	root, err := c.tree.GetRootHash(nil)
	if err != nil {
		return err
	}
	b, _ := json.Marshal(root)
	want := fmt.Sprintf("%s\n%d\n%s\n", c.head.Origin, c.facts, strings.Trim(string(b), `"`))
	if opened.Text != want {
		return fmt.Errorf("checkpoint %q, want %q", opened.Text, want)
	}
	c.signed, c.notes = c.facts, c.notes+1
	return nil
}

func (c *chain) fact(l exportLine) error {
	var h event.Header
	if err := json.Unmarshal(l.Header, &h); err != nil {
		return err
	}
	if l.Position != c.facts || h.Position != c.facts || h.Time < c.time {
		return fmt.Errorf("fact %d says %d at %v after %v", c.facts, h.Position, h.Time, c.time)
	}
	for _, touch := range append([]event.Touch{{Stream: h.Stream, Version: h.Version}}, h.Touches...) {
		if c.versions[touch.Stream]++; c.versions[touch.Stream] != touch.Version {
			return fmt.Errorf("%s goes to version %d at %d", touch.Stream, touch.Version, h.Position)
		}
	}
	leaf, err := event.Leaf(l.Header, l.Body, l.Private)
	if err != nil {
		return err
	}
	hash := rfc6962.DefaultHasher.HashLeaf(leaf)
	if !bytes.Equal(hash, l.Leaf) {
		return fmt.Errorf("the leaf of %d is another", h.Position)
	}
	c.facts, c.time = c.facts+1, h.Time
	return c.tree.Append(hash, nil)
}
