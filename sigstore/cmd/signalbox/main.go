// Command signalbox is the product with the verification of Sigstore bundles.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/demo"
	"signalbox.dev/signalbox/internal/server"
	"signalbox.dev/signalbox/sigstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	local := server.Local(sigstore.Verify)
	local.Demo = demo.Run
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}, local)
	stop()
	os.Exit(code)
}
