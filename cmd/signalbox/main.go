// Command signalbox decides whether a version of a service may go to an
// environment now: server, command line and offline verifier in one binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/demo"
	"signalbox.dev/signalbox/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	local := server.Local(nil)
	local.Demo = demo.Run
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}, local)
	stop()
	os.Exit(code)
}
