package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/view"
)

// decisionPage is one recorded decision with all its reasons.
type decisionPage struct {
	frame
	Decision release.Decision
	Position uint64               // of its fact in the journal
	Names    map[string]view.Name // of persons, by id
	Origin   string               // of the journal
	Now      time.Time            // the database's clock
	Permit   *release.Permit      // nil: it has none
	Asked    *control.Subject     // what the gate would answer now; nil: not known
	Ballot   *ballot              // nil: the visitor has nothing to vote on here
	Voted    string               // what the visitor has just answered
	Problem  string               // why the visitor's vote was refused
	Fix      string
}

// ballot is the form by which an approver answers.
type ballot struct {
	Seen    string // digest of the subject that this page shows
	Comment string
}

// recorded is a decision as the journal has it.
type recorded = view.Entry[release.Decision]

// found is a decision whose id the path names, for whoever may read it.
func (s *site) found(r *http.Request, v visitor) (recorded, error) {
	if err := v.actor.May(access.Read); err != nil {
		return recorded{}, err
	}
	d, err := s.views.Decision(r.Context(), r.PathValue("id"))
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.NotFound, "decision.unknown", "there is no such decision").Remedy("look for it in the list")
	}
	return d, err
}

func (s *site) showDecision(w http.ResponseWriter, r *http.Request, v visitor) error {
	d, err := s.found(r, v)
	if err != nil {
		return err
	}
	p, err := s.decisionPage(r.Context(), v, d)
	if err != nil {
		return err
	}
	if voted := r.URL.Query().Get("voted"); voted == "approve" || voted == "reject" {
		p.Voted = voted
	}
	return show(r.Context(), w, http.StatusOK, showDecision(p))
}

func (s *site) decisionPage(ctx context.Context, v visitor, e recorded) (decisionPage, error) {
	d := e.State
	title := fmt.Sprintf("%s: %s %s to %s", d.Verdict.Words(), d.Service, d.Version, d.Environment)
	framed, err := s.reading(ctx, title)
	if err != nil {
		return decisionPage{}, err
	}
	p := decisionPage{frame: framed, Decision: d, Position: e.First.Position, Origin: s.control.Journal.Origin()}
	if p.Now, err = s.control.Now(ctx); err != nil {
		return p, err
	}
	if p.Names, err = s.views.Names(ctx, d.Approvals...); err != nil {
		return p, err
	}
	if d.Permit != "" {
		permit, err := s.control.PermitState(ctx, d.Permit)
		if err != nil {
			return p, err
		}
		p.Permit = &permit
	}
	asked, err := s.control.Preview(ctx, control.Request{Actor: v.actor}, d.Release, d.Environment)
	if err != nil {
		var f *fault.Error
		if !errors.As(err, &f) {
			return p, err
		}
		return p, nil
	}
	p.Asked = &asked
	if p.awaits(v.actor) {
		p.Ballot = &ballot{Seen: asked.Digest}
	}
	return p, nil
}

// awaits reports whether the actor may vote on what this page shows: the
// release still waits for approval, and is still what was decided about.
func (p decisionPage) awaits(a access.Actor) bool {
	if a.May(access.Approve) != nil || p.Asked == nil || p.Asked.Digest != p.Decision.Subject || slices.Contains(p.Asked.Decision.Approvals, a.Person()) {
		return false
	}
	return slices.ContainsFunc(p.Asked.Decision.Reasons, func(r policy.Reason) bool {
		return r.Gate == "signalbox/approval" && r.Verdict == policy.Wait
	})
}

func (s *site) vote(w http.ResponseWriter, r *http.Request, v visitor) error {
	e, err := s.found(r, v)
	if err != nil {
		return err
	}
	d := e.State
	if err := form(r); err != nil {
		return err
	}
	b := control.Ballot{
		Environment: d.Environment, Answer: r.PostForm.Get("answer"), Comment: r.PostForm.Get("comment"), Seen: r.PostForm.Get("seen"),
	}
	if b.Seen == "" {
		return fault.Invalidf("web.unseen", "the form does not say what you looked at").Remedy("open the decision again and answer there")
	}
	err = s.control.Vote(r.Context(), control.Request{Actor: v.actor}, d.Release, b)
	var f *fault.Error
	if err != nil && (!errors.As(err, &f) || f.Kind == fault.NotFound) {
		return err
	}
	if err == nil {
		http.Redirect(w, r, "/decisions/"+d.ID+"?voted="+b.Answer, http.StatusSeeOther)
		return nil
	}
	p, failed := s.decisionPage(r.Context(), v, e)
	if failed != nil {
		return failed
	}
	p.Problem, p.Fix = told(err)
	if p.Ballot != nil {
		p.Ballot.Comment = b.Comment
	}
	return show(r.Context(), w, fault.Status(f.Kind), showDecision(p))
}

// told is an error's sentence and its remedy, as a page prints them.
func told(err error) (problem, fix string) {
	var f *fault.Error
	if !errors.As(err, &f) {
		return "Something failed on our side.", ""
	}
	problem = f.What
	if f.Why != "" {
		problem += ": " + f.Why
	}
	return sentence(problem), sentence(f.Fix)
}

func (s *site) downloadPermit(w http.ResponseWriter, r *http.Request, v visitor) error {
	e, err := s.found(r, v)
	if err != nil {
		return err
	}
	id := e.State.Permit
	if id == "" {
		return fault.New(fault.NotFound, "permit.none", "this decision yielded no deployment permit").
			Because("only an enforced go yields one").Remedy("read its reasons")
	}
	envelope, err := s.control.Permit(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/vnd.dsse+json")
	w.Header().Set("Content-Disposition", `attachment; filename="permit-`+id+`.json"`)
	_, _ = w.Write(envelope) // the browser may be gone
	return nil
}
