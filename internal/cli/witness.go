package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// WitnessOptions are those of the commands witness serve and witness forget.
type WitnessOptions struct {
	Dir, Name, Listen string
	Logs              []string
	TLSCert, TLSKey   string
	BehindProxy       bool
	Forget, Reason    string // the log to forget, and why; empty to serve
}

func (a *app) witness() *cobra.Command {
	run := func(ctx context.Context, c call) error {
		if a.local.Witness == nil {
			return absent("witness")
		}
		o := WitnessOptions{
			Dir: c.text("dir"), Name: c.text("name"), Listen: c.text("listen"), Logs: c.texts("log"),
			TLSCert: c.text("tls-cert"), TLSKey: c.text("tls-key"), BehindProxy: c.is("behind-proxy"), Reason: c.text("reason"),
		}
		if len(c.args) > 0 {
			o.Forget = c.args[0]
		}
		return a.local.Witness(ctx, o, a.Streams)
	}
	serve := a.command("serve", "Run a witness that cosigns the checkpoints of journals which only grow", run)
	serve.Long = "Run a witness (C2SP tlog-witness). It has a directory of its own, with its key and what it has seen,\n" +
		"and belongs on a machine that the administrators of the journal do not reach. It prints its public key. No setting of\n" +
		"the server applies to it: these flags say everything."
	f := serve.Flags()
	f.String("name", "", "name of the witness's key, such as witness.example.com/releases; needed at the first start")
	f.StringArray("log", nil, "public key of a journal, name+hash+base64 as signalbox keys show prints it (repeatable)")
	f.String("listen", "127.0.0.1:8421", "address to listen on")
	f.String("tls-cert", "", "certificate for TLS, a file")
	f.String("tls-key", "", "the certificate's key, a file")
	f.Bool("behind-proxy", false, "a proxy in front provides TLS")
	forget := a.command("forget ORIGIN", "Let a stopped witness take a journal that was restored and has lost facts", run)
	forget.Flags().String("reason", "", "why; it is kept with what was forgotten")
	for _, cmd := range []*cobra.Command{serve, forget} {
		cmd.Flags().String("dir", "", "the witness's directory")
		require(cmd, "dir")
	}
	require(forget, "reason")
	return a.group("witness", "Cosign what others record", serve, forget)
}
