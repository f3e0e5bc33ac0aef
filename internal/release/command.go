package release

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Sizes and change types that may be declared; "" declares nothing.
var (
	sizes       = []string{"", "major", "minor", "patch"}
	changeTypes = []string{"", "standard", "normal", "emergency"}
)

// Opened is the body of ReleaseOpened.
type Opened struct {
	ID         string            `json:"id"`
	Service    string            `json:"service"`
	Version    string            `json:"version"`
	Digest     string            `json:"digest"`
	Size       string            `json:"size,omitempty"`
	ChangeType string            `json:"change_type,omitempty"`
	Phase      Phase             `json:"phase"` // draft or submitted
	Provenance policy.Provenance `json:"provenance"`
	Submitted  event.Micros      `json:"submitted,omitempty"` // the instant that the same command's decision rests on; else the fact's own
}

// Revised is the body of ReleaseRevised.
type Revised struct {
	Size       string `json:"size,omitempty"`
	ChangeType string `json:"change_type,omitempty"`
	Revision   int    `json:"revision"`
}

// Moved is the body of ReleaseMoved. Environment is empty where the release as
// a whole moves. Cause is "by-hand", "decision" or "deployment".
type Moved struct {
	Environment  string `json:"environment,omitempty"`
	From         Phase  `json:"from"`
	To           Phase  `json:"to"`
	Cause        string `json:"cause"`
	Deployment   string `json:"deployment,omitempty"`
	Unauthorised bool   `json:"unauthorised,omitempty"`
}

// attached is the body of ChangeAttached; the rest of Attached comes from the header.
type attached struct {
	Record     change.Record     `json:"record"`
	Digest     string            `json:"digest"`
	Provenance policy.Provenance `json:"provenance"`
}

// voted is the body of a vote: what was answered, by whom, about exactly what.
type voted struct {
	Person      string `json:"person"`
	Environment string `json:"environment"`
	Subject     string `json:"subject"`
	Canonical   string `json:"canonical"` // RFC 8785 bytes whose digest is Subject
	Answer      string `json:"answer"`
	Meaning     string `json:"meaning"` // 21 CFR 11.50
}

func (s State) stream() event.Stream { return event.StreamOf(Noun, s.ID) }

// Open is the fact of a new release.
func Open(o Opened) ([]event.Draft, error) {
	for _, f := range []struct{ name, value string }{{"service", o.Service}, {"version", o.Version}, {"digest", o.Digest}} {
		if err := CheckName(f.name, f.value); err != nil {
			return nil, err
		}
	}
	if err := declared(o.Size, o.ChangeType); err != nil {
		return nil, err
	}
	if o.Phase != Draft {
		o.Phase = Submitted
	}
	return []event.Draft{{Stream: event.StreamOf(Noun, o.ID), Kind: event.ReleaseOpened, Body: o}}, nil
}

func declared(size, changeType string) error {
	if !slices.Contains(sizes, size) {
		return fault.Invalidf("release.size", "%q is not a size", clip(size)).Remedy("write major, minor or patch").On("size")
	}
	if !slices.Contains(changeTypes, changeType) {
		return fault.Invalidf("release.change_type", "%q is not a change type", clip(changeType)).Remedy("write standard, normal or emergency").On("change_type")
	}
	return nil
}

// Revise declares size or change type anew: a new revision, for which no vote has been given.
func (s State) Revise(size, changeType string) ([]event.Draft, error) {
	if err := declared(size, changeType); err != nil {
		return nil, err
	}
	if err := s.editable(); err != nil {
		return nil, err
	}
	if size == s.Size && changeType == s.ChangeType {
		return nil, nil
	}
	return []event.Draft{{Stream: s.stream(), Kind: event.ReleaseRevised, Body: Revised{Size: size, ChangeType: changeType, Revision: s.Revision + 1}}}, nil
}

// editable is nil while nothing of the release is final.
func (s State) editable() error {
	if s.Phase == Withdrawn {
		return fault.New(fault.Conflict, "release.withdrawn", "this release was withdrawn").Remedy("open a new one")
	}
	return nil
}

// Attach says what the release contains. The same content again is no new fact.
func (s State) Attach(r change.Record, digest string, private map[string]string, p policy.Provenance) ([]event.Draft, error) {
	if err := s.editable(); err != nil {
		return nil, err
	}
	if s.Change != nil && s.Change.Digest == digest && s.Change.Provenance.AtLeast(p) {
		return nil, nil
	}
	if s.Change != nil && !p.AtLeast(s.Change.Provenance) {
		return nil, fault.New(fault.Conflict, "change.weaker", "a change that is believed more stands in this one's place").
			Because("it is by " + string(s.Change.Provenance) + ", this one by " + string(p)).Remedy("send it the way the first one came")
	}
	return []event.Draft{{Stream: s.stream(), Kind: event.ChangeAttached, Body: attached{Record: r, Digest: digest, Provenance: p}, Private: private}}, nil
}

// Move takes the release, or its way to one environment, to another phase by hand.
func (s State) Move(environment string, to Phase, reason string) ([]event.Draft, error) {
	from := s.Phase
	if environment != "" {
		if err := CheckName("environment", environment); err != nil {
			return nil, err
		}
		from = s.target(environment).Phase
	}
	if strings.TrimSpace(reason) == "" {
		return nil, fault.Invalidf("release.reason", "moving a release by hand needs a reason").On("reason")
	}
	whole := to == Submitted || to == Draft || to == Withdrawn || to == Rejected
	if err := from.to(to); err != nil {
		return nil, err
	}
	if environment == "" && !whole {
		return nil, fault.Invalidf("release.environment", "say for which environment the release becomes %s", to).On("environment")
	}
	if to == Deploying || to == Ready {
		return nil, fault.Invalidf("release.by-hand", "a release becomes %s by a decision or a deployment, never by hand", to).
			Remedy("ask the gate, or report the deployment")
	}
	moved := Moved{Environment: environment, From: from, To: to, Cause: "by-hand"}
	return []event.Draft{{Stream: s.stream(), Kind: event.ReleaseMoved, Body: moved, Private: map[string]string{"reason": reason}, Touches: s.touches(moved)}}, nil
}

// Vote is a person's answer about the subject that he or she was shown. It is
// refused where the subject has changed since; a vote that will not count
// (a contributor's, or from outside the groups) is refused at once, so that
// nobody believes to have approved.
func (s State) Vote(voter access.Actor, q approval.Question, v Ballot) ([]event.Draft, error) {
	person := voter.Person()
	if person == "" {
		return nil, fault.New(fault.Forbidden, "approval.not-a-person", "only a person can vote").Because("the token belongs to a machine")
	}
	if v.Answer != approval.Approve && v.Answer != approval.Reject {
		return nil, fault.Invalidf("approval.answer", "%q is not an answer", clip(v.Answer)).Remedy("answer approve or reject").On("answer")
	}
	if v.Answer == approval.Reject && strings.TrimSpace(v.Comment) == "" {
		return nil, fault.Invalidf("approval.reason", "a rejection needs a reason").On("comment").Because("whoever waits for it is told why")
	}
	if v.Seen != "" && v.Seen != v.Subject {
		return nil, fault.New(fault.Conflict, "approval.other-content", "what you looked at is no longer what stands").
			Because("the subject was " + v.Seen + " and is now " + v.Subject).Remedy("look again, then vote on what stands now")
	}
	cast := approval.Vote{Person: person, Environment: v.Environment, Subject: v.Subject, Answer: v.Answer, At: event.MicrosOf(q.Now)}
	q.Votes = []approval.Vote{cast}
	if standing := approval.Weigh(q); len(standing.Excluded) > 0 {
		return nil, fault.New(fault.Forbidden, "approval."+standing.Excluded[0].Code, "your vote would not count").Because(votedWhy[standing.Excluded[0].Code])
	}
	body := voted{Person: person, Environment: v.Environment, Subject: v.Subject, Canonical: v.Canonical, Answer: v.Answer, Meaning: v.Answer + " for " + v.Environment}
	return []event.Draft{{Stream: s.stream(), Kind: event.ApprovalVoted, Body: body, Private: map[string]string{"comment": v.Comment}}}, nil
}

// Ballot is one vote as it is cast.
type Ballot struct {
	Environment string
	Answer      string
	Comment     string
	Seen        string // the subject's digest that the voter was shown; "" where none was
	Subject     string // the subject's digest now
	Canonical   string // its canonical bytes
}

var votedWhy = map[string]string{
	"contributor":  "you contributed to this change, and nobody approves their own work",
	"not-in-group": "you are in none of the groups that the approval chain names",
	"no-right":     "you do not hold the right to approve",
	"departed":     "you are not a present member of the organisation",
}

// Unvote withdraws a person's standing vote.
func (s State) Unvote(person, environment string) ([]event.Draft, error) {
	for _, v := range s.Votes {
		if v.Person == person && v.Environment == environment && !v.Withdrawn {
			body := voted{Person: person, Environment: environment, Subject: v.Subject, Answer: v.Answer}
			return []event.Draft{{Stream: s.stream(), Kind: event.ApprovalWithdrawn, Body: body}}, nil
		}
	}
	return nil, fault.New(fault.NotFound, "approval.none", "you have no standing vote for "+environment)
}
