package document

import "time"

// Provenance says who is believed for a datum, weakest last.
type Provenance string

// The provenances, and none.
const (
	ByServer   Provenance = "server"   // read by the server from a repository or system it can reach
	ByAttestor Provenance = "attested" // signed by keys that the policy names
	ByPipeline Provenance = "pipeline" // sent by a named pipeline identity
	ByPerson   Provenance = "person"   // typed or uploaded by a person
	Assumed    Provenance = "assumed"  // offline only: taken from a file, believed by nobody
	ByNobody   Provenance = ""
)

var provenanceRank = map[Provenance]int{ByServer: 5, ByAttestor: 4, ByPipeline: 3, ByPerson: 2, Assumed: 1, ByNobody: 0}

// Valid reports whether p is one of the provenances, other than none.
func (p Provenance) Valid() bool { return provenanceRank[p] > 0 }

// AtLeast reports whether p is as strong as q.
func (p Provenance) AtLeast(q Provenance) bool { return provenanceRank[p] >= provenanceRank[q] }

// Weaker is the weaker of two provenances: what stands on both is believed no more than it.
func (p Provenance) Weaker(q Provenance) Provenance {
	if provenanceRank[p] < provenanceRank[q] {
		return p
	}
	return q
}

// Verdict is one of four answers. The API's word for cannot-tell is indeterminate.
type Verdict string

// The four verdicts.
const (
	Go         Verdict = "go"
	Wait       Verdict = "wait" // for a person or a time
	NoGo       Verdict = "no-go"
	CannotTell Verdict = "indeterminate"
)

// Worse is the worse of two, in the order no-go, cannot-tell, wait, go. Anything
// that is not a verdict counts as cannot-tell.
func (v Verdict) Worse(w Verdict) Verdict {
	if w.Rank() > v.Rank() {
		return w.orCannotTell()
	}
	return v.orCannotTell()
}

func (v Verdict) orCannotTell() Verdict {
	switch v {
	case Go, Wait, NoGo:
		return v
	}
	return CannotTell
}

// Words is the verdict as people read it: go, wait, no-go, cannot tell.
func (v Verdict) Words() string {
	if v = v.orCannotTell(); v == CannotTell {
		return "cannot tell"
	}
	return string(v)
}

// Severity is what a failed gate does to the verdict.
type Severity string

// Only Block changes the verdict; the others are listed.
const (
	Block   Severity = "block"
	Warn    Severity = "warn"
	Observe Severity = "observe"
)

// Observed says on whose word and until when a scope is not enforced.
type Observed struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

// Rank orders verdicts: go, wait, cannot-tell, no-go.
func (v Verdict) Rank() int {
	switch v {
	case Go:
		return 0
	case Wait:
		return 1
	case NoGo:
		return 3
	}
	return 2
}
