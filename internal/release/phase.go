package release

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// Phase is where a release stands: as a whole until it is submitted, and from
// then on for each environment apart.
type Phase string

// The phases of the straight way, in order, and the side states.
const (
	Draft     Phase = "draft"
	Submitted Phase = "submitted"
	Assessing Phase = "assessing"
	Approving Phase = "approving"
	Scheduled Phase = "scheduled"
	Ready     Phase = "ready"
	Deploying Phase = "deploying"
	Baking    Phase = "baking"
	Verifying Phase = "verifying"
	Succeeded Phase = "succeeded"
	Reviewing Phase = "reviewing"
	Closed    Phase = "closed"

	Rejected          Phase = "rejected"
	Withdrawn         Phase = "withdrawn"
	Expired           Phase = "expired"
	Held              Phase = "held"
	Rescheduling      Phase = "rescheduling"
	Aborted           Phase = "aborted" // before the first target changed
	RollingBack       Phase = "rolling_back"
	RolledBack        Phase = "rolled_back"
	RollbackFailed    Phase = "rollback_failed"
	PartiallyDeployed Phase = "partially_deployed"
	FixedForward      Phase = "fixed_forward"
)

// legal is every transition there is. Whatever stands before deploying may be
// assessed again; rolled_back leads to review only: going back to deploying
// takes a new revision. The same version may be deployed again after it arrived.
var legal = map[Phase][]Phase{
	Draft:             {Submitted, Withdrawn},
	Submitted:         {Assessing, Approving, Scheduled, Ready, Held, Rejected, Withdrawn},
	Assessing:         {Approving, Scheduled, Ready, Held, Rejected, Withdrawn},
	Approving:         {Assessing, Scheduled, Ready, Held, Rejected, Expired, Withdrawn},
	Scheduled:         {Assessing, Approving, Ready, Held, Rescheduling, Expired, Withdrawn},
	Rescheduling:      {Scheduled, Assessing, Withdrawn},
	Ready:             {Assessing, Approving, Scheduled, Deploying, Held, Expired, Withdrawn},
	Held:              {Assessing, Approving, Scheduled, Ready, Withdrawn},
	Expired:           {Assessing, Withdrawn},
	Aborted:           {Assessing, Approving, Scheduled, Ready, Held, Withdrawn, Reviewing},
	Deploying:         {Baking, Verifying, Aborted, PartiallyDeployed, RollingBack},
	Baking:            {Verifying, RollingBack, PartiallyDeployed},
	Verifying:         {Succeeded, Deploying, RollingBack, FixedForward},
	PartiallyDeployed: {Deploying, RollingBack, FixedForward},
	RollingBack:       {RolledBack, RollbackFailed},
	RollbackFailed:    {RollingBack, FixedForward, Reviewing},
	RolledBack:        {Reviewing},
	FixedForward:      {Reviewing},
	Succeeded:         {Deploying, Reviewing, Closed},
	Reviewing:         {Closed},
	Rejected:          {Draft},
	Closed:            nil,
	Withdrawn:         nil,
}

// Phases lists every phase, sorted.
func Phases() []Phase {
	var all []Phase
	for p := range legal {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// Legal lists where a release in this phase may go.
func (p Phase) Legal() []Phase { return legal[p] }

// Open reports whether decisions still move the release: nothing has been deployed yet.
func (p Phase) Open() bool {
	return slices.Contains([]Phase{Submitted, Assessing, Approving, Scheduled, Ready, Held, Expired, Aborted}, p)
}

// to is nil where the transition is legal, and otherwise says what is.
func (p Phase) to(next Phase) error {
	if slices.Contains(legal[p], next) {
		return nil
	}
	if _, known := legal[next]; !known {
		return fault.Invalidf("release.unknown-state", "there is no state %q", next).Remedy("states are " + join(Phases()))
	}
	err := fault.New(fault.Conflict, "release.illegal-move", fmt.Sprintf("a release that is %s cannot become %s", p, next))
	if len(legal[p]) == 0 {
		return err.Because(string(p) + " is final")
	}
	return err.Remedy("from here it can become " + join(legal[p]))
}

func join(phases []Phase) string {
	var s []string
	for _, p := range phases {
		s = append(s, string(p))
	}
	return strings.Join(s, ", ")
}
