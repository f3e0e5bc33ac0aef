#!/usr/bin/env bash
# Runs every fuzz target of the module for a time each.
#
#   scripts/fuzz.sh 30s
set -euo pipefail

time=${1:-30s}
go list ./... | while read -r package; do
	go test -list '^Fuzz' "$package" | grep '^Fuzz' | while read -r target; do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
	done || [ "${PIPESTATUS[1]}" -eq 1 ] # a package without a target is no failure
done
