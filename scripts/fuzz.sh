#!/usr/bin/env bash
# Runs every fuzz target of the packages, or of the whole module, for a time each.
#
#   scripts/fuzz.sh 30s [PACKAGE...]
set -euo pipefail

time=${1:-30s}
shift || true
packages=$(go list "${@:-./...}")
for package in $packages; do
	targets=$(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
	for target in $targets; do
		echo "== $package $target"
		# An input that is new is made smaller for 2 s at most: by default it is a minute, in which nothing else is tried.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 2s "$package"
	done
done
