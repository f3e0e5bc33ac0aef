package archtest

import "strings"

// room is one row of the table of rooms in ARCHITECTURE.md. Every room may
// import fault and strict besides what stands here; a room that is missing
// from the table may not exist.
type room struct {
	path    string
	kind    kind
	imports string // our rooms, separated by spaces; "*" is every room
	tests   bool   // is imported by tests alone
	nouns   bool   // has rooms below it, one a noun, that may import it and what it may import
}

// kind says what a room may touch outside this module.
type kind int

const (
	shell kind = iota // anything
	still             // no disk, no network, no database
	pure              // still, and no clock, no context, no randomness
)

// nouns are the pure rooms of the domain, all of which release may join.
const nouns = "catalog access change calendar halt evidence risk approval policy activation schema rollback incident compliance council flow"

// rooms is the plan, those not yet built included.
var rooms = []room{
	{path: "cmd/signalbox", imports: "cli server demo"},

	{path: "internal/fault", kind: pure},
	{path: "internal/strict", kind: pure},
	{path: "internal/event", kind: pure},
	{path: "internal/dsse", kind: pure},
	{path: "internal/cosign", kind: pure},
	{path: "internal/trust", kind: pure, imports: "event cosign"},
	{path: "internal/wire"},

	{path: "internal/catalog", kind: pure, imports: "event"},
	{path: "internal/access", kind: pure, imports: "event"},
	{path: "internal/change", kind: pure, imports: "event"},
	{path: "internal/calendar", kind: pure, imports: "event"},
	{path: "internal/halt", kind: pure, imports: "event"},
	{path: "internal/conform", kind: pure},
	{path: "internal/evidence", kind: pure, imports: "event", nouns: true},
	{path: "internal/evidence/attestation", kind: pure, imports: "evidence dsse"},
	{path: "internal/evidence/cyclonedx", kind: pure, imports: "evidence conform"},
	{path: "internal/report", kind: pure, imports: "evidence evidence/attestation evidence/cyclonedx"},
	{path: "internal/risk", kind: pure, imports: "event"},
	{path: "internal/approval", kind: pure, imports: "event access calendar"},
	{path: "internal/bundle", kind: pure},
	{path: "internal/document", kind: pure, imports: "bundle dsse"},
	{path: "internal/predicate", kind: pure},
	{path: "internal/policy", kind: pure, imports: "event bundle document predicate"},
	{path: "internal/activation", kind: pure, imports: "event policy"},
	{path: "internal/mandate", kind: pure, imports: "bundle document policy"},
	{path: "internal/logic", kind: pure, imports: "policy"},
	{path: "internal/lint", kind: pure, imports: "bundle policy logic mandate"},
	{path: "internal/prose", kind: pure, imports: "bundle policy"},
	{path: "internal/prose/pdf", imports: "prose"},
	{path: "internal/schema", kind: pure, imports: "event"},
	{path: "internal/rollback", kind: pure, imports: "event"},
	{path: "internal/incident", kind: pure, imports: "event"},
	{path: "internal/compliance", kind: pure, imports: "event"},
	{path: "internal/council", kind: pure, imports: "event approval"},
	{path: "internal/flow", kind: pure, imports: "event"},
	{path: "internal/release", kind: pure, imports: "event dsse evidence/attestation " + nouns},

	{path: "internal/failpoint"},
	{path: "internal/health"},
	{path: "internal/store", imports: "failpoint"},
	{path: "internal/store/storetest", imports: "store", tests: true},
	{path: "internal/store/disktest", tests: true},
	{path: "internal/state", imports: "event store failpoint"},
	{path: "internal/tree", imports: "store"},
	{path: "internal/clock", kind: still},
	{path: "internal/journal", imports: "clock failpoint health event store state tree seal trust verify"},
	{path: "internal/verify", kind: still, imports: "event cosign trust"},
	{path: "internal/witness", imports: "store verify"},
	{path: "internal/seal", imports: "store failpoint"},
	{path: "internal/keyring", imports: "event journal seal trust verify"},
	{path: "internal/vault", imports: "store failpoint"},
	{path: "internal/view", imports: "event store release " + nouns, nouns: true},

	{path: "internal/control", imports: "mandate event state journal vault keyring seal trust verify lint report release " + nouns, nouns: true},
	{path: "internal/control/controltest", imports: "change control journal seal store vault view", tests: true},
	{path: "internal/upkeep", imports: "event state journal seal store vault verify view"},
	{path: "internal/telemetry", imports: "health"},
	{path: "internal/counsel", imports: "access control lint policy prose"},
	{path: "internal/watch", imports: "control event journal store view connect"},
	{path: "internal/publish", imports: "health event journal store verify witness"},
	{path: "internal/anchor", imports: "connect/git verify"},
	{path: "internal/connect", imports: "release " + nouns, nouns: true},

	{path: "internal/api", imports: "health event journal control counsel view wire prose/pdf release " + nouns, nouns: true},
	{path: "internal/hook", imports: "access control connect"},
	{path: "internal/web", imports: "control view store release " + nouns, nouns: true},
	{path: "internal/terminal", imports: "wire policy evidence"},
	{path: "internal/desk", imports: "catalog policy lint prose prose/pdf terminal"},
	{path: "internal/dossier", imports: "settings event wire report survey release " + nouns},
	{path: "internal/survey", imports: "catalog change connect/git wire terminal"},
	{path: "internal/doctor", imports: "settings wire terminal"},
	{path: "internal/settings", imports: "catalog seal"},
	{path: "internal/steward", imports: "settings terminal wire"},
	{path: "internal/receipt", imports: "verify wire terminal"},
	{path: "internal/cli", imports: "steward settings event wire terminal verify receipt seal connect/git lint prose desk survey dossier doctor report anchor release " + nouns},
	{path: "internal/server", imports: "*"},
	{path: "internal/demo", imports: "*"},

	{path: "internal/archtest"},
	{path: "scripts/ci"},
	{path: "scripts/mutate"},
	{path: "scripts/packs"},
	{path: "scripts/cyclonedx", imports: "strict"},
	{path: "scripts/reference", imports: "*"},
	{path: "test"},
}

// pureLibraries are the modules of others that a still or pure room may import:
// each computes and touches nothing outside.
const pureLibraries = "cel.dev/cel-go cel.dev/expr google.golang.org/protobuf go.yaml.in/yaml/v4 " +
	"github.com/go-json-experiment/json golang.org/x/text golang.org/x/mod " +
	"github.com/owenrumney/go-sarif/v3 github.com/in-toto/attestation github.com/secure-systems-lab/go-securesystemslib " +
	"github.com/transparency-dev/formats github.com/transparency-dev/merkle github.com/pandatix/go-cvss"

// jsonReaders are the rooms that may decode with encoding/json: what they read
// is their own writing. Everything that comes from outside goes through strict.
const jsonReaders = "internal/event internal/state internal/journal internal/view internal/control scripts/ci"

// streamReaders are the rooms that may use the library under strict itself:
// evidence reads long foreign reports piece by piece, conform checks them so, and
// event reads our own writing without looking all of it through beforehand.
const streamReaders = "internal/strict internal/conform internal/evidence internal/event"

// deciders are the rooms that may ask release.Gate: the one door, and the
// terminal for a decision offline.
const deciders = "internal/control internal/cli"

// writers says which room owns the tables that decisions rest on.
var writers = map[string]string{
	"facts": "internal/journal", "hashes": "internal/tree", "head": "internal/journal",
	"commands": "internal/journal", "parts": "internal/journal", "checkpoints": "internal/journal",
	"streams": "internal/state", "keys": "internal/state", "key_sums": "internal/state",
}

// viewTables begin the names of the tables of views, all written by one room.
const viewTables = "view_"

// ownerOf is the room that a table belongs to by the plan, or "".
func ownerOf(table string) string {
	if strings.HasPrefix(table, viewTables) {
		return "internal/view"
	}
	return writers[table]
}

// roomOf is the room that a directory belongs to, and whether there is one.
func roomOf(dir string) (room, bool) {
	for _, r := range rooms {
		if r.path == dir {
			return r, true
		}
	}
	for _, r := range rooms {
		noun, below := strings.CutPrefix(dir, r.path+"/")
		if r.nouns && below && !strings.Contains(noun, "/") {
			return r, true
		}
	}
	return room{}, false
}

// admits reports whether a package of room r in directory from may import the
// package of ours in directory to.
func (r room) admits(from, to string) bool {
	target, known := roomOf(to)
	switch short := strings.TrimPrefix(to, "internal/"); {
	case !known || target.tests:
		return false
	case target.path == r.path:
		return to == r.path && from != to
	case short == "fault", short == "strict" && r.path != "internal/fault":
		return true
	default:
		for allowed := range strings.FieldsSeq(r.imports) {
			if allowed == "*" || allowed == short || allowed == strings.TrimPrefix(target.path, "internal/") {
				return true
			}
		}
		return false
	}
}
