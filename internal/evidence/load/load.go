// Package load reads results of load tests: of k6, JMeter, Gatling and Locust,
// and of Go's benchmarks.
//
// It leaves to others which of them is fast enough (policy) and what the last
// release took (control). Its invariant: nothing that ran no request yields a
// claim, and a percentile is either exact by one definition, the tool's own, or
// unknown.
package load

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// samples are single measurements as a reader meets them, 8 bytes each.
type samples struct {
	index    map[string]uint32 // of a label in labels
	labels   []label
	elapsed  []int32  // milliseconds, of samples that count
	of       []uint32 // the label of each, or apart
	requests int
	errors   int
	sums     samplesApart // that sum up others, and are no requests of their own
	joined   bool         // a sample stands for several requests: no single times are known
	crowded  bool         // labels beyond maxLabels were not told apart
	first    int64        // start of the first sample, milliseconds since 1970
	last     int64        // end of the last one
	timeless bool         // an instant could not be read
	zoneless bool         // instants are local times of an unknown zone
}

// samplesApart are those that count in no total.
type samplesApart struct {
	elapsed  []int32
	of       []uint32
	requests int
	errors   int
}

// label is a component as samples name it.
type label struct {
	name     string
	requests int
	errors   int
}

// Bounds on what is told apart.
const (
	maxLabels  = 10_000
	maxSamples = 10_000_000     // of a report; more is refused
	apart      = math.MaxUint32 // the label of a sample that has none, or one too many
)

// sample is one measurement.
type sample struct {
	label   string
	elapsed int32 // milliseconds
	count   int   // of requests, almost always 1
	errors  int   // of them
	sum     bool  // it sums up other samples
	at      int64 // start, milliseconds since 1970
	timed   bool  // at is known
}

func (s *samples) add(m sample) error {
	if len(s.elapsed)+len(s.sums.elapsed) >= maxSamples {
		return evidence.TooLarge("evidence.too-many", "there are more than %d samples", maxSamples)
	}
	l := s.labelled(m.label)
	if l != apart {
		s.labels[l].requests += m.count
		s.labels[l].errors += m.errors
	}
	if m.sum {
		s.sums.elapsed, s.sums.of = append(s.sums.elapsed, m.elapsed), append(s.sums.of, l)
		s.sums.requests += m.count
		s.sums.errors += m.errors
	} else {
		s.elapsed, s.of = append(s.elapsed, m.elapsed), append(s.of, l)
		s.requests += m.count
		s.errors += m.errors
	}
	s.joined = s.joined || m.count != 1
	s.span(m)
	return nil
}

func (s *samples) span(m sample) {
	if !m.timed {
		s.timeless = true
		return
	}
	if s.first == 0 || m.at < s.first {
		s.first = m.at
	}
	s.last = max(s.last, m.at+int64(m.elapsed))
}

func (s *samples) labelled(name string) uint32 {
	if name == "" {
		return apart
	}
	if l, known := s.index[name]; known {
		return l
	}
	if len(s.labels) >= maxLabels {
		s.crowded = true
		return apart
	}
	if s.index == nil {
		s.index = map[string]uint32{}
	}
	name = strings.Clone(name)
	l := uint32(len(s.labels))
	s.index[name], s.labels = l, append(s.labels, label{name: name})
	return l
}

// claim is what the samples come to; c names format and tool.
func (s *samples) claim(c evidence.Claim) (evidence.Claim, error) {
	alone := s.requests == 0 && s.sums.requests > 0
	if alone {
		s.elapsed, s.of, s.requests, s.errors, s.sums = s.sums.elapsed, s.sums.of, s.sums.requests, s.sums.errors, samplesApart{}
	}
	if s.requests == 0 {
		return evidence.Claim{}, nothing("it holds no sample of a request")
	}
	l := &evidence.Load{Requests: s.requests, ErrorRate: rate(s.errors, s.requests)}
	l.Parts, l.MoreParts = s.parts()
	l.P50, l.P95, l.P99, l.Mean = s.measures(s.elapsed)
	if !s.timeless && s.last > 0 {
		l.Seconds = float64(s.last-s.first) / 1000
		if !s.zoneless {
			c.Generated = time.UnixMilli(s.last).UTC()
		}
	}
	c.Kind, c.Load = evidence.LoadKind, l
	note(&c, s.timeless, "the instants of the samples cannot all be read: how long the test took is unknown")
	note(&c, s.zoneless && !s.timeless, "the instants of the samples give no zone: when the test ran is unknown")
	note(&c, s.joined, "a sample stands for several requests: no percentile is known")
	note(&c, s.crowded, "there are more than %d labels: the samples of the others are counted in the totals alone", maxLabels)
	note(&c, alone, "all samples are transactions that sum up others: each counts as one request")
	note(&c, s.sums.requests > 0, "%d samples sum up others (transactions): they are listed as components and counted in no total", s.sums.requests)
	noteParts(&c)
	return c, nil
}

// parts are the labels with the most requests, and how many there are besides.
func (s *samples) parts() ([]evidence.LoadPart, int) {
	order := make([]uint32, len(s.labels))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(s.labels[b].requests, s.labels[a].requests), strings.Compare(s.labels[a].name, s.labels[b].name))
	})
	listed := order[:min(len(order), evidence.MaxParts)]
	values := s.values(listed)
	var parts []evidence.LoadPart
	for i, l := range listed {
		of := s.labels[l]
		p := evidence.LoadPart{Name: name(of.name), Requests: &of.requests, ErrorRate: ptr(rate(of.errors, of.requests))}
		p.P50, p.P95, p.P99, p.Mean = s.measures(values[i])
		parts = append(parts, p)
	}
	return parts, len(order) - len(listed)
}

// values are the times of some labels. It is called while the times stand in
// the order of their labels.
func (s *samples) values(labels []uint32) [][]int32 {
	at := make([]int, len(s.labels)) // 1 and more: where in labels
	values := make([][]int32, len(labels))
	for i, l := range labels {
		at[l] = i + 1
	}
	for _, from := range []struct {
		elapsed []int32
		of      []uint32
	}{{s.elapsed, s.of}, {s.sums.elapsed, s.sums.of}} {
		for i, l := range from.of {
			if l != apart && at[l] > 0 {
				values[at[l]-1] = append(values[at[l]-1], from.elapsed[i])
			}
		}
	}
	return values
}

// measures are the percentiles by nearest rank, and the mean, of milliseconds,
// which are sorted here.
func (s *samples) measures(values []int32) (p50, p95, p99, mean *float64) {
	if s.joined || len(values) == 0 {
		return nil, nil, nil, nil
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	at := func(p int) *float64 { return ptr(float64(values[rank(p, len(values))-1])) }
	return at(50), at(95), at(99), ptr(round(sum / float64(len(values))))
}

// rank is the nearest rank of a percentile among n > 0 values: the smallest one
// from which at least p of 100 values are at most as large, from 1 to n.
func rank(p, n int) int { return max((p*n+99)/100, 1) }

func rate(part, of int) float64 { return float64(part) / float64(of) }

// round keeps six decimals.
func round(f float64) float64 { return math.Round(f*1e6) / 1e6 }

func ptr[T any](v T) *T { return &v }

// name is a component's or a threshold's name in one line, cut.
func name(s string) string {
	return evidence.Cut(strings.Join(strings.Fields(strings.ToValidUTF8(s, "\ufffd")), " "), evidence.MaxPartName-len("…"))
}

func note(c *evidence.Claim, holds bool, format string, args ...any) {
	if holds {
		c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
	}
}

func noteParts(c *evidence.Claim) {
	note(c, c.Load.MoreParts > 0, "%d components are counted but not listed", c.Load.MoreParts)
}

// nothing is the fault of results that measured no request.
func nothing(why string) *fault.Error {
	return fault.Invalidf("evidence.load-empty", "the load test measured nothing").Because(why).
		Remedy("see why no request ran; a test that ran none proves nothing")
}

// broken is the fault of results that contradict their format.
func broken(format string, args ...any) *fault.Error {
	return fault.Invalidf("evidence.load", format, args...)
}

// limits lists the thresholds, those that failed first, and counts all.
func limits(l *evidence.Load, all []evidence.Limit) {
	slices.SortStableFunc(all, func(a, b evidence.Limit) int {
		switch {
		case a.Failed == b.Failed:
			return strings.Compare(a.Name, b.Name)
		case a.Failed:
			return -1
		}
		return 1
	})
	l.Set = len(all)
	for i, x := range all {
		if x.Failed {
			l.Failed++
		}
		if i < evidence.MaxParts {
			l.Limits = append(l.Limits, evidence.Limit{Name: name(x.Name), Failed: x.Failed})
		}
	}
}

// list keeps the parts with the most requests; those whose requests are not known come last.
func list(l *evidence.Load, parts []evidence.LoadPart) {
	requests := func(p evidence.LoadPart) int {
		if p.Requests == nil {
			return -1
		}
		return *p.Requests
	}
	slices.SortStableFunc(parts, func(a, b evidence.LoadPart) int {
		return cmp.Or(cmp.Compare(requests(b), requests(a)), strings.Compare(a.Name, b.Name))
	})
	for _, p := range parts[:min(len(parts), evidence.MaxParts)] {
		p.Name = name(p.Name)
		l.Parts = append(l.Parts, p)
	}
	l.MoreParts = len(parts) - len(l.Parts)
}

// milliseconds checks a time that a tool states: finite and not negative.
func milliseconds(what string, v *float64) error {
	if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0) || *v < 0 || *v > 1e12) {
		return broken("%s is %g", what, *v).Because("that is no time in milliseconds")
	}
	return nil
}
