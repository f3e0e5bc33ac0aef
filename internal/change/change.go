// Package change knows what a version contains against the version before:
// commits and who made them, files and lines, the step of the version number,
// and what can be told from commit messages and paths.
//
// It leaves to others how a repository is read (connect/git), which person an
// identity belongs to (access) and what follows from it (policy). Its
// invariant: the same raw change gives the same description and digest, and
// what could not be read is said to be missing, never taken for nothing.
package change

import (
	"slices"
	"time"
)

// Raw is a range of history as it was read from a repository.
type Raw struct {
	Repository string
	From, To   string // commit ids as resolved; From is "" where everything reachable from To counts
	FromRef    string // as they were asked for
	ToRef      string
	Commits    []Commit                   // reachable from To and not from From, merges included
	Files      []File                     // tree of From against tree of To
	Shallow    bool                       // history was cut off: commits are missing
	Checked    bool                       // signatures were held against keys
	Components func(path string) []string // names of what a path belongs to; nil: nobody has said
	Notes      []string                   // what the reader should know, such as that From is no ancestor of To
}

// Identity is a name and an e-mail address as a commit states them: a claim of
// the commit, proven by nothing.
type Identity struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Commit is one commit's facts.
type Commit struct {
	ID         string
	Parents    int
	Author     Identity
	Committer  Identity
	CoAuthors  []Identity // of Co-authored-by trailers
	AuthorTime time.Time
	CommitTime time.Time
	Subject    string
	Body       string   // without the subject
	Signed     bool     // carries a signature; not: one that holds
	Signature  string   // what came of holding it against keys: Verified, Bad, Unverifiable; "" where none were given or it has none
	Key        string   // under which it is Verified, such as "SHA256:…"
	KeyNames   []string // whom the list of keys names for it
}

// File is one path that differs; a rename is one file. Added and Deleted are
// lines and 0 for Binary files and submodules' contents.
type File struct {
	Path    string `json:"path"`
	OldPath string `json:"old_path,omitempty"`
	Added   int    `json:"added"`
	Deleted int    `json:"deleted"`
	Binary  bool   `json:"binary,omitempty"`
}

// Sizes of a step between two version numbers, and so of a release.
const (
	Major   = "major"
	Minor   = "minor"
	Patch   = "patch"
	NoStep  = "none"    // the same version
	Unknown = "unknown" // not two comparable version numbers
)

// Change describes a Raw. The lists are sorted and never nil, but for
// those that are nil where nothing is known: CommitList and Components.
type Change struct {
	From         string       `json:"from"`
	To           string       `json:"to"`
	FromRef      string       `json:"from_ref"`
	ToRef        string       `json:"to_ref"`
	Commits      int          `json:"commits"`
	Authors      []Identity   `json:"authors"`
	Committers   []Identity   `json:"committers"` // those of forges among them, see Contributors
	CoAuthors    []Identity   `json:"co_authors"`
	FilesChanged int          `json:"files_changed"`
	LinesAdded   int          `json:"lines_added"`
	LinesDeleted int          `json:"lines_deleted"`
	SemverStep   string       `json:"semver_step"`  // major, minor, patch, none, unknown
	ReleaseType  string       `json:"release_type"` // size suggested: major, minor, patch; unknown where history is cut off and may hold more
	Reasons      []string     `json:"reasons"`      // why that size
	Breaking     bool         `json:"breaking"`
	Reverts      int          `json:"reverts"`             // commits that take back an earlier one
	Subsystems   []string     `json:"subsystems"`          // first directories of the paths; "." for files beside them
	Components   []string     `json:"components,omitzero"` // of the catalog; nil where nobody has said which paths are whose
	Elsewhere    int          `json:"elsewhere"`           // files that belong to no component; 0 where nobody has said
	Migrations   []string     `json:"migrations"`          // paths
	Dependencies []string     `json:"dependencies"`        // paths of manifests and lock files
	OnlyTests    bool         `json:"only_tests"`
	OnlyDocs     bool         `json:"only_docs"`
	Signed       int          `json:"signed"`              // commits that carry a signature; not: one that holds
	Signatures   *Signatures  `json:"signatures,omitzero"` // nil where no keys were given to hold them against
	Complete     bool         `json:"complete"`            // false where history is cut off
	Notes        []string     `json:"notes"`
	CommitList   []CommitFact `json:"commit_list,omitzero"` // by commit id; see CommitFact
	Content      string       `json:"content_digest"`       // "sha256:…" over the canonical form, see Digest
}

// Describe is what a raw change amounts to.
func Describe(r Raw) Change {
	c := Change{
		From: r.From, To: r.To, FromRef: r.FromRef, ToRef: r.ToRef,
		Commits: len(r.Commits), FilesChanged: len(r.Files),
		SemverStep: Step(r.FromRef, r.ToRef),
		Complete:   !r.Shallow, Notes: append([]string{}, r.Notes...),
		Content: digest(r),
	}
	c.people(r.Commits)
	c.messages(r.Commits)
	c.CommitList = listed(r.Commits)
	c.files(r.Files)
	c.places(r)
	c.signatures(r)
	c.classify(slices.ContainsFunc(r.Commits, Commit.feature))
	return c
}

func (c *Change) messages(commits []Commit) {
	for _, k := range commits {
		if k.Signed {
			c.Signed++
		}
		if k.breaking() {
			c.Breaking = true
		}
		if k.revert() {
			c.Reverts++
		}
	}
}

func (c *Change) files(files []File) {
	c.Migrations, c.Dependencies = []string{}, []string{}
	tests, docs := 0, 0
	for _, f := range files {
		c.LinesAdded += f.Added
		c.LinesDeleted += f.Deleted
		if IsMigration(f.Path) || IsMigration(f.OldPath) {
			c.Migrations = append(c.Migrations, f.Path)
		}
		if IsDependency(f.Path) || IsDependency(f.OldPath) {
			c.Dependencies = append(c.Dependencies, f.Path)
		}
		if f.all(IsTest) {
			tests++
		}
		if f.all(IsDoc) {
			docs++
		}
	}
	c.OnlyTests = len(files) > 0 && tests == len(files)
	c.OnlyDocs = len(files) > 0 && docs == len(files)
}

// all reports whether a holds for the file under its new name and its old one.
func (f File) all(is func(string) bool) bool {
	return is(f.Path) && (f.OldPath == "" || is(f.OldPath))
}
