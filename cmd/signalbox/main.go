// Signalbox decides whether a version of a service may go to an environment now.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalbox.dev/signalbox/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}, cli.Local{})
	stop()
	os.Exit(code)
}
