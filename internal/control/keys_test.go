package control_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
)

func (h *house) rotate(purpose string, more ...func(*control.Rotation)) {
	h.t.Helper()
	q := control.Rotation{Purpose: purpose, Reason: "test"}
	for _, m := range more {
		m(&q)
	}
	_, err := h.RotateKey(h.ctx, h.as("root"), q)
	must(h.t, err)
}

// public is the public keys as they stand.
func (h *house) public() verify.Keys {
	h.t.Helper()
	text, err := h.PublicKeys(h.ctx)
	must(h.t, err)
	keys, err := verify.ParseKeys(text)
	must(h.t, err)
	return keys
}

// only is the lines of the public keys that hold a text, bare of spans.
func (h *house) only(purpose, last string) verify.Keys {
	h.t.Helper()
	text, err := h.PublicKeys(h.ctx)
	must(h.t, err)
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if words[0] == purpose && strings.Contains(line, last) {
			keys, err := verify.ParseKeys([]byte(words[0] + " " + words[1]))
			must(h.t, err)
			return keys
		}
	}
	h.t.Fatalf("no %s key with %q in %s", purpose, last, text)
	return verify.Keys{}
}

func (h *house) exported() []byte {
	h.t.Helper()
	var b bytes.Buffer
	must(h.t, h.Journal.Export(h.ctx, &b))
	return b.Bytes()
}

// A rotation takes effect on another replica at once, and whoever knows any one
// of the keys verifies the whole journal.
func TestRotation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db, keyDir := open(), t.TempDir()+"/keys"
		h := raise(t, db, keyDir)
		h.furnish()
		other := raise(t, db, keyDir)
		before, err := h.Journal.SignNow(h.ctx)
		must(t, err)
		h.rotate("journal")
		h.rotate("journal")
		after, err := other.Journal.SignNow(h.ctx)
		must(t, err)
		keys := h.public()
		for name, text := range map[string]string{"before": before, "after": after} {
			if _, err := verify.Checkpoint([]byte(text), keys); err != nil {
				t.Errorf("the checkpoint %s: %v", name, err)
			}
		}
		if _, err := verify.Checkpoint([]byte(after), h.only("journal", "until=")); err == nil {
			t.Error("the first key has signed after its end")
		}
		export := h.exported()
		for name, known := range map[string]verify.Keys{
			"all": keys, "the first": h.keys, "one between": h.only("journal", "since="), "the newest": h.only("journal", seal.ID(keys.Of(verify.ForJournal)[2].Text)),
		} {
			if _, err := verify.Export(h.ctx, bytes.NewReader(export), known, nil); err != nil {
				t.Errorf("with %s: %v", name, err)
			}
		}
		stranger, err := seal.Open(t.TempDir()+"/keys", h.Journal.Origin(), true)
		must(t, err)
		foreign, err := verify.ParseKeys(stranger.PublicText())
		must(t, err)
		if _, err := verify.Export(h.ctx, bytes.NewReader(export), foreign, nil); fault.KindOf(err) != fault.Unverified {
			t.Errorf("with a stranger's keys: %v", err)
		}
		must(t, h.Journal.CheckRebuild(h.ctx, func(string, uint64, uint64) {}))
	})
}

// The permit that an answer brings is the one that is asked for by its id, whether
// the decision was recorded just now, stands, or is repeated under its key; and it is
// signed by the key that signs then.
func TestAnsweredPermit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		r := h.as("ci")
		r.Key = "once"
		var before []byte
		for _, turn := range []string{"recorded", "repeated", "standing", "rotated"} {
			switch turn {
			case "standing":
				r.Key = ""
			case "rotated":
				h.rotate("permit")
			}
			a, err := h.Ask(h.ctx, r, h.gate())
			must(t, err)
			if a.Standing != (r.Key == "") {
				t.Errorf("%s: standing is %v", turn, a.Standing)
			}
			asked, err := h.Permit(h.ctx, a.Decision.Permit)
			must(t, err)
			if !bytes.Equal(a.Permit, asked) || len(asked) == 0 {
				t.Errorf("%s: answered %s\nasked for %s", turn, a.Permit, asked)
			}
			if before != nil && bytes.Equal(before, asked) != (turn != "rotated") {
				t.Errorf("%s: the permit before was %s", turn, before)
			}
			before = asked
			_, err = verify.CheckPermit(a.Permit, h.public(), verify.Expect{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Now: time.Now()})
			must(t, err)
		}
	})
}

// oldSigner signs by the key that the journal began with, as a process would
// that knows of no rotation.
func oldSigner(t *testing.T, keyDir, purpose string) note.Signer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(keyDir, purpose+".key"))
	must(t, err)
	s, err := note.NewSigner(strings.TrimSpace(string(text)))
	must(t, err)
	return s
}

// What the old key signs of later facts is refused by name, and so is a
// checkpoint or receipt by the permit key.
func TestEndedKeySignsNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		keyDir := h.keyDir
		receipt := func() (string, journal.Receipt) {
			var r journal.Receipt
			q := h.as("root")
			q.Recorded = func(got journal.Receipt) { r = got }
			_, err := h.RotateKey(h.ctx, q, control.Rotation{Purpose: "journal", Reason: "test"})
			must(t, err)
			text, err := h.Journal.Acknowledge(h.ctx, r)
			must(t, err)
			return text, r
		}
		text, r := receipt()
		keys := h.public()
		if _, err := verify.OpenReceipt([]byte(text), keys); err != nil {
			t.Errorf("the receipt of the rotation: %v", err)
		}
		opened, err := note.Open([]byte(text), note.VerifierList(keys.Of(verify.ForJournal)[1].Verifier()))
		must(t, err)
		for _, c := range []struct{ purpose, code string }{{"journal", "receipt.key"}, {"permit", "receipt.signature"}} {
			forged, err := note.Sign(&note.Note{Text: opened.Text}, oldSigner(t, keyDir, c.purpose))
			must(t, err)
			if _, err := verify.OpenReceipt(forged, keys); codeOf(err) != c.code {
				t.Errorf("a receipt by the ended %s key: %v", c.purpose, err)
			}
		}
		signed, err := h.Journal.SignNow(h.ctx)
		must(t, err)
		body, _, _ := strings.Cut(signed, "\n\n")
		for _, c := range []struct{ purpose, code string }{{"journal", "checkpoint.key"}, {"permit", "checkpoint.signature"}} {
			forged, err := note.Sign(&note.Note{Text: body + "\n"}, oldSigner(t, keyDir, c.purpose))
			must(t, err)
			if _, err := verify.Checkpoint(forged, keys); codeOf(err) != c.code {
				t.Errorf("a checkpoint by the ended %s key: %v", c.purpose, err)
			}
			export := bytes.Replace(h.exported(), quoted(signed), quoted(string(forged)), 1)
			if _, err := verify.Export(h.ctx, bytes.NewReader(export), h.keys, nil); codeOf(err) != "export.checkpoint" {
				t.Errorf("an export with a checkpoint by the ended %s key: %v", c.purpose, err)
			}
		}
		// A receipt from before is good as it was, and good when it is given again.
		if again, err := h.Journal.Command(h.ctx, r.Command); err != nil || again.First != r.First {
			t.Fatal(err)
		}
	})
}

// quoted is a note as it stands in an export.
func quoted(text string) []byte {
	return []byte(`"checkpoint":"` + strings.ReplaceAll(text, "\n", `\n`) + `"`)
}

// A permit by the old key is good to its end, and given again by the new one;
// where the key is compromised, the old one is refused.
func TestPermitsOutliveTheirKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		granted := h.ask()
		h.rotate("permit")
		expect := verify.Expect{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Now: time.Now(), Skew: time.Minute}
		p, err := verify.CheckPermit(granted.Permit, h.public(), expect)
		must(t, err)
		again, err := h.Permit(h.ctx, p.ID)
		must(t, err)
		if fresh, err := verify.CheckPermit(again, h.public(), expect); err != nil || fresh.KeyID == p.KeyID {
			t.Errorf("given again by %s: %v", fresh.KeyID, err)
		}
		if _, err := verify.CheckPermit(again, h.keys, expect); codeOf(err) != "permit.signature" {
			t.Errorf("by the new key, with the old one: %v", err)
		}
		p.Position = h.public().Of(verify.ForPermits)[0].Until
		payload, err := p.Encode()
		must(t, err)
		late, err := h.Keys.SignEnvelope(h.Keys.First(seal.Permit), payload)
		must(t, err)
		if _, err := verify.CheckPermit(late, h.public(), expect); codeOf(err) != "permit.key-ended" {
			t.Errorf("by the old key, of a later decision: %v", err)
		}
		h.rotate("permit", func(q *control.Rotation) { q.Compromised = true })
		if _, err := verify.CheckPermit(again, h.public(), expect); codeOf(err) != "permit.key-compromised" {
			t.Errorf("by a compromised key: %v", err)
		}
		d, err := h.StartDeployment(h.ctx, h.as("ci"), control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: granted.Permit})
		must(t, err)
		if !d.Authorised {
			t.Errorf("the permit by the first key, which nobody else has: %s", d.Code)
		}
	})
}

func TestRotationRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, c := range map[string]struct {
			who  string
			q    control.Rotation
			code string
		}{
			"without the right": {"ann", control.Rotation{Purpose: "journal", Reason: "x"}, "access.missing-right"},
			"the identity key":  {"root", control.Rotation{Purpose: "identity", Reason: "x"}, "keys.purpose"},
			"no purpose":        {"root", control.Rotation{Reason: "x"}, "keys.purpose"},
			"no reason":         {"root", control.Rotation{Purpose: "permit", Reason: " "}, "keys.reason"},
		} {
			if _, err := h.RotateKey(h.ctx, h.as(c.who), c.q); codeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		if files, err := filepath.Glob(filepath.Join(h.keyDir, "*-*.key")); err != nil || len(files) != 0 {
			t.Errorf("keys are left that no fact names: %v %v", files, err)
		}
	})
}

// The old key is kept for its owner alone, or deleted on wish; the journal goes
// on without it, and not without the newest.
func TestOldKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db, keyDir := open(), t.TempDir()+"/keys"
		h := raise(t, db, keyDir)
		h.furnish()
		h.rotate("permit")
		h.rotate("journal", func(q *control.Rotation) { q.Forget = true })
		if _, err := os.Stat(filepath.Join(keyDir, "journal.key")); !os.IsNotExist(err) {
			t.Errorf("the old key was to be deleted: %v", err)
		}
		if info, err := os.Stat(filepath.Join(keyDir, "permit.key")); err != nil || info.Mode() != 0o600 {
			t.Errorf("the old key was to be kept: %v", err)
		}
		later := raise(t, db, keyDir)
		must(t, later.CheckKeys(h.ctx))
		_, err := later.ImportCatalog(h.ctx, h.as("root"), "more.yaml", []byte("apiVersion: signalbox/v1\nkind: Team\nname: later\n"))
		must(t, err)
		_, err = later.Journal.SignNow(h.ctx)
		must(t, err)
		files, err := filepath.Glob(filepath.Join(keyDir, "journal-*.key"))
		must(t, err)
		must(t, os.Rename(files[0], files[0]+".away"))
		keys, err := seal.Open(keyDir, h.Journal.Origin(), false)
		if err == nil {
			err = keys.Check(seal.Journal, h.public().Of(verify.ForJournal)[1].Text)
		}
		if k := fault.KindOf(err); k != fault.Unavailable && k != fault.NotFound {
			t.Errorf("without the newest key: %v", err)
		}
	})
}

// A leaked key is told of, with how far others vouch for what it signed.
func TestCompromisedKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kept, err := h.Journal.SignNow(h.ctx)
		must(t, err)
		head, err := verify.Checkpoint([]byte(kept), h.keys)
		must(t, err)
		h.report("", tests)
		h.rotate("journal", func(q *control.Rotation) { q.Compromised = true })
		export := h.exported()
		for known, published := range map[uint64][]verify.Published{0: nil, head.Size: {{Name: "kept", Note: []byte(kept)}}} {
			r, err := verify.Check{Keys: h.keys, Published: published}.Export(context.Background(), bytes.NewReader(export))
			must(t, err)
			if len(r.Leaked) != 1 || r.Leaked[0].Known != known || r.Leaked[0].Until <= head.Size {
				t.Errorf("%d published: %+v", len(published), r.Leaked)
			}
		}
	})
}

// A key of the right name that has not signed this journal signs nothing more of it.
func TestKeysOfAnotherJournal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db, keyDir := open(), t.TempDir()+"/keys"
		h := raise(t, db, keyDir)
		h.furnish()
		must(t, h.CheckKeys(h.ctx))
		_, err := h.Journal.SignNow(h.ctx)
		must(t, err)
		must(t, h.CheckKeys(h.ctx))
		strange := t.TempDir() + "/keys"
		_, err = seal.Open(strange, h.Journal.Origin(), true)
		must(t, err)
		other := raise(t, db, strange)
		if err := other.CheckKeys(h.ctx); codeOf(err) != "keys.other-journal" || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("with another's keys: %v", err)
		}
		h.rotate("journal")
		must(t, h.CheckKeys(h.ctx))
		must(t, raise(t, db, keyDir).CheckKeys(h.ctx))
	})
}
