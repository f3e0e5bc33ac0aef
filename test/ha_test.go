//go:build linux

package test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

const (
	tryTime  = 12 * time.Second // of one try at one replica
	passTime = 50 * time.Second // of all tries of one request
	forEver  = 4 * time.Minute  // a call that takes longer has hung: four passes and the naps between
)

// distributor sends each request to a replica that says it is ready, and one
// that may be repeated to another where the first did not answer it.
type distributor struct {
	addresses []string
	ready     []atomic.Bool
	next      atomic.Uint64
	again     atomic.Int64 // requests that were sent to another
	ended     chan struct{}
	url       string
}

func distribute(t *testing.T, addresses []string) *distributor {
	t.Helper()
	d := &distributor{addresses: addresses, ready: make([]atomic.Bool, len(addresses)), ended: make(chan struct{})}
	var watchers sync.WaitGroup
	for i := range addresses {
		watchers.Go(func() { d.follow(i) })
	}
	front := httptest.NewServer(d)
	d.url = front.URL
	t.Cleanup(func() { front.Close(); close(d.ended); watchers.Wait() })
	return d
}

// follow asks one replica whether it is ready, ten times a second.
func (d *distributor) follow(i int) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		answer, err := client.Get("http://" + d.addresses[i] + "/readyz")
		if err == nil {
			_ = answer.Body.Close()
		}
		d.ready[i].Store(err == nil && answer.StatusCode == http.StatusOK)
		select {
		case <-d.ended:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pick is the next replica that is ready, or -1.
func (d *distributor) pick() int {
	for range d.addresses {
		i := int(d.next.Add(1) % uint64(len(d.addresses)))
		if d.ready[i].Load() {
			return i
		}
	}
	return -1
}

// ServeHTTP is http.Handler.
func (d *distributor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	repeatable := r.Method == http.MethodGet || r.Header.Get(wire.KeyHeader) != ""
	for deadline, try := time.Now().Add(passTime), 0; time.Now().Before(deadline); try++ {
		i := d.pick()
		if i < 0 {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if try > 0 {
			d.again.Add(1)
		}
		status, header, answer, err := d.send(r, i, body)
		if err == nil && (status != http.StatusServiceUnavailable || !repeatable) {
			for _, name := range []string{"Content-Type", "Retry-After", wire.ReceiptHeader} {
				w.Header()[name] = header[name]
			}
			w.WriteHeader(status)
			_, _ = w.Write(answer)
			return
		}
		if !repeatable || r.Context().Err() != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// send is one try; no connection is kept, so that none is met that has died.
func (d *distributor) send(r *http.Request, i int, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), tryTime)
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, r.Method, "http://"+d.addresses[i]+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	out.Header, out.Close = r.Header.Clone(), true
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, b, err
}

// trio is three replicas on a PostgreSQL of their own, behind a distributor.
type trio struct {
	*replicated // whose two addresses are the distributor's
	server      *storetest.Killable
	db          *store.DB // to see what sessions do
	front       *distributor
	address     []string
	cmd         []*exec.Cmd

	mu       sync.Mutex
	freezes  map[string]bool   // acknowledged
	reports  map[string]string // acknowledged: claim by digest
	redeemed map[string]string // acknowledged: deployment by permit
	started  map[string]bool   // deployments acknowledged, authorised or not
	acked    int
	trouble  map[string]int // what callers were told meanwhile, by code
	longest  time.Duration
	turns    atomic.Int64 // odd while the stop switch is certainly pulled
}

func raiseTrio(t *testing.T) *trio {
	t.Helper()
	h := &trio{
		replicated: &replicated{t: t, binary: build(t), dir: t.TempDir(), tokens: map[string]string{}},
		server:     storetest.NewKillable(t),
		freezes:    map[string]bool{}, reports: map[string]string{}, redeemed: map[string]string{}, started: map[string]bool{}, trouble: map[string]int{},
	}
	for range 3 {
		h.address = append(h.address, unused(t))
	}
	h.cmd = make([]*exec.Cmd, 3)
	t.Cleanup(func() {
		for i := range h.cmd {
			h.kill(i)
		}
	})
	for i := range 3 {
		h.run(i)
	}
	var err error
	h.db, err = store.Open(t.Context(), store.Options{Database: h.server.URL})
	must(t, err)
	t.Cleanup(func() { _ = h.db.Close() })
	h.front = distribute(t, h.address)
	h.both = [2]replica{{url: h.front.url}, {url: h.front.url}}
	secret, err := os.ReadFile(filepath.Join(h.dir, "root.token"))
	must(t, err)
	h.tokens["root"] = strings.TrimSpace(string(secret))
	h.furnish()
	return h
}

// run starts a replica and waits until it is ready.
func (h *trio) run(i int) {
	h.t.Helper()
	name := strconv.Itoa(i)
	log, err := os.OpenFile(filepath.Join(h.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(h.t, err)
	args := []string{
		"serve", "--database", h.server.URL, "--data", filepath.Join(h.dir, name), "--keys-dir", filepath.Join(h.dir, "keys"), "--listen", h.address[i], "--drain", "500ms",
		"--admin", "root", "--admin-email", "root@example.com", "--admin-token-file", filepath.Join(h.dir, "root.token"),
	}
	cmd := exec.Command(h.binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir}
	cmd.Stdout, cmd.Stderr = log, log
	must(h.t, cmd.Start())
	must(h.t, log.Close())
	h.cmd[i] = cmd
	for deadline := time.Now().Add(readyWithin); !h.ready(i); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(log.Name())
			h.t.Fatalf("replica %d is not ready: %s", i, b)
		}
	}
}

func (h *trio) ready(i int) bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + h.address[i] + "/readyz")
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func (h *trio) signal(i int, s syscall.Signal) {
	h.t.Helper()
	must(h.t, h.cmd[i].Process.Signal(s))
}

func (h *trio) kill(i int) {
	if h.cmd[i] != nil {
		_ = h.cmd[i].Process.Kill()
		_ = h.cmd[i].Wait()
	}
}

// told notes how a call ended, and reports whether it was acknowledged. What
// callers may be told is to try again.
func (h *trio) told(began time.Time, err error) bool {
	took := time.Since(began)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.longest = max(h.longest, took)
	if took > forEver {
		h.t.Errorf("a call took %v: %v", took, err)
	}
	if err == nil {
		h.acked++
		return true
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Unavailable && f.Kind != fault.Busy && f.Code != "request.contended" && f.Code != "gate.over" {
		h.t.Errorf("a caller was told: %v", err)
		return false
	}
	h.trouble[f.Code]++
	return false
}

func (h *trio) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked
}

// load keeps four callers busy until ctx ends.
func (h *trio) load(ctx context.Context, all *sync.WaitGroup) {
	for w, act := range []func(context.Context, string){h.freeze, h.report, h.release, h.release} {
		all.Go(func() {
			for n := 0; ctx.Err() == nil && !h.t.Failed(); n++ {
				act(context.WithoutCancel(ctx), fmt.Sprintf("%d.%d.0", w+1, n))
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

func (h *trio) freeze(ctx context.Context, name string) {
	name = "told-" + strings.ReplaceAll(name, ".", "-")
	began := time.Now()
	_, err := h.as("mia", 0).DeclareFreeze(ctx, wire.FreezeRequest{Name: name, Reason: "told", Scope: wire.Scope{Services: []string{"billing"}}})
	if h.told(began, err) {
		h.mu.Lock()
		h.freezes[name] = true
		h.mu.Unlock()
	}
}

const emptyScan = `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scan"}},"results":[]}]}`

func (h *trio) report(ctx context.Context, version string) {
	q, began := question(version), time.Now()
	claim, err := h.as("shop-ci", 0).AddEvidence(ctx, wire.EvidenceTarget{Service: q.Service, Version: q.Version, Digest: q.Digest}, strings.NewReader(emptyScan))
	if h.told(began, err) {
		h.mu.Lock()
		h.reports[q.Digest] = claim.ID
		h.mu.Unlock()
	}
}

// release brings a version to its deployment, which two callers begin with the same permit.
func (h *trio) release(ctx context.Context, version string) {
	q, client := question(version), h.as("shop-ci", 0)
	began := time.Now()
	r, err := client.OpenRelease(ctx, wire.ReleaseRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Size: q.Size})
	if !h.told(began, err) {
		return
	}
	began = time.Now()
	_, err = client.AttachChange(ctx, r.ID, contents(q))
	if !h.told(began, err) {
		return
	}
	began = time.Now()
	before := h.turns.Load()
	answer, err := client.Ask(ctx, q)
	after := h.turns.Load()
	if !h.told(began, err) {
		return
	}
	if gone := answer.Decision.Verdict == wire.Go; gone && before == after && before%2 == 1 {
		h.t.Errorf("%s went while everything was stopped", version)
	} else if !gone {
		if answer.Decision.Reasons[0].Code != "stopped" {
			h.t.Errorf("%s: %s %+v", version, answer.Decision.Verdict, answer.Decision.Reasons[0])
		}
		return
	}
	var racers sync.WaitGroup
	for i := range 2 {
		racers.Go(func() {
			began := time.Now()
			d, err := client.StartDeployment(ctx, wire.StartRequest{
				Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment, Permit: answer.Permit, Run: fmt.Sprint(version, "/", i),
			})
			if h.told(began, err) {
				h.deployed(answer.Decision.Permit, d)
			}
		})
	}
	racers.Wait()
}

func (h *trio) deployed(permit string, d wire.Deployment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started[d.ID] = true
	switch {
	case d.Authorised && h.redeemed[permit] != "" && h.redeemed[permit] != d.ID:
		h.t.Errorf("%s was redeemed by %s and %s", permit, h.redeemed[permit], d.ID)
	case d.Authorised:
		h.redeemed[permit] = d.ID
	case !slices.Contains([]string{"permit.redeemed", "release.not-ready", "stop.pulled", "permit.expired", "gate.no-go"}, d.Code):
		h.t.Errorf("refused for another reason: %q", d.Code)
	}
}

// goesOn waits until callers have been acknowledged again.
func (h *trio) goesOn(after string) time.Duration {
	h.t.Helper()
	began, before := time.Now(), h.count()
	for h.count() < before+8 {
		if time.Since(began) > forEver {
			h.t.Fatalf("nothing is acknowledged after %s", after)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// faults are what befalls replicas, one after another; the first two are always there.
func (h *trio) faults() map[string]func(i int) {
	return map[string]func(i int){
		"one is killed":      func(i int) { h.kill(i); h.goesOn("a kill"); h.run(i) },
		"two are killed":     func(i int) { h.kill(i); h.kill((i + 1) % 3); h.goesOn("two kills"); h.run(i); h.run((i + 1) % 3) },
		"one is told to end": h.term,
		"one stands still":   func(i int) { h.signal(i, syscall.SIGSTOP); h.goesOn("a pause"); h.signal(i, syscall.SIGCONT) },
		"all are killed": func(int) {
			for i := range 3 {
				h.kill(i)
			}
			for i := range 3 {
				h.run(i)
			}
		},
		"the database is killed": func(int) {
			must(h.t, h.server.Kill())
			time.Sleep(time.Second)
			must(h.t, h.server.Start())
		},
	}
}

func (h *trio) term(i int) {
	h.signal(i, syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- h.cmd[i].Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			h.t.Errorf("told to end, a replica ended with %v", err)
		}
	case <-time.After(stopWithin):
		h.t.Fatal("told to end, a replica did not")
	}
	h.goesOn("an orderly end")
	h.run(i)
}

// idle is how many writing sessions have been idle in a transaction for a while.
func (h *trio) idle() int {
	n := 0
	must(h.t, h.db.ReadTx(h.t.Context(), func(tx *store.Tx) error {
		return tx.Each(h.t.Context(), func(r *sql.Rows) error { return r.Scan(&n) },
			`SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND clock_timestamp() - state_change > interval '300 ms'
				AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'head'::regclass AND mode = 'RowShareLock')`)
	}))
	return n
}

// holding pauses a replica while it holds the journal's head, for which all
// others wait, until the database ends its transaction. Then it goes on.
func (h *trio) holding(i int) {
	h.t.Helper()
	for try := 0; ; try++ {
		h.signal(i, syscall.SIGSTOP)
		time.Sleep(400 * time.Millisecond)
		if h.idle() > 0 {
			break
		}
		h.signal(i, syscall.SIGCONT)
		if try == 100 {
			h.t.Fatal("no pause fell on a transaction that holds the head")
		}
		time.Sleep(time.Duration(1+try%7) * 7 * time.Millisecond)
	}
	paused := time.Now()
	for h.idle() > 0 && time.Since(paused) < forEver {
		time.Sleep(20 * time.Millisecond)
	}
	h.t.Logf("paused while it held the head: the database ended its transaction after %v", time.Since(paused).Round(time.Millisecond))
	h.goesOn("a pause with the head")
	h.signal(i, syscall.SIGCONT)
	for deadline := time.Now().Add(readyWithin); !h.ready(i); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatal("a replica that was paused is not ready again")
		}
	}
	h.goesOn("the end of a pause")
}

// stopsAll pulls the stop switch on one replica; no question that is asked
// after that, of whichever, is answered go before it is reset.
func (h *trio) stopsAll(i int) {
	h.t.Helper()
	direct := func(i int, who string) *wire.Client {
		c, err := wire.New(wire.Options{Server: "http://" + h.address[i], Token: h.tokens[who]})
		must(h.t, err)
		return c
	}
	_, err := direct(i, "mia").PullStop(h.t.Context(), wire.Reasoned{Reason: "a breach"})
	must(h.t, err)
	h.turns.Add(1)
	for other := range 3 {
		if a, err := direct(other, "shop-ci").Ask(h.t.Context(), question("0.0.1")); err != nil || a.Decision.Verdict != wire.NoGo {
			h.t.Errorf("pulled on %d, asked on %d: %s %v", i, other, a.Decision.Verdict, err)
		}
	}
	h.goesOn("a stop")
	h.turns.Add(1)
	for n, who := range []string{"mia", "root"} {
		_, err = direct((i+n)%3, who).ResetStop(h.t.Context(), wire.Reasoned{Reason: "over"})
		must(h.t, err)
	}
}

// holder is who signs checkpoints.
func (h *trio) holder() (name string) {
	h.t.Helper()
	must(h.t, h.db.ReadTx(h.t.Context(), func(tx *store.Tx) error {
		return tx.Each(h.t.Context(), func(r *sql.Rows) error { return r.Scan(&name) }, "SELECT holder FROM leases WHERE name = 'journal/checkpoints'")
	}))
	return name
}

// Three replicas behind a distributor are killed, ended and paused under load,
// alone and together, and so is their database: callers wait or are told to try
// again, and all that was acknowledged stands once.
func TestHighAvailability(t *testing.T) {
	h := raiseTrio(t)
	t.Cleanup(h.complaints)
	rounds := []string{"one is killed", "one is told to end", "two are killed", "the database is killed", "one stands still", "all are killed"}
	holdings := 0
	random := rand.New(rand.NewPCG(11, 12))
	if os.Getenv("SIGNALBOX_PROVE") == "full" {
		for range 10 {
			rounds = append(rounds, rounds[:6]...)
		}
		random.Shuffle(len(rounds), func(i, j int) { rounds[i], rounds[j] = rounds[j], rounds[i] })
		holdings = 10
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var callers sync.WaitGroup
	h.load(ctx, &callers)
	h.goesOn("the start")
	holders := map[string]bool{}
	faults := h.faults()
	for n, fault := range rounds {
		began := time.Now()
		faults[fault](random.IntN(3))
		again := h.goesOn(fault)
		holders[h.holder()] = true
		t.Logf("%d: %s: %v, and 8 more acknowledged after %v", n, fault, time.Since(began).Round(time.Millisecond), again.Round(time.Millisecond))
		if t.Failed() {
			break
		}
	}
	for n := range holdings {
		h.holding(n % 3)
	}
	h.stopsAll(random.IntN(3))
	h.goesOn("the reset")
	stop()
	callers.Wait()
	t.Logf("%d acknowledged, %d requests sent to another replica; told meanwhile: %v; longest call %v", h.acked, h.front.again.Load(), h.trouble, h.longest.Round(time.Millisecond))
	h.stands(holders)
}

// complaints prints what the servers call errors of theirs, where the test failed.
func (h *trio) complaints() {
	if !h.t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(h.dir, "*.log"))
	for _, log := range logs {
		b, _ := os.ReadFile(log)
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, `"level":"ERROR"`) {
				h.t.Logf("%s: %s", filepath.Base(log), line)
			}
		}
	}
}

// stands checks what was acknowledged against the journal as a verifier reads it.
func (h *trio) stands(holders map[string]bool) {
	h.t.Helper()
	ctx, otto := h.t.Context(), h.as("otto", 0)
	h.covered(holders)
	frozen := h.standing()
	for name := range h.freezes {
		if !frozen[name] {
			h.t.Errorf("the freeze %s was acknowledged, and is lost", name)
		}
	}
	for digest, claim := range h.reports {
		a, err := otto.Evidence(ctx, digest)
		must(h.t, err)
		if len(a.Claims) != 1 || a.Claims[0].ID != claim {
			h.t.Errorf("the report %s was acknowledged, and %d stand", claim, len(a.Claims))
		}
	}
	public, err := otto.Keys(ctx)
	must(h.t, err)
	keys, err := verify.ParseKeys(public)
	must(h.t, err)
	var export bytes.Buffer
	must(h.t, otto.Export(ctx, &export))
	if _, err := verify.Export(ctx, bytes.NewReader(export.Bytes()), keys, nil); err != nil {
		h.t.Errorf("the journal does not verify: %v", err)
	}
	redeemed, begun := h.recorded(export.Bytes())
	for permit, n := range redeemed {
		if n != 1 {
			h.t.Errorf("the permit %s was redeemed %d times", permit, n)
		}
	}
	for permit := range h.redeemed {
		if redeemed[permit] == 0 {
			h.t.Errorf("the permit %s was acknowledged as redeemed, and is not", permit)
		}
	}
	for id := range h.started {
		if begun[id] != 1 {
			h.t.Errorf("the deployment %s was acknowledged, and stands %d times", id, begun[id])
		}
	}
	if len(h.freezes) == 0 || len(h.reports) == 0 || len(h.redeemed) == 0 {
		h.t.Error("nothing was acknowledged, so nothing was shown")
	}
	h.t.Logf("%d freezes, %d reports, %d permits redeemed, %d deployments stand", len(h.freezes), len(h.reports), len(redeemed), len(begun))
}

// recorded counts the redemptions of each permit and the beginnings of each
// deployment in an export.
func (h *trio) recorded(export []byte) (redeemed, begun map[string]int) {
	h.t.Helper()
	redeemed, begun = map[string]int{}, map[string]int{}
	for line := range bytes.Lines(export) {
		var fact struct {
			Header []byte `json:"header"`
		}
		var header event.Header
		if json.Unmarshal(line, &fact) != nil || len(fact.Header) == 0 {
			continue
		}
		must(h.t, json.Unmarshal(fact.Header, &header))
		switch header.Kind {
		case event.PermitRedeemed:
			redeemed[header.Stream.ID()]++
		case event.DeploymentStarted:
			begun[header.Stream.ID()]++
		}
	}
	return redeemed, begun
}

// covered waits until a checkpoint covers all that there was when it is called,
// and checks that not always the same replica signed.
func (h *trio) covered(holders map[string]bool) {
	h.t.Helper()
	otto := h.as("otto", 0)
	facts, err := otto.Facts(h.t.Context(), 0, 1)
	must(h.t, err)
	for deadline := time.Now().Add(2 * readyWithin); ; time.Sleep(200 * time.Millisecond) {
		text, err := otto.Checkpoint(h.t.Context())
		if lines := strings.Split(string(text), "\n"); err == nil && len(lines) > 1 {
			if size, err := strconv.ParseUint(lines[1], 10, 64); err == nil && size >= facts.Size {
				break
			}
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("no checkpoint covers %d facts: %v", facts.Size, err)
		}
	}
	holders[h.holder()] = true
	delete(holders, "")
	if len(holders) < 2 && os.Getenv("SIGNALBOX_PROVE") == "full" { // a lease outlives the few faults of a short run
		h.t.Errorf("one replica signed throughout: %v", holders)
	}
}
