package main

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/policy"
)

func TestEveryControlStandsOnThePageWithItsGates(t *testing.T) {
	page := controls(policy.Regulated())
	p, _ := policy.Compile(policy.Regulated())
	for _, c := range p.Controls() {
		if !strings.Contains(page, "| "+cell(c.ID)+" | "+cell(c.Statement)+" | `") {
			t.Errorf("%s does not stand on the page with a gate", c.Label())
		}
	}
	for _, want := range []string{
		"| CM-8 | Data fixes and schema changes follow the same control | `migrations-reviewed` | partial | Let data be changed only by migrations in the release, never by hand. | unverified |",
		"## General Data Protection Regulation", "Not supported by this version:", "flag `ephi`, data class `health`",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestAPackThatDoesNotCompileSaysWhy(t *testing.T) {
	page := controls([]policy.File{{Name: "x.yaml", Data: []byte("kind: Gate\n")}})
	if !strings.Contains(page, "x.yaml") {
		t.Error(page)
	}
}

func TestCell(t *testing.T) {
	if got := cell("a | b"); got != `a \| b` {
		t.Error(got)
	}
}
