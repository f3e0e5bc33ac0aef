package view

import (
	"strconv"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/release"
)

func releases() shelf[release.State] {
	return shelf[release.State]{
		name: "releases", number: raised(1, release.Shape()), take: of(release.Noun), fold: folded[release.State](release.Shape()),
		columns: []string{"service"}, values: func(s release.State) []any { return []any{s.Service} },
	}
}

// decisions has a row for each decision, made of its fact alone.
func decisions() shelf[release.Decision] {
	return shelf[release.Decision]{
		name: "decisions", number: 1,
		take: func(f event.Recorded) (string, bool) {
			var d struct {
				ID string `json:"id"`
			}
			if f.Kind != event.Decided || f.Body(&d) != nil {
				return "", false
			}
			return d.ID, true
		},
		fold: func(_ release.Decision, f event.Recorded) (d release.Decision, err error) {
			err = f.Body(&d)
			return d, err
		},
		columns: []string{"release_id", "service", "environment", "verdict"},
		values: func(d release.Decision) []any {
			return []any{d.Release, d.Service, d.Environment, string(d.Verdict)}
		},
	}
}

func people() shelf[access.Person] {
	shape := shapeOf(access.PersonNoun, access.Shapes())
	return shelf[access.Person]{
		name: "people", number: raised(1, shape), take: of(access.PersonNoun), fold: folded[access.Person](shape),
		notes: []event.Kind{event.PersonDescribed},
	}
}

func freezes() shelf[calendar.Freeze] {
	return shelf[calendar.Freeze]{
		name: "freezes", number: raised(1, calendar.Shape()), take: of(calendar.FreezeNoun), fold: folded[calendar.Freeze](calendar.Shape()),
		columns: []string{"until", "lifted"}, values: func(f calendar.Freeze) []any { return []any{int64(f.Until), int64(f.Lifted)} },
		notes: []event.Kind{event.FreezeDeclared, event.FreezeLifted},
	}
}

func deployments() shelf[release.Deployment] {
	return shelf[release.Deployment]{
		name: "deployments", number: raised(1, release.DeploymentShape()), take: of(release.DeploymentNoun), fold: folded[release.Deployment](release.DeploymentShape()),
		columns: []string{"service", "environment", "authorised"},
		values: func(d release.Deployment) []any {
			authorised := int64(0)
			if d.Authorised {
				authorised = 1
			}
			return []any{d.Service, d.Environment, authorised}
		},
	}
}

func permits() shelf[release.Permit] {
	return shelf[release.Permit]{
		name: "permits", number: raised(2, release.PermitShape()), take: of(release.PermitNoun), fold: folded[release.Permit](release.PermitShape()),
		columns: []string{"release_id"}, values: func(p release.Permit) []any { return []any{p.Release} },
	}
}

// tokens leaves the hash of the secret out: nobody needs it on a screen.
func tokens() shelf[access.Token] {
	shape := shapeOf(access.TokenNoun, access.Shapes())
	fold := folded[access.Token](shape)
	return shelf[access.Token]{
		name: "tokens", number: raised(1, shape), take: of(access.TokenNoun),
		fold: func(t access.Token, f event.Recorded) (access.Token, error) {
			t, err := fold(t, f)
			t.Hash = ""
			return t, err
		},
		columns: []string{"subject"}, values: func(t access.Token) []any { return []any{t.Subject} },
	}
}

func machines() shelf[access.Machine] {
	shape := shapeOf(access.MachineNoun, access.Shapes())
	return shelf[access.Machine]{
		name: "machines", number: raised(1, shape), take: of(access.MachineNoun), fold: folded[access.Machine](shape),
		columns: []string{"name"}, values: func(m access.Machine) []any { return []any{m.Name} },
	}
}

func services() shelf[catalog.Service] {
	shape := shapeOf(catalog.ServiceNoun, catalog.Shapes())
	return shelf[catalog.Service]{
		name: "services", number: raised(1, shape), take: of(catalog.ServiceNoun), fold: folded[catalog.Service](shape),
		columns: []string{"name"}, values: func(s catalog.Service) []any { return []any{s.Name} },
	}
}

func environments() shelf[catalog.Environment] {
	shape := shapeOf(catalog.EnvironmentNoun, catalog.Shapes())
	return shelf[catalog.Environment]{
		name: "environments", number: raised(1, shape), take: of(catalog.EnvironmentNoun), fold: folded[catalog.Environment](shape),
		columns: []string{"name"}, values: func(e catalog.Environment) []any { return []any{e.Name} },
	}
}

// activations has a row for each, by position: the stream's state keeps the newest only.
func activations() shelf[activation.Entry] {
	return shelf[activation.Entry]{
		name: "activations", number: 2,
		take: func(f event.Recorded) (string, bool) {
			return strconv.FormatUint(f.Position, 10), f.Kind == event.PolicyActivated || f.Kind == event.PolicyDeactivated
		},
		fold:  func(_ activation.Entry, f event.Recorded) (activation.Entry, error) { return activation.Of(f) },
		notes: []event.Kind{event.PolicyActivated, event.PolicyDeactivated},
	}
}
