package verify

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/trust"
)

// Only the one true export, in whatever spelling, may verify, and every refusal is one.
func FuzzExport(f *testing.F) {
	s := journal(f, 5, 2)
	good := s.export()
	truth := s.headAt(5)
	f.Add(good)
	for i := range 12 {
		f.Add(good[:len(good)*i/12])
	}
	f.Add([]byte(strings.ReplaceAll(string(good), "signalbox", "")))
	f.Add([]byte(`{"signalbox_export":1,"origin":"x","size":0}` + "\n" + `{"end":{"facts":0,"checkpoints":0}}` + "\n"))
	keys := s.keys
	heads := map[Head]bool{truth: true, s.headAt(2): true, s.headAt(4): true}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Export(context.Background(), bytes.NewReader(b), keys, nil)
		if err == nil && !heads[r.Head] {
			t.Errorf("a journal that nobody signed verifies: %+v", r)
		}
		if err != nil && (fault.KindOf(err) != fault.Unverified || r.Problem == "") {
			t.Errorf("refused with %v and the problem %q", err, r.Problem)
		}
	})
}

// Only payloads that were signed come out of an envelope.
func FuzzEnvelope(f *testing.F) {
	keys, id := permitKeys(f)
	p := permitOf(id)
	payload := encoded(f, p)
	f.Add(envelope(f, payload, "permit"))
	f.Add(envelope(f, payload, "forger"))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, err := Envelope(b, ForPermits, keys)
		if err == nil && !bytes.Equal(got, payload) {
			t.Errorf("a payload that nobody signed: %q", got)
		}
		if kind := fault.KindOf(err); err != nil && kind != fault.Unverified && kind != fault.TooLarge {
			t.Errorf("refused with %v", err)
		}
	})
}

// What is read as a permit says the same when it is written again.
func FuzzPermit(f *testing.F) {
	good := encoded(f, permitOf("0badcafe"))
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("api"), []byte("a%2Fi"), 2))
	f.Add(bytes.Replace(good, []byte("12:15:00Z"), []byte("12:15:00.9Z"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePermit(b)
		if err != nil {
			if code(err) != "permit.malformed" {
				t.Errorf("refused with %v", err)
			}
			return
		}
		again, err := p.Encode()
		if err != nil {
			t.Fatalf("read and not written: %v", err)
		}
		if back, err := ParsePermit(again); err != nil || !back.NotAfter.Equal(p.NotAfter) || back.Digest != p.Digest {
			t.Errorf("%s became %s: %v", b, again, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	_, public := signer(f, "signalbox.example", "journal")
	f.Add([]byte("journal " + public))
	f.Add([]byte("# none\n\npermit " + public + "\njournal " + public))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := ParseKeys(b)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.TooLarge {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if n := len(keys.Of(ForJournal)) + len(keys.Of(ForPermits)) + len(keys.Of(ForWitness)); n == 0 || n > trust.MaxKeys {
			t.Errorf("%d keys", n)
		}
		for _, key := range keys.Of(ForJournal) {
			if again, err := ParseKeys([]byte("journal " + key.Text)); err != nil || again.Of(ForJournal)[0].ID != key.ID {
				t.Errorf("%s is not read again: %v", key.Text, err)
			}
		}
	})
}

// What goes wrong with the reader or the caller is not said of the export.
func TestExportReadErrors(t *testing.T) {
	s := journal(t, 20, 5)
	broken := errors.New("broken")
	if r, err := Export(t.Context(), iotest.TimeoutReader(bytes.NewReader(s.export())), s.keys, nil); err == nil || fault.KindOf(err) == fault.Unverified || r.FirstWrong != nil {
		t.Errorf("a reader that times out: %v", err)
	}
	if _, err := Export(t.Context(), iotest.ErrReader(broken), s.keys, nil); !errors.Is(err, broken) {
		t.Errorf("a broken reader: %v", err)
	}
	if _, err := Export(t.Context(), iotest.OneByteReader(bytes.NewReader(s.export())), s.keys, nil); err != nil {
		t.Errorf("a slow reader: %v", err)
	}
	big := journal(t, 600, 500)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Export(ctx, bytes.NewReader(big.export()), big.keys, nil); fault.KindOf(err) != fault.Interrupted || !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestExportSaysHowFarItIs(t *testing.T) {
	s := journal(t, 2500, 1000)
	var seen []uint64
	if _, err := Export(t.Context(), bytes.NewReader(s.export()), s.keys, func(n uint64) { seen = append(seen, n) }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 || seen[0] != 1000 || seen[2] != 2500 {
		t.Errorf("told %v", seen)
	}
}
