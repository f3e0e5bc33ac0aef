package release

import (
	"signalbox.dev/signalbox/internal/event"
)

// Ending is how a release turned out in an environment, as people read it.
type Ending string

// The endings that are known, and none.
const (
	Unknown            Ending = "outcome unknown"
	Underway           Ending = "under way"
	Arrived            Ending = "deployed"
	Worked             Ending = "succeeded"
	Failed             Ending = "deployment failed"
	NeverBegan         Ending = "aborted before anything changed"
	WentBack           Ending = "rolled back"
	Stuck              Ending = "rollback failed"
	FixedOnTop         Ending = "fixed forward"
	Unauthorised       Ending = "unauthorised deployment"
	UnauthorisedFailed Ending = "unauthorised deployment, failed"
)

// Ended is how the release turned out in the environment after an instant, by
// the newest deployment that began there since.
func (s State) Ended(environment string, deployments []Deployment, after event.Micros) Ending {
	var newest *Deployment
	for i, d := range deployments {
		if d.Environment == environment && d.Started >= after && (newest == nil || d.Started >= newest.Started) {
			newest = &deployments[i]
		}
	}
	switch {
	case newest == nil:
		return Unknown
	case !newest.Authorised && newest.Status == "failed":
		return UnauthorisedFailed
	case !newest.Authorised:
		return Unauthorised
	}
	if t := s.target(environment); t.Deployment == newest.ID {
		if e, told := byPhase[t.Phase]; told {
			return e
		}
	}
	switch newest.Status {
	case "finished":
		return Arrived
	case "failed":
		return Failed
	}
	return Underway
}

// byPhase is what a phase says beyond the report of the deployment.
var byPhase = map[Phase]Ending{
	Succeeded: Worked, RolledBack: WentBack, RollingBack: WentBack, RollbackFailed: Stuck, FixedForward: FixedOnTop, Aborted: NeverBegan,
}
