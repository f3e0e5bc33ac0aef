package control

import (
	"context"
	"errors"
	"fmt"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/keyring"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/trust"
	"signalbox.dev/signalbox/internal/verify"
)

// signable is a permit, and the public half of the key that signs it.
type signable struct {
	release.Permit
	by string
}

// signable is a permit with the key that signs now: whoever issued it had no later one.
func (c *Control) signable(l *Load, p release.Permit) (signable, error) {
	line, err := read[trust.Line](l, trust.StreamOf(trust.ForPermits))
	return signable{p, orElse(line.Current(), c.Keys.First(seal.Permit))}, err
}

// Permit is the signed deployment permit: made of its fact alone, so the
// same bytes each time, until the permit key is rotated.
func (c *Control) Permit(ctx context.Context, id string) ([]byte, error) {
	p, err := view(ctx, c, func(l *Load) (signable, error) {
		p, err := l.issued(id)
		if err != nil {
			return signable{}, err
		}
		return c.signable(l, p)
	})
	if err != nil {
		return nil, err
	}
	return c.sign(p)
}

func (c *Control) sign(p signable) ([]byte, error) {
	payload, err := verify.Permit{
		ID: p.ID, Release: p.Release, ReleaseType: orElse(p.Type, "none"), Service: p.Service, Version: p.Version, Environment: p.Environment,
		Digest: p.Digest, Origin: c.Journal.Origin(), Position: p.Position, Engine: fmt.Sprint(release.Engine),
		Decided: p.NotBefore.Time(), NotBefore: p.NotBefore.Time(), NotAfter: p.NotAfter.Time(),
		Policy: p.Policy, Change: orNothing(p.Change), Evidence: p.Evidence, Basis: p.Basis, Levels: []string{}, KeyID: seal.ID(p.by),
	}.Encode()
	if err != nil {
		return nil, err
	}
	return c.Keys.SignEnvelope(p.by, payload)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// orNothing is the digest of no bytes where a permit needed no change.
func orNothing(digest string) string {
	if digest == "" {
		return release.Sum(nil)
	}
	return digest
}

// PermitState is a permit as it stands: issued, redeemed or recalled.
func (c *Control) PermitState(ctx context.Context, id string) (release.Permit, error) {
	return view(ctx, c, func(l *Load) (release.Permit, error) { return l.issued(id) })
}

// issued is permit for one that there must be.
func (l *Load) issued(id string) (release.Permit, error) {
	p, err := l.permit(id)
	if err == nil && p.ID == "" {
		err = fault.New(fault.NotFound, "permit.unknown", "there is no permit "+id)
	}
	return p, err
}

// RecallPermit takes a permit back before it is redeemed.
func (c *Control) RecallPermit(ctx context.Context, r Request, id, reason string) error {
	_, err := do(ctx, c, r, [2]string{id, reason}, func(l *Load) ([]event.Draft, string, error) {
		if err := r.Actor.May(access.Recall); err != nil {
			return nil, "", err
		}
		p, err := l.permit(id)
		if err != nil {
			return nil, "", err
		}
		drafts, err := p.Recall(reason)
		return drafts, id, err
	})
	return err
}

// StartRequest reports that a deployment begins.
type StartRequest struct {
	Service, Version, Digest, Environment string
	Permit                                []byte // DSSE envelope; empty: there is none
	Run                                   string // the pipeline's own reference, such as a URL
}

// StartDeployment redeems the permit and records the deployment. The gate is
// asked once more. Whatever is wrong, the deployment is recorded: then it is
// an unauthorised deployment, with the reason code.
func (c *Control) StartDeployment(ctx context.Context, r Request, q StartRequest) (release.Deployment, error) {
	var none release.Deployment
	if err := r.Actor.May(access.Deploy); err != nil {
		return none, err
	}
	if err := r.Actor.MaySpeakFor(q.Service); err != nil {
		return none, err
	}
	if err := (EvidenceRequest{Service: q.Service, Version: q.Version, Digest: q.Digest}).check(); err != nil {
		return none, err
	}
	if err := release.CheckName("environment", q.Environment); err != nil {
		return none, err
	}
	if len(q.Run) > 500 {
		return none, fault.Invalidf("deployment.run", "the run's reference is longer than 500 bytes").On("run")
	}
	return do(ctx, c, r, q, func(l *Load) ([]event.Draft, release.Deployment, error) {
		d := release.Deployment{
			ID: NewID(), Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment,
			Provenance: policy.Provenance(r.Actor.Provenance), Run: q.Run, Started: event.MicrosOf(l.Now),
		}
		state, _, err := readOne[release.State](l, release.Of, release.Name(q.Service, q.Version, q.Digest))
		if err != nil {
			return nil, none, err
		}
		d.Release = state.ID
		if d.Permit, d.Code, err = c.authorise(l, state, q); err != nil {
			return nil, none, err
		}
		d.Authorised, d.Status = d.Code == "", "started"
		return state.Start(d), d, nil
	})
}

// authorise is the permit's id, and the reason code why it does not authorise
// the deployment; the code is empty where it does.
func (c *Control) authorise(l *Load, state release.State, q StartRequest) (permit, code string, err error) {
	if len(q.Permit) == 0 {
		return "", "permit.none", nil
	}
	text, err := keyring.Public(l.ctx, l.from, c.Keys)
	if err != nil {
		return "", "", err
	}
	keys, err := verify.ParseKeys(text)
	if err != nil {
		return "", "", err
	}
	if l.clock.Sure() != nil {
		return "", "clock.unsure", nil // whether the permit is over is not known
	}
	shown, err := verify.CheckPermit(q.Permit, keys, verify.Expect{
		Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment, Now: l.Now,
	})
	if code, ours := codeOf(err); code != "" || ours != nil {
		return shown.ID, code, ours
	}
	p, err := l.permit(shown.ID)
	if err != nil {
		return shown.ID, "", err
	}
	if refused := p.Usable(l.Now, q.Service, q.Version, q.Digest, q.Environment); refused != nil {
		return shown.ID, refused.Code, nil
	}
	if stop, err := read[halt.Switch](l, halt.Stream); err != nil || stop.Stops() {
		return shown.ID, "stop.pulled", err
	}
	if !state.MayDeploy(q.Environment) {
		return shown.ID, "release.not-ready", nil
	}
	facts, err := c.facts(l, state, q.Environment)
	if err != nil {
		return shown.ID, "", err
	}
	d, err := release.Gate(l.Now, facts)
	if err != nil {
		return shown.ID, "", err
	}
	if !d.Permitted() {
		return shown.ID, "gate." + string(d.Verdict), nil
	}
	return shown.ID, "", nil
}

// codeOf is the code of a permit that does not hold; other errors are ours.
func codeOf(err error) (string, error) {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Unverified {
		return f.Code, nil
	}
	return "", err
}

// EndRequest reports how a deployment ended.
type EndRequest struct {
	ID      string
	Failed  bool
	Reached string // none, some or all; of a failed one
	Reason  string
}

// EndDeployment records that a deployment finished or failed.
func (c *Control) EndDeployment(ctx context.Context, r Request, q EndRequest) (release.Deployment, error) {
	return do(ctx, c, r, q, func(l *Load) ([]event.Draft, release.Deployment, error) {
		var none release.Deployment
		if err := r.Actor.May(access.Deploy); err != nil {
			return nil, none, err
		}
		d, err := read[release.Deployment](l, event.StreamOf(release.DeploymentNoun, q.ID))
		if err != nil {
			return nil, none, err
		}
		if d.ID != "" {
			if err := r.Actor.MaySpeakFor(d.Service); err != nil {
				return nil, none, err
			}
		}
		var state release.State
		if d.Release != "" {
			if state, err = known(l, d.Release); err != nil {
				return nil, none, err
			}
		}
		drafts, err := d.End(state, q.Failed, q.Reached, policy.Provenance(r.Actor.Provenance), q.Reason)
		if q.Failed {
			d.Reached = orElse(q.Reached, release.ReachedSome)
		}
		if d.Status, d.Ended = "finished", event.MicrosOf(l.Now); q.Failed {
			d.Status = "failed"
		}
		return drafts, d, err
	})
}

// LiveDeployment is the newest deployment under way of a release to an environment, or a NotFound fault.
func (c *Control) LiveDeployment(ctx context.Context, service, version, digest, environment string) (release.Deployment, error) {
	return view(ctx, c, func(l *Load) (release.Deployment, error) {
		all, err := readAll[release.Deployment](l, release.DeploymentLive, environment+"/"+service)
		if err != nil {
			return release.Deployment{}, err
		}
		var newest release.Deployment
		for _, d := range all {
			if d.Version == version && (digest == "" || d.Digest == digest) && d.Started >= newest.Started {
				newest = d
			}
		}
		if newest.ID == "" {
			err = fault.New(fault.NotFound, "deployment.none", fmt.Sprintf("no deployment of %s %s to %s is under way", service, version, environment)).
				Remedy("report its start first: signalbox deploy started")
		}
		return newest, err
	})
}
