// Package appends holds journal.Append beside what a disk can do, a raw append
// with fdatasync, and beside Tessera's POSIX driver: so many submitters, each of
// whom waits until what it sent is durable before it sends more.
//
// A fact has about 1 KB and is a real one: a release that is opened, and changes
// attached to it, under the check of the version that was read, with the state,
// keys, hashes and the command's row that a fact brings with it.
package appends

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// submitter is one of many that append. Append returns when what it sent is durable.
type submitter interface {
	Append(ctx context.Context) error
}

// submit lets every submitter append for the budget. What is still under way when
// the time is up is waited for and counted, in operations and in time.
func submit(ctx context.Context, budget time.Duration, all []submitter, used func() (time.Duration, error)) (measure.Sample, error) {
	before, err := used()
	if err != nil {
		return measure.Sample{}, err
	}
	var running sync.WaitGroup
	taken, failed := make([][]time.Duration, len(all)), make([]error, len(all))
	start := time.Now()
	for i, s := range all {
		running.Go(func() {
			for n := 0; n == 0 || time.Since(start) < budget; n++ {
				from := time.Now()
				if failed[i] = s.Append(ctx); failed[i] != nil {
					return
				}
				taken[i] = append(taken[i], time.Since(from))
			}
		})
	}
	running.Wait()
	sample := measure.Sample{Wall: time.Since(start)}
	after, err := used()
	if err := errors.Join(append(failed, err)...); err != nil {
		return sample, err
	}
	var every []time.Duration
	for _, t := range taken {
		every = append(every, t...)
	}
	sample.Ops, sample.CPU = float64(len(every)), after-before
	sample.P50, sample.P99 = measure.Percentiles(every)
	return sample, nil
}

// subjects is how facts are spread over releases.
type subjects struct {
	ids      func(r *rand.Rand, submitter int) string // of the next release
	perVisit int                                      // facts in a row
	versions map[string]uint64                        // of releases that may come again; nil: none does
}

// local is a release that is opened, amended four times, and never seen again.
func local(run string) subjects {
	var mu sync.Mutex
	n := 0
	return subjects{perVisit: 5, ids: func(*rand.Rand, int) string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("%s-%08d", run, n)
	}}
}

// spread is one fact for any of so many releases, each of which belongs to one submitter.
func spread(run string, releases, submitters int) subjects {
	return subjects{perVisit: 1, versions: map[string]uint64{}, ids: func(r *rand.Rand, i int) string {
		return fmt.Sprintf("%s-%08d", run, r.IntN(max(releases/submitters, 1))*submitters+i)
	}}
}

// pipeline appends facts of releases to a journal.
type pipeline struct {
	to       *journal.Journal
	content  content
	subjects subjects
	number   int
	chance   *rand.Rand

	id      string
	left    int
	version uint64
}

func pipelines(j *journal.Journal, s subjects, n int) []submitter {
	all := make([]submitter, n)
	for i := range all {
		p := &pipeline{to: j, content: contents(), subjects: s, number: i, chance: rand.New(rand.NewPCG(uint64(i), 7))}
		if s.versions != nil {
			p.subjects.versions = map[string]uint64{} // its own: no other submitter has these releases
		}
		all[i] = p
	}
	return all
}

// Append appends the next fact.
func (p *pipeline) Append(ctx context.Context) error {
	if p.left == 0 {
		p.id, p.left = p.subjects.ids(p.chance, p.number), p.subjects.perVisit
		p.version = p.subjects.versions[p.id]
	}
	stream := event.StreamOf(release.Noun, p.id)
	draft := event.Draft{Stream: stream, Kind: event.ChangeAttached, Body: release.Attached{Record: p.content.record, Digest: p.content.record.Digest, Provenance: policy.ByPipeline, By: actor}, Private: p.content.contributor}
	if p.version == 0 {
		draft = event.Draft{Stream: stream, Kind: event.ReleaseOpened, Private: p.content.note, Body: release.Opened{
			ID: p.id, Service: "shop", Version: "v1-" + p.id, Digest: p.content.record.Digest, Size: policy.Minor, ChangeType: policy.Normal, Phase: release.Submitted, Provenance: policy.ByPipeline,
		}}
	}
	_, err := p.to.Append(ctx, journal.Command{
		Actor: actor, Auth: "token/0193f2a1-5f0e-7cc1-9d52-3f2d1f6f0a11", Source: "api", Result: p.content.answer,
		Reads: []journal.Read{{Stream: stream, Version: p.version}}, Facts: []event.Draft{draft},
	})
	if err != nil {
		return fmt.Errorf("append to %s at version %d: %w", p.id, p.version, err)
	}
	p.left--
	p.version++
	if p.subjects.versions != nil {
		p.subjects.versions[p.id] = p.version
	}
	return nil
}

const actor = "machine/0193f2a1-5f0e-7cc1-9d52-3f2d1f6f0a10"

// content is what every fact says beside which release it is about.
type content struct {
	record      change.Record
	contributor map[string]string
	note        map[string]string
	answer      []byte // kept with the command
}

func contents() content {
	return content{
		record: change.Record{
			From: strings.Repeat("1f", 20), To: strings.Repeat("2e", 20), Commits: 7, Contributors: []string{strings.Repeat("3d", 16)},
			FilesChanged: 12, LinesAdded: 340, LinesDeleted: 80, SemverStep: "minor", ReleaseType: "minor", Signed: 7, Complete: true,
			Digest: "sha256:" + strings.Repeat("4c", 32),
		},
		contributor: map[string]string{"contributor/0": "Ada Example <ada@example.com>"},
		note:        map[string]string{"note": strings.Repeat("Opened by the pipeline of the main branch. ", 6)},
		answer:      []byte(`{"release":"0193f2a1-5f0e-7cc1-9d52-3f2d1f6f0a12"}`),
	}
}
