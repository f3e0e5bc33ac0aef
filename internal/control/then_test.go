package control_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// probed is the starter policy with a gate more, in another condition's place
// where that one would never be asked.
func probed(t testing.TB, condition string) []policy.File {
	t.Helper()
	return changed(t, "condition: findings.critical == 0", "condition: "+condition)
}

const (
	readsFindings = `findings.items.all(f, f.rule != "R1")`
	readsCommits  = `change.commit_list.all(c, c.signed)`
	readsVotes    = `approval.votes.filter(v, v.counted && "release-approvers" in v.groups).size() == approval.approvals`
)

// fragile is a vault whose files can be lost, all but the bundles of the history,
// and that counts what else is opened.
type fragile struct {
	control.Files
	opened atomic.Int64
	fail   atomic.Pointer[error]
}

func (f *fragile) Open(ctx context.Context, digest string) (io.ReadCloser, error) {
	from, err := f.Files.Open(ctx, digest)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(from)
	if err != nil || bytes.Contains(b, []byte(`.yaml"`)) {
		return io.NopCloser(bytes.NewReader(b)), err
	}
	f.opened.Add(1)
	if err := f.fail.Load(); err != nil {
		return nil, *err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// unsigned is Ann's change again, with another commit.
func unsigned() change.Change {
	ch := annsChange()
	ch.Content, ch.Signed, ch.CommitList = "sha256:"+strings.Repeat("c", 64), 0, []change.CommitFact{{Type: "feat"}}
	return ch
}

// Reports, change and groups are those of the day, whatever became of them since.
func TestReplayReadsListsAsTheyStood(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		h.approve(id, "ben", "cid")
		clean := h.ask().Decision
		h.report("", badScan)
		critical := h.ask().Decision
		h.report("", cleanScan)
		must(t, h.AttachChange(h.ctx, h.as("ci"), id, unsigned()))
		rash := h.ask().Decision
		moved := strings.ReplaceAll(catalogFile, "emails: [ben@example.com]\ngroups: [release-approvers]", "emails: [ben@example.com]\ngroups: [release-managers]")
		_, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(moved))
		must(t, err)
		last := h.ask().Decision
		if clean.Verdict != policy.Go || critical.Verdict != policy.NoGo || last.ID == rash.ID {
			t.Fatalf("%s, %s, %s", clean.Verdict, critical.Verdict, last.Verdict)
		}
		kept := &fragile{Files: h.Vault}
		h.Vault = kept

		if _, sum := h.replay(stricter(t), time.Time{}); sum.Stopped != 1 || kept.opened.Load() != 0 {
			t.Errorf("a candidate that reads no list opens %d files: %+v", kept.opened.Load(), sum.Counts)
		}
		if told, sum := h.replay(probed(t, readsFindings), time.Time{}); sum.Total-sum.Same != 0 || kept.opened.Load() == 0 {
			t.Errorf("findings are those of the day: %+v", told.flips)
		}
		told, sum := h.replay(probed(t, readsCommits), time.Time{})
		if sum.Untold != 0 {
			t.Errorf("commits: %+v", told.flips)
		}
		for _, f := range told.flips {
			if f.Decision == clean.ID || f.Decision == rash.ID && f.Now != policy.NoGo {
				t.Errorf("commits: %+v", f)
			}
		}
		told, sum = h.replay(probed(t, readsVotes), time.Time{})
		if sum.Untold != 0 || sum.Stopped != 0 {
			t.Errorf("votes: %+v", told.flips)
		}
		told, sum = h.replay(probed(t, `approval.votes.all(v, !v.counted || "release-approvers" in v.groups) && approval.votes.size() == 2`), time.Time{})
		for _, f := range told.flips {
			if f.Decision == clean.ID {
				t.Errorf("Ben was no manager then: %+v", f)
			}
		}
		if sum.Total-sum.Same == 0 {
			t.Error("decisions before anybody voted pass a rule that asks for two votes")
		}
	})
}

// A list whose file is gone or has rotten is no answer, and the reason is said;
// a failure of the store is an error.
func TestReplayOfLostFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		granted := h.ask().Decision
		kept := &fragile{Files: h.Vault}
		h.Vault = kept
		for name, err := range map[string]error{
			"there are no bytes": fault.New(fault.NotFound, "vault.absent", "there are no bytes"),
			"have changed":       fault.New(fault.Unverified, "vault.rotten", "the bytes have changed"),
		} {
			kept.fail.Store(&err)
			for _, c := range []struct{ condition, items string }{{readsFindings, "findings"}, {readsCommits, "commits"}} {
				told, sum := h.replay(probed(t, c.condition), granted.At)
				if sum.Untold != 1 || len(told.flips) != 1 {
					t.Fatalf("%s: %+v", c.condition, sum.Tally)
				}
				f := told.flips[0]
				if f.Decision != granted.ID || f.Effect != release.Untold || f.Now != policy.CannotTell || !strings.Contains(f.Why, "the "+c.items+" one by one") || !strings.Contains(f.Why, name) {
					t.Errorf("%s: %+v", c.condition, f)
				}
			}
			if told, sum := h.replay(probed(t, readsVotes), granted.At); sum.Same != 1 {
				t.Errorf("votes stand in no file: %+v", told.flips)
			}
		}
		broken := errors.New("the disk is gone")
		kept.fail.Store(&broken)
		_, err := h.Replay(h.ctx, h.as("cid"), control.ReplayRequest{
			Files: probed(t, readsFindings), Progress: func(_, _ uint64) error { return nil }, Flip: func(control.Flipped) error { return nil },
		})
		if !errors.Is(err, broken) {
			t.Errorf("a disk that is gone: %v", err)
		}
	})
}
