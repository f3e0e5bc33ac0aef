package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/settings"
)

func TestExitCodesOfFaults(t *testing.T) {
	for kind, want := range map[fault.Kind]int{
		fault.Internal: 1, fault.Invalid: 2, fault.NotFound: 2, fault.TooLarge: 2, fault.Unauthorised: 4, fault.Forbidden: 4,
		fault.Busy: 6, fault.Unavailable: 6, fault.Unverified: 7, fault.Conflict: 8, fault.Interrupted: 130,
	} {
		var b strings.Builder
		a := app{Streams: Streams{Err: &b}}
		if got := a.end(fault.New(kind, "test.code", "it happened").Because("of this").Remedy("do that")); got != want {
			t.Errorf("%s: exit %d, want %d", kind, got, want)
		}
		if b.String() != "error: it happened\n  why:   of this\n  fix:   do that\n  code:  test.code\n" {
			t.Errorf("%s prints %q", kind, b.String())
		}
	}
}

// What a fault has as its cause is for the log, be it one error or several;
// errors that are joined where nobody has said more of them are all told.
func TestCausesAreNotTold(t *testing.T) {
	cause := errors.Join(errors.New("dial ::1"), errors.New("dial 127.0.0.1"))
	f := fault.New(fault.Unavailable, "test.code", "it is away").Cause(fmt.Errorf("connect: %w", cause))
	const told = "error: it is away\n  code:  test.code\n"
	for want, err := range map[string]error{
		told: fmt.Errorf("open: %w", f),
		told + "error: dial ::1\nerror: dial 127.0.0.1\n": errors.Join(f, cause),
	} {
		var b strings.Builder
		a := app{Streams: Streams{Err: &b}}
		if a.printError(err); b.String() != want {
			t.Errorf("prints %q, want %q", b.String(), want)
		}
	}
}

func TestExitCodesOfVerdicts(t *testing.T) {
	for _, c := range []struct {
		verdict  policy.Verdict
		observed bool
		want     int
	}{
		{policy.Go, false, 0},
		{policy.NoGo, false, 3},
		{policy.Wait, false, 5},
		{policy.CannotTell, false, 9},
		{"", false, 9},
		{"allowed", false, 9},
		{policy.Go, true, 0},
		{policy.NoGo, true, 0},
		{policy.Wait, true, 0},
		{policy.CannotTell, true, 0},
	} {
		a := app{}
		if got := a.end(exitOf(c.verdict, c.observed)); got != c.want {
			t.Errorf("%s, observed %v: exit %d, want %d", c.verdict, c.observed, got, c.want)
		}
	}
}

func TestHelpExitCodes(t *testing.T) {
	o := home(t).run(t, "help", "exit-codes")
	o.expect(t, 0, "no-go", "cannot tell", "130  interrupted")
	for _, e := range exitCodes {
		if !strings.Contains(o.out, e.meaning) {
			t.Errorf("it does not tell %d", e.code)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	w := home(t)
	for _, c := range []struct {
		args, says string
	}{
		{"gat", "did you mean signalbox gate?"},
		{"nothing-like-it", "it has admin, approve"},
		{"policy lnt", "did you mean signalbox policy lint?"},
		{"gate --servce x", "did you mean --service?"},
		{"gate --zzzzzzzzzz x", "see signalbox gate --help"},
		{"gate", "signalbox gate needs --digest, --environment, --service, --version"},
		{"policy lint", "takes 1 argument, not 0"},
		{"policy lint a b", "takes 1 argument, not 2"},
		{"evidence add --service s --version 1 --digest d", "at least 1 argument"},
		{"version extra", "takes no arguments, not 1"},
		{"version -o xml", "\"xml\" is not a format"},
		{"me --zone Mars/Olympus --token-file nowhere", "nowhere"},
		{"reject r --environment e", "needs --comment"},
		{"freeze declare x", "needs --reason"},
		{"me --token sbx_x", "a token does not go into --token"},
		{"me --server ftp://x", "cannot be used"},
		{"me --server http://signalbox.example.com --token-file token", "clear"},
		{"release list --limit 0 --token-file token", "--limit is 1 to 1000"},
		{"freeze declare x --reason r --from tomorrow --token-file token", "not an instant"},
		{"token issue --life 90m --out f --token-file token", "whole hours"},
		{"role grant approver --reason r --token-file token", "--person HANDLE or --machine NAME"},
		{"config explain servr", "did you mean server?"},
	} {
		write(t, "token", "sbx_x")
		o := w.run(t, strings.Fields(c.args)...)
		o.expect(t, 2, c.says)
		if o.out != "" {
			t.Errorf("%s: standard output has %q", c.args, o.out)
		}
	}
}

// Whatever asks the gate ends with something else than 0 where no decision was read.
func TestNoDecisionIsNeverSuccess(t *testing.T) {
	for name, answer := range map[string]any{
		"nothing": "", "empty object": "{}", "not JSON": "<html>go</html>", "other shape": `{"decision":{"verdict":1}}`, "cut": `{"decision":{"verdict":"go"`,
		"no verdict": `{"decision":{"reasons":[]}}`, "strange verdict": `{"decision":{"verdict":"GO","enforced":true}}`,
		"null": "null", "forbidden": refused{403, "forbidden", "x"}, "conflict": refused{409, "conflict", "x"}, "internal": refused{500, "internal", "x"},
	} {
		f := serve(t, map[string]any{"POST /gate": answer})
		if o := f.at(t).run(t, question()...); o.code == 0 {
			t.Errorf("%s: exit 0\n%s", name, o.out)
		}
	}
	f := serve(t, map[string]any{"POST /gate": decided("go")})
	f.at(t).run(t, question()...).expect(t, 0) // so the above is not for want of a server
}

func TestServerRefusals(t *testing.T) {
	for want, r := range map[int]refused{
		1: {500, "internal", "x"}, 2: {422, "invalid", "x"}, 4: {401, "unauthorised", "x"}, 7: {422, "unverified", "x"}, 8: {409, "conflict", "x"},
	} {
		f := serve(t, map[string]any{"GET /me": r})
		f.at(t).run(t, "me").expect(t, want, "what happened", "why it did", "how to fix it")
	}
	w := home(t)
	w.run(t, "me", "--server", "http://127.0.0.1:1").expect(t, 6, "cannot be reached")
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := serve(t, map[string]any{"GET /me": "{}"})
	f.at(t).runIn(ctx, "me").expect(t, 130, "interrupted")
}

func TestTokenOnlyByFile(t *testing.T) {
	f := serve(t, map[string]any{"GET /me": `{"subject":"person/1"}`})
	w := f.at(t)
	w.run(t, "me").expect(t, 0, "person/1")
	if got := f.asked[0].token; got != "sbx_secret_of_the_test" {
		t.Errorf("the server was given %q", got)
	}
	w.in = "sbx_from_standard_input\n"
	w.run(t, "me", "--token-file", "-").expect(t, 0)
	if got := f.asked[1].token; got != "sbx_from_standard_input" {
		t.Errorf("the server was given %q", got)
	}
	w.env["SIGNALBOX_TOKEN"] = "sbx_open"
	o := w.run(t, "me")
	o.expect(t, 2, "does not go into the variable SIGNALBOX_TOKEN")
	if strings.Contains(o.err, "sbx_open") || len(f.asked) != 2 {
		t.Errorf("the token was shown or used: %s", o.err)
	}
	delete(w.env, "SIGNALBOX_TOKEN")
	for _, text := range []string{"", "two\nlines", strings.Repeat("x", 4<<10+1)} {
		write(t, "bad", text)
		if o := w.run(t, "me", "--token-file", "bad"); o.code != 2 {
			t.Errorf("a token file with %d bytes: exit %d", len(text), o.code)
		}
	}
}

func TestVersionAndFormats(t *testing.T) {
	w := home(t)
	w.run(t, "version").expect(t, 0, "signalbox 1.0.0-test (go")
	var v build
	if o := w.run(t, "version", "-o", "json"); json.Unmarshal([]byte(o.out), &v) != nil || v.Version != "1.0.0-test" {
		t.Errorf("JSON: %s", o.out)
	}
	w.run(t, "version", "--output", "yaml").expect(t, 0, "version: \"1.0.0-test\"\n")
	w.env["SIGNALBOX_OUTPUT"] = "json"
	w.run(t, "version").expect(t, 0, `"version": "1.0.0-test"`)
}

func TestWithoutServerInTheBuild(t *testing.T) {
	w := home(t)
	for _, args := range [][]string{
		{"serve"},
		{"demo"},
		{"admin", "create", "--handle", "ada", "--name", "Ada Example", "--email", "ada@example.com", "--token-out", "-"},
		{"journal", "export", "--local", "--out", "-"},
		{"doctor", "--local", "--server", "http://127.0.0.1:1"},
	} {
		w.run(t, args...).expect(t, 2, "this build has no server")
	}
}

func TestLocalIsGivenItsOptions(t *testing.T) {
	w := home(t)
	write(t, "url", "postgres://ada:secret@db/x\n")
	var served ServeOptions
	var demo DemoOptions
	var admin AdminOptions
	var export ExportOptions
	w.local = Local{
		Serve:       func(_ context.Context, o ServeOptions, _ Streams) error { served = o; return nil },
		Demo:        func(_ context.Context, o DemoOptions, _ Streams) error { demo = o; return nil },
		AdminCreate: func(_ context.Context, o AdminOptions, _ Streams) error { admin = o; return nil },
		Export:      func(_ context.Context, o ExportOptions, _ Streams) error { export = o; return nil },
		Doctor: func(_ context.Context, o StoreOptions) []doctor.Finding {
			return []doctor.Finding{{Check: "data", What: o.Data + " is missing", Why: "w", Fix: "f"}}
		},
	}
	w.env["SIGNALBOX_DATA"] = "/srv/data"
	w.run(t, "serve", "--database-file", "url", "--listen", ":1", "--behind-proxy", "--repositories", "/a, /b", "--admin", "ada", "--admin-token-file", "t").expect(t, 0)
	if served.Database != "postgres://ada:secret@db/x" || served.Data != "/srv/data" || served.Listen != ":1" || !served.BehindProxy ||
		len(served.Repositories) != 2 || served.AdminHandle != "ada" || served.AdminToken != "t" {
		t.Errorf("serve: %+v", served)
	}
	w.run(t, "demo", "--once", "--repo", ".", "--from", "a", "--evidence", "x", "--evidence", "y").expect(t, 0)
	if !demo.Once || demo.Repository != "." || demo.From != "a" || len(demo.Evidence) != 2 || demo.Zone == nil || demo.Color {
		t.Errorf("demo: %+v", demo)
	}
	w.run(t, "admin", "create", "--handle", "ada", "--name", "Ada Example", "--email", "ada@example.com", "--token-out", "f").expect(t, 0)
	if admin.Handle != "ada" || admin.TokenFile != "f" {
		t.Errorf("admin: %+v", admin)
	}
	w.run(t, "journal", "export", "--local", "--out", "f").expect(t, 0)
	if export.File != "f" || export.Data != "/srv/data" {
		t.Errorf("export: %+v", export)
	}
	w.run(t, "doctor", "--local").expect(t, 2, "✗ wrong: data: /srv/data is missing", "why: w", "fix: f")
	w.env["SIGNALBOX_BEHIND_PROXY"] = "perhaps"
	w.run(t, "serve").expect(t, 2, "behind-proxy", "SIGNALBOX_BEHIND_PROXY")
}

// Every command says in its help what it does, and completes in every shell.
func TestEveryCommandHelps(t *testing.T) {
	w := home(t)
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		path := strings.Fields(c.CommandPath())[1:]
		if c.Runnable() {
			w.run(t, append(path, "--help")...).expect(t, 0, "Usage:", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		w.run(t, "completion", shell).expect(t, 0, "signalbox")
	}
}

func TestCompletesIdsByTheAPI(t *testing.T) {
	f := serve(t, map[string]any{"GET /releases": `{"items":[{"id":"r1","service":"pay\u001b[2Jments","version":"1"}]}`})
	w := f.at(t)
	o := w.run(t, "__complete", "approve", "")
	o.expect(t, 0, "r1\tpay\ufffd[2Jments 1")
	w.env["SIGNALBOX_SERVER"] = "http://127.0.0.1:1"
	w.run(t, "__complete", "config", "explain", "").expect(t, 0, "token_file")
}

func TestSettingsOutrankEachOther(t *testing.T) {
	w := home(t)
	dir := w.env["HOME"]
	explain := func(want, origin string, args ...string) {
		t.Helper()
		w.run(t, append([]string{"config", "explain", "zone"}, args...)...).expect(t, 0, "value        "+want, origin)
	}
	delete(w.env, "SIGNALBOX_ZONE")
	explain("Local", "default")
	write(t, filepath.Join(dir, ".config", "signalbox", "config.yaml"), "zone: Europe/Rome\n")
	explain("Europe/Rome", filepath.Join(".config", "signalbox", "config.yaml"))
	write(t, filepath.Join(dir, settings.ProjectFile), "zone: Europe/Paris\nservice: payments\n")
	explain("Europe/Paris", settings.ProjectFile)
	w.env["SIGNALBOX_ZONE"] = "Europe/Berlin"
	explain("Europe/Berlin", "environment variable SIGNALBOX_ZONE")
	explain("UTC", "flag --zone", "--zone", "UTC")
	t.Chdir(filepath.Dir(write(t, filepath.Join(dir, "deep", "below", "x"), "")))
	w.run(t, "config", "explain", "service").expect(t, 0, "payments", settings.ProjectFile)
	write(t, filepath.Join(dir, "deep", ".git", "HEAD"), "")
	w.run(t, "config", "explain", "service").expect(t, 0, "(not set)", "default")
}

func TestSettingsAreReadStrictly(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"servce: x\n", "did you mean service?"},
		{"server: http://evil.example\n", "a project's file may not set server"},
		{"token_file: /tmp/x\n", "a project's file may not set token_file"},
		{"service: [a, b]\n", "takes one value"},
		{"service: {a: b}\n", "takes one value"},
		{"service: a\nservice: b\n", ""},
		{"service: a\n---\nservice: b\n", "one document"},
		{"[a]\n", ""},
		{"service: &x a\n", "anchors"},
	} {
		w := home(t)
		write(t, settings.ProjectFile, c.text)
		w.run(t, "config", "list").expect(t, 2, c.says, settings.ProjectFile)
		w.run(t, "version").expect(t, 2, c.says)
	}
	w := home(t)
	write(t, settings.ProjectFile, "# nothing\n")
	w.run(t, "config", "list").expect(t, 0, "default")
}

func TestSecretsAreRedacted(t *testing.T) {
	w := home(t)
	w.env["SIGNALBOX_DATABASE"] = "postgres://ada:hunter2@db/x"
	for _, args := range [][]string{{"config", "explain", "database"}, {"config", "list"}, {"config", "list", "-o", "json"}} {
		o := w.run(t, args...)
		o.expect(t, 0, "(redacted)")
		if strings.Contains(o.out+o.err, "hunter2") {
			t.Errorf("%v shows the secret: %s", args, o.out)
		}
	}
}
