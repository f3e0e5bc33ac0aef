package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/state"
)

// PullStop stops all releases: from its fact on, no gate answers go and no
// permit is redeemed, whichever process is asked.
func (c *Control) PullStop(ctx context.Context, r Request, reason string) (halt.Switch, error) {
	return c.throw(ctx, r, [2]string{"pull", reason}, func(_ *Load, s halt.Switch) ([]event.Draft, error) {
		return s.Pull(NewID(), reason)
	})
}

// ResetStop is a person's agreement that releases may go on; the second one's
// lets them. An agreement counts while its person may recall.
func (c *Control) ResetStop(ctx context.Context, r Request, reason string) (halt.Switch, error) {
	return c.throw(ctx, r, [2]string{"reset", reason}, func(l *Load, s halt.Switch) (drafts []event.Draft, err error) {
		if s.Agreed, err = entitled(l, s.Agreed); err != nil {
			return nil, err
		}
		return s.Reset(r.Actor.Person(), reason, l.Now)
	})
}

// entitled is the agreements of those who could still give them.
func entitled(l *Load, all []halt.Agreement) ([]halt.Agreement, error) {
	var count []halt.Agreement
	for _, a := range all {
		may, err := l.mayStill(event.StreamOf(access.PersonNoun, a.Person), access.Recall)
		if err != nil {
			return nil, err
		}
		if may {
			count = append(count, a)
		}
	}
	return count, nil
}

// mayStill reports whether a person has not departed and holds one of some rights.
func (l *Load) mayStill(person event.Stream, any ...access.Right) (bool, error) {
	p, err := read[access.Person](l, person)
	if err != nil || p.ID == "" || p.Departed {
		return false, err
	}
	return slices.ContainsFunc(any, func(r access.Right) bool { return access.Gives(p.Roles, r) }), nil
}

// throw changes the stop switch, and answers how it then stands.
func (c *Control) throw(ctx context.Context, r Request, content [2]string, act func(*Load, halt.Switch) ([]event.Draft, error)) (halt.Switch, error) {
	_, err := do(ctx, c, r, content, func(l *Load) ([]event.Draft, struct{}, error) {
		var none struct{}
		if err := r.Actor.May(access.Recall); err != nil {
			return nil, none, err
		}
		s, err := read[halt.Switch](l, halt.Stream)
		if err != nil {
			return nil, none, err
		}
		drafts, err := act(l, s)
		return drafts, none, err
	})
	if err != nil {
		return halt.Switch{}, err
	}
	return c.Stop(ctx)
}

// Stop is how the stop switch stands, with the agreements that count.
func (c *Control) Stop(ctx context.Context) (halt.Switch, error) {
	return view(ctx, c, func(l *Load) (halt.Switch, error) {
		s, err := read[halt.Switch](l, halt.Stream)
		if err == nil {
			s.Agreed, err = entitled(l, s.Agreed)
		}
		return s, err
	})
}

// followable is nil while a go that was given before, and is asked for again under
// its key, can still be followed: the gate's answer is for now.
func (c *Control) followable(ctx context.Context, d release.Decision) error {
	_, err := view(ctx, c, func(l *Load) (p release.Permit, err error) {
		stop, err := read[halt.Switch](l, halt.Stream)
		if err == nil && d.Permit != "" {
			p, err = l.permit(d.Permit)
		}
		if err != nil {
			return p, err
		}
		return p, d.Followable(l.Now, stop, p)
	})
	return err
}

// StopReason is why the switch was pulled; "" where that was disposed of.
func (c *Control) StopReason(ctx context.Context, s halt.Switch) (string, error) {
	if !s.Stops() {
		return "", nil
	}
	f, err := c.Journal.Fact(ctx, s.Position)
	if err != nil {
		return "", err
	}
	said, err := f.Private()
	return said["reason"], err
}

// PermitQuery asks for the permits that rest on one of its parts; exactly one is given.
type PermitQuery struct {
	Policy   string // digest of the bundle, or "active" for the one in force
	Issuer   string // name of a machine, "attestor/<name>", or a subject such as "person/<id>"
	Approver string // id, handle or e-mail address of a person
}

// basis finds out which basis is meant. What nobody knows is refused: a recall
// that takes in nothing would be taken for one that did.
func (c *Control) basis(l *Load, q PermitQuery) (halt.Basis, error) {
	given := 0
	for _, s := range []string{q.Policy, q.Issuer, q.Approver} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return "", fault.Invalidf("recall.basis", "exactly one of policy, issuer and approver is to be given").Remedy("name one of the three")
	}
	switch {
	case q.Policy == "active":
		program, _, err := c.active(l)
		if err == nil && program == nil {
			err = fault.New(fault.NotFound, "recall.policy", "no policy is in force")
		}
		if err != nil {
			return "", err
		}
		return halt.BasisOf(halt.OfPolicy, program.Digest()), nil
	case q.Policy != "":
		return halt.BasisOf(halt.OfPolicy, q.Policy), release.CheckName("digest", q.Policy)
	case q.Approver != "":
		id, err := c.approver(l, q.Approver)
		return halt.BasisOf(halt.OfApprover, id), err
	}
	issuer, err := c.issuer(l, q.Issuer)
	return halt.BasisOf(halt.OfIssuer, issuer), err
}

func (c *Control) approver(l *Load, name string) (string, error) {
	p, err := read[access.Person](l, event.StreamOf(access.PersonNoun, name))
	if err != nil || p.ID != "" {
		return p.ID, err
	}
	for _, kind := range []string{handleKind, emailKind} {
		p, known, err := readOne[access.Person](l, access.PersonIdentity, c.Keys.Pseudonym(kind, name))
		if err != nil || known {
			return p.ID, err
		}
	}
	return "", fault.New(fault.NotFound, "recall.approver", fmt.Sprintf("nobody here is called %.100s", name)).Remedy("give the handle, the e-mail address or the id of a person: signalbox catalog show").On("approver")
}

func (c *Control) issuer(l *Load, name string) (string, error) {
	if noun, id, ok := strings.Cut(name, "/"); ok && id != "" {
		switch noun {
		case "attestor":
			return name, nil
		case access.PersonNoun, access.MachineNoun:
			stored, err := l.from.LoadAll(l.ctx, event.Stream(name))
			if err != nil || stored[event.Stream(name)].Version > 0 {
				return name, err
			}
		}
	}
	m, known, err := readOne[access.Machine](l, access.MachineName, name)
	if err == nil && !known {
		err = fault.New(fault.NotFound, "recall.issuer", fmt.Sprintf("no machine is called %.100s", name)).
			Remedy("give the name of a machine, attestor/NAME of the policy, or a subject as audit facts show it").On("issuer")
	}
	return access.MachineNoun + "/" + m.ID, err
}

// Recalled is what a recall took in.
type Recalled struct {
	Basis halt.Basis `json:"basis"`
	Live  int        `json:"live"`  // permits neither redeemed nor over; those that an earlier order took in are among them
	Given int        `json:"given"` // permits ever given on this basis
}

// RecallPermits takes back, with one fact, every permit that rests on a policy,
// an issuer or an approver.
func (c *Control) RecallPermits(ctx context.Context, r Request, q PermitQuery, reason string) (Recalled, error) {
	return do(ctx, c, r, [2]any{q, reason}, func(l *Load) ([]event.Draft, Recalled, error) {
		var none Recalled
		if err := r.Actor.May(access.Recall); err != nil {
			return nil, none, err
		}
		basis, err := c.basis(l, q)
		if err != nil {
			return nil, none, err
		}
		if _, err := read[halt.Order](l, basis.Stream()); err != nil {
			return nil, none, err
		}
		drafts, err := halt.Recall(basis, reason)
		if err != nil {
			return nil, none, err
		}
		live, err := l.overlapping(release.PermitRestsOn, string(basis), l.Now, l.Now)
		if err != nil {
			return nil, none, err
		}
		given, err := l.from.Count(l.ctx, release.PermitRestsOn, string(basis))
		return drafts, Recalled{Basis: basis, Live: len(live), Given: given}, err
	})
}

// Permits lists the permits that rest on a basis, newest first; after is the
// last one of the page before.
func (c *Control) Permits(ctx context.Context, q PermitQuery, after string, limit int) (list []release.Permit, next string, err error) {
	next, err = view(ctx, c, func(l *Load) (next string, err error) {
		basis, err := c.basis(l, q)
		if err != nil {
			return "", err
		}
		from := state.Listed{Name: release.PermitRestsOn, Value: string(basis), Limit: limit + 1}
		if after != "" {
			last, err := read[release.Permit](l, event.StreamOf(release.PermitNoun, after))
			if err != nil {
				return "", err
			}
			from.Since, from.Stream = last.NotBefore, event.StreamOf(release.PermitNoun, after)
		}
		streams, err := l.from.Newest(ctx, from)
		if len(streams) > limit {
			streams, next = streams[:limit], streams[limit-1].ID()
		}
		for i := 0; err == nil && i < len(streams); i++ {
			var p release.Permit
			p, err = l.permit(streams[i].ID())
			list = append(list, p)
		}
		return next, err
	})
	return list, next, err
}

// permit is a permit as it stands: also recalled where an order takes it in.
func (l *Load) permit(id string) (release.Permit, error) {
	p, err := read[release.Permit](l, event.StreamOf(release.PermitNoun, id))
	if err != nil || p.ID == "" || p.Recalled != 0 || p.Redeemed != 0 {
		return p, err
	}
	for _, b := range p.Bases() {
		o, err := read[halt.Order](l, b.Stream())
		if err != nil {
			return p, err
		}
		if o.At != 0 && o.Position > p.Position {
			p.Recalled = o.At
		}
	}
	return p, nil
}
