package release

import (
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Reach is how far a failed deployment got.
const (
	ReachedNone = "none" // no target changed
	ReachedSome = "some" // some did, or nobody knows
	ReachedAll  = "all"  // all did, and it does not work
)

// Deployment is the state of a deployment's stream: what a pipeline reported,
// matched to its permit. Without one it is an unauthorised deployment.
type Deployment struct {
	ID          string            `json:"id"`
	Release     string            `json:"release"` // "" where no release is known
	Service     string            `json:"service"`
	Version     string            `json:"version"`
	Digest      string            `json:"digest"`
	Environment string            `json:"environment"`
	Permit      string            `json:"permit,omitempty"`
	Authorised  bool              `json:"authorised"`
	Code        string            `json:"code,omitempty"` // why it is unauthorised
	Provenance  policy.Provenance `json:"provenance"`
	Run         string            `json:"run,omitempty"` // the pipeline's own reference
	Status      string            `json:"status"`        // started, finished, failed
	Reached     string            `json:"reached,omitempty"`
	Started     event.Micros      `json:"started"`
	Ended       event.Micros      `json:"ended,omitempty"`
}

// ended is the body of DeploymentFinished and DeploymentFailed.
type ended struct {
	Reached    string            `json:"reached,omitempty"`
	Provenance policy.Provenance `json:"provenance"`
}

// DeploymentShape is the fold of deployments' streams.
func DeploymentShape() event.Shape {
	return event.ShapeOf(DeploymentNoun, 1, func(d *Deployment, f event.Recorded) error {
		var e ended
		switch f.Kind {
		case event.DeploymentStarted:
			if err := f.Body(d); err != nil {
				return err
			}
			d.Status, d.Started = "started", f.Time
			return nil
		case event.DeploymentFinished:
			d.Status = "finished"
		case event.DeploymentFailed:
			d.Status = "failed"
		default:
			return event.Unknown(f)
		}
		if err := f.Body(&e); err != nil {
			return err
		}
		d.Reached, d.Ended = e.Reached, f.Time
		return nil
	}, func(d Deployment) []event.Key {
		keys := []event.Key{{Kind: event.Lookup, Name: DeploymentOfRelease, Value: d.Release}}
		if d.Status == "started" {
			keys = append(keys, event.Key{Kind: event.Lookup, Name: DeploymentLive, Value: d.Environment + "/" + d.Service})
		}
		if !d.Authorised {
			keys = append(keys, event.Key{Kind: event.Lookup, Name: DeploymentUnpermit, Value: d.Environment})
		}
		return keys
	})
}

// Start is the facts of a deployment that begins: the deployment itself, the
// permit redeemed where it is authorised, and the release on its way. A
// deployment is recorded whatever it is: what happened is a fact.
func (s State) Start(d Deployment) []event.Draft {
	drafts := []event.Draft{{Stream: event.StreamOf(DeploymentNoun, d.ID), Kind: event.DeploymentStarted, Body: d}}
	if d.Authorised {
		drafts = append(drafts, event.Draft{Stream: event.StreamOf(PermitNoun, d.Permit), Kind: event.PermitRedeemed, Body: redeemed{Deployment: d.ID}})
	}
	if s.ID == "" {
		return drafts
	}
	from := s.target(d.Environment).Phase
	to := from
	if d.Authorised && from.to(Deploying) == nil {
		to = Deploying
	}
	return append(drafts, event.Draft{Stream: s.stream(), Kind: event.ReleaseMoved, Body: Moved{
		Environment: d.Environment, From: from, To: to, Cause: "deployment", Deployment: d.ID, Unauthorised: !d.Authorised,
	}})
}

// End is the facts of a deployment that finished or failed.
func (d Deployment) End(s State, failed bool, reached string, p policy.Provenance, reason string) ([]event.Draft, error) {
	switch {
	case d.ID == "":
		return nil, fault.New(fault.NotFound, "deployment.unknown", "there is no such deployment").Remedy("report its start first: signalbox deploy started")
	case d.Status != "started":
		return nil, fault.New(fault.Conflict, "deployment.ended", "this deployment has "+d.Status+" already").Because("at " + d.Ended.String())
	case failed && reached == "":
		reached = ReachedSome
	case failed && !slices.Contains([]string{ReachedNone, ReachedSome, ReachedAll}, reached):
		return nil, fault.Invalidf("deployment.reached", "%q does not say how far it got", reached).Remedy("write none, some or all").On("reached")
	}
	kind, to := event.DeploymentFinished, Verifying
	if failed {
		kind, to = event.DeploymentFailed, PartiallyDeployed
		if reached == ReachedNone {
			to = Aborted
		}
	}
	drafts := []event.Draft{{Stream: event.StreamOf(DeploymentNoun, d.ID), Kind: kind, Body: ended{Reached: reached, Provenance: p}, Private: map[string]string{"reason": reason}}}
	if t := s.target(d.Environment); t.Deployment == d.ID && t.Phase.to(to) == nil {
		moved := Moved{Environment: d.Environment, From: t.Phase, To: to, Cause: "deployment", Deployment: d.ID, Unauthorised: t.Unauthorised}
		drafts = append(drafts, event.Draft{Stream: s.stream(), Kind: event.ReleaseMoved, Body: moved, Private: map[string]string{"reason": reason}, Touches: s.touches(moved)})
	}
	return drafts, nil
}
