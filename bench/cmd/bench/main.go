// Command bench measures Signalbox beside its peers, in one run on one machine.
//
//	go -C bench run -mod=mod ./cmd/bench                     everything, printed
//	go -C bench run -mod=mod ./cmd/bench -parts policy       one part, printed
//	go -C bench run -mod=mod ./cmd/bench -doc FILE           everything, into the document
//
// SIGNALBOX_TEST_POSTGRES names a PostgreSQL server on this machine;
// scripts/with-postgres.sh starts one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/bench/overhttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("parts", "", "comma-separated: "+strings.Join(names(), ", ")+"; empty for all")
	doc := flags.String("doc", "", "file whose tables are written anew; only with all parts")
	rounds := flags.Int("rounds", 5, "rounds of every case")
	budget := flags.Float64("budget", 1, "time of a round as a multiple of what is usual for the part")
	dir := flags.String("dir", "", "directory, on the disk that is measured, for what is written meanwhile")
	smoke := flags.Bool("smoke", false, "the smallest sizes, to see that everything runs")
	serve := flags.String("serve", "", "address on which the evaluator answers documents, for the load of the part http")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return overhttp.Serve(ctx, *serve)
	}
	if *doc != "" && (*only != "" || *smoke || *rounds < 5) {
		return fmt.Errorf("the document is written by a whole run of at least 5 rounds: leave out -parts and -smoke")
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(*dir, "signalbox-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if kind := measure.Disk(temporary); kind == "tmpfs" && !*smoke {
		return fmt.Errorf("%s is in memory, where nothing is durable: name a directory on a disk with -dir", temporary)
	}
	start := time.Now()
	o := measure.Options{
		Rounds: *rounds, Dir: temporary, Smoke: *smoke, Postgres: os.Getenv("SIGNALBOX_TEST_POSTGRES"),
		Log: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	}
	tables, err := measureAll(ctx, o, chosen, *budget)
	if err != nil {
		return err
	}
	machine, err := measure.Machine(ctx, o, time.Since(start))
	if err != nil {
		return err
	}
	tables = append([]measure.Table{machine}, tables...)
	if *doc != "" {
		return measure.Publish(*doc, tables)
	}
	for _, t := range tables {
		fmt.Printf("## %s\n\n%s\n", t.Name, t.Markdown())
	}
	return nil
}

// measureAll runs the parts, each in a directory of its own that it leaves behind.
func measureAll(ctx context.Context, o measure.Options, chosen []part, budget float64) (tables []measure.Table, err error) {
	var aims []measure.Aim
	top := o.Dir
	for _, p := range chosen {
		o.Log("== %s", p.name)
		if o.Dir, err = os.MkdirTemp(top, p.name+"-"); err != nil {
			return nil, err
		}
		if o.Budget = time.Duration(float64(p.budget) * budget); o.Smoke {
			o.Budget = time.Millisecond
		}
		from := time.Now()
		more, kept, err := p.measure(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		o.Log("== %s took %s", p.name, time.Since(from).Round(time.Second))
		tables, aims = append(tables, more...), append(aims, kept...)
		if err := os.RemoveAll(o.Dir); err != nil {
			return nil, err
		}
	}
	return append([]measure.Table{measure.Aims(aims)}, tables...), nil
}
