package release

import (
	"maps"
	"slices"

	"signalbox.dev/signalbox/internal/policy"
)

// listed are the lists that the candidate reads, nil where they were not known
// then, and those that are not to be had any more, with why.
func (r *Recorded) listed(in policy.Inputs, needs map[string]bool) (lists policy.Lists, lost map[string]string) {
	lost = maps.Clone(r.Then.Lost)
	if lost == nil {
		lost = map[string]string{}
	}
	if needs["findings"] && in.Findings.Known {
		lists.Findings = r.Then.Lists.Findings
	}
	if needs["load"] && in.Load.Known {
		lost["load"] = "no decision keeps the components of its load tests"
	}
	if needs["change"] && in.Change.Known {
		lists.Commits = r.Then.Lists.Commits
	}
	delete(lost, "attestation") // weighed with the attestors
	lists.Statements = in.Attestation.Statements
	if needs["approval"] && in.Approval.Known && lost["approval"] == "" {
		lists.Votes = r.votes(in.Approval)
		if lists.Votes == nil {
			lost["approval"] = "the votes on record do not add up to those that were counted"
		}
	}
	if len(lost) == 0 && !r.proven(in, lists, needs) {
		for section := range needs {
			lost[section] = "what is on record is not what the rules of the day read"
		}
		lists = policy.Lists{}
	}
	return lists, lost
}

// votes are those that the decision weighed, one by one, or nil where they do
// not add up to what the basis says.
func (r *Recorded) votes(counted policy.Approval) []policy.Vote {
	f := Facts{Release: r.Then.Release, Environment: r.Decision.Environment, People: r.Then.Voters, Identities: map[string]string{}}
	for id, p := range f.People {
		for _, pseudonym := range p.Identities {
			f.Identities[pseudonym] = id
		}
	}
	s := f.vote(r.Decision.At, policy.Classification{Chain: r.Rules.Chain}, r.Decision.Subject)
	if !slices.Equal(s.Counted, r.Decision.Approvals) || s.Approvals != counted.Approvals || s.Rejected != counted.Rejected || len(s.Excluded) != counted.Excluded || s.Lapsed != counted.Lapsed {
		return nil
	}
	return f.listVotes(s)
}

// proven reports whether lists have the digest that the decision recorded. Where
// the rules of the day read a list that the candidate does not, there is nothing
// to compare: then the digests of the files that the lists come from must do.
func (r *Recorded) proven(in policy.Inputs, lists policy.Lists, needs map[string]bool) bool {
	d := r.Decision.Lists
	if d == "" || r.Rules.Reads["attestation"] && r.Then.Lost["attestation"] != "" {
		return true
	}
	for section := range r.Rules.Reads {
		if !needs[section] {
			return true
		}
	}
	if !r.Rules.Reads["findings"] {
		lists.Findings = nil
	}
	if !r.Rules.Reads["change"] {
		lists.Commits = nil
	}
	if !r.Rules.Reads["approval"] {
		lists.Votes = nil
	}
	lists.Statements = r.attestedThen()
	_, bounded := in.With(lists).Bounded().Apart()
	_, digest, _ := canonical(listsForm, &bounded, nil) // none where they cannot be written
	return digest == d
}

// lists fills those that the candidate's rules read. One that is lost is unknown
// only where its section is known: else no rule reads it.
func (w *weighed) lists(r *Recorded, was policy.Inputs, class policy.Classification, needs map[string]bool) {
	known, lost := r.listed(was, needs)
	if class.Chain == nil { // nobody is asked
		known.Votes = []policy.Vote{}
		delete(lost, "approval")
	}
	if !w.in.Approval.Known {
		known.Votes = nil
	}
	w.in = w.in.With(known).Bounded()
	for _, l := range []struct {
		section, items string
		known          bool
	}{{"findings", "findings", w.in.Findings.Known}, {"change", "commits", w.in.Change.Known}, {"load", "components of load tests", w.in.Load.Known}, {"attestation", "statements", w.in.Attestation.Known}, {"approval", "votes", w.in.Approval.Known}} {
		if lost[l.section] != "" && l.known {
			w.lost = append(w.lost, l.section)
			w.unknown = append(w.unknown, "the "+l.items+" one by one are not to be had: "+lost[l.section])
		}
	}
}
