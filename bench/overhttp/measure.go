// Package overhttp holds the server beside Open Policy Agent's, each a process of
// its own under the same load.
package overhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/bench/gate"
	"signalbox.dev/signalbox/bench/house"
	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/wire"
)

// What is measured, by which the table finds it.
const (
	opa       = "opa"
	evaluator = "evaluator"
	standing  = ", standing"
	recorded  = ", recorded"
)

// bench is what runs while the cases do.
type bench struct {
	o       measure.Options
	pg      *measure.Server
	ends    []func() error
	targets map[string]target
}

// Measure holds the server beside OPA's.
func Measure(ctx context.Context, o measure.Options) (tables []measure.Table, aims []measure.Aim, err error) {
	b := &bench{o: o, targets: map[string]target{}}
	defer func() {
		for _, end := range slices.Backward(b.ends) {
			err = errors.Join(err, end())
		}
	}()
	if o.Postgres != "" {
		if b.pg, err = measure.NewServer(ctx, o.Postgres); err != nil {
			return nil, nil, err
		}
	}
	for _, step := range []func(context.Context) error{b.peer, b.evaluator, b.product} {
		if err := step(ctx); err != nil {
			return nil, nil, err
		}
	}
	var cases []measure.Case
	for name, t := range b.targets {
		for _, n := range connections() {
			cases = append(cases, measure.Case{Name: named(name, n), Run: func(ctx context.Context) (measure.Sample, error) { return t.ask(ctx, o.Budget, n) }})
		}
	}
	slices.SortFunc(cases, func(a, b measure.Case) int { return strings.Compare(a.Name, b.Name) })
	r, err := measure.Rounds(ctx, o, cases)
	if err != nil {
		return nil, nil, err
	}
	return []measure.Table{b.table(r)}, b.aims(r), nil
}

func connections() []int { return []int{1, 8} }

func named(what string, n int) string { return fmt.Sprintf("%s/%d", what, n) }

func (b *bench) run(ctx context.Context, ready string, command ...string) (*program, error) {
	p, err := start(ctx, ready, command...)
	if err == nil {
		b.ends = append(b.ends, p.stop)
	}
	return p, err
}

// peer is OPA's own server with the module of package gate.
func (b *bench) peer(ctx context.Context) error {
	binary, module := filepath.Join(b.o.Dir, "opa"), filepath.Join(b.o.Dir, "policy.rego")
	if err := build(ctx, binary, "github.com/open-policy-agent/opa"); err != nil {
		return err
	}
	if err := os.WriteFile(module, []byte(gate.Module), 0o600); err != nil {
		return err
	}
	p, err := b.run(ctx, "/health", binary, "run", "--server", "--addr", "%s", "--log-level", "error", "--skip-version-check", module)
	if err != nil {
		return err
	}
	document, err := passing()
	if err != nil {
		return err
	}
	input, err := json.Marshal(map[string]json.RawMessage{"input": document})
	if err != nil {
		return err
	}
	b.targets[opa] = target{
		url: p.url + "/v1/data/release/deny", cpu: p.cpu, next: new(atomic.Int64), body: func(int) ([]byte, error) { return input, nil },
		holds: func(a []byte) bool { return bytes.Equal(bytes.TrimSpace(a), []byte(`{"result":[]}`)) },
	}
	return nil
}

// evaluator is ours, given a document as OPA is.
func (b *bench) evaluator(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if b.o.Smoke { // the test's own binary is no server
		self = filepath.Join(b.o.Dir, "bench")
		if err := build(ctx, self, "signalbox.dev/signalbox/bench/cmd/bench"); err != nil {
			return err
		}
	}
	p, err := b.run(ctx, "/health", self, "-serve", "%s")
	if err != nil {
		return err
	}
	document, err := passing()
	if err != nil {
		return err
	}
	b.targets[evaluator] = target{
		url: p.url + "/decide", cpu: p.cpu, next: new(atomic.Int64), body: func(int) ([]byte, error) { return document, nil },
		holds: func(a []byte) bool { return bytes.Contains(a, []byte(`"verdict":"go","enforced":true`)) },
	}
	return nil
}

func passing() ([]byte, error) {
	program, err := gate.Bundle(false)
	if err != nil {
		return nil, err
	}
	d, err := gate.Passing(program)
	if err != nil {
		return nil, err
	}
	return d.JSON()
}

// product is the server as it is shipped, on both stores.
func (b *bench) product(ctx context.Context) error {
	binary := filepath.Join(b.o.Dir, "signalbox")
	if err := build(ctx, binary, "signalbox.dev/signalbox/cmd/signalbox"); err != nil {
		return err
	}
	if err := b.served(ctx, binary, store.SQLite.String(), store.Options{}); err != nil || b.pg == nil {
		return err
	}
	url, drop, err := b.pg.Database(ctx)
	if err != nil {
		return err
	}
	b.ends = append(b.ends, drop)
	return b.served(ctx, binary, store.Postgres.String(), store.Options{Database: url})
}

// served is the server on one store, asked for decisions that are recorded, each
// about a release of its own, and for one that stands and is answered again.
func (b *bench) served(ctx context.Context, binary, kind string, at store.Options) error {
	dir, each := filepath.Join(b.o.Dir, kind), 300
	if b.o.Smoke {
		each = 8
	}
	token, err := b.furnish(ctx, at, dir, each*b.o.Rounds*len(connections()))
	if err != nil {
		return err
	}
	command := []string{binary, "serve", "--data", dir, "--listen", "%s"}
	if at.Database != "" {
		command = append(command, "--database", at.Database)
	}
	p, err := b.run(ctx, "/readyz", command...)
	if err != nil {
		return err
	}
	cpu := p.cpu
	if at.Database != "" {
		cpu = func() (time.Duration, error) {
			ours, err := p.cpu()
			theirs, failed := b.pg.Family()
			return ours + theirs, errors.Join(err, failed)
		}
	}
	t := target{url: p.url + "/api/v1/gate", token: token, cpu: cpu, next: new(atomic.Int64), most: each, body: question, holds: answers(`"standing":false`)}
	b.targets[kind+recorded] = t
	t.next, t.most, t.holds = new(atomic.Int64), 0, answers(`"standing":true`)
	t.body = func(int) ([]byte, error) { return question(0) }
	b.targets[kind+standing] = t
	return nil
}

// furnish prepares n releases, and asks about number 0, so that a decision about it stands.
func (b *bench) furnish(ctx context.Context, at store.Options, dir string, n int) (token string, err error) {
	h, err := house.Open(ctx, at, dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	b.o.Log("preparing %d releases", n)
	if err := h.Ready(ctx, 0, n+1); err != nil {
		return "", err
	}
	a, err := h.Ask(ctx, 0)
	if err == nil && a.Permit == nil {
		err = fmt.Errorf("the release may not go: %s", a.Decision.Verdict)
	}
	return h.Token, err
}

func question(n int) ([]byte, error) {
	return json.Marshal(wire.GateRequest{Service: house.Service, Version: house.Version(n), Digest: house.Digest, Environment: house.Environment, Size: "minor", ChangeType: "normal"})
}

// answers reports whether an answer is a go with a permit, and says a word.
func answers(word string) func([]byte) bool {
	return func(a []byte) bool {
		return bytes.Contains(a, []byte(`"verdict":"go"`)) && bytes.Contains(a, []byte(`"permit":"`)) && bytes.Contains(a, []byte(word))
	}
}

func (b *bench) table(r measure.Results) measure.Table {
	t := measure.Table{Name: "http", Head: []string{"POST, answered", "connections", "requests/s", "p50", "p99", "processor time of the server", "× OPA's rate", "OPA's processor time ×"}}
	for _, n := range connections() {
		row := func(what, name string) {
			at := named(name, n)
			t.Add(what, fmt.Sprint(n), measure.Count(r.Median(at, measure.Rate)), measure.Millis(r.Median(at, measure.P50)), measure.Millis(r.Median(at, measure.P99)),
				measure.Micros(r.Median(at, measure.Cost)), measure.Times(r.Ratio(at, named(opa, n), measure.Rate)), measure.Times(r.Ratio(named(opa, n), at, measure.Cost)))
		}
		row("OPA's server, facts in the request", opa)
		row("our evaluator, facts in the request", evaluator)
		row("our server, SQLite, decision stands: nothing is recorded", store.SQLite.String()+standing)
		row("our server, SQLite, decision and permit recorded", store.SQLite.String()+recorded)
		if b.pg != nil {
			row("our server, PostgreSQL, decision stands: nothing is recorded", store.Postgres.String()+standing)
			row("our server, PostgreSQL, decision and permit recorded", store.Postgres.String()+recorded)
		}
	}
	return t
}

func (b *bench) aims(r measure.Results) []measure.Aim {
	most := slices.Max(connections())
	times := func(name string) float64 { return r.Ratio(named(name, most), named(opa, most), measure.Rate) }
	without := times(evaluator)
	all := []measure.Aim{{
		What: fmt.Sprintf("over HTTP, %d connections, without the journal, beside OPA's server", most), Wanted: "3 times its requests", Got: measure.Times(without), Met: without >= 3,
	}}
	kinds := []store.Dialect{store.SQLite}
	if b.pg != nil {
		kinds = append(kinds, store.Postgres)
	}
	for _, kind := range kinds {
		with := times(kind.String() + recorded)
		all = append(all, measure.Aim{
			What: fmt.Sprintf("over HTTP, %d connections, decision and permit recorded, %s, beside OPA's server", most, measure.Store(kind)), Wanted: "more than its requests", Got: measure.Times(with), Met: with > 1,
		})
	}
	return all
}
