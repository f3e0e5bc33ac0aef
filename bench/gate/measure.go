package gate

import (
	"context"
	"fmt"

	"signalbox.dev/signalbox/bench/measure"
)

// The cases, by which the table finds them.
const (
	counted     = "gate, counts"
	listed      = "gate, findings one by one"
	theirs      = "opa, parsed input"
	theirsMap   = "opa, map input"
	countedJSON = "gate, from JSON"
	theirsJSON  = "opa, from JSON"
	failing     = ", failing"
)

// Measure holds the gate beside OPA.
func Measure(ctx context.Context, o measure.Options) ([]measure.Table, []measure.Aim, error) {
	cases, size, err := cases(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	r, err := measure.Rounds(ctx, o, cases)
	if err != nil {
		return nil, nil, err
	}
	t := measure.Table{
		Name: "policy", Head: []string{"one goroutine", "processor time", "failing document", "decisions/s", "× OPA's prepared query"},
		Text: fmt.Sprintf("26 gates, 50 findings by two scanners, 6 persons, 6 votes, 6 spans of the calendar: %s bytes of JSON. The multiple is OPA's processor time on the same kind of input, as a multiple of ours.", measure.Count(float64(size))),
	}
	for _, row := range []struct{ what, name, beside string }{
		{"`release.Gate`, counting the findings", counted, theirs},
		{"`release.Gate`, three gates walking through the findings", listed, theirs},
		{"OPA, prepared query, parsed input", theirs, theirs},
		{"OPA, prepared query, Go maps as input", theirsMap, theirs},
		{"`release.Gate`, from JSON", countedJSON, theirsJSON},
		{"OPA, from JSON", theirsJSON, theirsJSON},
	} {
		t.Add(row.what, measure.Micros(r.Median(row.name, measure.Cost)), measure.Micros(r.Median(row.name+failing, measure.Cost)),
			measure.Count(r.Median(row.name, measure.Rate)), measure.Times(r.Ratio(row.beside, row.name, measure.Cost)))
	}
	cost, times := r.Median(counted, measure.Cost), r.Ratio(theirs, counted, measure.Cost)
	return []measure.Table{t}, []measure.Aim{
		{What: "`release.Gate` on loaded facts, processor time", Wanted: "under 10 µs", Got: measure.Micros(cost), Met: cost < 10e-6},
		{What: "the same beside OPA's prepared query", Wanted: "20 times cheaper", Got: measure.Times(times), Met: times >= 20},
	}, nil
}

func cases(ctx context.Context, o measure.Options) (all []measure.Case, size int, err error) {
	opa, err := Prepare(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, walk := range []bool{false, true} {
		program, err := Bundle(walk)
		if err != nil {
			return nil, 0, err
		}
		for _, fails := range []bool{false, true} {
			make, suffix := Passing, ""
			if fails {
				make, suffix = Failing, failing
			}
			d, err := make(program)
			if err != nil {
				return nil, 0, err
			}
			ours := func() error { _, err := d.Gate(program); return err }
			if walk {
				all = append(all, o.Loop(listed+suffix, ours))
				continue
			}
			all = append(all, o.Loop(counted+suffix, ours))
			b, err := d.JSON()
			if err != nil {
				return nil, 0, err
			}
			if !fails {
				size = len(b)
			}
			parsed, err := Parsed(b)
			if err != nil {
				return nil, 0, err
			}
			mapped, err := Map(b)
			if err != nil {
				return nil, 0, err
			}
			all = append(all,
				o.Loop(theirs+suffix, func() error { _, err := opa.Deny(ctx, parsed); return err }),
				o.Loop(theirsMap+suffix, func() error { _, err := opa.DenyMap(ctx, mapped); return err }),
				o.Loop(countedJSON+suffix, func() error { _, err := GateJSON(b, program); return err }),
				o.Loop(theirsJSON+suffix, func() error { _, err := opa.DenyJSON(ctx, b); return err }))
		}
	}
	return all, size, nil
}
