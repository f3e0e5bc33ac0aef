package test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/server"
	"signalbox.dev/signalbox/internal/trust"
	"signalbox.dev/signalbox/internal/verify"
)

var update = flag.Bool("update-golden", false, "write a new golden journal beside the old ones")

// The golden journals: exports of every released way to write facts. They are
// only ever added to.
const golden = "golden"

// Every golden journal verifies, and folds under today's shapes; together they
// hold every kind of fact there is.
func TestGoldenJournals(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	files, err := filepath.Glob(filepath.Join(golden, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden journal: %v", err)
	}
	missing := kinds(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			report := verifyFile(t, file)
			for kind := range report.Kinds {
				delete(missing, string(kind))
			}
			fold(t, file)
		})
	}
	if len(missing) > 0 {
		t.Errorf("no golden journal holds %v", slices.Sorted(maps.Keys(missing)))
	}
}

// A golden journal with one flipped bit does not verify: the test looks at something.
func TestGoldenJournalsAreLookedAt(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden journal")
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(`"body":"`)) + len(`"body":"`)
	b[at] ^= 1
	if _, err := verify.Export(t.Context(), bytes.NewReader(b), publicKeys(t, files[0]), nil); err == nil {
		t.Error("a changed golden journal verifies")
	}
}

func verifyFile(t *testing.T, file string) verify.Report {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	report, err := verify.Export(t.Context(), f, publicKeys(t, file), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func publicKeys(t *testing.T, file string) verify.Keys {
	t.Helper()
	b, err := os.ReadFile(strings.TrimSuffix(file, ".jsonl") + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := verify.ParseKeys(b)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// fold folds every fact of an export under today's shapes.
func fold(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]event.Shape{}
	for _, s := range append(control.Shapes(), trust.Shape()) {
		shapes[s.Noun] = s
	}
	states := map[event.Stream][]byte{}
	for line := range bytes.Lines(b) {
		var l struct{ Header, Body, Private string }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Header == "" {
			continue
		}
		f := event.Recorded{HeaderBytes: decode(t, l.Header), BodyBytes: decode(t, l.Body), PrivateBytes: decode(t, l.Private)}
		if err := json.Unmarshal(f.HeaderBytes, &f.Header); err != nil {
			t.Fatal(err)
		}
		shape, known := shapes[f.Stream.Noun()]
		if !known {
			if f.Stream.Noun() != "journal" {
				t.Errorf("%s at %d: nothing folds this stream", f.Kind, f.Position)
			}
			continue
		}
		if states[f.Stream], err = shape.Fold(states[f.Stream], f); err != nil {
			t.Errorf("%s at %d: %v", f.Kind, f.Position, err)
		}
		if _, err := shape.Keys(states[f.Stream]); err != nil {
			t.Errorf("keys of %s after %d: %v", f.Stream, f.Position, err)
		}
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// kinds is every kind that package event declares.
func kinds(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "internal", "event", "kinds.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				kind, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				all[kind] = true
			}
		}
		return true
	})
	if len(all) < 20 {
		t.Fatalf("only %d kinds found", len(all))
	}
	return all
}

// writeGolden drives every command once and exports the journal.
func writeGolden(t *testing.T) {
	ctx := context.Background()
	s, err := server.Open(ctx, server.Options{Data: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	c := s.Control
	offer, err := c.OfferSetup(ctx)
	must(t, err)
	root, err := c.Setup(ctx, offer.Secret, control.Founder{Handle: "root", Name: "Root Example", Email: "root@signalbox.example"})
	must(t, err)
	admin, err := c.Authenticate(ctx, root.Secret)
	must(t, err)
	as := func(a access.Actor) control.Request { return control.Request{Actor: a} }
	catalogFile, err := os.ReadFile(filepath.Join("..", "internal", "demo", "example", "catalog.yaml"))
	must(t, err)
	catalogFile = append(catalogFile, "---\napiVersion: signalbox/v1\nkind: Service\nname: shop\ntier: 1\nteam: storefront\n"...)
	_, err = c.ImportCatalog(ctx, as(admin), "catalog.yaml", catalogFile)
	must(t, err)
	actor := func(q control.TokenRequest) access.Actor {
		q.Life = time.Hour
		issued, err := c.IssueToken(ctx, as(admin), q)
		must(t, err)
		a, err := c.Authenticate(ctx, issued.Secret)
		must(t, err)
		return a
	}
	dana, ben, cleo := actor(control.TokenRequest{Handle: "dana"}), actor(control.TokenRequest{Handle: "ben"}), actor(control.TokenRequest{Handle: "cleo"})
	ci := actor(control.TokenRequest{Machine: "shop-pipeline"})
	_, err = c.ActivatePolicy(ctx, as(dana), control.PolicyRequest{Files: policy.Starter(), Reason: "golden"})
	must(t, err)
	goldenRelease(ctx, t, c, map[string]control.Request{"dana": as(dana), "ben": as(ben), "cleo": as(cleo), "ci": as(ci), "root": as(admin)})
	must(t, c.Regrant(ctx, as(admin), control.Regrant{Handle: "ben", Role: "auditor", Reason: "golden"}))
	must(t, c.Regrant(ctx, as(admin), control.Regrant{Machine: "shop-pipeline", Role: "viewer", Reason: "golden"}))
	must(t, c.Regrant(ctx, as(admin), control.Regrant{Machine: "shop-pipeline", Role: "viewer", Reason: "golden", Revoke: true}))
	must(t, c.Depart(ctx, as(admin), "cleo", "golden"))
	own, err := c.IssueToken(ctx, as(ben), control.TokenRequest{Life: time.Hour})
	must(t, err)
	must(t, c.RevokeToken(ctx, as(ben), own.ID, "golden"))
	_, err = c.DeactivatePolicy(ctx, as(dana), "golden")
	must(t, err)
	auditor := actor(control.TokenRequest{Handle: "ben"})
	_, err = s.Journal.SignNow(ctx)
	must(t, err)
	for _, purpose := range []string{"journal", "permit"} {
		_, err = c.RotateKey(ctx, as(admin), control.Rotation{Purpose: purpose, Reason: "golden", Compromised: purpose == "permit"})
		must(t, err)
	}
	disposeAll(ctx, t, s)
	restoreGolden(ctx, t, s, as(admin), as(auditor))
	must(t, c.Regrant(ctx, as(admin), control.Regrant{Handle: "ben", Role: "auditor", Reason: "golden", Revoke: true}))
	var export bytes.Buffer
	must(t, s.Journal.Export(ctx, &export))
	must(t, os.MkdirAll(golden, 0o755))
	name := unusedGolden(time.Now().UTC().Format("2006-01-02"))
	must(t, os.WriteFile(name+".jsonl", export.Bytes(), 0o644))
	public, err := c.PublicKeys(ctx)
	must(t, err)
	must(t, os.WriteFile(name+".keys", public, 0o644))
	must(t, s.Close())
}

// restoreGolden records a restore by two persons.
func restoreGolden(ctx context.Context, t *testing.T, s *server.Server, one, another control.Request) {
	t.Helper()
	restored, err := s.Journal.RecordInPlace(ctx, nil)
	must(t, err)
	if _, err := s.Control.DeclareFreeze(ctx, one, control.FreezeRequest{Name: "closed", Reason: "golden"}); err == nil {
		t.Fatalf("a journal that came back with %d facts takes others", restored.Head.Size)
	}
	proposed, err := s.Control.ProposeRestore(ctx, one, "golden")
	must(t, err)
	_, err = s.Control.ConfirmRestore(ctx, another, proposed.Proposal)
	must(t, err)
}

// unusedGolden is the path of a golden journal that is not there yet: the day,
// and a letter where the day has one already.
func unusedGolden(day string) string {
	name := filepath.Join(golden, day)
	for letter := 'b'; ; letter++ {
		if _, err := os.Stat(name + ".jsonl"); err != nil {
			return name
		}
		name = filepath.Join(golden, day+string(letter))
	}
}

func goldenRelease(ctx context.Context, t *testing.T, c *control.Control, as map[string]control.Request) {
	const digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	q := control.ReleaseRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Size: "minor", Draft: true}
	opened, err := c.OpenRelease(ctx, as["ci"], q)
	must(t, err)
	must(t, c.MoveRelease(ctx, as["ci"], opened.ID, "", release.Submitted, "golden"))
	must(t, c.ReviseRelease(ctx, as["ci"], opened.ID, "major", ""))
	must(t, c.AttachChange(ctx, as["ci"], opened.ID, change.Describe(change.Raw{
		From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v1.1.0",
		Commits: []change.Commit{{ID: strings.Repeat("b", 40), Parents: 1, Author: change.Identity{Name: "Ada Example", Email: "ada@signalbox.example"}, Committer: change.Identity{Name: "Ada Example", Email: "ada@signalbox.example"}, Subject: "feat: golden"}},
		Files:   []change.File{{Path: "a.go", Added: 1}},
	})))
	for _, name := range []string{"scan-second.sarif", "tests-second.xml", "coverage.xml"} {
		report, err := os.Open(filepath.Join("..", "internal", "demo", "example", name))
		must(t, err)
		_, err = c.AddEvidence(ctx, as["ci"], control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, report)
		must(t, err)
		must(t, report.Close())
	}
	statement := `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://shop.example/vex","author":"Example Team","timestamp":"2026-01-02T03:04:05Z","version":1,"statements":[` +
		`{"vulnerability":{"name":"CVE-2026-1"},"products":[{"hashes":{"sha-256":"` + digest[7:] + `"}}],"status":"fixed"}]}`
	_, err = c.AddEvidence(ctx, as["ci"], control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(statement))
	must(t, err)
	load := `{"root_group":{},"metrics":{"http_reqs":{"count":40,"rate":4},"http_req_failed":{"passes":1,"fails":39,"value":0.025},` +
		`"http_req_duration":{"avg":12.5,"med":10,"p(95)":40,"thresholds":{"p(95)<50":false}},"http_reqs{name:buy}":{"count":15},"http_req_duration{name:buy}":{"p(95)":35}}}`
	_, err = c.AddEvidence(ctx, as["ci"], control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(load))
	must(t, err)
	built := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"shop","digest":{"sha256":%q}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"t","externalParameters":{"source":"https://example.com/shop"}},`+
		`"runDetails":{"builder":{"id":"https://example.com/builder"},"metadata":{"startedOn":"2026-11-23T11:00:00Z","finishedOn":"2026-11-23T11:05:00Z"}}}}`, digest[7:])
	envelope := fmt.Sprintf(`{"payloadType":"application/vnd.in-toto+json","payload":%q,"signatures":[{"sig":"AAAA"}]}`, base64.StdEncoding.EncodeToString([]byte(built)))
	_, err = c.AddEvidence(ctx, as["ci"], control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(envelope))
	must(t, err)
	freeze, err := c.DeclareFreeze(ctx, as["dana"], control.FreezeRequest{Name: "golden", Reason: "golden"})
	must(t, err)
	_, err = c.LiftFreeze(ctx, as["dana"], freeze.Name, "golden")
	must(t, err)
	vote := func(who string) {
		must(t, c.Vote(ctx, as[who], opened.ID, control.Ballot{Environment: "production", Answer: approval.Approve}))
	}
	vote("ben")
	must(t, c.Unvote(ctx, as["ben"], opened.ID, "production"))
	vote("ben")
	vote("cleo")
	ask := func() control.Answer {
		a, err := c.Ask(ctx, as["ci"], control.GateRequest{ReleaseRequest: q, Environment: "production"})
		must(t, err)
		if a.Permit == nil {
			t.Fatalf("%s: %+v", a.Decision.Verdict, a.Decision.Reasons)
		}
		return a
	}
	must(t, c.RecallPermit(ctx, as["dana"], ask().Decision.Permit, "golden"))
	ask()
	_, err = c.RecallPermits(ctx, as["dana"], control.PermitQuery{Approver: "cleo"}, "golden")
	must(t, err)
	_, err = c.PullStop(ctx, as["dana"], "golden")
	must(t, err)
	for _, who := range []string{"dana", "root"} {
		_, err = c.ResetStop(ctx, as[who], "golden")
		must(t, err)
	}
	start := control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: ask().Permit}
	for _, failed := range []bool{false, true} {
		d, err := c.StartDeployment(ctx, as["ci"], start)
		must(t, err)
		_, err = c.EndDeployment(ctx, as["ci"], control.EndRequest{ID: d.ID, Failed: failed, Reason: "golden"})
		must(t, err)
	}
}

// disposeAll disposes of the private fields of every fact so far.
func disposeAll(ctx context.Context, t *testing.T, s *server.Server) {
	size, err := s.Journal.Size(ctx)
	must(t, err)
	var d event.Disposed
	for p := range size {
		d.Positions = append(d.Positions, p)
	}
	_, err = s.Journal.Append(ctx, journal.Command{
		Actor: "system/test", Auth: "local", Source: "test",
		Facts: []event.Draft{{Stream: s.Journal.Stream(), Kind: event.FieldsDisposed, Body: d}},
	})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
