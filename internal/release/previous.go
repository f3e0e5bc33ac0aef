package release

import (
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// HasArrived is the key by which releases are found that arrived in an environment
// with a permit and were not taken back: an interval of one microsecond, when
// they did. Its value is of ArrivedIn.
const HasArrived = "release.arrived"

// ArrivedIn is the value of HasArrived for a service and an environment.
func ArrivedIn(service, environment string) string { return service + "@" + environment }

// Arrivals is the set of such releases: whoever looks for the last good one
// reads it, and whatever changes which one that is touches it.
func Arrivals(service, environment string) event.Stream {
	return event.StreamOf("set", "arrivals/"+ArrivedIn(service, environment))
}

// Last is the last good release of the service in the environment, other than
// the one in question, with what is claimed of it. Without an id there is none.
type Last struct {
	Release  State
	Artifact evidence.Artifact
}

// arrives reports whether a move is an arrival with a permit: the deployment is over.
func (m Moved) arrives() bool {
	return m.To == Verifying && !m.Unauthorised // what leads to it is under way
}

// leaves reports whether a move takes an arrival back.
func (m Moved) leaves() bool {
	switch m.To {
	case RollingBack, RolledBack, RollbackFailed, PartiallyDeployed, FixedForward:
		return true
	}
	return false
}

// touches are the sets that a move changes.
func (s State) touches(m Moved) []event.Stream {
	if !m.arrives() && !m.leaves() {
		return nil
	}
	return []event.Stream{Arrivals(s.Service, m.Environment)}
}

// arrivals are the keys of the environments that the release arrived in.
func (s State) arrivals() []event.Key {
	var keys []event.Key
	for environment, t := range s.Targets {
		if t.Arrived != 0 {
			keys = append(keys, event.Key{Kind: event.Interval, Name: HasArrived, Value: ArrivedIn(s.Service, environment), From: t.Arrived, Until: t.Arrived + 1})
		}
	}
	return keys
}

// load is what policy may see of the load tests, without the components.
func (f *Facts) load(s evidence.LoadSummary, touched []string) policy.Load {
	if !s.Known {
		return policy.Load{}
	}
	return policy.Load{
		Known: true, Provenance: policy.Provenance(s.Provenance), AgeHours: s.AgeHours, Requests: s.Requests, ErrorRate: s.ErrorRate,
		P50: milliseconds(s.P50), P95: milliseconds(s.P95), P99: milliseconds(s.P99), Mean: milliseconds(s.Mean),
		ThresholdsSet: s.Set, ThresholdsFailed: s.Failed, Tools: s.Tools, Untested: untested(s, touched),
	}
}

// untested are the components of the catalog among those touched that no
// component of a load test names: as it stands, or behind the name of a tag. A
// component that a report counts without listing it is named by none.
func untested(s evidence.LoadSummary, touched []string) []string {
	named := map[string]bool{}
	for _, p := range s.Named {
		named[p] = true
		if _, value, tagged := strings.Cut(p, ":"); tagged {
			named[value] = true
		}
	}
	missing := []string{}
	for _, name := range touched {
		if !named[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

// previous is what policy may see of the last good release.
func (f *Facts) previous(now time.Time) policy.Previous {
	if f.Last == nil {
		return policy.Previous{}
	}
	p := policy.Previous{Known: true, Exists: f.Last.Release.ID != "", Version: f.Last.Release.Version}
	if s := f.Last.Artifact.Load(now); p.Exists && s.Known {
		p.LoadKnown, p.LoadRequests, p.LoadErrorRate = true, s.Requests, s.ErrorRate
		p.LoadP50, p.LoadP95, p.LoadP99, p.LoadMean = milliseconds(s.P50), milliseconds(s.P95), milliseconds(s.P99), milliseconds(s.Mean)
	}
	return p
}

// parts are the components of the load tests one by one, each beside what it
// took with the last good release; nil where not all are listed.
func (f *Facts) parts(now time.Time) []policy.LoadPart {
	s := f.Artifact.Load(now)
	if s.Parts == nil {
		return nil
	}
	var last evidence.LoadSummary
	if f.Last != nil {
		last = f.Last.Artifact.Load(now)
	}
	all := []policy.LoadPart{}
	for _, p := range s.Parts {
		was, known := last.Part(p)
		part := policy.LoadPart{
			Name: p.Name, Tool: p.Tool, ErrorRate: portion(p.ErrorRate),
			P50: milliseconds(p.P50), P95: milliseconds(p.P95), P99: milliseconds(p.P99), Mean: milliseconds(p.Mean),
			New:         f.Last != nil && !known && (f.Last.Release.ID == "" || last.Known && last.Parts != nil),
			PreviousP50: milliseconds(was.P50), PreviousP95: milliseconds(was.P95), PreviousP99: milliseconds(was.P99), PreviousMean: milliseconds(was.Mean),
		}
		if p.Requests != nil {
			part.Requests = *p.Requests
		}
		if part.PreviousErrorRate = portion(was.ErrorRate); part.New {
			part.PreviousErrorRate = 0
		}
		all = append(all, part)
	}
	return all
}

// milliseconds is a time as policy sees it: 0 where it is not known, and a
// thousandth where none was measured.
func milliseconds(v *float64) float64 {
	if v == nil {
		return 0
	}
	return max(*v, 0.001)
}

// portion is a rate as policy sees it: below 0 where it is not known.
func portion(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}
