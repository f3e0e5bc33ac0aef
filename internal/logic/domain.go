package logic

import (
	"math"
	"math/big"
	"strings"

	"signalbox.dev/signalbox/internal/policy"
)

// kind is what a value is.
type kind uint8

const (
	anything kind = iota // not known, or not reasoned about
	truth
	whole    // a whole number of 64 bits
	fraction // a float64
	text
	instant  // nanoseconds since 1970
	duration // nanoseconds
	listing
	item // something with fields: a section, or one of a list
)

// numeric reports the kinds whose values are numbers.
func (k kind) numeric() bool {
	return k == whole || k == fraction || k == instant || k == duration
}

// Domain is what an input can be.
type Domain struct {
	Texts     []string // every text it can be; nil: any
	Longest   int64    // characters of a text, items of a list
	Low, High *big.Rat // the ends of its range, included; nil: none
}

// Domains are those of inputs by their name, such as findings.high or
// findings.items.severity; the items of a list of texts are named like
// service.flags[].
type Domains func(name string) Domain

// topCount is beyond any count that a condition names in earnest.
const topCount = 1_000_000_000

// provenances are who can be believed for a datum; offline a file is believed by nobody.
var provenances = []string{string(policy.ByServer), string(policy.ByPipeline), string(policy.ByPerson), string(policy.Assumed)}

// enumerated are the texts that an input can be; every other text is free.
var enumerated = map[string][]string{
	"release.size":            {"", policy.Major, policy.Minor, policy.Patch},
	"release.change_type":     {"", policy.Standard, policy.Normal, policy.Emergency},
	"release.requested_by":    provenances,
	"environment.kind":        {"production", "staging", "test", "development"},
	"change.semver_step":      {"major", "minor", "patch", "none", "unknown"},
	"change.provenance":       provenances,
	"findings.provenance":     provenances,
	"tests.provenance":        provenances,
	"coverage.provenance":     provenances,
	"findings.items.severity": {"", "critical", "high", "medium", "low", "info"},
	"approval.votes.answer":   {"", "approve", "reject"},
	"change.commit_list.type": {"", "other", "build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"},
}

// longest are characters of a text, which has no more than bytes, and items of a
// list; of other texts it is policy.MaxInputText.
var longest = map[string]int64{
	"findings.items.rule": policy.MaxItemText, "findings.items.package": policy.MaxItemText, "findings.items.tool": policy.MaxItemText,
	"findings.items.location": policy.MaxItemPlace, "approval.votes.reason": policy.MaxItemText, "approval.votes.groups[]": policy.MaxItemText,
	"service.flags": policy.MaxInputList, "service.data_classes": policy.MaxInputList, "findings.tools": policy.MaxInputList,
	"calendar.freezes": policy.MaxInputList, "calendar.rules": policy.MaxInputList, "calendar.exempt": policy.MaxInputList,
	"findings.items": policy.MaxInputList, "change.commit_list": policy.MaxInputList,
	"approval.votes": policy.MaxInputList, "approval.votes.groups": policy.MaxItemList,
}

// oldest is the longest time that can be told, in hours, as the age of evidence.
const oldest = math.MaxInt64 / (3600 * 1_000_000_000)

// Declared are the domains of policy.Inputs.
func Declared(name string) Domain {
	d := Domain{Texts: enumerated[name], Longest: policy.MaxInputText}
	if n, ok := longest[name]; ok {
		d.Longest = n
	}
	switch {
	case name == "service.tier":
		d.Low, d.High = number(0), number(3)
	case strings.HasSuffix(name, "_rate"):
		d.Low, d.High = number(0), number(1)
	case strings.HasSuffix(name, ".age_hours"):
		d.Low, d.High = number(0), number(oldest)
	default:
		d.Low, d.High = number(0), number(topCount)
	}
	return d
}

func number(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }
