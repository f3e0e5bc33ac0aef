package cli

import (
	"context"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) policyDeactivate() *cobra.Command {
	cmd := a.online("deactivate", "Put the policy in force out of force: every answer is cannot tell", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.DeactivatePolicy(ctx, wire.Reasoned{Reason: c.text("reason")})
		return c.done(done, err, "deactivated %s %s: every answer is cannot tell until another policy takes effect", done.Name, done.Version)
	})
	reasoned(cmd)
	return cmd
}
