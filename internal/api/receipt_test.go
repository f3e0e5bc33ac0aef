package api_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

// keeping is a client that keeps its receipts.
func (h *house) keeping(t *testing.T, who string, kept *[]string) *wire.Client {
	t.Helper()
	c, err := wire.New(wire.Options{Server: h.url, Token: h.tokens[who], Receipts: func(note []byte) { *kept = append(*kept, string(note)) }})
	must(t, err)
	return c
}

func (h *house) keys(t *testing.T) verify.Keys {
	t.Helper()
	text, err := h.client(t, "viewer").Keys(t.Context())
	must(t, err)
	keys, err := verify.ParseKeys(text)
	must(t, err)
	return keys
}

// Every command that records something is answered with a receipt, which an
// export must keep to; what records nothing has none.
func TestReceipts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open())
		ctx, keys := t.Context(), h.keys(t)
		var kept []string
		ci := h.keeping(t, "pipeline", &kept)
		q := wire.GateRequest{Service: "shop", Version: "v1.0.0", Digest: digest, Environment: "production"}
		answer, err := ci.Ask(ctx, q)
		must(t, err)
		if len(kept) != 1 {
			t.Fatalf("%d receipts of a decision", len(kept))
		}
		decision, err := verify.OpenReceipt([]byte(kept[0]), keys)
		must(t, err)
		recorded, err := ci.Decision(ctx, answer.Decision.ID)
		must(t, err)
		if p := recorded.Receipt.Position; p < decision.First || p >= decision.Next {
			t.Errorf("the decision at %d is not within the receipt %+v", p, decision)
		}
		if again, err := ci.Ask(ctx, q); err != nil || !again.Standing || len(kept) != 1 {
			t.Errorf("asked again: standing %t, %d receipts, %v", again.Standing, len(kept), err)
		}
		if text, err := ci.Receipt(ctx, recorded.Receipt.Position); err != nil || string(text) != kept[0] {
			t.Errorf("shown anew:\n%s not\n%s: %v", text, kept[0], err)
		}
		if _, err := ci.Receipt(ctx, 100_000); fault.KindOf(err) != fault.NotFound {
			t.Errorf("beyond the end: %v", err)
		}
		for _, report := range reports {
			_, err := ci.AddEvidence(ctx, wire.EvidenceTarget{Service: "shop", Version: "v1.0.0", Digest: digest}, strings.NewReader(report))
			must(t, err)
		}
		_, err = h.keeping(t, "administrator", &kept).ImportCatalog(ctx, "catalog.yaml", []byte(strings.Replace(catalogFile, "tier: 1", "tier: 2", 1)))
		must(t, err)
		if len(kept) != 5 {
			t.Errorf("%d receipts", len(kept))
		}
		var receipts []verify.Receipt
		for _, text := range kept {
			r, err := verify.OpenReceipt([]byte(text), keys)
			must(t, err)
			receipts = append(receipts, r)
		}
		var b bytes.Buffer
		must(t, h.client(t, "auditor").Export(ctx, &b))
		report, err := verify.Check{Keys: keys, Receipts: receipts}.Export(ctx, &b)
		if err != nil || report.Receipts != 5 {
			t.Errorf("%d receipts hold: %v %v", report.Receipts, report.Broken, err)
		}
		h.sameKeySameReceipt(t)
	})
}

// sameKeySameReceipt: a request sent twice with its key is answered twice with one receipt.
func (h *house) sameKeySameReceipt(t *testing.T) {
	t.Helper()
	m := message{path: "/api/v1/releases", as: "pipeline", header: map[string]string{wire.KeyHeader: "twice"}}
	m.body = fmt.Sprintf(`{"service":"shop","version":"v9.0.0","digest":%q}`, "sha256:"+strings.Repeat("9", 64))
	first, second := h.send(t, m), h.send(t, m)
	a, b := first.header.Values(wire.ReceiptHeader), second.header.Values(wire.ReceiptHeader)
	if first.status != http.StatusOK || len(a) != 1 || !slices.Equal(a, b) {
		t.Errorf("%d: %q and %q", first.status, a, b)
	}
	text, err := base64.StdEncoding.DecodeString(a[0])
	must(t, err)
	if r, err := verify.OpenReceipt(text, h.keys(t)); err != nil || !strings.HasSuffix(r.Command, "/twice") || len(a[0]) > 900 {
		t.Errorf("%d bytes, %+v: %v", len(a[0]), r, err)
	}
	m.body = strings.Replace(m.body, "v9.0.0", "v9.0.1", 1)
	if other := h.send(t, m); other.status != http.StatusConflict || len(other.header.Values(wire.ReceiptHeader)) != 0 {
		t.Errorf("another request under the key: %d with %q", other.status, other.header.Values(wire.ReceiptHeader))
	}
}

// What the server proves over HTTP holds in the code of others: every fact in
// every tree, every tree in every later one, and the checkpoints.
func TestProofsInTheCodeOfOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open())
		c := h.client(t, "viewer")
		page, err := c.Facts(t.Context(), 0, 200)
		must(t, err)
		size := min(page.Size, 26)
		roots := h.rootsByConsistency(t, c, size)
		for n := uint64(1); n <= size; n++ {
			for at := range n {
				h.includedForOthers(t, c, at, tlog.Tree{N: int64(n), Hash: roots[n]})
			}
		}
		h.checkpointsForOthers(t, c, page.Size)
	})
}

// rootsByConsistency is the roots of the trees of 1 to size facts, computed from
// leaves alone, each shown to grow into every later one.
func (h *house) rootsByConsistency(t *testing.T, c *wire.Client, size uint64) []tlog.Hash {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, i := range indexes {
			list = append(list, stored[i])
		}
		return list, nil
	})
	roots := []tlog.Hash{{}}
	for at := range size {
		p, err := c.Proof(t.Context(), at, size)
		must(t, err)
		more, err := tlog.StoredHashesForRecordHash(int64(at), hash(t, p.Leaf), read)
		must(t, err)
		stored = append(stored, more...)
		root, err := tlog.TreeHash(int64(at+1), read)
		must(t, err)
		roots = append(roots, root)
	}
	for to := uint64(1); to <= size; to++ {
		for from := uint64(1); from <= to; from++ {
			p, err := c.Consistency(t.Context(), from, to)
			must(t, err)
			path := hashesOf(t, p.Hashes)
			ours := tlog.CheckTree(path, int64(to), roots[to], int64(from), roots[from])
			theirs := proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, raw(path), roots[from][:], roots[to][:])
			if ours != nil || theirs != nil {
				t.Errorf("%d to %d: tlog %v, merkle %v", from, to, ours, theirs)
			}
			if from < to && (tlog.CheckTree(path, int64(to), roots[from], int64(from), roots[to]) == nil ||
				proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, raw(path), roots[to][:], roots[from][:]) == nil) {
				t.Errorf("%d to %d: the roots may change places", from, to)
			}
		}
	}
	return roots
}

func (h *house) includedForOthers(t *testing.T, c *wire.Client, at uint64, tree tlog.Tree) {
	t.Helper()
	p, err := c.Proof(t.Context(), at, uint64(tree.N))
	must(t, err)
	path, leaf := hashesOf(t, p.Hashes), hash(t, p.Leaf)
	for _, good := range []bool{true, false} {
		if !good {
			leaf[0] ^= 1
		}
		ours := tlog.CheckRecord(path, tree.N, tree.Hash, int64(at), leaf)
		theirs := proof.VerifyInclusion(rfc6962.DefaultHasher, at, uint64(tree.N), leaf[:], raw(path), tree.Hash[:])
		if (ours == nil) != good || (theirs == nil) != good {
			t.Errorf("%d in %d, true %t: tlog %v, merkle %v", at, tree.N, good, ours, theirs)
		}
	}
}

// checkpointsForOthers signs at two sizes and has both notes read by others, with the published key.
func (h *house) checkpointsForOthers(t *testing.T, c *wire.Client, size uint64) {
	t.Helper()
	keys, err := c.Keys(t.Context())
	must(t, err)
	var verifier note.Verifier
	for line := range strings.Lines(string(keys)) {
		if key, is := strings.CutPrefix(strings.TrimSpace(line), "journal "); is {
			verifier, err = note.NewVerifier(key)
			must(t, err)
		}
	}
	var trees []tlog.Tree
	for i := range 2 {
		if i == 1 {
			_, err := h.client(t, "pipeline").OpenRelease(t.Context(), wire.ReleaseRequest{Service: "shop", Version: "v7.0.0", Digest: digest})
			must(t, err)
		}
		_, err := h.control.Journal.SignNow(t.Context())
		must(t, err)
		text, err := c.Checkpoint(t.Context())
		must(t, err)
		theirs, _, _, err := log.ParseCheckpoint(text, h.control.Journal.Origin(), verifier)
		must(t, err)
		opened, err := note.Open(text, note.VerifierList(verifier))
		must(t, err)
		lines := strings.Split(opened.Text, "\n")
		n, err := strconv.ParseInt(lines[1], 10, 64)
		must(t, err)
		tree := tlog.Tree{N: n, Hash: hash(t, lines[2])}
		if theirs.Size < size || theirs.Size != uint64(tree.N) || !bytes.Equal(theirs.Hash, tree.Hash[:]) || theirs.Origin != lines[0] {
			t.Errorf("read as %+v and as %+v", theirs, tree)
		}
		text[len(text)-10] ^= 1
		if _, _, _, err := log.ParseCheckpoint(text, h.control.Journal.Origin(), verifier); err == nil {
			t.Error("a checkpoint with another signature is read")
		}
		trees = append(trees, tree)
		for _, at := range []uint64{0, size / 2, uint64(tree.N) - 1} {
			h.includedForOthers(t, c, at, tree)
		}
	}
	p, err := c.Consistency(t.Context(), uint64(trees[0].N), uint64(trees[1].N))
	must(t, err)
	path := hashesOf(t, p.Hashes)
	must(t, tlog.CheckTree(path, trees[1].N, trees[1].Hash, trees[0].N, trees[0].Hash))
	must(t, proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(trees[0].N), uint64(trees[1].N), raw(path), trees[0].Hash[:], trees[1].Hash[:]))
}

func raw(hashes []tlog.Hash) [][]byte {
	var all [][]byte
	for _, h := range hashes {
		all = append(all, h[:])
	}
	return all
}
