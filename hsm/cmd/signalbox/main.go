// Command signalbox is the product with signing keys in PKCS#11 tokens.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalbox.dev/signalbox/hsm"
	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/demo"
	"signalbox.dev/signalbox/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	local := server.Local(nil)
	local.Demo, local.Tokens = demo.Run, &hsm.Tokens{}
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}, local)
	stop()
	os.Exit(code)
}
