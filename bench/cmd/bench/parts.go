package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signalbox.dev/signalbox/bench/appends"
	"signalbox.dev/signalbox/bench/gate"
	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/bench/merkle"
	"signalbox.dev/signalbox/bench/overhttp"
	"signalbox.dev/signalbox/bench/readers"
	"signalbox.dev/signalbox/bench/replays"
)

// part is one comparison.
type part struct {
	name    string
	budget  time.Duration // of one round of one case
	measure func(context.Context, measure.Options) ([]measure.Table, []measure.Aim, error)
}

// parts are all of them, in the order of the document.
func parts() []part {
	return []part{
		{"policy", 400 * time.Millisecond, gate.Measure},
		{"http", 1500 * time.Millisecond, overhttp.Measure},
		{"append", 1200 * time.Millisecond, appends.Measure},
		{"proofs", 400 * time.Millisecond, merkle.Measure},
		{"replay", time.Second, replays.Measure},
		{"readers", 150 * time.Millisecond, readers.Measure},
	}
}

func names() (all []string) {
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

func choose(only string) ([]part, error) {
	if only == "" {
		return parts(), nil
	}
	var chosen []part
	for _, name := range strings.Split(only, ",") {
		found := false
		for _, p := range parts() {
			if p.name == name {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no part %q: parts are %s", name, strings.Join(names(), ", "))
		}
	}
	return chosen, nil
}
