package release

import (
	"cmp"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// PermitNoun and DeploymentNoun are the nouns of their streams.
const (
	PermitNoun     = "permit"
	DeploymentNoun = "deployment"
)

// Keys by which permits and deployments are found.
const (
	PermitOfRelease     = "permit.release"
	PermitRestsOn       = "permit.rests-on" // value is a halt.Basis; an interval, while the permit is good for anything
	DeploymentOfRelease = "deployment.release"
	DeploymentLive      = "deployment.live"         // value is environment/service, while under way
	DeploymentUnpermit  = "deployment.unauthorised" // value is the environment
)

// Permit is the state of a deployment permit's stream: the signed go. Its
// statement is made of this state alone, so it can be signed again, byte for byte.
type Permit struct {
	ID          string       `json:"id"`
	Release     string       `json:"release"`
	Decision    string       `json:"decision"` // id
	Position    uint64       `json:"position"` // of PermitIssued in the journal; set by the fold
	Service     string       `json:"service"`
	Version     string       `json:"version"`
	Digest      string       `json:"digest"`
	Environment string       `json:"environment"`
	Type        string       `json:"type"`
	Policy      string       `json:"policy"`
	Change      string       `json:"change"`
	Evidence    string       `json:"evidence"`
	Basis       string       `json:"basis"`
	Approvers   []string     `json:"approvers"`  // persons' ids; nil where they were not kept
	Issuers     []string     `json:"issuers"`    // as Decision.Issuers; nil where they were not kept
	NotBefore   event.Micros `json:"not_before"` // whole seconds
	NotAfter    event.Micros `json:"not_after"`  // whole seconds; the first instant at which it no longer holds
	Redeemed    event.Micros `json:"redeemed,omitempty"`
	Recalled    event.Micros `json:"recalled,omitempty"`
	Deployment  string       `json:"deployment,omitempty"`
}

// redeemed is the body of PermitRedeemed.
type redeemed struct {
	Deployment string `json:"deployment"`
}

// PermitShape is the fold of permits' streams.
func PermitShape() event.Shape {
	return event.ShapeOf(PermitNoun, 2, func(p *Permit, f event.Recorded) error {
		switch f.Kind {
		case event.PermitIssued:
			if err := f.Body(p); err != nil {
				return err
			}
			p.Position = f.Position
		case event.PermitRedeemed:
			var r redeemed
			if err := f.Body(&r); err != nil {
				return err
			}
			p.Redeemed, p.Deployment = f.Time, r.Deployment
		case event.PermitRecalled:
			p.Recalled = f.Time
		default:
			return event.Unknown(f)
		}
		return nil
	}, func(p Permit) []event.Key {
		keys := []event.Key{{Kind: event.Lookup, Name: PermitOfRelease, Value: p.Release}}
		for _, b := range p.Bases() {
			keys = append(keys, event.Key{Kind: event.Interval, Name: PermitRestsOn, Value: string(b), From: p.NotBefore, Until: p.ends()})
		}
		return keys
	})
}

// ends is the first instant at which the permit is good for nothing any more. It
// comes after its beginning also where a clock that went back noted its use.
func (p Permit) ends() event.Micros {
	return max(p.NotBefore+1, cmp.Or(p.Redeemed, p.Recalled, p.NotAfter))
}

// Yields is the permit that an enforced go yields; the zero one for any other
// decision. It lasts whole seconds and never past PermitUntil.
func (d Decision) Yields() Permit {
	if !d.Permitted() || d.Permit == "" {
		return Permit{}
	}
	return Permit{
		ID: d.Permit, Release: d.Release, Decision: d.ID, Service: d.Service, Version: d.Version, Digest: d.Digest, Environment: d.Environment,
		Type: d.Type, Policy: d.Policy, Change: d.Change, Evidence: d.Evidence, Basis: d.Basis,
		Approvers: append([]string{}, d.Approvals...), Issuers: append([]string{}, d.Issuers...),
		NotBefore: event.MicrosOf(d.At.Truncate(time.Second)), NotAfter: event.MicrosOf(d.PermitUntil.Truncate(time.Second)),
	}
}

// Issue is the fact of the permit that a decision yields; none where there is none.
func (d Decision) Issue() []event.Draft {
	p := d.Yields()
	if p.ID == "" {
		return nil
	}
	return []event.Draft{{Stream: event.StreamOf(PermitNoun, p.ID), Kind: event.PermitIssued, Body: p}}
}

// Usable is nil while the permit may start this deployment; else the error's
// code is the reason code of the unauthorised deployment.
func (p Permit) Usable(now time.Time, service, version, digest, environment string) *fault.Error {
	refuse := func(code, what string) *fault.Error { return fault.New(fault.Unverified, "permit."+code, what) }
	m := event.MicrosOf(now)
	switch {
	case p.ID == "":
		return refuse("unknown", "this installation issued no such permit")
	case p.Recalled != 0:
		return refuse("recalled", "the permit was recalled at "+p.Recalled.String())
	case p.Redeemed != 0:
		return refuse("redeemed", "the permit was redeemed already, at "+p.Redeemed.String())
	case m >= p.NotAfter:
		return refuse("expired", "the permit ended at "+p.NotAfter.String())
	case p.Digest != digest:
		return refuse("other-digest", "the permit is for another artifact")
	case p.Environment != environment:
		return refuse("other-environment", "the permit is for "+p.Environment)
	case p.Service != service || p.Version != version:
		return refuse("other-version", "the permit is for "+p.Service+" "+p.Version)
	}
	return nil
}

// Recall takes a permit back; one that was redeemed cannot be.
func (p Permit) Recall(reason string) ([]event.Draft, error) {
	switch {
	case p.ID == "":
		return nil, fault.New(fault.NotFound, "permit.unknown", "there is no such permit")
	case p.Recalled != 0:
		return nil, fault.New(fault.Conflict, "permit.recalled", "the permit was recalled already").Because("at " + p.Recalled.String())
	case p.Redeemed != 0:
		return nil, fault.New(fault.Conflict, "permit.redeemed", "the permit was redeemed already").Because("the deployment " + p.Deployment + " has started").Remedy("roll back instead")
	case reason == "":
		return nil, fault.Invalidf("permit.reason", "recalling a permit needs a reason").On("reason")
	}
	return []event.Draft{{Stream: event.StreamOf(PermitNoun, p.ID), Kind: event.PermitRecalled, Body: struct{}{}, Private: map[string]string{"reason": reason}}}, nil
}
