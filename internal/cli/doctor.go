package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) doctor() *cobra.Command {
	cmd := a.command("doctor", "Say what is misconfigured, why, and how to fix it", func(ctx context.Context, c call) error {
		var findings []doctor.Finding
		if c.is("local") {
			if a.local.Doctor == nil {
				return absent("doctor --local")
			}
			store, err := c.store()
			if err != nil {
				return err
			}
			findings = a.local.Doctor(ctx, store)
		} else {
			findings = doctor.Examine(ctx, c.patient())
		}
		if err := c.print(findings, doctor.Table(findings)); err != nil {
			return err
		}
		if slices.ContainsFunc(findings, func(f doctor.Finding) bool { return !f.OK }) {
			return exitVerdict{fault.Exit(fault.Invalid)}
		}
		return nil
	})
	cmd.Long = "Examine the way from here to the server: settings, connection, versions, clock, token.\n" +
		"With --local it examines the server's own machine: data, keys, database.\n" +
		"It ends with 0 where nothing is wrong, and with 2 otherwise."
	cmd.Flags().Bool("local", false, "examine the data directory or database on this machine")
	bind(cmd.Flags(), storeNames...)
	return cmd
}

// patient is the way from here to the server.
func (c call) patient() doctor.Patient {
	p := doctor.Patient{
		Settings: func() (settings.Value, error) {
			if _, set := c.Env("SIGNALBOX_TOKEN"); set {
				return settings.Value{}, openSecret("the variable SIGNALBOX_TOKEN")
			}
			return c.settings.Resolve(settings.Of("server"), c.flags)
		},
		Anyone: func() (*wire.Client, error) { return c.visitor("") }, Version: c.local.Version, Stamp: c.stamp,
	}
	if c.setting("token-file") != "" {
		p.Holder = c.client
	}
	if path := c.setting("ca"); path != "" {
		p.CA, _ = readFile(path, dossier.MaxInput) // Anyone says what is wrong with it
	}
	return p
}
