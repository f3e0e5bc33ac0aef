package witness

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
)

const origin = "signalbox.local/01990000-0000-7000-8000-000000000001"

// tree is a log of others' code: golang.org/x/mod/sumdb.
type tree struct {
	t      testing.TB
	signer note.Signer
	public string
	hashes []tlog.Hash
	size   int64
}

func newTree(t testing.TB, name string) *tree {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &tree{t: t, signer: signer, public: public}
}

func (l *tree) keys(context.Context) ([]byte, error) { return []byte("journal " + l.public), nil }

// fork is another tree of the first facts under the same key.
func (l *tree) fork(size int64) *tree {
	f := &tree{t: l.t, signer: l.signer, public: l.public, size: size}
	f.hashes = slices.Clone(l.hashes[:tlog.StoredHashCount(size)])
	return f
}

func (l *tree) read(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, i := range indexes {
		all = append(all, l.hashes[i])
	}
	return all, nil
}

func (l *tree) grow(n int, text string) {
	for range n {
		hashes, err := tlog.StoredHashes(l.size, fmt.Appendf(nil, "%s %d", text, l.size), tlog.HashReaderFunc(l.read))
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes, l.size = append(l.hashes, hashes...), l.size+1
	}
}

func (l *tree) checkpoint(size int64) []byte {
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(l.read))
	if err != nil {
		l.t.Fatal(err)
	}
	if size == 0 {
		root = tlog.Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	b, err := note.Sign(&note.Note{Text: string(f_log.Checkpoint{Origin: l.signer.Name(), Size: uint64(size), Hash: root[:]}.Marshal())}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *tree) proof(from, to int64) []tlog.Hash {
	if from == 0 || from == to {
		return nil
	}
	p, err := tlog.ProveTree(to, from, tlog.HashReaderFunc(l.read))
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func begin(t testing.TB, dir string, logs ...string) *Witness {
	t.Helper()
	w, err := Open(Options{Dir: dir, Name: "witness.example/w", Logs: logs, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func ask(t testing.TB, w *Witness, l *tree) *Client {
	t.Helper()
	h := httptest.NewServer(w.Handler())
	t.Cleanup(h.Close)
	c, err := NewClient(h.URL+"/", w.Public(), l.keys, h.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every growth is cosigned, and others' code accepts each cosignature.
func TestGrowthIsCosigned(t *testing.T) {
	l := newTree(t, origin)
	w := begin(t, t.TempDir(), l.public)
	c := ask(t, w, l)
	theirs, err := f_note.NewVerifierForCosignatureV1(w.Public())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := note.NewVerifier(l.public)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Truncate(time.Second)
	last := int64(0)
	for _, size := range []int64{0, 1, 2, 3, 8, 9, 9, 255, 256, 1000} {
		l.grow(int(size-last), "fact")
		checkpoint, path := l.checkpoint(size), l.proof(last, size)
		line, at, err := c.Add(t.Context(), uint64(last), path, checkpoint)
		if err != nil || at.Before(before) {
			t.Fatalf("%d to %d: %v at %v", last, size, err, at)
		}
		whole := append(bytes.Clone(checkpoint), line...)
		read, _, n, err := f_log.ParseCheckpoint(whole, origin, ours, theirs)
		if err != nil || len(n.Sigs) != 2 || read.Size != uint64(size) {
			t.Fatalf("others read %+v: %v", read, err)
		}
		if stamp, err := f_note.CoSigV1Timestamp(n.Sigs[1]); err != nil || !stamp.Equal(at) {
			t.Errorf("others read the time %v, we %v: %v", stamp, at, err)
		}
		if last > 0 && size > last {
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(last), uint64(size), raw(path), root(t, l, last), root(t, l, size)); err != nil {
				t.Errorf("others do not accept the proof: %v", err)
			}
		}
		// What is cosigned already may be submitted again, its cosignature among it.
		if again, _, err := c.Add(t.Context(), uint64(size), nil, whole); err != nil || again == "" {
			t.Errorf("%d once more: %v", size, err)
		}
		last = size
	}
}

func raw(hashes []tlog.Hash) (all [][]byte) {
	for _, h := range hashes {
		all = append(all, h[:])
	}
	return all
}

func root(t *testing.T, l *tree, size int64) []byte {
	h, err := tlog.TreeHash(size, tlog.HashReaderFunc(l.read))
	if err != nil {
		t.Fatal(err)
	}
	return h[:]
}

// Each refusal has the status of the protocol, and changes nothing.
func TestRefusals(t *testing.T) {
	l := newTree(t, origin)
	l.grow(20, "fact")
	other := l.fork(5)
	other.grow(15, "another")
	stranger := newTree(t, "stranger.example/log")
	stranger.grow(20, "fact")
	thief := newTree(t, origin)
	thief.grow(20, "fact")
	w := begin(t, t.TempDir(), l.public)
	if _, _, err := ask(t, w, l).Add(t.Context(), 0, nil, l.checkpoint(10)); err != nil {
		t.Fatal(err)
	}
	body := func(old uint64, proof []tlog.Hash, checkpoint []byte) string {
		return string(request{old, proof, checkpoint}.encode())
	}
	good := body(10, l.proof(10, 20), l.checkpoint(20))
	empty, err := note.Sign(&note.Note{Text: string(f_log.Checkpoint{Origin: origin, Hash: make([]byte, 32)}.Marshal())}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	long := slices.Repeat(l.proof(10, 20), 20)
	for name, c := range map[string]struct {
		body   string
		status int
		size   string
	}{
		"older than it knows":         {body(0, nil, l.checkpoint(20)), 409, "10\n"},
		"newer than it knows":         {body(15, l.proof(15, 20), l.checkpoint(20)), 409, "10\n"},
		"rolled back":                 {body(0, nil, l.checkpoint(7)), 409, "10\n"},
		"old above the checkpoint's":  {body(10, nil, l.checkpoint(7)), 400, ""},
		"another history":             {body(10, other.proof(10, 20), other.checkpoint(20)), 422, ""},
		"another root of that size":   {body(10, nil, other.checkpoint(10)), 409, ""},
		"a proof too much":            {body(10, l.proof(10, 20), l.checkpoint(10)), 422, ""},
		"no proof":                    {body(10, nil, l.checkpoint(20)), 422, ""},
		"a false proof":               {body(10, l.proof(11, 20), l.checkpoint(20)), 422, ""},
		"63 lines":                    {body(10, long[:63], l.checkpoint(20)), 422, ""},
		"64 lines":                    {body(10, long[:64], l.checkpoint(20)), 400, ""},
		"a log that it does not know": {body(0, nil, stranger.checkpoint(20)), 404, ""},
		"another key":                 {body(10, thief.proof(10, 20), thief.checkpoint(20)), 403, ""},
		"a false signature":           {strings.Replace(good, "\n20\n", "\n19\n", 1), 403, ""},
		"the empty tree's root":       {body(0, nil, empty), 409, "10\n"},
		"nothing":                     {"", 400, ""},
		"no old size":                 {strings.TrimPrefix(good, "old 10\n"), 400, ""},
		"an old size with a zero":     {strings.Replace(good, "old 10", "old 010", 1), 400, ""},
		"an old size below zero":      {strings.Replace(good, "old 10", "old -1", 1), 400, ""},
		"an old size with a plus":     {strings.Replace(good, "old 10", "old +10", 1), 400, ""},
		"an old size of 2^63":         {strings.Replace(good, "old 10", "old 9223372036854775808", 1), 400, ""},
		"two spaces":                  {strings.Replace(good, "old 10", "old  10", 1), 400, ""},
		"line ends of two bytes":      {strings.ReplaceAll(good, "\n", "\r\n"), 400, ""},
		"a hash too short":            {strings.Replace(good, "=\n", "\n", 1), 400, ""},
		"no checkpoint":               {"old 10\n\n", 400, ""},
		"no signature":                {strings.SplitAfter(good, "\n\n")[0] + strings.SplitAfter(good, "\n\n")[1], 400, ""},
		"too long":                    {good + strings.Repeat("— x AAAA\n", maxRequest/8), 400, ""},
	} {
		out := httptest.NewRecorder()
		w.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(c.body)))
		kind := out.Header().Get("Content-Type")
		if out.Code != c.status || (kind == sizeType) != (c.size != "") || c.size != "" && out.Body.String() != c.size {
			t.Errorf("%s: %d %s %q, want %d %q", name, out.Code, kind, out.Body, c.status, c.size)
		}
		if seen, err := w.memory.of(origin); err != nil || seen.Size != 10 {
			t.Fatalf("%s: the witness has now seen %d", name, seen.Size)
		}
	}
	out := httptest.NewRecorder()
	w.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(good)))
	if out.Code != http.StatusOK {
		t.Errorf("the good one is answered %d: %s", out.Code, out.Body)
	}
}

// The client tells apart what its caller must: behind, another history, unwanted, away.
func TestClientErrors(t *testing.T) {
	l := newTree(t, origin)
	l.grow(20, "fact")
	other := l.fork(5)
	other.grow(15, "another")
	w := begin(t, t.TempDir(), l.public)
	c := ask(t, w, l)
	if _, _, err := c.Add(t.Context(), 0, nil, l.checkpoint(10)); err != nil {
		t.Fatal(err)
	}
	var conflict *Conflict
	if _, _, err := c.Add(t.Context(), 0, nil, l.checkpoint(20)); !errors.As(err, &conflict) || conflict.Size != 10 {
		t.Errorf("behind: %v", err)
	}
	if _, _, err := c.Add(t.Context(), 10, nil, other.checkpoint(10)); !errors.Is(err, ErrOtherHistory) {
		t.Errorf("another root: %v", err)
	}
	if _, _, err := c.Add(t.Context(), 10, other.proof(10, 20), other.checkpoint(20)); !errors.Is(err, ErrOtherHistory) {
		t.Errorf("another history: %v", err)
	}
	stranger := newTree(t, "stranger.example/log")
	stranger.grow(3, "fact")
	if _, _, err := ask(t, w, stranger).Add(t.Context(), 0, nil, stranger.checkpoint(3)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("unknown: %v", err)
	}
	elsewhere := begin(t, t.TempDir(), l.public) // another key
	for name, handler := range map[string]http.HandlerFunc{
		"a cosignature by another key": elsewhere.Handler().ServeHTTP,
		"nothing":                      func(http.ResponseWriter, *http.Request) {},
		"a page":                       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>") },
		"too much":                     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxAnswer+1)) },
		"no size": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", sizeType)
			w.WriteHeader(http.StatusConflict)
			fmt.Fprintln(w, "many")
		},
	} {
		h := httptest.NewServer(handler)
		defer h.Close()
		c, err := NewClient(h.URL, w.Public(), l.keys, h.Client())
		if err != nil {
			t.Fatal(err)
		}
		if line, _, err := c.Add(t.Context(), 0, nil, l.checkpoint(20)); fault.KindOf(err) != fault.Unverified || line != "" {
			t.Errorf("%s: %q %v", name, line, err)
		}
		h.Close()
		if _, _, err := c.Add(t.Context(), 0, nil, l.checkpoint(20)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("away: %v", err)
		}
	}
}

// Of requests at once one is first, and the others learn its size: nothing is rolled back.
func TestRacingRequests(t *testing.T) {
	l := newTree(t, origin)
	l.grow(64, "fact")
	w := begin(t, t.TempDir(), l.public)
	c := ask(t, w, l)
	var all sync.WaitGroup
	for size := range int64(64) {
		all.Go(func() {
			for old := uint64(0); ; {
				if old > uint64(size) {
					return // another was further
				}
				_, _, err := c.Add(t.Context(), old, l.proof(int64(old), size+1), l.checkpoint(size+1))
				var conflict *Conflict
				switch {
				case errors.As(err, &conflict) && conflict.Size > old:
					old = conflict.Size
				case err != nil:
					t.Errorf("%d from %d: %v", size+1, old, err)
					return
				default:
					return
				}
			}
		})
	}
	all.Wait()
	if seen, err := w.memory.of(origin); err != nil || seen.Size != 64 {
		t.Errorf("the witness has seen %+v: %v", seen, err)
	}
}

// What was seen outlives the process; without it, or with another's, the witness does not start.
func TestMemory(t *testing.T) {
	l := newTree(t, origin)
	l.grow(20, "fact")
	dir := t.TempDir()
	w := begin(t, dir, l.public)
	public := w.Public()
	if _, err := Open(Options{Dir: dir, Logs: []string{l.public}, Log: quiet()}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("two processes on one directory: %v", err)
	}
	if _, err := w.add(request{0, nil, l.checkpoint(10)}.encode()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.add(request{10, l.proof(10, 20), l.checkpoint(20)}.encode()); err == nil {
		t.Error("a closed witness cosigns")
	}
	state, key := filepath.Join(dir, stateFile), filepath.Join(dir, keyFile)
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	goodState, goodKey := read(state), read(key)
	elsewhere := t.TempDir()
	if err := begin(t, elsewhere, l.public).Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		state, key []byte
		code       string
	}{
		"whole":             {goodState, goodKey, ""},
		"no state":          {nil, goodKey, "witness.lost"},
		"no key":            {goodState, nil, "witness.lost"},
		"another's state":   {read(filepath.Join(elsewhere, stateFile)), goodKey, "witness.damaged"},
		"another's key":     {goodState, read(filepath.Join(elsewhere, keyFile)), "witness.damaged"},
		"a state cut off":   {goodState[:len(goodState)/2], goodKey, "witness.damaged"},
		"an empty state":    {[]byte{}, goodKey, "witness.damaged"},
		"a changed size":    {bytes.Replace(goodState, []byte(`"size": 10`), []byte(`"size": 0`), 1), goodKey, "witness.damaged"},
		"an empty key":      {goodState, []byte{}, "witness.damaged"},
		"a first start cut": {read(filepath.Join(elsewhere, stateFile)), nil, ""},
	} {
		for path, b := range map[string][]byte{state: c.state, key: c.key} {
			err := removed(path)
			if b != nil {
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		w, err := Open(Options{Dir: dir, Name: "witness.example/w", Logs: []string{l.public}, Log: quiet()})
		var f *fault.Error
		if c.code == "" && err != nil || c.code != "" && (!errors.As(err, &f) || f.Code != c.code) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if name == "whole" && w.Public() != public {
			t.Error("it is another witness")
		}
		seen, err := w.memory.of(origin)
		if want := map[bool]uint64{true: 10}[name == "whole"]; err != nil || seen.Size != want {
			t.Errorf("%s: it has seen %d: %v", name, seen.Size, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(os.WriteFile(state, goodState, 0o600), os.WriteFile(key, goodKey, 0o600), os.Chmod(key, 0o640)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Logs: []string{l.public}, Log: quiet()}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a key that others can read: %v", err)
	}
}

// When it cannot be made durable, nothing is cosigned, then or later.
func TestUnwritable(t *testing.T) {
	l := newTree(t, origin)
	l.grow(20, "fact")
	dir := t.TempDir()
	w := begin(t, dir, l.public)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out := httptest.NewRecorder()
		w.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(request{0, nil, l.checkpoint(10)}.encode())))
		if out.Code != http.StatusInternalServerError || strings.Contains(out.Body.String(), "—") {
			t.Errorf("%d: %s", out.Code, out.Body)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	out := httptest.NewRecorder()
	w.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/livez", nil))
	if out.Code != http.StatusServiceUnavailable {
		t.Errorf("it lives: %d", out.Code)
	}
}

// A log begins anew only after its witness's operator has said why.
func TestForget(t *testing.T) {
	l := newTree(t, origin)
	l.grow(10, "fact")
	dir := t.TempDir()
	w := begin(t, dir, l.public)
	if _, err := w.add(request{0, nil, l.checkpoint(10)}.encode()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Forget(dir, "another.example", "why", time.Now()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("what it never saw: %v", err)
	}
	if size, err := Forget(dir, origin, "restored after the fire", time.Now()); err != nil || size != 10 {
		t.Fatalf("%d: %v", size, err)
	}
	w = begin(t, dir, l.public)
	if _, err := w.add(request{0, nil, l.checkpoint(7)}.encode()); err != nil {
		t.Error(err)
	}
	if f := w.memory.state.Forgotten; len(f) != 1 || f[0].Size != 10 || f[0].Reason != "restored after the fire" {
		t.Errorf("%+v", f)
	}
}

// Of all requests made from pieces of good ones none is cosigned that does not grow.
func FuzzAdd(f *testing.F) {
	l := newTree(f, origin)
	l.grow(20, "fact")
	other := l.fork(5)
	other.grow(15, "another")
	v, err := note.NewVerifier(l.public)
	if err != nil {
		f.Fatal(err)
	}
	logs := map[string]note.Verifiers{origin: note.VerifierList(v)}
	known := map[string]bool{}
	for _, size := range []int64{10, 12, 20} {
		f.Add(request{10, l.proof(10, size), l.checkpoint(size)}.encode())
		f.Add(request{10, other.proof(10, size), other.checkpoint(size)}.encode())
		known[string(l.checkpoint(size)[:100])] = true
	}
	f.Add([]byte("old 0\n\nx\n0\n\n\n— x AAAA\n"))
	first, no := open(request{0, nil, l.checkpoint(10)}.encode(), logs)
	if no != nil {
		f.Fatal(no)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, no := open(b, logs)
		if no != nil {
			if no.status != 400 && no.status != 404 && no.status != 403 || no.why == "" {
				t.Errorf("refused with %+v", no)
			}
			return
		}
		if again, err := parseRequest(s.encode()); err != nil || again.old != s.old || len(again.proof) != len(s.proof) {
			t.Errorf("%q is not read again: %v", b, err)
		}
		if no := s.judge(first.head); no == nil && !known[string(s.checkpoint[:100])] {
			t.Errorf("cosigned %q", s.checkpoint)
		}
	})
}

// Of no answer a line is kept that the witness has not signed over this checkpoint.
func FuzzAnswer(f *testing.F) {
	l := newTree(f, origin)
	l.grow(9, "fact")
	w := begin(f, f.TempDir(), l.public)
	other := begin(f, f.TempDir(), l.public)
	c, err := NewClient("https://witness.example", w.Public(), l.keys, nil)
	if err != nil {
		f.Fatal(err)
	}
	checkpoint := l.checkpoint(9)
	text, _, _ := strings.Cut(string(checkpoint), "\n\n")
	good := map[string]bool{}
	for _, at := range []uint64{1, 1790000000} {
		line := w.memory.key.cosign(text+"\n", at)
		good[line] = true
		f.Add(line)
		f.Add(other.memory.key.cosign(text+"\n", at) + line)
		f.Add(w.memory.key.cosign("x\n8\n", at))
	}
	f.Fuzz(func(t *testing.T, answer string) {
		if line, _, err := c.cosignature(context.Background(), checkpoint, answer); err == nil && !good[line] {
			t.Errorf("kept %q of %q", line, answer)
		} else if err != nil && fault.KindOf(err) != fault.Unverified {
			t.Errorf("refused with %v", err)
		}
	})
}
