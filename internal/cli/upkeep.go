package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/steward"
)

// upkeep is the commands of steward.
func (a *app) upkeep() []*cobra.Command {
	return steward.Commands(steward.Shell{
		Local: a.local.Upkeep, Bind: func(f *pflag.FlagSet) { bind(f, storeNames...) }, Require: require, Absent: absent,
		Exit: func(code int) error { return exitVerdict{code} },
		Command: func(use, short string, run func(context.Context, steward.Call) error) *cobra.Command {
			return a.command(use, short, func(ctx context.Context, c call) error {
				return run(ctx, steward.Call{
					Args: c.args, Flags: c.flags, Path: c.path, Err: c.Err, Watch: watched(c.Err),
					Store: c.store, Client: c.client, Zone: c.zone, Print: c.print, Note: c.note,
				})
			})
		},
	})
}
