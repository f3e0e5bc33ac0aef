package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/witness"
)

// witnessed runs a witness, or lets one forget a log.
func witnessed(ctx context.Context, o cli.WitnessOptions, s cli.Streams) error {
	if o.Forget != "" {
		size, err := witness.Forget(o.Dir, o.Forget, o.Reason, time.Now())
		if err == nil {
			_, err = fmt.Fprintf(s.Out, "forgotten: %d facts of %s; what was cosigned is kept in %s with the reason\n", size, o.Forget, o.Dir)
		}
		return err
	}
	return witness.Serve(ctx, witness.Options{
		Dir: o.Dir, Name: o.Name, Logs: o.Logs, Listen: o.Listen, TLSCert: o.TLSCert, TLSKey: o.TLSKey, Proxied: o.BehindProxy,
		Log: slog.New(slog.NewJSONHandler(s.Err, nil)),
	}, s.Out)
}
