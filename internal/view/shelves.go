package view

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/release"
)

func releases() shelf[release.State] {
	return shelf[release.State]{
		name: "releases", number: raised(1, release.Shape()), take: of(release.Noun), fold: folded(release.Shape()),
		columns: []string{"service"}, values: reading(func(s headed) []any { return []any{s.Service} }),
	}
}

// headed is what the columns of a release or a decision are made of, the least of it.
type headed struct {
	ID          string `json:"id"`
	Release     string `json:"release"`
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Verdict     string `json:"verdict"`
}

// heading reads a decision no further than it must: all else is its reasons.
func heading(decision []byte) (h headed, err error) {
	wanted := map[string]*string{"id": &h.ID, "release": &h.Release, "service": &h.Service, "environment": &h.Environment, "verdict": &h.Verdict}
	d := jsontext.NewDecoder(bytes.NewBuffer(decision))
	if _, err := d.ReadToken(); err != nil {
		return h, err
	}
	for len(wanted) > 0 && d.PeekKind() == jsontext.KindString {
		token, err := d.ReadToken()
		if err != nil {
			return h, err
		}
		name := token.String()
		field := wanted[name]
		if field == nil {
			err = d.SkipValue()
		} else if token, err = d.ReadToken(); err == nil {
			*field = token.String()
			delete(wanted, name)
		}
		if err != nil {
			return h, err
		}
	}
	return h, nil
}

// decisions has a row for each decision, whose state is the body of its fact.
func decisions() shelf[release.Decision] {
	return shelf[release.Decision]{
		name: "decisions", number: 3, borrows: true,
		take: func(f event.Recorded) (string, bool) {
			if f.Kind != event.Decided {
				return "", false
			}
			d, err := heading(f.BodyBytes)
			return d.ID, err == nil
		},
		fold:    func(_ []byte, f event.Recorded) ([]byte, error) { return f.BodyBytes, nil },
		columns: []string{"release_id", "service", "environment", "verdict"},
		values: func(state []byte) ([]any, error) {
			d, err := heading(state)
			return []any{d.Release, d.Service, d.Environment, d.Verdict}, err
		},
	}
}

func people() shelf[access.Person] {
	shape := shapeOf(access.PersonNoun, access.Shapes())
	return shelf[access.Person]{
		name: "people", number: raised(1, shape), take: of(access.PersonNoun), fold: folded(shape),
		notes: []event.Kind{event.PersonDescribed},
	}
}

func freezes() shelf[calendar.Freeze] {
	return shelf[calendar.Freeze]{
		name: "freezes", number: raised(1, calendar.Shape()), take: of(calendar.FreezeNoun), fold: folded(calendar.Shape()),
		columns: []string{"until", "lifted"}, values: reading(func(f calendar.Freeze) []any { return []any{int64(f.Until), int64(f.Lifted)} }),
		notes: []event.Kind{event.FreezeDeclared, event.FreezeLifted},
	}
}

func deployments() shelf[release.Deployment] {
	return shelf[release.Deployment]{
		name: "deployments", number: raised(1, release.DeploymentShape()), take: of(release.DeploymentNoun), fold: folded(release.DeploymentShape()),
		columns: []string{"service", "environment", "authorised"},
		values: reading(func(d release.Deployment) []any {
			authorised := int64(0)
			if d.Authorised {
				authorised = 1
			}
			return []any{d.Service, d.Environment, authorised}
		}),
	}
}

func permits() shelf[release.Permit] {
	return shelf[release.Permit]{
		name: "permits", number: raised(2, release.PermitShape()), take: of(release.PermitNoun), fold: folded(release.PermitShape()),
		columns: []string{"release_id"}, values: reading(func(p release.Permit) []any { return []any{p.Release} }),
	}
}

// tokens leaves the hash of the secret out: nobody needs it on a screen.
func tokens() shelf[access.Token] {
	shape := shapeOf(access.TokenNoun, access.Shapes())
	return shelf[access.Token]{
		name: "tokens", number: raised(1, shape), take: of(access.TokenNoun),
		fold: func(state []byte, f event.Recorded) ([]byte, error) {
			state, err := folded(shape)(state, f)
			if err != nil {
				return nil, err
			}
			t, err := event.Decode[access.Token](state)
			if err != nil {
				return nil, err
			}
			t.Hash = ""
			return json.Marshal(t)
		},
		columns: []string{"subject"}, values: reading(func(t access.Token) []any { return []any{t.Subject} }),
	}
}

func machines() shelf[access.Machine] {
	shape := shapeOf(access.MachineNoun, access.Shapes())
	return shelf[access.Machine]{
		name: "machines", number: raised(1, shape), take: of(access.MachineNoun), fold: folded(shape),
		columns: []string{"name"}, values: reading(func(m access.Machine) []any { return []any{m.Name} }),
	}
}

func services() shelf[catalog.Service] {
	shape := shapeOf(catalog.ServiceNoun, catalog.Shapes())
	return shelf[catalog.Service]{
		name: "services", number: raised(1, shape), take: of(catalog.ServiceNoun), fold: folded(shape),
		columns: []string{"name"}, values: reading(func(s catalog.Service) []any { return []any{s.Name} }),
	}
}

func environments() shelf[catalog.Environment] {
	shape := shapeOf(catalog.EnvironmentNoun, catalog.Shapes())
	return shelf[catalog.Environment]{
		name: "environments", number: raised(1, shape), take: of(catalog.EnvironmentNoun), fold: folded(shape),
		columns: []string{"name"}, values: reading(func(e catalog.Environment) []any { return []any{e.Name} }),
	}
}

// activations has a row for each, by position: the stream's state keeps the newest only.
func activations() shelf[activation.Entry] {
	return shelf[activation.Entry]{
		name: "activations", number: 2,
		take: func(f event.Recorded) (string, bool) {
			return strconv.FormatUint(f.Position, 10), f.Kind == event.PolicyActivated || f.Kind == event.PolicyDeactivated
		},
		fold: func(_ []byte, f event.Recorded) ([]byte, error) {
			a, err := activation.Of(f)
			if err != nil {
				return nil, err
			}
			return json.Marshal(a)
		},
		notes: []event.Kind{event.PolicyActivated, event.PolicyDeactivated},
	}
}
