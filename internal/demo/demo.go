// Package demo walks one real change from no-go to go in an example
// organisation, over the same API as everybody else, and then serves it.
//
// It knows the example and the story. It leaves every rule to the server that
// it starts. Invariant: what it prints is what the server answered.
package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/server"
	"signalbox.dev/signalbox/internal/wire"
)

//go:embed example
var example embed.FS

// tokenLife is how long the demo's tokens live, and the session that its link opens.
const tokenLife = 8 * time.Hour

// demo is one run: a server, and a client for each who acts.
type demo struct {
	cli.DemoOptions
	out    io.Writer
	server *server.Server
	url    string
	as     map[string]*wire.Client
	step   int
}

// Run sets the example organisation up, walks a release to production, and
// serves until interrupted, or ends after the walk.
func Run(ctx context.Context, o cli.DemoOptions, streams cli.Streams) error {
	d := &demo{DemoOptions: o, out: streams.Out, as: map[string]*wire.Client{}}
	if d.Data == "" {
		d.Data = "signalbox-data"
	}
	d.say("Signalbox demo. Everything is kept in %s; delete it to start over.", d.Data)
	src, err := d.source(ctx)
	if err != nil {
		return err
	}
	return d.serve(ctx, src)
}

func (d *demo) serve(ctx context.Context, src source) error {
	if d.Once {
		d.Listen = "127.0.0.1:0"
	}
	s, err := server.Open(ctx, server.Options{
		Data: d.Data, Database: d.Database, Keys: d.Keys, JournalKey: d.JournalKey, PermitKey: d.PermitKey, Tokens: d.Tokens, Listen: d.Listen,
		Repositories: []string{src.repository}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	d.server = s
	l, err := s.Listen(ctx)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	d.url = l.URL
	last, err := d.walk(ctx, src)
	if err != nil || d.Once {
		return errors.Join(err, l.Shutdown(ctx), s.Close())
	}
	if err := d.invite(ctx, last); err != nil {
		return errors.Join(err, l.Shutdown(ctx), s.Close())
	}
	return errors.Join(l.Wait(ctx), s.Close())
}

// invite prints how to look at what was decided.
func (d *demo) invite(ctx context.Context, decision string) error {
	offer, err := d.as["dana"].OfferSignIn(ctx)
	if err != nil {
		return err
	}
	next := url.QueryEscape("/decisions/" + decision)
	d.say("\nServing %s until you press Ctrl-C.", d.url)
	d.say("  Look at the decision, signed in as Dana Example (the link works once):")
	d.say("    %s/signin?code=%s&next=%s", d.url, url.QueryEscape(offer.Secret), next)
	d.say("  Ask the API, as the pipeline:")
	d.say("    signalbox gate --server %s --token-file %s --service shop --version V --digest sha256:… --environment production", d.url, d.tokenFile("shop-pipeline"))
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// begin prints the headline of the next step.
func (d *demo) begin(format string, args ...any) {
	d.step++
	d.say("\n── %d. "+format, append([]any{d.step}, args...)...)
}

func (d *demo) tokenFile(who string) string { return filepath.Join(d.Data, "demo-tokens", who) }

// sign gives somebody a token for this run, kept in a file that only its owner can read.
func (d *demo) sign(ctx context.Context, q control.TokenRequest, who string) error {
	q.Label, q.Life = "demo", tokenLife
	issued, err := d.server.Control.IssueToken(ctx, control.Request{Actor: access.System("demo")}, q)
	if err != nil {
		return fmt.Errorf("token of %s: %w", who, err)
	}
	if err := os.MkdirAll(filepath.Dir(d.tokenFile(who)), 0o700); err != nil {
		return fmt.Errorf("token of %s: %w", who, err)
	}
	if err := os.WriteFile(d.tokenFile(who), []byte(issued.Secret+"\n"), 0o600); err != nil {
		return fmt.Errorf("token of %s: %w", who, err)
	}
	d.as[who], err = wire.New(wire.Options{Server: d.url, Token: issued.Secret, Agent: "signalbox demo"})
	return err
}
