package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

// effectiveWithin is how long a fact of one replica may take to bind another.
const effectiveWithin = 5 * time.Second

// replica is one server process of several on the same database.
type replica struct {
	url string
	cmd *exec.Cmd
}

// replicated is two servers on one PostgreSQL that share their keys, and nothing else.
type replicated struct {
	t      *testing.T
	binary string
	dir    string
	both   [2]replica
	tokens map[string]string
}

func replicate(t *testing.T) *replicated {
	t.Helper()
	h := &replicated{t: t, binary: build(t), dir: t.TempDir(), tokens: map[string]string{}}
	database := storetest.PostgresURL(t)
	first := []string{"--admin", "root", "--admin-email", "root@example.com", "--admin-token-file", filepath.Join(h.dir, "root.token")}
	h.both[0] = h.start("one", database, first...)
	h.both[1] = h.start("two", database)
	secret, err := os.ReadFile(filepath.Join(h.dir, "root.token"))
	must(t, err)
	h.tokens["root"] = strings.TrimSpace(string(secret))
	h.furnish()
	return h
}

func (h *replicated) start(name, database string, more ...string) replica {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(h.t, err)
	address := l.Addr().String()
	must(h.t, l.Close())
	args := append([]string{
		"serve", "--database", database, "--data", filepath.Join(h.dir, name), "--keys-dir", filepath.Join(h.dir, "keys"), "--listen", address,
	}, more...)
	log, err := os.Create(filepath.Join(h.dir, name+".log"))
	must(h.t, err)
	cmd := exec.Command(h.binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir}
	cmd.Stdout, cmd.Stderr = log, log
	must(h.t, cmd.Start())
	must(h.t, log.Close())
	h.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r := replica{url: "http://" + address, cmd: cmd}
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get(r.url + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return r
			}
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(log.Name())
			h.t.Fatalf("%s is not ready: %s", name, b)
		}
	}
}

func (h *replicated) furnish() {
	h.t.Helper()
	ctx := h.t.Context()
	file, err := os.ReadFile("example/catalog.yaml")
	must(h.t, err)
	_, err = h.as("root", 0).ImportCatalog(ctx, "catalog.yaml", file)
	must(h.t, err)
	for _, q := range []wire.TokenRequest{{Handle: "mia"}, {Handle: "otto"}, {Machine: "shop-ci"}} {
		q.Hours = 1
		issued, err := h.as("root", 1).IssueToken(ctx, q)
		must(h.t, err)
		h.tokens[q.Handle+q.Machine] = issued.Secret
	}
	_, err = h.as("mia", 0).ActivatePolicy(ctx, wire.PolicyRequest{Reason: "first policy", Files: []wire.PolicyFile{{Name: "bundle.yaml", Data: controltest.Permissive}}})
	must(h.t, err)
}

// as is a client of one of the two.
func (h *replicated) as(who string, which int) *wire.Client {
	h.t.Helper()
	c, err := wire.New(wire.Options{Server: h.both[which].url, Token: h.tokens[who]})
	must(h.t, err)
	return c
}

func (h *replicated) ask(which int, version string) wire.Answer {
	h.t.Helper()
	a, err := h.as("shop-ci", which).Ask(h.t.Context(), question(version))
	must(h.t, err)
	return a
}

func question(version string) wire.GateRequest {
	sum := sha256.Sum256([]byte(version))
	return wire.GateRequest{Service: "shop", Version: version, Digest: "sha256:" + hex.EncodeToString(sum[:]), Environment: "production", Size: "major"}
}

// known opens a release and says what it contains, so that it may go.
func (h *replicated) known(version string) {
	h.t.Helper()
	ctx, q := h.t.Context(), question(version)
	r, err := h.as("shop-ci", 0).OpenRelease(ctx, wire.ReleaseRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Size: q.Size})
	must(h.t, err)
	_, err = h.as("shop-ci", 1).AttachChange(ctx, r.ID, contents(q))
	must(h.t, err)
}

// contents says what a version contains that may go.
func contents(q wire.GateRequest) wire.Change {
	ada := wire.Identity{Name: "Ada Example", Email: "ada@example.com"}
	return wire.Change{
		From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v2.0.0", Commits: 1,
		Authors: []wire.Identity{ada}, Committers: []wire.Identity{ada}, CoAuthors: []wire.Identity{}, FilesChanged: 1, LinesAdded: 10,
		SemverStep: "major", ReleaseType: "major", Reasons: []string{}, Migrations: []string{}, Dependencies: []string{}, Complete: true, Notes: []string{},
		Digest: q.Digest,
	}
}

// Two replicas are one control plane: what one knows binds the other, what only
// one may do only one does, and a replica that is killed takes nothing with it.
func TestReplicas(t *testing.T) {
	h := replicate(t)
	t.Run("a freeze is effective on the other", h.freezes)
	t.Run("a stop is effective on the other", h.stops)
	t.Run("a permit is redeemed once", h.redeems)
	t.Run("a killed replica loses nothing", h.dies)
	t.Run("the journal has no gap and verifies", h.verifies)
}

func (h *replicated) freezes(t *testing.T) {
	h.t = t
	h.known("1.0.0")
	for n := range 6 {
		here, there := n%2, (n+1)%2
		if a := h.ask(there, "1.0.0"); a.Decision.Verdict != wire.Go {
			t.Fatalf("before the freeze: %s %+v", a.Decision.Verdict, a.Decision.Reasons[0])
		}
		name := fmt.Sprintf("quiet-%d", n)
		_, err := h.as("mia", here).DeclareFreeze(t.Context(), wire.FreezeRequest{Name: name, Reason: "quiet", Scope: wire.Scope{Kinds: []string{"production"}}})
		must(t, err)
		declared := time.Now()
		if a := h.ask(there, "1.0.0"); a.Decision.Verdict == wire.Go || len(a.Permit) > 0 || time.Since(declared) > effectiveWithin {
			t.Errorf("declared on %d, asked on %d after %v: %s", here, there, time.Since(declared), a.Decision.Verdict)
		}
		_, err = h.as("mia", there).LiftFreeze(t.Context(), name, wire.Reasoned{Reason: "over"})
		must(t, err)
	}
}

// stops pulls the stop switch and recalls permits on one replica, and asks the other.
func (h *replicated) stops(t *testing.T) {
	h.t = t
	ctx, q := t.Context(), question("1.5.0")
	h.known("1.5.0")
	for n := range 4 {
		here, there := n%2, (n+1)%2
		granted := h.ask(there, "1.5.0")
		if granted.Decision.Verdict != wire.Go || len(granted.Permit) == 0 {
			t.Fatalf("before the stop: %s %+v", granted.Decision.Verdict, granted.Decision.Reasons[0])
		}
		start := func(permit json.RawMessage) string {
			d, err := h.as("shop-ci", there).StartDeployment(ctx, wire.StartRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment, Permit: permit})
			must(t, err)
			return d.Code
		}
		_, err := h.as("mia", here).PullStop(ctx, wire.Reasoned{Reason: "a breach"})
		must(t, err)
		pulled := time.Now()
		code, answer := start(granted.Permit), h.ask(there, "1.5.0")
		if code != "stop.pulled" || answer.Decision.Verdict != wire.NoGo || time.Since(pulled) > effectiveWithin {
			t.Errorf("pulled on %d, asked on %d after %v: %q, %s", here, there, time.Since(pulled), code, answer.Decision.Verdict)
		}
		for i, who := range []string{"mia", "root"} {
			_, err = h.as(who, i).ResetStop(ctx, wire.Reasoned{Reason: "over"})
			must(t, err)
		}
		again := h.ask(there, "1.5.0")
		_, err = h.as("mia", here).RecallPermits(ctx, wire.RecallRequest{Issuer: "shop-ci", Reason: "its key leaked"})
		must(t, err)
		if code := start(again.Permit); code != "permit.recalled" {
			t.Errorf("recalled on %d, redeemed on %d: %q", here, there, code)
		}
	}
}

// redeems races both replicas for the same permit, many times.
func (h *replicated) redeems(t *testing.T) {
	h.t = t
	for n := range 20 {
		version := fmt.Sprintf("2.0.%d", n)
		h.known(version)
		answer, q := h.ask(n%2, version), question(version)
		if len(answer.Permit) == 0 {
			t.Fatalf("no permit: %s", answer.Decision.Verdict)
		}
		start := wire.StartRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment, Permit: answer.Permit}
		var racers sync.WaitGroup
		begun := make([]wire.Deployment, 4)
		for i := range begun {
			client := h.as("shop-ci", i%2)
			racers.Go(func() {
				d, err := client.StartDeployment(t.Context(), start)
				if err != nil {
					t.Errorf("start: %v", err)
				}
				begun[i] = d
			})
		}
		racers.Wait()
		authorised := 0
		for _, d := range begun {
			if d.Authorised {
				authorised++
			} else if d.Code != "permit.redeemed" && d.Code != "release.not-ready" {
				t.Errorf("refused for another reason: %q", d.Code)
			}
		}
		if authorised != 1 {
			t.Errorf("%s was redeemed %d times", answer.Decision.Permit, authorised)
		}
	}
}

// dies kills one replica while both are told things; what either acknowledged stands.
func (h *replicated) dies(t *testing.T) {
	h.t = t
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	acknowledged := [2][]string{}
	count := func(which int) int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged[which])
	}
	var tellers sync.WaitGroup
	for which := range 2 {
		for teller := range 2 {
			tellers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					name := fmt.Sprintf("told-%d-%d-%d", which, teller, n)
					status := h.tell(ctx, which, name)
					if status == http.StatusConflict {
						continue // contended: refused, and said so
					}
					if status != http.StatusOK {
						return
					}
					mu.Lock()
					acknowledged[which] = append(acknowledged[which], name)
					mu.Unlock()
				}
			})
		}
	}
	wait := func(which, n int) {
		for deadline := time.Now().Add(readyWithin); count(which) < n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("replica %d acknowledged %d of %d", which, count(which), n)
			}
		}
	}
	wait(0, 20)
	wait(1, 20)
	must(t, h.both[1].cmd.Process.Kill())
	_ = h.both[1].cmd.Wait()
	after := count(0)
	wait(0, after+20) // the other goes on
	stop()
	tellers.Wait()
	stands := h.standing()
	for which, names := range acknowledged {
		for _, name := range names {
			if !stands[name] {
				t.Errorf("replica %d acknowledged %s, and it is lost", which, name)
			}
		}
	}
	t.Logf("%d and %d acknowledged, %d freezes stand", len(acknowledged[0]), len(acknowledged[1]), len(stands))
}

// tell declares a freeze with one request that is never tried again, and
// answers the status; 0 where the answer did not come whole.
func (h *replicated) tell(ctx context.Context, which int, name string) int {
	body, err := json.Marshal(wire.FreezeRequest{Name: name, Reason: "told", Scope: wire.Scope{Services: []string{"billing"}}})
	if err != nil {
		return 0
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.both[which].url+wire.Prefix+"/freezes", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+h.tokens["mia"])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err = io.ReadAll(answer.Body); err != nil {
		return 0
	}
	return answer.StatusCode
}

// standing is the names of the freezes that the surviving replica lists.
func (h *replicated) standing() map[string]bool {
	h.t.Helper()
	names := map[string]bool{}
	p := wire.Paging{Limit: 200}
	for {
		page, err := h.as("mia", 0).Freezes(h.t.Context(), false, p)
		must(h.t, err)
		for _, f := range page.Items {
			names[f.Name] = true
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return names
		}
	}
}

// verifies exports the journal: the verifier demands every position from 0 on.
func (h *replicated) verifies(t *testing.T) {
	h.t = t
	public, err := h.as("otto", 0).Keys(t.Context())
	must(t, err)
	keys, err := verify.ParseKeys(public)
	must(t, err)
	var export bytes.Buffer
	must(t, h.as("otto", 0).Export(t.Context(), &export))
	report, err := verify.Export(t.Context(), bytes.NewReader(export.Bytes()), keys, nil)
	must(t, err)
	facts, err := h.as("otto", 0).Facts(t.Context(), 0, 1)
	must(t, err)
	if uint64(report.Facts) != facts.Size || facts.Size < 100 {
		t.Errorf("%d facts verified of %d", report.Facts, facts.Size)
	}
	lines := bytes.SplitAfter(export.Bytes(), []byte("\n"))
	gap := bytes.Join(append(lines[:40:40], lines[41:]...), nil)
	if _, err := verify.Export(t.Context(), bytes.NewReader(gap), keys, nil); err == nil {
		t.Error("an export with a gap verifies")
	}
}
