package change

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/internal/strict"
)

// content is the canonical form of a change, schema 1 (RFC 8785): what
// approvals are given for. Commit ids stand for people and messages.
type content struct {
	Schema  int      `json:"schema"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Commits []string `json:"commits"`
	Files   []File   `json:"files"`
	Shallow bool     `json:"shallow"`
}

func digest(r Raw) string {
	c := content{Schema: 1, From: r.From, To: r.To, Commits: []string{}, Files: slices.Clone(r.Files), Shallow: r.Shallow}
	for _, k := range r.Commits {
		c.Commits = append(c.Commits, k.ID)
	}
	slices.Sort(c.Commits)
	slices.SortFunc(c.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.OldPath, b.OldPath))
	})
	if c.Files == nil {
		c.Files = []File{}
	}
	b, err := strict.Canonical(c)
	if err != nil {
		panic("change: strings and numbers do not encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Digest is "sha256:…" over the canonical form of the change. It changes with
// any commit or file, and holds no personal data.
func (c Change) Digest() string { return c.Content }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
