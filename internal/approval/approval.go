// Package approval knows chains, quorum and votes: who counts, who does not
// and why. It leaves the choice of the chain to policy and who contributed to
// the change to its caller.
//
// Invariant: one person counts once, never for a change he or she contributed
// to, and only for the very content that the vote was given for.
package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
)

// Chain is who must approve. This version weighs chains of one tier.
type Chain struct {
	Name       string
	Tiers      []Tier
	ValidFor   time.Duration // how long a vote counts; 0 is for ever
	Rejections int           // how many rejections end it; at least 1
}

// Tier is one step of a chain: Quorum distinct persons of any of Groups.
type Tier struct {
	Name   string
	Groups []string
	Quorum int
}

// Answers of a vote.
const (
	Approve = "approve"
	Reject  = "reject"
)

// Vote is one person's answer about one subject. Its meaning is "approved for
// this environment" (21 CFR 11.50); the subject's digest is what it was given for.
type Vote struct {
	Person      string       `json:"person"` // id; offline a pseudonym
	Environment string       `json:"environment"`
	Subject     string       `json:"subject"` // "sha256:…" of the canonical subject
	Answer      string       `json:"answer"`
	At          event.Micros `json:"at"`
	Withdrawn   bool         `json:"withdrawn,omitempty"`
}

// Question is what Weigh answers.
type Question struct {
	Now          time.Time
	Chain        Chain
	Environment  string
	Subject      string
	Votes        []Vote                   // oldest first
	People       map[string]access.Person // by id: every person of the chain's groups, and whoever voted
	Contributors map[string]bool          // ids of persons who may not approve
}

// Exclusion is a vote that does not count, and why. Person is an id.
type Exclusion struct {
	Person string `json:"person"`
	Code   string `json:"code"` // contributor, other-content, expired, not-in-group, no-right, departed, withdrawn
}

// Standing is where a chain stands.
type Standing struct {
	Satisfied bool
	Rejected  bool
	Approvals int
	Required  int
	Eligible  int      // present persons who could still approve
	Counted   []string // who approved
	Against   []string // who rejected, where that counts
	Excluded  []Exclusion
	Lapsed    int       // votes excluded for other-content or expired
	Until     time.Time // when the first counted vote ceases to count and the quorum with it; zero: never
}

// Weigh says where the chain stands: a pure function of the question.
func Weigh(q Question) Standing {
	if len(q.Chain.Tiers) != 1 {
		return Standing{Required: 1} // never satisfied: what this version cannot weigh is not a yes
	}
	tier := q.Chain.Tiers[0]
	s := Standing{Required: max(tier.Quorum, 1)}
	var expiries []time.Time
	for _, v := range newest(q.Votes, q.Environment) {
		if code := q.excludes(v, tier); code != "" {
			s.Excluded = append(s.Excluded, Exclusion{Person: v.Person, Code: code})
			if code == "other-content" || code == "expired" {
				s.Lapsed++
			}
			continue
		}
		if v.Answer == Reject {
			s.Against = append(s.Against, v.Person)
			continue
		}
		s.Approvals++
		s.Counted = append(s.Counted, v.Person)
		if q.Chain.ValidFor > 0 {
			expiries = append(expiries, v.At.Time().Add(q.Chain.ValidFor))
		}
	}
	s.Rejected = len(s.Against) >= max(q.Chain.Rejections, 1)
	s.Satisfied = !s.Rejected && s.Approvals >= s.Required
	s.Eligible = q.eligible(tier, s.Counted)
	if spare := s.Approvals - s.Required; s.Satisfied && len(expiries) > spare {
		slices.SortFunc(expiries, time.Time.Compare)
		s.Until = expiries[spare]
	}
	return s
}

// newest is each person's last vote for the environment, in order of person.
func newest(votes []Vote, environment string) []*Vote {
	list := make([]*Vote, 0, len(votes))
	for i := range slices.Backward(votes) {
		if votes[i].Environment == environment {
			list = append(list, &votes[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *Vote) int { return strings.Compare(a.Person, b.Person) })
	return slices.CompactFunc(list, func(a, b *Vote) bool { return a.Person == b.Person })
}

// excludes is the reason why a vote does not count, or "". A rejection by a
// contributor counts: it can only make the answer stricter.
func (q *Question) excludes(v *Vote, t Tier) string {
	voter, known := q.People[v.Person]
	switch {
	case v.Withdrawn:
		return "withdrawn"
	case !known || voter.Departed:
		return "departed"
	case !access.Gives(voter.Roles, access.Approve):
		return "no-right"
	case !inAny(voter.Groups, t.Groups):
		return "not-in-group"
	case v.Answer == Approve && q.Contributors[v.Person]:
		return "contributor"
	case v.Subject != q.Subject:
		return "other-content"
	case q.Chain.ValidFor > 0 && !q.Now.Before(v.At.Time().Add(q.Chain.ValidFor)):
		return "expired"
	case v.Answer != Approve && v.Answer != Reject:
		return "no-answer"
	}
	return ""
}

func (q *Question) eligible(t Tier, counted []string) int {
	n := 0
	for id, p := range q.People {
		if !p.Departed && inAny(p.Groups, t.Groups) && access.Gives(p.Roles, access.Approve) && !q.Contributors[id] && !slices.Contains(counted, id) {
			n++
		}
	}
	return n
}

func inAny(held, wanted []string) bool {
	return slices.ContainsFunc(held, func(g string) bool { return slices.Contains(wanted, g) })
}

// Words says in one sentence why votes do not count, without naming anybody; "" where all do.
func (s Standing) Words() string {
	count := map[string]int{}
	for _, e := range s.Excluded {
		count[e.Code]++
	}
	var parts []string
	for _, c := range []struct{ code, words string }{
		{"contributor", "given by a contributor to this change"},
		{"other-content", "given for other content than what stands now"},
		{"expired", "too old"},
		{"not-in-group", "given by somebody outside the chain's groups"},
		{"no-right", "given by somebody without the right to approve"},
		{"departed", "given by somebody who has departed"},
		{"withdrawn", "withdrawn"},
		{"no-answer", "neither approve nor reject"},
	} {
		if n := count[c.code]; n == 1 {
			parts = append(parts, "1 vote does not count: "+c.words)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d votes do not count: %s", n, c.words))
		}
	}
	return strings.Join(parts, "; ")
}
