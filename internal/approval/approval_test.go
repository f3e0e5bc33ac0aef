package approval

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// question is two of the group "board", subject s, with Ann, Ben, Cid as members and Dee outside it.
func question(votes ...Vote) Question {
	approver := []string{"approver"}
	member := func(id string) access.Person {
		return access.Person{ID: id, Groups: []string{"board"}, Roles: approver}
	}
	return Question{
		Now:         now,
		Chain:       Chain{Name: "two", Tiers: []Tier{{Name: "board", Groups: []string{"board"}, Quorum: 2}}, ValidFor: 24 * time.Hour},
		Environment: "production", Subject: "s", Votes: votes,
		People:       map[string]access.Person{"ann": member("ann"), "ben": member("ben"), "cid": member("cid"), "dee": {ID: "dee", Roles: approver}},
		Contributors: map[string]bool{},
	}
}

func vote(person, answer string) Vote {
	return Vote{Person: person, Environment: "production", Subject: "s", Answer: answer, At: event.MicrosOf(now.Add(-time.Hour))}
}

func TestWeigh(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Question)
		votes  []Vote
		want   Standing
	}{
		"nobody":                    {votes: nil, want: Standing{Required: 2, Eligible: 3}},
		"one":                       {votes: []Vote{vote("ann", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 2}},
		"two":                       {votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 2, Eligible: 1, Satisfied: true}},
		"the same person twice":     {votes: []Vote{vote("ann", Approve), vote("ann", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 2}},
		"a contributor":             {change: func(q *Question) { q.Contributors["ann"] = true }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 1}},
		"outside the group":         {votes: []Vote{vote("dee", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 2}},
		"a stranger":                {votes: []Vote{vote("eve", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 2}},
		"departed":                  {change: func(q *Question) { p := q.People["ann"]; p.Departed = true; q.People["ann"] = p }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 1}},
		"without the right":         {change: func(q *Question) { p := q.People["ann"]; p.Roles = []string{"viewer"}; q.People["ann"] = p }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 1}},
		"other content":             {change: func(q *Question) { q.Subject = "t" }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Lapsed: 2, Eligible: 3}},
		"another environment":       {change: func(q *Question) { q.Environment = "staging" }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Eligible: 3}},
		"expired to the instant":    {change: func(q *Question) { q.Now = now.Add(23 * time.Hour) }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Lapsed: 2, Eligible: 3}},
		"a microsecond before":      {change: func(q *Question) { q.Now = now.Add(23*time.Hour - time.Microsecond) }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 2, Eligible: 1, Satisfied: true}},
		"rejected":                  {votes: []Vote{vote("ann", Approve), vote("ben", Approve), vote("cid", Reject)}, want: Standing{Required: 2, Approvals: 2, Eligible: 1, Rejected: true}},
		"rejected by a contributor": {change: func(q *Question) { q.Contributors["cid"] = true }, votes: []Vote{vote("ann", Approve), vote("ben", Approve), vote("cid", Reject)}, want: Standing{Required: 2, Approvals: 2, Rejected: true}},
		"changed his mind":          {votes: []Vote{vote("ann", Reject), vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 2, Eligible: 1, Satisfied: true}},
		"withdrawn":                 {votes: []Vote{vote("ann", Approve), vote("ben", Approve), {Person: "ann", Environment: "production", Subject: "s", Answer: Approve, Withdrawn: true}}, want: Standing{Required: 2, Approvals: 1, Eligible: 2}},
		"two tiers":                 {change: func(q *Question) { q.Chain.Tiers = append(q.Chain.Tiers, q.Chain.Tiers[0]) }, votes: []Vote{vote("ann", Approve), vote("ben", Approve)}, want: Standing{Required: 1}},
		"quorum of none":            {change: func(q *Question) { q.Chain.Tiers[0].Quorum = 0 }, want: Standing{Required: 1, Eligible: 3}},
		"no answer":                 {votes: []Vote{vote("ann", "yes"), vote("ben", Approve)}, want: Standing{Required: 2, Approvals: 1, Eligible: 2}},
	} {
		q := question(c.votes...)
		if c.change != nil {
			c.change(&q)
		}
		got := Weigh(q)
		if got.Satisfied != c.want.Satisfied || got.Rejected != c.want.Rejected || got.Approvals != c.want.Approvals ||
			got.Required != c.want.Required || got.Eligible != c.want.Eligible || got.Lapsed != c.want.Lapsed {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestUntil(t *testing.T) {
	early, late := vote("ann", Approve), vote("ben", Approve)
	late.At = event.MicrosOf(now)
	spare := vote("cid", Approve)
	spare.At = event.MicrosOf(now.Add(-2 * time.Hour))
	if got, want := Weigh(question(early, late)).Until, now.Add(23*time.Hour); !got.Equal(want) {
		t.Errorf("two votes hold until %v, want %v", got, want)
	}
	if got, want := Weigh(question(early, late, spare)).Until, now.Add(23*time.Hour); !got.Equal(want) {
		t.Errorf("with one to spare they hold until %v, want %v", got, want)
	}
	if got := Weigh(question(early)).Until; !got.IsZero() {
		t.Errorf("an unsatisfied chain holds until %v", got)
	}
}

func TestWords(t *testing.T) {
	q := question(vote("ann", Approve), vote("dee", Approve))
	q.Contributors["ann"] = true
	want := "1 vote does not count: given by a contributor to this change; 1 vote does not count: given by somebody outside the chain's groups"
	if got := Weigh(q).Words(); got != want {
		t.Errorf("got %q", got)
	}
	if got := Weigh(question(vote("ann", Approve))).Words(); got != "" {
		t.Errorf("got %q", got)
	}
}

// Whatever the votes, a satisfied chain has a quorum of distinct present
// members with the right, none of them a contributor, all for this subject.
func TestSatisfiedMeansQuorum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := question()
		people := []string{"ann", "ben", "cid", "dee", "eve"}
		for _, p := range rapid.SliceOf(rapid.SampledFrom(people)).Draw(t, "contributors") {
			q.Contributors[p] = true
		}
		for range rapid.IntRange(0, 12).Draw(t, "votes") {
			q.Votes = append(q.Votes, Vote{
				Person: rapid.SampledFrom(people).Draw(t, "person"), Environment: rapid.SampledFrom([]string{"production", "staging"}).Draw(t, "env"),
				Subject: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "subject"), Answer: rapid.SampledFrom([]string{Approve, Reject, ""}).Draw(t, "answer"),
				At: event.MicrosOf(now.Add(-time.Duration(rapid.IntRange(0, 48).Draw(t, "age")) * time.Hour)), Withdrawn: rapid.Bool().Draw(t, "withdrawn"),
			})
		}
		s := Weigh(q)
		if !s.Satisfied {
			return
		}
		distinct := map[string]bool{}
		for _, p := range s.Counted {
			distinct[p] = true
			if q.Contributors[p] || p == "dee" || p == "eve" {
				t.Fatalf("%s counts", p)
			}
		}
		if len(distinct) < 2 || s.Rejected {
			t.Fatalf("satisfied by %v, rejected %v", s.Counted, s.Rejected)
		}
	})
}

// Where votes count for ever, none grows too old and the chain holds without an end.
func TestVotesThatNeverExpire(t *testing.T) {
	q := question(vote("ann", Approve), vote("ben", Approve))
	q.Chain.ValidFor, q.Now = 0, now.Add(1000*time.Hour)
	if s := Weigh(q); !s.Satisfied || s.Lapsed != 0 || !s.Until.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestWordsOfSeveral(t *testing.T) {
	q := question(vote("ann", Approve), vote("ben", Approve))
	q.Subject = "t"
	if got, want := Weigh(q).Words(), "2 votes do not count: given for other content than what stands now"; got != want {
		t.Errorf("got %q", got)
	}
}
