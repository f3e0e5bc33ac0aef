package test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/server"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/upkeep"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

var writeFixture = flag.Bool("write-fixture", false, "write a fixture of this schema below test/upgrade")

var engines = []string{"sqlite", "postgres"}

// fixtureReleases is how many releases a fixture holds, of some 24 facts each.
const fixtureReleases = 12

// This program takes over what every earlier schema's program has written: it
// brings it up to date, and all that was recorded stands, verifies, is answered
// as it was, and is gone on with.
func TestUpgrade(t *testing.T) {
	for _, f := range storetest.Fixtures(t) {
		for _, engine := range engines {
			t.Run(filepath.Base(f.Dir)+"/"+engine, func(t *testing.T) {
				data, database := f.Lay(t, engine)
				public, err := os.ReadFile(filepath.Join(f.Dir, engine+".keys"))
				must(t, err)
				keys, err := verify.ParseKeys(public)
				must(t, err)
				s, err := server.Open(t.Context(), server.Options{Data: data, Database: database, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
				must(t, err)
				defer func() { must(t, s.Close()) }()
				held := f.Holds[engine]
				copied(t, f, data, database)
				stands(t, s, keys, held.Facts)
				replayed(t, s, held.Verdicts, f.Unlike)
				if len(f.Unlike) > 0 {
					taken(t, s)
				}
				goesOn(t, s)
				size, err := s.Journal.Size(t.Context())
				must(t, err)
				if size < held.Facts+10 {
					t.Errorf("%d facts, and there were %d before another release", size, held.Facts)
				}
				stands(t, s, keys, size)
			})
		}
	}
}

// copied fails unless there is a copy of an embedded database whose schema was
// older, and it holds what was in it, and no other copy.
func copied(t *testing.T, f storetest.Fixture, data, database string) {
	t.Helper()
	copies, err := filepath.Glob(filepath.Join(data, store.SQLiteFile+".schema-*"))
	must(t, err)
	_, newest := storetest.Migrations(t, 0)
	if database != "" || f.Schema == newest {
		if len(copies) > 0 {
			t.Errorf("copies that nobody needs: %v", copies)
		}
		return
	}
	if len(copies) != 1 {
		t.Fatalf("copies: %v", copies)
	}
	db, err := sql.Open("sqlite", "file:"+copies[0]+"?mode=ro")
	must(t, err)
	defer func() { must(t, db.Close()) }()
	var version int64
	var facts uint64
	must(t, db.QueryRow("SELECT max(version_id) FROM goose_db_version").Scan(&version))
	must(t, db.QueryRow("SELECT count(*) FROM facts").Scan(&facts))
	if version != f.Schema || facts != f.Holds["sqlite"].Facts {
		t.Errorf("the copy has schema %d and %d facts, before it was %d and %d", version, facts, f.Schema, f.Holds["sqlite"].Facts)
	}
}

// stands fails unless the journal holds so many facts, verifies under public
// keys that were written down apart, and states and views are what they make.
func stands(t *testing.T, s *server.Server, keys verify.Keys, facts uint64) {
	t.Helper()
	var export bytes.Buffer
	must(t, s.Journal.Export(t.Context(), &export))
	report, err := verify.Export(t.Context(), &export, keys, nil)
	if err != nil || report.Facts != facts || report.Head.Size != facts || report.Checkpoints == 0 {
		t.Errorf("%d facts and %d checkpoints verify as far as %d, want %d: %v", report.Facts, report.Checkpoints, report.Head.Size, facts, err)
	}
	none := func(string, uint64, uint64) {}
	must(t, s.Journal.CheckRebuild(t.Context(), none))
	rebuilt, err := upkeep.CheckRebuilt(t.Context(), s.Journal, control.Shapes(), none)
	if err != nil || len(rebuilt.Differences) > 0 || rebuilt.Facts != facts || rebuilt.Rows == 0 {
		t.Errorf("%d facts, %d rows, %v: %v", rebuilt.Facts, rebuilt.Rows, rebuilt.Differences, err)
	}
}

// replayed fails unless every decision, decided again under the policy that was
// in force, is the same, or another because of nothing but some gates, and no go.
func replayed(t *testing.T, s *server.Server, verdicts map[string]int, unlike []string) {
	t.Helper()
	program, _, err := s.Control.ActivePolicy(t.Context())
	must(t, err)
	total := 0
	for _, n := range verdicts {
		total += n
	}
	r, flips := again(t, s, program.Files())
	if r.Total != total || r.Same+len(flips) != total || len(unlike) == 0 && len(flips) > 0 {
		t.Errorf("%d of %d decisions are the same, there were %d: %+v", r.Same, r.Total, total, r.Counts)
	}
	for _, f := range flips {
		if f.Now == policy.Go || len(f.Gates) == 0 || slices.ContainsFunc(f.Gates, func(g release.Turned) bool { return !slices.Contains(unlike, g.Gate) }) {
			t.Errorf("a decision was %s and is %s because of %v", f.Was, f.Now, f.Gates)
		}
	}
	// Under a policy that takes critical findings, each no-go for one flips: it is looked at.
	lax := program.Files()
	for i, f := range lax {
		lax[i].Data = bytes.ReplaceAll(f.Data, []byte("findings.critical == 0"), []byte("findings.critical <= 99"))
	}
	_, flips = again(t, s, lax)
	if !slices.ContainsFunc(flips, func(f control.Flipped) bool { return f.Was == policy.NoGo }) {
		t.Error("under a laxer policy no no-go is another")
	}
}

// again replays all decisions under a policy.
func again(t *testing.T, s *server.Server, files []policy.File) (r control.Replayed, flips []control.Flipped) {
	t.Helper()
	r, err := s.Control.Replay(t.Context(), control.Request{Actor: access.System("test")}, control.ReplayRequest{
		Files: files, Progress: func(_, _ uint64) error { return nil },
		Flip: func(f control.Flipped) error { flips = append(flips, f); return nil },
	})
	must(t, err)
	return r, flips
}

// taken does what it takes to go on with an installation of before the first
// release: people are described again, and a policy of today put in force.
func taken(t *testing.T, s *server.Server) {
	t.Helper()
	own := control.Request{Actor: access.System("test")}
	_, err := s.Control.ImportCatalog(t.Context(), own, "catalog.yaml", []byte(fixtureCatalog))
	must(t, err)
	_, err = s.Control.ActivatePolicy(t.Context(), own, control.PolicyRequest{Files: policy.Starter(), Reason: "upgrade"})
	must(t, err)
}

// goesOn takes another release into production, and asks the gate over HTTP.
func goesOn(t *testing.T, s *server.Server) {
	t.Helper()
	next := &story{Control: s.Control, t: t, ctx: t.Context(), who: map[string]access.Actor{"root": access.System("test")}, verdicts: map[string]int{}}
	for _, person := range []string{"ann", "ben", "cid"} {
		next.sign(person, control.TokenRequest{Handle: person})
	}
	next.sign("ci", control.TokenRequest{Machine: "ci"})
	next.release(fixtureReleases)
	l, err := s.Listen(t.Context())
	must(t, err)
	defer func() { must(t, l.Shutdown(t.Context())) }()
	token, err := s.Control.IssueToken(t.Context(), next.as("root"), control.TokenRequest{Machine: "ci", Life: tokenLife})
	must(t, err)
	client, err := wire.New(wire.Options{Server: l.URL, Token: token.Secret, Agent: "test"})
	must(t, err)
	q := next.gate(fixtureReleases + 1)
	a, err := client.Ask(t.Context(), wire.GateRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment, Size: q.Size})
	if err != nil || a.Decision.Verdict != string(policy.CannotTell) {
		t.Errorf("a version of which nothing is known: %s, %v", a.Decision.Verdict, err)
	}
}

// No migration that a fixture knows has changed since, and the newest has a
// fixture: whoever adds a migration writes one.
func TestFixtureOfEverySchema(t *testing.T) {
	if *writeFixture {
		writeUpgrade(t)
	}
	all := storetest.Fixtures(t)
	for _, f := range all {
		if digest, _ := storetest.Migrations(t, f.Schema); digest != f.Migrations {
			t.Errorf("%s: the migrations up to %d are others than those that made it: add a migration, never change one", filepath.Base(f.Dir), f.Schema)
		}
	}
	if _, newest := storetest.Migrations(t, 0); all[len(all)-1].Schema != newest {
		t.Errorf("schema %d has no fixture, the newest is of %d: go test ./test -run TestFixtureOfEverySchema -write-fixture", newest, all[len(all)-1].Schema)
	}
}

// writeUpgrade writes what this program leaves behind, on both engines.
func writeUpgrade(t *testing.T) {
	t.Helper()
	program, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	must(t, err)
	f := storetest.Fixture{Program: string(bytes.TrimSpace(program)), Holds: map[string]storetest.Held{}}
	_, f.Schema = storetest.Migrations(t, 0)
	f.Migrations, _ = storetest.Migrations(t, f.Schema)
	f.Dir = filepath.Join("upgrade", fmt.Sprintf("%02d-%s", f.Schema, f.Program))
	must(t, os.MkdirAll(f.Dir, 0o755))
	for _, engine := range engines {
		o := server.Options{Data: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
		if engine == "postgres" {
			o.Database = storetest.PostgresURL(t)
		}
		f.Holds[engine] = told(t, o, filepath.Join(f.Dir, engine+".keys"))
		must(t, storetest.Pack(o.Data, filepath.Join(f.Dir, engine+".tar.gz")))
	}
	b, err := json.MarshalIndent(f, "", "  ")
	must(t, errors.Join(err, os.WriteFile(filepath.Join(f.Dir, storetest.FixtureName), append(b, '\n'), 0o644)))
}

// told tells the story to a new installation and closes it.
func told(t *testing.T, o server.Options, keys string) storetest.Held {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	s, err := server.Open(ctx, o)
	must(t, err)
	tale := &story{Control: s.Control, t: t, ctx: ctx, who: map[string]access.Actor{}, verdicts: map[string]int{}}
	tale.tell(fixtureReleases)
	must(t, s.Journal.Export(ctx, new(bytes.Buffer))) // signs a checkpoint
	size, err := s.Journal.Size(ctx)
	must(t, errors.Join(err, os.WriteFile(keys, s.Control.Keys.PublicText(), 0o644), s.Close()))
	if o.Database != "" {
		out, err := exec.Command("pg_dump", "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=100",
			"--file="+filepath.Join(o.Data, storetest.DumpName), o.Database).CombinedOutput()
		if err != nil {
			t.Fatalf("pg_dump: %v\n%s", err, out)
		}
	}
	return storetest.Held{Facts: size, Verdicts: tale.verdicts}
}
