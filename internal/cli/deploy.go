package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) deploy() *cobra.Command {
	started := a.online("started", "Report that a deployment begins, and redeem its permit", func(ctx context.Context, c call, client *wire.Client) error {
		q := wire.StartRequest{
			Service: c.setting("service"), Version: c.setting("version"), Digest: c.setting("digest"), Environment: c.setting("environment"), Run: c.text("run"),
		}
		if path := c.text("permit"); path != "" {
			b, err := readFile(path, maxPermit)
			if err != nil {
				return err
			}
			if !json.Valid(b) {
				return fault.New(fault.Unverified, "permit.malformed", "the file "+path+" holds no permit").On("--permit").Remedy("give the file that signalbox gate --permit-out wrote")
			}
			q.Permit = b
		}
		d, err := client.StartDeployment(ctx, q)
		return c.deployed(d, err)
	})
	started.Flags().String("permit", "", "file of the permit; without one the deployment is unauthorised")
	started.Flags().String("run", "", "the pipeline's own reference, such as a URL")

	finished := a.online("finished", "Report that a deployment arrived", func(ctx context.Context, c call, client *wire.Client) error {
		return c.ended(ctx, client, wire.EndRequest{})
	})
	failed := a.online("failed", "Report that a deployment failed", func(ctx context.Context, c call, client *wire.Client) error {
		return c.ended(ctx, client, wire.EndRequest{Failed: true, Reached: c.text("reached"), Reason: c.text("reason")})
	})
	failed.Flags().String("reached", "", "how far it got: none, some or all; some unless given")
	failed.Flags().String("reason", "", "what happened")
	for _, cmd := range []*cobra.Command{started, finished, failed} {
		bind(cmd.Flags(), "service", "version", "digest", "environment")
		require(cmd, "service", "version", "environment")
	}
	require(started, "digest")

	list := paged(a.online("list", "List deployments, newest first", func(ctx context.Context, c call, client *wire.Client) error {
		items, err := collect(c, func(p wire.Paging) (wire.Page[wire.Deployment], error) {
			return client.Deployments(ctx, wire.DeploymentFilter{
				Environment: c.setting("environment"), Service: c.setting("service"), Unauthorised: c.is("unauthorised"), Paging: p,
			})
		})
		if err != nil {
			return err
		}
		return showList(c, items, []string{"STARTED", "SERVICE", "VERSION", "ENVIRONMENT", "STATUS", "AUTHORISED"}, func(d wire.Deployment) []string {
			return []string{c.stamp(d.Started), d.Service, d.Version, d.Environment, d.Status, authorised(d)}
		})
	}))
	bind(list.Flags(), "service", "environment")
	list.Flags().Bool("unauthorised", false, "only those without a permit that holds")
	return a.group("deploy", "Report deployments", started, finished, failed, list)
}

func authorised(d wire.Deployment) string {
	if d.Authorised {
		return "yes"
	}
	return "no: " + d.Code
}

func (c call) ended(ctx context.Context, client *wire.Client, q wire.EndRequest) error {
	q.Service, q.Version, q.Digest, q.Environment = c.setting("service"), c.setting("version"), c.setting("digest"), c.setting("environment")
	d, err := client.EndDeployment(ctx, q)
	return c.deployed(d, err)
}

// deployed prints a deployment. One that starts without a permit that holds is
// recorded all the same, and ends with the code of what does not verify.
func (c call) deployed(d wire.Deployment, err error) error {
	if err != nil {
		return err
	}
	if err := c.print(d, terminal.Facts("deployment", d.ID, "service", d.Service+" "+d.Version, "environment", d.Environment, "status", d.Status,
		"authorised", authorised(d), "permit", d.Permit, "reached", d.Reached)); err != nil {
		return err
	}
	if d.Status == "started" && !d.Authorised {
		return fault.New(fault.Unverified, d.Code, "this is an unauthorised deployment, and is recorded as one").
			Because("no permit that holds for it now was given: " + d.Code).Remedy("ask the gate, and give its permit with --permit FILE")
	}
	return nil
}
