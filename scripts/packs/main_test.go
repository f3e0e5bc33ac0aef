package main

import (
	"strings"
	"testing"
)

const someFacts = `controls:
- {fw: HOUSE, id: "1(a)", t: "Approve: always", mode: E, sys: "x", rows: ["1.2"], src: gk}
- {fw: HOUSE, id: "2", t: "Keep records", mode: V, sys: "x", rows: ["1.2"], src: cat}
- {fw: HOUSE, id: "3", t: "Something else", mode: A, sys: "x", rows: ["1.2"], src: cat}
- {fw: OTHER, id: "9", t: "Not asked for", mode: E, sys: "x", rows: ["1.2"], src: cat}
`

const someClaims = `frameworks:
- {facts: HOUSE, name: house, title: House rules, authority: Example Ltd, version: "1.0", flags: [icfr], classes: [health], note: "Ours."}
claims:
- {of: HOUSE 1(a), as: partial, key: true, for: authorisation, duty: "Choose who: \"them\"."}
- {of: HOUSE 2, as: evidence-only, for: auditability, frequency: daily, duty: Read them.}
`

const wanted = `# Written by scripts/packs. Which gate names a control stands in gates.yaml.
apiVersion: signalbox/v1
kind: Framework
name: house
title: House rules
authority: Example Ltd
version: "1.0"
note: "Ours. Not supported by this version: 3."
---
apiVersion: signalbox/v1
kind: Control
name: house-1-a
framework: house
id: "1(a)"
statement: "Approve: always"
objective: authorisation
owner: compliance
frequency: per-release
nature: preventive
key: true
coverage: partial
duty: "Choose who: \"them\"."
status: unverified
source: common knowledge
mandatory:
  flags: [icfr]
  data_classes: [health]
---
apiVersion: signalbox/v1
kind: Control
name: house-2
framework: house
id: "2"
statement: Keep records
objective: auditability
owner: compliance
frequency: daily
nature: detective
coverage: evidence-only
duty: Read them.
status: verified
source: the OSCAL catalogue of SP 800-53, HIGH baseline
mandatory:
  flags: [icfr]
  data_classes: [health]
`

func TestPages(t *testing.T) {
	pages, err := files([]byte(someFacts), []byte(someClaims))
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 1 || pages["controls-house.yaml"] != wanted {
		t.Errorf("pages\n%s\nwant\n%s", pages["controls-house.yaml"], wanted)
	}
}

func TestAClaimSaysNoMoreThanTheFacts(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"nothing enforces it": {"of: HOUSE 2, as: evidence-only", "of: HOUSE 2, as: partial", "no tool enforces it"},
		"nobody stated it":    {"of: HOUSE 2", "of: HOUSE 8", "the facts have no HOUSE 8"},
		"twice":               {"of: HOUSE 2", "of: HOUSE 1(a)", "claimed twice"},
		"a strange word":      {"as: evidence-only", "as: total", `"total" is no coverage`},
		"no duty":             {", duty: Read them.", "", "no duty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := files([]byte(someFacts), []byte(strings.Replace(someClaims, c.from, c.to, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheClaimsCanBeRead(t *testing.T) {
	_, err := files(nil, claimsFile)
	if err == nil || !strings.Contains(err.Error(), "the facts have no") {
		t.Errorf("error %v: without facts every claim is about nothing", err)
	}
}

func TestScalars(t *testing.T) {
	for in, want := range map[string]string{
		"plain words": "plain words", "a: b": `"a: b"`, "2017": `"2017"`, "true": `"true"`, `say "so"`: `"say \"so\""`, "a # b": `"a # b"`, "": `""`, "[x]": `"[x]"`,
	} {
		if got := scalar(in); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}
