// Package measure runs what is compared in interleaved rounds on one machine, and
// writes what came out as tables.
//
// Figures that move with the load of the machine, such as operations a second, are
// compared only within a round: a ratio is the median of the ratios of each round.
// Processor time holds still under load, so it is told beside every rate. Nothing
// here asserts a time.
package measure

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Sample is one round of one case.
type Sample struct {
	Ops  float64       // operations, or whatever the case counts
	Wall time.Duration // of all of them
	CPU  time.Duration // user and system time of the processes that did them, garbage collection included
	P50  time.Duration // of one operation; zero where the case does not watch single ones
	P99  time.Duration
}

// Rate is operations a second.
func (s Sample) Rate() float64 { return s.Ops / s.Wall.Seconds() }

// Cost is processor time of one operation.
func (s Sample) Cost() float64 { return s.CPU.Seconds() / s.Ops }

// Case is one thing that is measured. Run is one round of it.
type Case struct {
	Name string
	Run  func(ctx context.Context) (Sample, error)
}

// Options say how much is measured.
type Options struct {
	Rounds   int           // at least 5 for a table that is published
	Budget   time.Duration // of one round of one case
	Dir      string        // for what is written while measuring; it must lie on the disk that is meant
	Postgres string        // URL of a server on which databases can be made; "" leaves PostgreSQL out
	Smoke    bool          // the smallest sizes, to see that everything runs
	Log      func(format string, args ...any)
}

// Results are the samples of each case, by name, one a round.
type Results map[string][]Sample

// Rounds runs every case once a round, each round beginning with another case.
func Rounds(ctx context.Context, o Options, cases []Case) (Results, error) {
	all := Results{}
	for round := range o.Rounds {
		for i := range cases {
			c := cases[(i+round)%len(cases)]
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			runtime.GC()
			s, err := c.Run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			if s.Ops <= 0 || s.Wall <= 0 {
				return nil, fmt.Errorf("%s: nothing was measured", c.Name)
			}
			o.Log("round %d  %-44s %12.0f/s  %10.2f µs cpu", round+1, c.Name, s.Rate(), s.Cost()*1e6)
			all[c.Name] = append(all[c.Name], s)
		}
	}
	return all, nil
}

// Loop is a case that repeats fn on one goroutine for the budget.
func (o Options) Loop(name string, fn func() error) Case {
	return Case{Name: name, Run: func(context.Context) (Sample, error) { return loop(o.Budget, 1, fn) }}
}

// Bulk is Loop for an fn that does n operations at once.
func (o Options) Bulk(name string, n float64, fn func() error) Case {
	return Case{Name: name, Run: func(context.Context) (Sample, error) { return loop(o.Budget, n, fn) }}
}

func loop(budget time.Duration, each float64, fn func() error) (Sample, error) {
	cpu, start, times, step := Self(), time.Now(), 0, 1
	for spent := time.Duration(0); times == 0 || spent < budget; spent = time.Since(start) {
		if times > 0 { // the clock is read rarely, and a slow operation does not overshoot
			step = min(max(1, int((budget-spent)/2/(spent/time.Duration(times)+1))), 4096)
		}
		for range step {
			if err := fn(); err != nil {
				return Sample{}, err
			}
		}
		times += step
	}
	return Sample{Ops: float64(times) * each, Wall: time.Since(start), CPU: Self() - cpu}, nil
}

// Metric is a figure of a sample.
type Metric func(Sample) float64

// The metrics of tables.
var (
	Rate = Sample.Rate
	Cost = Sample.Cost
	P50  = func(s Sample) float64 { return s.P50.Seconds() }
	P99  = func(s Sample) float64 { return s.P99.Seconds() }
)

// Median of a metric over the rounds of a case.
func (r Results) Median(name string, m Metric) float64 {
	var all []float64
	for _, s := range r[name] {
		all = append(all, m(s))
	}
	return median(all)
}

// Ratio is the median of one case's metric as a multiple of another's in the same round.
func (r Results) Ratio(name, of string, m Metric) float64 {
	var all []float64
	for i, s := range r[name] {
		all = append(all, m(s)/m(r[of][i]))
	}
	return median(all)
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// Percentiles are the median and the 99th of some durations, which it sorts.
func Percentiles(all []time.Duration) (p50, p99 time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}
