package wire

import "time"

// ReleaseRequest opens a release; the same service, version and digest again is the same release.
type ReleaseRequest struct {
	Service    string `json:"service"`
	Version    string `json:"version"`
	Digest     string `json:"digest"`
	Size       string `json:"size,omitempty" doc:"major, minor or patch"`
	ChangeType string `json:"change_type,omitempty" doc:"standard, normal or emergency"`
	Draft      bool   `json:"draft,omitempty"`
}

// Release is a release as it stands.
type Release struct {
	ID         string            `json:"id"`
	Service    string            `json:"service"`
	Version    string            `json:"version"`
	Digest     string            `json:"digest"`
	Size       string            `json:"size,omitempty"`
	ChangeType string            `json:"change_type,omitempty"`
	Revision   int               `json:"revision"`
	Phase      string            `json:"phase"`
	OpenedBy   string            `json:"opened_by"`
	Provenance string            `json:"provenance"`
	OpenedAt   time.Time         `json:"opened_at"`
	Change     *AttachedChange   `json:"change,omitempty"`
	Targets    map[string]Target `json:"targets,omitempty" doc:"By environment"`
	Votes      []Vote            `json:"votes,omitempty"`
	People     map[string]string `json:"people,omitempty" doc:"Names by id"`
}

// ReleaseSummary is a release in a list.
type ReleaseSummary struct {
	ID       string    `json:"id"`
	Service  string    `json:"service"`
	Version  string    `json:"version"`
	Digest   string    `json:"digest"`
	Phase    string    `json:"phase"`
	OpenedBy string    `json:"opened_by"`
	OpenedAt time.Time `json:"opened_at"`
}

// ReleaseFilter selects releases.
type ReleaseFilter struct {
	Service string
	Paging
}

// Target is the release's way to one environment.
type Target struct {
	Phase        string    `json:"phase"`
	Since        time.Time `json:"since,omitzero"`
	Decision     string    `json:"decision,omitempty" doc:"Id of the newest"`
	Verdict      string    `json:"verdict,omitempty"`
	Permit       string    `json:"permit,omitempty"`
	Until        time.Time `json:"until,omitzero"`
	Deployment   string    `json:"deployment,omitempty"`
	Unauthorised bool      `json:"unauthorised,omitempty"`
}

// Vote is one person's answer about one subject.
type Vote struct {
	Person      string    `json:"person"`
	Environment string    `json:"environment"`
	Subject     string    `json:"subject"`
	Answer      string    `json:"answer"`
	At          time.Time `json:"at"`
	Withdrawn   bool      `json:"withdrawn,omitempty"`
}

// AttachedChange is the change that a release contains, without personal data.
type AttachedChange struct {
	Digest       string    `json:"digest"`
	Provenance   string    `json:"provenance"`
	By           string    `json:"by"`
	At           time.Time `json:"at"`
	From         string    `json:"from"`
	To           string    `json:"to"`
	Commits      int       `json:"commits"`
	Contributors int       `json:"contributors"`
	FilesChanged int       `json:"files_changed"`
	LinesAdded   int       `json:"lines_added"`
	LinesDeleted int       `json:"lines_deleted"`
	SemverStep   string    `json:"semver_step"`
	ReleaseType  string    `json:"release_type"`
	Breaking     bool      `json:"breaking"`
	Complete     bool      `json:"complete"`
}

// ReviseRequest declares size or change type anew: a new revision, without votes.
type ReviseRequest struct {
	Size       string `json:"size,omitempty"`
	ChangeType string `json:"change_type,omitempty"`
}

// MoveRequest takes a release to another phase by hand.
type MoveRequest struct {
	Environment string `json:"environment,omitempty" doc:"Empty where the release as a whole moves"`
	To          string `json:"to"`
	Reason      string `json:"reason"`
}

// ReadChangeRequest has the server read the change from the repository that the catalog names.
type ReadChangeRequest struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// InspectChangeRequest has the server describe a change of a service, from the repository that the catalog names.
type InspectChangeRequest struct {
	Service string `json:"service"`
	From    string `json:"from" doc:"Any name of a commit; empty where there is no version before"`
	To      string `json:"to" doc:"Any name of a commit; HEAD where empty"`
}

// Identity is a name and an e-mail address as a commit states them.
type Identity struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Change describes what a version contains: the shape that "signalbox change
// inspect" prints, with the digest of its content.
type Change struct {
	From         string       `json:"from"`
	To           string       `json:"to"`
	FromRef      string       `json:"from_ref"`
	ToRef        string       `json:"to_ref"`
	Commits      int          `json:"commits"`
	Authors      []Identity   `json:"authors"`
	Committers   []Identity   `json:"committers"`
	CoAuthors    []Identity   `json:"co_authors"`
	FilesChanged int          `json:"files_changed"`
	LinesAdded   int          `json:"lines_added"`
	LinesDeleted int          `json:"lines_deleted"`
	SemverStep   string       `json:"semver_step"`
	ReleaseType  string       `json:"release_type" doc:"major, minor or patch; unknown where history is cut off and may hold more"`
	Reasons      []string     `json:"reasons"`
	Breaking     bool         `json:"breaking"`
	Reverts      int          `json:"reverts"`
	Subsystems   []string     `json:"subsystems" doc:"First directories of the paths; . for files beside them"`
	Components   []string     `json:"components,omitzero" doc:"Of the catalog; left out where nobody has said which paths are whose"`
	Elsewhere    int          `json:"elsewhere" doc:"Files that belong to no component; 0 where nobody has said"`
	Migrations   []string     `json:"migrations"`
	Dependencies []string     `json:"dependencies"`
	OnlyTests    bool         `json:"only_tests"`
	OnlyDocs     bool         `json:"only_docs"`
	Signed       int          `json:"signed" doc:"Commits that carry a signature; whether it holds stands under signatures"`
	Signatures   *Signatures  `json:"signatures,omitzero" doc:"Left out where no keys were given to hold signatures against"`
	Complete     bool         `json:"complete"`
	Notes        []string     `json:"notes"`
	CommitList   []CommitFact `json:"commit_list,omitzero" doc:"The commits one by one, at most 1000; left out where not known"`
	Digest       string       `json:"content_digest"`
}

// Signatures says of every commit whether it is signed and what the signature
// is worth: the four counts add up to the commits.
type Signatures struct {
	Verified     int          `json:"verified" doc:"They hold under a key that was given"`
	Bad          int          `json:"bad" doc:"They do not hold: commit or signature are not what was signed"`
	Unverifiable int          `json:"unverifiable" doc:"No key that was given is theirs, or their kind cannot be read: nothing is known"`
	Unsigned     int          `json:"unsigned"`
	Keys         []SigningKey `json:"keys" doc:"Under which signatures hold"`
}

// SigningKey is a key under which signatures hold.
type SigningKey struct {
	Key     string   `json:"key" doc:"Fingerprint"`
	Names   []string `json:"names" doc:"Whom the list of keys names for it"`
	Commits int      `json:"commits"`
}

// CommitFact is what is told of one commit, without a person and without its words.
type CommitFact struct {
	Signed   bool   `json:"signed" doc:"Carries a signature; whose signature holds is another question"`
	Type     string `json:"type" doc:"Type of Conventional Commits, other where it is none of the usual; empty where there is none"`
	Breaking bool   `json:"breaking"`
	Merge    bool   `json:"merge"`
	Revert   bool   `json:"revert"`
}
