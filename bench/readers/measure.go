// Package readers measures how fast reports are read, each by the one reader that
// the server and the command line use for everything: format recognised, document
// held against its schema where it has one, every finding counted and told apart.
package readers

import (
	"context"
	"fmt"

	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/report"
)

// long is the size of a report, in bytes, where its reader accepts as many elements.
const long = 4 << 20

// Measure reads a long report of each format.
func Measure(ctx context.Context, o measure.Options) ([]measure.Table, []measure.Aim, error) {
	size := long
	if o.Smoke {
		size = 4 << 10
	}
	var cases []measure.Case
	elements := map[string]int{}
	for _, f := range forms() {
		doc, n, err := f.read(size)
		if err != nil {
			return nil, nil, err
		}
		elements[f.name()] = n
		cases = append(cases, o.Bulk(f.name(), float64(len(doc)), func() error { _, err := report.Read(doc); return err }))
	}
	r, err := measure.Rounds(ctx, o, cases)
	if err != nil {
		return nil, nil, err
	}
	t := measure.Table{
		Name: "readers", Head: []string{"format", "MB/s", "processor time a MB", "elements/s"},
		Text: "One goroutine. A report of 4 MiB, or as long as its reader accepts, made for this; elements are findings, packages, cases, lines or requests.",
	}
	for _, f := range forms() {
		doc, _ := f.grown(size)
		rate := r.Median(f.name(), measure.Rate)
		t.Add(f.name(), measure.Count(rate/1e6), measure.Millis(r.Median(f.name(), measure.Cost)*1e6), measure.Count(rate/float64(len(doc))*float64(elements[f.name()])))
	}
	return []measure.Table{t}, nil, nil
}

func (f form) name() string {
	if f.variant == "" {
		return f.format
	}
	return f.format + ", " + f.variant
}

// read is a grown report that is read as what it is: each element is counted.
func (f form) read(size int) (doc []byte, n int, err error) {
	doc, n = f.grown(size)
	c, err := report.Read(doc)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", f.name(), err)
	}
	want := n
	if f.clean {
		want = 0
	}
	if got := f.count(c); got != want {
		return nil, 0, fmt.Errorf("%s: %d of %d elements are counted", f.name(), got, n)
	}
	return doc, n, nil
}
