package web

import (
	"context"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
)

type scan struct{ j *journal.Journal }

func newViews(*store.DB) (func(*journal.Journal) Decisions, []journal.Folder) {
	return func(j *journal.Journal) Decisions { return scan{j} }, nil
}

func (s scan) all(ctx context.Context) (list []Recorded, err error) {
	for from := uint64(0); ; {
		facts, err := s.j.Facts(ctx, from, 500)
		if err != nil || len(facts) == 0 {
			return list, err
		}
		for _, f := range facts {
			if f.Kind == event.Decided {
				var d release.Decision
				if err := f.Body(&d); err != nil {
					return nil, err
				}
				list = append(list, Recorded{d, f.Position})
			}
		}
		from = facts[len(facts)-1].Position + 1
	}
}

func (s scan) Decision(ctx context.Context, id string) (Recorded, error) {
	all, err := s.all(ctx)
	for _, d := range all {
		if d.ID == id {
			return d, nil
		}
	}
	if err == nil {
		err = fault.New(fault.NotFound, "decision.unknown", "there is no such decision")
	}
	return Recorded{}, err
}

func (s scan) Recent(ctx context.Context, f Filter) (Page, error) {
	all, err := s.all(ctx)
	var p Page
	for i := len(all) - 1; i >= 0; i-- {
		d := all[i]
		if f.Verdict != "" && d.Verdict != f.Verdict || f.Service != "" && f.Service != d.Service {
			continue
		}
		p.Items = append(p.Items, Listed{d.ID, d.Service, d.Version, d.Environment, d.Verdict, d.Enforced, d.At})
	}
	return p, err
}

func (s scan) Name(ctx context.Context, person string) (string, error) {
	facts, err := s.j.History(ctx, event.StreamOf("person", person))
	for _, f := range facts {
		if p, err := f.Private(); err == nil && p["name"] != "" {
			return p["name"], nil
		}
	}
	return "", err
}
