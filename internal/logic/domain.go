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

// provenances are who can be believed for a datum; offline a file is believed by nobody.
var provenances = []string{string(policy.ByServer), string(policy.ByAttestor), string(policy.ByPipeline), string(policy.ByPerson), string(policy.Assumed)}

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
	"load.provenance":         provenances,
	"attestation.provenance":  {string(policy.ByAttestor)},
	"findings.items.severity": {"", "critical", "high", "medium", "low", "info"},
	"approval.votes.answer":   {"", "approve", "reject"},
	"change.commit_list.type": {"", "other", "build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"},
}

// counts are the inputs that count something, by what they stand in: 0 and more.
var counts = map[string]string{
	"change":                 "commits contributors unknown_contributors elsewhere files lines_added lines_deleted reverts migrations dependencies signed",
	"findings":               "total critical high medium low info unrated suppressed",
	"tests":                  "total passed failed errored skipped",
	"coverage":               "lines_covered lines_valid",
	"load":                   "requests thresholds_set thresholds_failed",
	"load.parts":             "requests",
	"previous":               "load_requests",
	"attestation":            "total verified",
	"attestation.statements": "materials subjects",
	"approval":               "approvals required eligible excluded lapsed",
}

// topCount is beyond any count that a condition names in earnest, topTime beyond
// any time that a request takes, in milliseconds, and oldest the longest age that
// can be told, in hours.
const (
	topCount = 1_000_000_000
	topTime  = 1_000_000_000_000_000
	oldest   = math.MaxInt64 / (3600 * 1_000_000_000)
)

// ranges are the ends of other numbers. The error rate of a component is below 0
// where it is not known.
var ranges = map[string][2]int64{
	"service.tier":         {0, 3},
	"coverage.line_rate":   {0, 1},
	"coverage.branch_rate": {0, 1},
	"load.error_rate":      {0, 1}, "previous.load_error_rate": {0, 1},
	"load.parts.error_rate": {-1, 1}, "load.parts.previous_error_rate": {-1, 1},
	"findings.age_hours": {0, oldest}, "tests.age_hours": {0, oldest}, "coverage.age_hours": {0, oldest}, "load.age_hours": {0, oldest},
	"load.p50_ms": {0, topTime}, "load.p95_ms": {0, topTime}, "load.p99_ms": {0, topTime}, "load.mean_ms": {0, topTime},
	"previous.load_p50_ms": {0, topTime}, "previous.load_p95_ms": {0, topTime}, "previous.load_p99_ms": {0, topTime}, "previous.load_mean_ms": {0, topTime},
}

// longest are characters of a text, which has no more of them than bytes, and items
// of a list; of other texts it is policy.MaxInputText, of other lists it is not known.
var longest = map[string]int64{
	"findings.items.rule": policy.MaxItemText, "findings.items.package": policy.MaxItemText, "findings.items.tool": policy.MaxItemText,
	"findings.items.location": policy.MaxItemPlace, "approval.votes.reason": policy.MaxItemText, "approval.votes.groups[]": policy.MaxItemText,
	"load.parts.name": policy.MaxItemText, "load.parts.tool": policy.MaxItemText,
	"service.flags": policy.MaxInputList, "service.data_classes": policy.MaxInputList, "findings.tools": policy.MaxInputList, "load.tools": policy.MaxInputList,
	"change.components": policy.MaxInputList, "load.untested": policy.MaxInputList,
	"attestation.attestors": policy.MaxInputList, "calendar.freezes": policy.MaxInputList, "calendar.rules": policy.MaxInputList, "calendar.exempt": policy.MaxInputList,
	"findings.items": policy.MaxInputList, "change.commit_list": policy.MaxInputList, "load.parts": policy.MaxInputList, "approval.votes": policy.MaxInputList,
	"attestation.statements": policy.MaxStatements, "approval.votes.groups": policy.MaxItemList,
	"attestation.statements.keys": policy.MaxItemList, "attestation.statements.levels": policy.MaxItemList,
}

// Declared are the domains of policy.Inputs. What is not told here can be anything
// of its kind: an input that is added there is decided less of until it is, and
// never wrongly.
func Declared(name string) Domain {
	d := Domain{Texts: enumerated[name], Longest: longest[name]}
	if section, field, ok := cut(name); ok && strings.Contains(" "+counts[section]+" ", " "+field+" ") {
		d.Low, d.High = number(0), number(topCount)
	}
	if ends, ok := ranges[name]; ok {
		d.Low, d.High = number(ends[0]), number(ends[1])
	}
	return d
}

// byClock reports instants that the server's clock has told: no sum with one of the
// durations that people write is beyond what an instant can be.
func byClock(name string) bool { return name == "now" || name == "release.submitted_at" }

// cut parts the name of an input from what it stands in.
func cut(name string) (section, field string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

func number(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }
