package change

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// forges are the committers that forges write into commits made on their
// pages or by their merge buttons. They are listed as committers, but stand
// for no person and are no contributors unless they are the author too. Anyone
// can write them into a commit: that hides no author, for the author always counts.
var forges = []string{
	"noreply@github.com",
	"noreply@gitlab.com",
	"noreply@bitbucket.org",
	"noreply@codeberg.org",
}

// Key is what tells an identity apart: the e-mail in lower case without space
// around it, or the name where there is no e-mail.
func (i Identity) Key() string {
	if e := strings.ToLower(strings.TrimSpace(i.Email)); e != "" {
		return e
	}
	return "name:" + strings.ToLower(strings.TrimSpace(i.Name))
}

// Forge reports whether i is a forge's own committer, not a person.
func (i Identity) Forge() bool { return slices.Contains(forges, i.Key()) }

// people are identities, each once by what key tells apart.
type people struct {
	key  func(Identity) string
	held map[string]Identity
}

// stated tells identities apart as they stand: an address under two names is two.
func stated() people {
	return people{func(i Identity) string { return i.Key() + "\x00" + i.Email + "\x00" + i.Name }, map[string]Identity{}}
}

func (p people) add(i Identity) {
	if _, there := p.held[p.key(i)]; !there {
		p.held[p.key(i)] = i
	}
}

func (p people) list() []Identity {
	out := make([]Identity, 0, len(p.held))
	for _, key := range slices.Sorted(maps.Keys(p.held)) {
		out = append(out, p.held[key])
	}
	return out
}

func (c *Change) people(commits []Commit) {
	authors, committers, co := stated(), stated(), stated()
	for _, k := range commits {
		authors.add(k.Author)
		committers.add(k.Committer)
		for _, i := range k.CoAuthors {
			co.add(i)
		}
	}
	c.Authors, c.Committers, c.CoAuthors = authors.list(), committers.list(), co.list()
}

// Contributors is every identity that had a hand in the change, each address
// once: authors, co-authors, and committers other than forges.
func (c Change) Contributors() []Identity {
	all := people{Identity.Key, map[string]Identity{}}
	persons := slices.DeleteFunc(slices.Clone(c.Committers), Identity.Forge)
	for _, list := range [][]Identity{c.Authors, persons, c.CoAuthors} {
		for _, i := range list {
			all.add(i)
		}
	}
	return all.list()
}

// Record is the change as a fact's body: no personal data. Contributors are
// pseudonyms; paths and reasons stay out, for they may name people.
type Record struct {
	From         string   `json:"from"`
	To           string   `json:"to"`
	Commits      int      `json:"commits"`
	Contributors []string `json:"contributors"` // pseudonyms, sorted, each once
	FilesChanged int      `json:"files_changed"`
	LinesAdded   int      `json:"lines_added"`
	LinesDeleted int      `json:"lines_deleted"`
	SemverStep   string   `json:"semver_step"`
	ReleaseType  string   `json:"release_type"`
	Breaking     bool     `json:"breaking"`
	Reverts      int      `json:"reverts"`
	Migrations   int      `json:"migrations"`
	Dependencies int      `json:"dependencies"`
	OnlyTests    bool     `json:"only_tests"`
	OnlyDocs     bool     `json:"only_docs"`
	Signed       int      `json:"signed"`
	Complete     bool     `json:"complete"`
	Digest       string   `json:"digest"`
	Components   []string `json:"components,omitzero"`    // of the catalog that it touches; nil: nobody has said which paths are whose, or they are too many for a fact
	Elsewhere    int      `json:"elsewhere,omitzero"`     // files that belong to no component
	CommitsFile  string   `json:"commits_file,omitempty"` // digest of the commits one by one, as JSON in the vault; "" is not known
}

// maxNamed bounds the contributors whose names a fact carries.
const maxNamed = 100

// Record is what the journal keeps of the change: the body, and the private
// fields "contributor/0", "contributor/1" … with names and addresses as JSON.
// pseudonym turns an identity (kind "email" or "name", and value) into a
// stable opaque word. Names beyond the first 100 are left out, pseudonyms never.
func (c Change) Record(pseudonym func(kind, value string) string) (Record, map[string]string) {
	private := map[string]string{}
	names := []string{}
	for n, i := range c.Contributors() {
		kind, value := "email", i.Key()
		if name, ok := strings.CutPrefix(value, "name:"); ok {
			kind, value = "name", name
		}
		names = append(names, pseudonym(kind, value))
		if n < maxNamed {
			private["contributor/"+strconv.Itoa(n)] = i.String()
		}
	}
	slices.Sort(names)
	return Record{
		From: c.From, To: c.To, Commits: c.Commits, Contributors: slices.Compact(names),
		FilesChanged: c.FilesChanged, LinesAdded: c.LinesAdded, LinesDeleted: c.LinesDeleted,
		SemverStep: c.SemverStep, ReleaseType: c.ReleaseType, Breaking: c.Breaking, Reverts: c.Reverts,
		Migrations: len(c.Migrations), Dependencies: len(c.Dependencies),
		OnlyTests: c.OnlyTests, OnlyDocs: c.OnlyDocs, Signed: c.Signed, Complete: c.Complete, Digest: c.Digest(),
		Components: recordable(c.Components), Elsewhere: c.Elsewhere,
	}, private
}

// maxComponentText bounds the names of components that a fact carries, in bytes.
const maxComponentText = 8 << 10

// recordable is a list of components as a fact may carry it: all of it or none.
func recordable(components []string) []string {
	size := 0
	for _, name := range components {
		size += len(name) + len(`"",`)
	}
	if size > maxComponentText {
		return nil
	}
	return components
}

// String is the identity as JSON, cut to what a private field should hold.
func (i Identity) String() string {
	i.Name, i.Email = clip(i.Name, 60), clip(i.Email, 120)
	b, err := json.Marshal(i)
	if err != nil {
		return "{}"
	}
	return string(b)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
