// Package release knows the life of a release and the one decision about it:
// Gate joins catalog, change, evidence, approvals and calendar, fills
// policy.Inputs, and answers with every reason.
//
// Invariant: what was decided, approved or permitted is bound to the digest of
// its subject; when the subject changes, the vote or the decision no longer
// stands. Nothing unknown ever becomes a go.
package release

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Noun is the noun of releases' streams.
const Noun = "release"

// Keys by which releases are found.
const (
	Of        = "release.of"        // unique: service, version and digest, see Name
	OfService = "release.service"   // value is the service's name
	OfVersion = "release.version"   // value is service@version
	InPhase   = "release.phase"     // value is environment/phase
	ByPermit  = "release.by-permit" // unique: the standing permit's id
)

// State is a release's folded stream.
type State struct {
	ID         string            `json:"id"`
	Service    string            `json:"service"` // as asked for; the catalog may not know it
	Version    string            `json:"version"`
	Digest     string            `json:"digest"` // "sha256:…"
	Size       string            `json:"size,omitempty"`
	ChangeType string            `json:"change_type,omitempty"`
	Revision   int               `json:"revision"` // from 1; each invalidates the votes before
	Phase      Phase             `json:"phase"`
	OpenedBy   string            `json:"opened_by"`
	Provenance policy.Provenance `json:"provenance"` // of whoever opened it
	OpenedAt   event.Micros      `json:"opened_at"`
	Submitted  event.Micros      `json:"submitted,omitempty"` // when it last was
	Change     *Attached         `json:"change,omitempty"`
	Targets    map[string]Target `json:"targets,omitempty"` // by environment
	Votes      []approval.Vote   `json:"votes,omitempty"`   // the newest of each person and environment
}

// Attached is the change that a release contains, and who is believed about it.
type Attached struct {
	Record     change.Record     `json:"record"`
	Digest     string            `json:"digest"`
	Provenance policy.Provenance `json:"provenance"`
	By         string            `json:"by"`
	At         event.Micros      `json:"at"`
}

// Target is the release's way to one environment.
type Target struct {
	Phase        Phase        `json:"phase"`
	Since        event.Micros `json:"since"`
	Standing     *Standing    `json:"standing,omitempty"`
	Deployment   string       `json:"deployment,omitempty"`   // id of the newest authorised one
	Unauthorised bool         `json:"unauthorised,omitempty"` // it went there without a permit
	Arrived      event.Micros `json:"arrived,omitempty"`      // when it last arrived with a permit; 0: it did not, or was taken back
}

// Standing is the newest decision for an environment: enough to return it
// again while it holds.
type Standing struct {
	Decision string         `json:"decision"` // id
	Position uint64         `json:"position"` // of the fact
	Basis    string         `json:"basis"`    // digest of all it rested on
	Verdict  policy.Verdict `json:"verdict"`
	Permit   string         `json:"permit,omitempty"`
	Until    event.Micros   `json:"until,omitempty"`
}

// Shape is the fold of releases' streams.
func Shape() event.Shape { return event.ShapeOf(Noun, 2, fold, keys) }

func fold(s *State, f event.Recorded) error {
	switch f.Kind {
	case event.ReleaseOpened:
		var o Opened
		if err := f.Body(&o); err != nil {
			return err
		}
		*s = State{
			ID: o.ID, Service: o.Service, Version: o.Version, Digest: o.Digest, Size: o.Size, ChangeType: o.ChangeType,
			Revision: 1, Phase: o.Phase, OpenedBy: f.Actor, Provenance: o.Provenance, OpenedAt: f.Time,
		}
		if o.Phase == Submitted {
			s.Submitted = cmp.Or(o.Submitted, f.Time)
		}
		return nil
	case event.ReleaseRevised:
		var r Revised
		if err := f.Body(&r); err != nil {
			return err
		}
		s.Size, s.ChangeType, s.Revision = r.Size, r.ChangeType, r.Revision
		return nil
	case event.ChangeAttached:
		s.Change = &Attached{By: f.Actor, At: f.Time}
		return f.Body(s.Change)
	case event.ReleaseMoved:
		return foldMove(s, f)
	case event.ApprovalVoted, event.ApprovalWithdrawn:
		return foldVote(s, f)
	case event.Decided:
		return foldDecision(s, f)
	default:
		return event.Unknown(f)
	}
}

// foldDecision reads of a decision what stands: its reasons are most of it.
func foldDecision(s *State, f event.Recorded) error {
	var d struct {
		ID          string         `json:"id"`
		Environment string         `json:"environment"`
		Verdict     policy.Verdict `json:"verdict"`
		Basis       string         `json:"basis"`
		Until       time.Time      `json:"until"`
		Permit      string         `json:"permit"`
	}
	if err := f.Body(&d); err != nil {
		return err
	}
	t := s.target(d.Environment)
	t.Standing = &Standing{Decision: d.ID, Position: f.Position, Basis: d.Basis, Verdict: d.Verdict, Permit: d.Permit, Until: event.MicrosOf(d.Until)}
	s.set(d.Environment, t)
	return nil
}

func foldMove(s *State, f event.Recorded) error {
	var m Moved
	if err := f.Body(&m); err != nil {
		return err
	}
	if m.Environment == "" {
		s.Phase = m.To
		if m.To == Submitted {
			s.Submitted = f.Time
		}
		return nil
	}
	t := s.target(m.Environment)
	t.Phase, t.Since = m.To, f.Time
	switch {
	case m.arrives():
		t.Arrived = f.Time
	case m.leaves():
		t.Arrived = 0
	}
	switch {
	case m.Unauthorised:
		t.Unauthorised = true
	case m.Deployment != "":
		t.Deployment, t.Unauthorised = m.Deployment, false
	}
	s.set(m.Environment, t)
	return nil
}

func foldVote(s *State, f event.Recorded) error {
	var v approval.Vote
	if err := f.Body(&v); err != nil {
		return err
	}
	v.At, v.Withdrawn = f.Time, f.Kind == event.ApprovalWithdrawn
	s.Votes = slices.DeleteFunc(s.Votes, func(w approval.Vote) bool { return w.Person == v.Person && w.Environment == v.Environment })
	s.Votes = append(s.Votes, v)
	return nil
}

// target is the way to an environment; before anything happened there, it
// stands where the release as a whole does.
func (s *State) target(environment string) Target {
	if t, known := s.Targets[environment]; known {
		return t
	}
	return Target{Phase: s.Phase}
}

func (s *State) set(environment string, t Target) {
	if s.Targets == nil {
		s.Targets = map[string]Target{}
	}
	s.Targets[environment] = t
}

// Target is where the release stands on its way to an environment.
func (s State) Target(environment string) Target { return s.target(environment) }

// MayDeploy reports whether a deployment to the environment is the next legal step.
func (s State) MayDeploy(environment string) bool {
	return s.target(environment).Phase.to(Deploying) == nil
}

func keys(s State) []event.Key {
	list := []event.Key{
		{Kind: event.Unique, Name: Of, Value: Name(s.Service, s.Version, s.Digest)},
		{Kind: event.Lookup, Name: OfService, Value: s.Service},
		{Kind: event.Lookup, Name: OfVersion, Value: s.Service + "@" + s.Version},
	}
	for env, t := range s.Targets {
		list = append(list, event.Key{Kind: event.Lookup, Name: InPhase, Value: env + "/" + string(t.Phase)})
	}
	list = append(list, s.arrivals()...)
	slices.SortFunc(list, func(a, b event.Key) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	return list
}

// Name is what makes a release unique: service, version and digest.
func Name(service, version, digest string) string { return service + "@" + version + "@" + digest }

var (
	digestForm  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+~:-]{0,127}$`)
	nameForm    = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$`)
)

// CheckName refuses service, version, digest or environment names that cannot be.
func CheckName(field, value string) error {
	form, says := nameForm, "1 to 100 letters, digits, '.', '_', '/' or '-'"
	switch field {
	case "digest":
		form, says = digestForm, "sha256: and 64 lower-case hexadecimal digits, as in sha256:9f86d081…"
	case "version":
		form, says = versionForm, "1 to 128 letters, digits, '.', '_', '+', '~', ':' or '-'"
	}
	if !form.MatchString(value) {
		return fault.Invalidf("release."+field, "%q is not a %s", clip(value), field).Remedy("write " + says).On(field)
	}
	return nil
}

func clip(s string) string {
	if len(s) > 120 {
		return s[:117] + "…"
	}
	return s
}
