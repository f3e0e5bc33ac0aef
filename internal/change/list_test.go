package change

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/fault"
)

func TestCommitList(t *testing.T) {
	c := Describe(Raw{Commits: []Commit{{ID: "2", Subject: "Ada: x", Parents: 2}, {ID: "1", Subject: "no type", Signed: true}}})
	if diff := cmp.Diff([]CommitFact{{Signed: true}, {Type: OtherType, Merge: true}}, c.CommitList); diff != "" {
		t.Error(diff)
	}
	if c := Describe(Raw{}); c.CommitList == nil || c.Check() != nil {
		t.Error("no commits are known to be none")
	}
	if c := Describe(Raw{Commits: make([]Commit, MaxCommitList)}); len(c.CommitList) != MaxCommitList {
		t.Errorf("%d commits", len(c.CommitList))
	}
	if c := Describe(Raw{Commits: make([]Commit, MaxCommitList+1)}); c.CommitList != nil || c.Check() != nil {
		t.Error("too many commits are listed")
	}
}

func TestCommitListAddsUp(t *testing.T) {
	for name, lie := range map[string]func(*Change){
		"fewer":           func(c *Change) { c.CommitList = c.CommitList[:0] },
		"a signature":     func(c *Change) { c.CommitList[0].Signed = true },
		"a revert":        func(c *Change) { c.CommitList[0].Revert = true },
		"a break":         func(c *Change) { c.CommitList[0].Breaking = true },
		"a word":          func(c *Change) { c.CommitList[0].Type = "ada" },
		"verified":        func(c *Change) { c.Signatures = &Signatures{Verified: 1} },
		"too few":         func(c *Change) { c.Signatures = &Signatures{} },
		"below nothing":   func(c *Change) { c.Signatures = &Signatures{Unsigned: 2, Bad: -1} },
		"more than limit": func(c *Change) { c.Commits, c.CommitList = MaxCommitList+1, make([]CommitFact, MaxCommitList+1) },
	} {
		c := Describe(Raw{Commits: []Commit{{Subject: "fix: x"}}})
		if c.Check() != nil {
			t.Fatal(c.Check())
		}
		if lie(&c); fault.KindOf(c.Check()) != fault.Invalid {
			t.Errorf("%s: taken", name)
		}
	}
}
