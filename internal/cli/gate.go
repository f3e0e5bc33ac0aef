package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/report"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) gate() *cobra.Command {
	cmd := a.command("gate", "Ask whether a version may go to an environment now", func(ctx context.Context, c call) error {
		if c.text("policy") != "" {
			return c.gateOffline(ctx)
		}
		return c.gateOnline(ctx)
	})
	cmd.Long = "Ask the gate. The answer is go, wait, no-go or cannot tell, with every reason, and so is the\n" +
		"exit code: see signalbox help exit-codes.\n\n" +
		"With --policy DIR the gate is asked offline, on files alone: what comes from them is assumed,\n" +
		"nothing is recorded and no permit is signed. Evidence and change are then believed by nobody,\n" +
		"so that a gate that demands the word of a pipeline or the server fails, as it should."
	cmd.Example = "  signalbox gate --service payments --version 1.4.2 --digest sha256:… --environment production\n" +
		"  signalbox gate --policy policy/ --catalog catalog.yaml --service payments --version 1.4.2 --digest sha256:… \\\n" +
		"    --environment production --repo . --from v1.4.1 --to v1.4.2 --evidence report.sarif"
	f := cmd.Flags()
	bind(f, "service", "version", "digest", "environment")
	require(cmd, "service", "version", "digest", "environment")
	f.String("size", "", "major, minor or patch; declares nothing unless given")
	f.String("change-type", "", "standard, normal or emergency; declares nothing unless given")
	f.String("repo", "", "Git repository on this machine that holds the change")
	f.String("from", "", "version before, any name of a commit")
	f.String("to", "", "this version, any name of a commit; HEAD unless given")
	f.StringArray("evidence", nil, "report about the artifact: SARIF, JUnit XML or Cobertura (repeatable); uploaded first when online")
	f.Bool("all", false, "list the gates that passed too")
	f.Bool("server-reads", false, "the server itself reads the change, from the repository that the catalog names")
	f.Bool("wait", false, "where the answer is wait or cannot tell, wait for another one")
	f.Duration("timeout", 30*time.Minute, "how long --wait waits")
	f.String("permit-out", "", "file that receives the deployment permit of a go")
	// Flags alone: no file and no variable turns a question to the server into one to files.
	f.String("policy", "", "directory of a policy: the gate is asked offline")
	f.String("catalog", "", "catalog file: offline what is governed; with --repo which paths are which component")
	f.StringArray("keys", nil, "with --repo: "+keysUsage)
	f.String("approvals", "", "offline: YAML file of approvals, a list of person, answer, at, comment")
	f.String("freezes", "", "offline: YAML file of freezes, a list of name, rule, scope, from, until")
	f.String("at", "", "offline: the instant of the decision, RFC 3339; now unless given")
	f.String("as", "pipeline", "offline: whose word the change and the reports are taken for: pipeline, person or nobody")
	return cmd
}

// gateRequest is the question as the flags ask it.
func (c call) gateRequest() wire.GateRequest {
	return wire.GateRequest{
		Service: c.setting("service"), Version: c.setting("version"), Digest: c.setting("digest"), Environment: c.setting("environment"),
		Size: c.text("size"), ChangeType: c.text("change-type"),
	}
}

func (c call) gateOnline(ctx context.Context) error {
	for _, name := range []string{"approvals", "freezes", "at", "as"} {
		if c.flags.Changed(name) {
			return fault.Invalidf("gate.offline-only", "--%s is for the gate offline", name).Because("the server has its own").
				Remedy("leave it out, or give --policy DIR").On("--" + name)
		}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	q := c.gateRequest()
	if err := c.prepare(ctx, client, q); err != nil {
		return err
	}
	var answer wire.Answer
	if c.is("wait") {
		answer, err = c.await(ctx, client, q)
	} else {
		answer, err = client.Ask(ctx, q)
	}
	if err != nil {
		return err
	}
	return c.answered(ctx, client, answer)
}

// prepare sends the change and the evidence that the decision is to rest on.
func (c call) prepare(ctx context.Context, client *wire.Client, q wire.GateRequest) error {
	repo, reads := c.text("repo"), c.is("server-reads")
	switch {
	case repo != "" && reads:
		return fault.Invalidf("gate.two-readers", "--repo and --server-reads exclude each other").Remedy("give one of them")
	case repo == "" && !reads && (c.text("from") != "" || c.text("to") != ""):
		return fault.Invalidf("gate.no-reader", "--from and --to need somebody who reads").Remedy("give --repo PATH, or --server-reads")
	}
	if repo != "" || reads {
		if err := c.sendChange(ctx, client, q); err != nil {
			return err
		}
	}
	target := wire.EvidenceTarget{Service: q.Service, Version: q.Version, Digest: q.Digest}
	for _, path := range c.texts("evidence") {
		if _, err := c.upload(ctx, client, target, path); err != nil {
			return err
		}
	}
	return nil
}

func (c call) sendChange(ctx context.Context, client *wire.Client, q wire.GateRequest) error {
	r, err := client.OpenRelease(ctx, wire.ReleaseRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Size: q.Size, ChangeType: q.ChangeType})
	if err != nil {
		return err
	}
	if c.is("server-reads") {
		_, err := client.ReadChange(ctx, r.ID, wire.ReadChangeRequest{From: c.text("from"), To: cmp.Or(c.text("to"), "HEAD")})
		return err
	}
	sent, err := c.surveyed(ctx)
	if err != nil {
		return err
	}
	_, err = client.AttachChange(ctx, r.ID, sent)
	return err
}

// upload sends one report.
func (c call) upload(ctx context.Context, client *wire.Client, t wire.EvidenceTarget, path string) (wire.Claim, error) {
	b, err := readFile(path, report.MaxSize)
	if err != nil {
		return wire.Claim{}, err
	}
	return client.AddEvidence(ctx, t, bytes.NewReader(b))
}

// answered prints the answer, keeps its permit, tells the pipeline, and ends
// with the exit code of the verdict.
func (c call) answered(ctx context.Context, client *wire.Client, answer wire.Answer) error {
	if answer.Decision.ID == "" {
		return fault.New(fault.Unavailable, "gate.no-decision", "the server's answer holds no decision").
			Remedy("check that " + client.Server() + " is a signalbox server: signalbox doctor")
	}
	o, err := c.printOptions()
	if err != nil {
		return err
	}
	o.People, o.Standing = answer.People, answer.Standing
	o.URL = client.Server() + "/decisions/" + answer.Decision.ID
	c.receive(ctx, client, answer, &o)
	err = c.print(answer, func(w io.Writer) error { return terminal.PrintDecision(w, answer.Decision, o) })
	if err != nil {
		return err
	}
	path, err := c.keepPermit(answer.Permit)
	if err != nil {
		return err
	}
	return c.concluded(answer.Decision, o, path)
}

// receive gets what holds the server to the decision: its receipt, which a
// decision that stands already did not bring along, and for a job's summary the
// newest checkpoint too. A decision without them is the same decision.
func (c call) receive(ctx context.Context, client *wire.Client, answer wire.Answer, o *terminal.Options) {
	if !c.onActions() && (!answer.Standing || c.receipts == nil) {
		return
	}
	recorded, err := client.Decision(ctx, answer.Decision.ID)
	if err != nil {
		c.note("the decision's receipt could not be fetched: %s", err)
		return
	}
	o.Receipt = &recorded.Receipt
	if o.Note, err = client.Receipt(ctx, recorded.Receipt.Position); err != nil {
		c.note("the decision's receipt could not be fetched: %s", err)
	} else if c.receipts != nil {
		c.receipts.Keep(o.Note)
	}
	if c.onActions() {
		o.Checkpoint, _ = client.Checkpoint(ctx) // of a young journal there is none yet
	}
}

// concluded tells the pipeline and is the exit code that the decision asks for.
func (c call) concluded(d wire.Decision, o terminal.Options, permit string) error {
	if c.onActions() {
		if err := c.reportToActions(d, o, permit); err != nil {
			return err
		}
	}
	return exitOf(terminal.Verdict(d.Verdict), !d.Enforced && d.Observe != nil)
}

// keepPermit writes the permit where --permit-out says, for its owner alone.
func (c call) keepPermit(envelope json.RawMessage) (string, error) {
	path := c.text("permit-out")
	if path == "" {
		return "", nil
	}
	if len(envelope) == 0 {
		c.note("no permit was issued, so %s is not written", path)
		return "", nil
	}
	err := replace(path, func(w io.Writer) error {
		_, err := w.Write(append(envelope, '\n'))
		return err
	})
	if err != nil {
		return "", fault.Invalidf("file.unwritable", "the permit cannot be written to %s", path).Because(plainReason(err)).On("--permit-out").Cause(err)
	}
	c.note("permit written to %s", path)
	return path, nil
}

// printOptions are how this terminal shows decisions.
func (c call) printOptions() (terminal.Options, error) {
	zone, err := c.zone()
	return terminal.Options{All: c.is("all"), Color: c.colour(c.Out), Zone: zone, Now: time.Now()}, err
}
