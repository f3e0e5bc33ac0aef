# The rules of policy.yaml, and what the engine asks for by itself, in Rego.
# A name stands in deny unless its condition is seen to hold.
package release

import rego.v1

week := 604800000000 # microseconds

names := {
	"artifact-identified", "version-numbered", "not-early", "service-owned", "service-ranked", "card-data-at-home",
	"region-served", "change-known", "change-witnessed", "change-small", "commits-signed", "migrations-not-routine",
	"breaking-is-major", "few-reverts", "few-dependencies", "authors-known", "no-critical-findings", "few-high-findings",
	"few-medium-findings", "findings-fresh", "scanners-ran", "tests-pass", "few-skipped", "enough-tests",
	"lines-covered", "branches-covered",
	"signalbox/service", "signalbox/environment", "signalbox/size", "signalbox/contributors", "signalbox/approval",
	"signalbox/calendar",
}

deny := names - passed

# --- release

passed contains "artifact-identified" if {
	startswith(input.release.digest, "sha256:")
	count(input.release.digest) == 71
}

passed contains "version-numbered" if regex.match(`^v[0-9]+\.[0-9]+\.[0-9]+$`, input.release.version)

passed contains "not-early" if not early

early if input.release.targets[input.environment].unauthorised

# --- service and environment

service := input.service if is_object(input.service)

place := input.place if is_object(input.place)

passed contains "signalbox/service" if service

passed contains "signalbox/environment" if place

passed contains "service-owned" if {
	some person in input.people
	not person.departed
	service.team in person.teams
}

passed contains "service-ranked" if {
	service.tier >= 0
	service.tier <= 3
}

passed contains "card-data-at-home" if {
	service
	place
	not cards_abroad
}

cards_abroad if {
	"cardholder" in service.data_classes
	place.region != "eu"
}

passed contains "region-served" if place.region in {"eu", "us"}

# --- change

change := input.release.change.record if input.release.change.record.complete

passed contains "change-known" if change.commits > 0

passed contains "change-witnessed" if {
	change
	input.release.change.provenance in {"server", "attested", "pipeline"}
}

passed contains "change-small" if {
	change.files_changed <= 200
	change.lines_added + change.lines_deleted <= 5000
}

passed contains "commits-signed" if change.signed == change.commits

passed contains "migrations-not-routine" if {
	change
	not routine_migration
}

routine_migration if {
	change.migrations > 0
	change_type == "standard"
}

passed contains "breaking-is-major" if {
	change
	not quiet_break
}

quiet_break if {
	change.breaking
	size != "major"
}

passed contains "few-reverts" if change.reverts <= 1

passed contains "few-dependencies" if change.dependencies <= 10

strangers := [p | some p in change.contributors; not input.identities[p]]

authors_known if {
	change
	count(strangers) == 0
}

passed contains "authors-known" if authors_known

passed contains "signalbox/contributors" if authors_known

# --- findings

scans := [c | some c in input.claims; c.kind == "findings"]

found := [f | some c in scans; some f in c.findings; not f.suppressed]

counts[severity] := n if {
	some severity in {"critical", "high", "medium", "low", "info", ""}
	n := count([f | some f in found; f.severity == severity])
}

rated if {
	count(scans) > 0
	counts[""] == 0
}

passed contains "no-critical-findings" if {
	rated
	counts.critical == 0
}

passed contains "few-high-findings" if {
	rated
	counts.high <= 5
}

passed contains "few-medium-findings" if {
	rated
	counts.medium <= 40
}

passed contains "findings-fresh" if {
	count(scans) > 0
	every c in scans {
		c.provenance in {"server", "attested", "pipeline"}
		input.now - c.at <= week
	}
}

passed contains "scanners-ran" if {
	tools := {c.tool | some c in scans}
	every t in ["scan-a", "scan-b"] {
		t in tools
	}
}

# --- tests and coverage

tests := c.tests if {
	some c in input.claims
	c.kind == "tests"
	c.tests.total > c.tests.skipped
}

passed contains "tests-pass" if {
	tests.failed == 0
	tests.errored == 0
}

passed contains "few-skipped" if tests.skipped <= 0.1 * tests.total

passed contains "enough-tests" if tests.total >= 100

coverage := c.coverage if {
	some c in input.claims
	c.kind == "coverage"
}

passed contains "lines-covered" if coverage.line_rate >= procedure.line_rate

passed contains "branches-covered" if {
	coverage
	not branches_bare
}

branches_bare if {
	is_number(coverage.branch_rate)
	coverage.branch_rate < 0.5
}

# --- what kind of release it is

rank := {"": 0, "none": 0, "patch": 1, "minor": 2, "major": 3}

declared := object.get(input.release, "size", "")

breaking if change_seen.breaking

breaking if change_seen.semver_step == "major"

change_seen := input.release.change.record

default size := "major"

size := ["patch", "patch", "minor", "major"][max([rank[declared], rank[change.semver_step]])] if {
	declared != "major"
	not breaking
}

passed contains "signalbox/size" if declared == "major"

passed contains "signalbox/size" if breaking

passed contains "signalbox/size" if change

default change_type := "normal"

change_type := "emergency" if input.release.change_type == "emergency"

change_type := "standard" if {
	input.release.change_type == "standard"
	change.migrations == 0
	rank[change.semver_step] >= 0
	not breaking
}

procedure := {"quorum": 0, "line_rate": 0.7, "exempt": false} if change_type == "standard"

procedure := {"quorum": 1, "groups": {"release-approvers"}, "valid": week, "line_rate": 0.6, "exempt": false} if {
	change_type == "normal"
	size == "patch"
}

procedure := {"quorum": 2, "groups": {"release-approvers"}, "valid": week, "line_rate": 0.7, "exempt": false} if {
	change_type == "normal"
	size != "patch"
}

procedure := {"quorum": 1, "groups": {"release-approvers", "release-managers"}, "valid": 86400000000, "line_rate": 0, "exempt": true} if change_type == "emergency"

# --- approval: distinct persons who may, none of them a contributor, for this very content

hands contains id if {
	some p in change_seen.contributors
	id := input.identities[p]
}

hands contains trim_prefix(subject, "person/") if {
	some subject in [input.release.opened_by, input.release.change.by]
	startswith(subject, "person/")
}

counted contains [v.person, v.answer] if {
	some v in input.release.votes
	v.environment == input.environment
	not v.withdrawn
	voter := input.people[v.person]
	not voter.departed
	"approver" in voter.roles
	some group in voter.groups
	group in procedure.groups
	not own(v)
	v.subject == input.subject
	input.now < v.at + procedure.valid
}

own(v) if {
	v.answer == "approve"
	v.person in hands
}

approvals := {p | some [p, "approve"] in counted}

rejections := {p | some [p, "reject"] in counted}

passed contains "signalbox/approval" if procedure.quorum == 0

passed contains "signalbox/approval" if {
	authors_known
	count(rejections) == 0
	count(approvals) >= procedure.quorum
}

# --- calendar: closed hours and freezes in force that cover the release and from which it is not exempt

passed contains "signalbox/calendar" if not frozen

frozen if {
	some z in input.freezes
	z.from <= input.now
	not over(z)
	covers(object.get(z.scope, "services", []), input.release.service, service_known)
	covers(object.get(z.scope, "environments", []), input.environment, place_known)
	covers(object.get(z.scope, "kinds", []), place_kind, place_known)
	covers(object.get(z.scope, "regions", []), place_region, place_known)
	covers(object.get(z.scope, "tiers", []), tier, service_known)
	not exempt(z)
}

over(z) if z.lifted

over(z) if z.until <= input.now

exempt(z) if {
	z.rule == "closed"
	procedure.exempt
}

covers(list, _, _) if count(list) == 0

covers(_, _, known) if known == false

covers(list, value, _) if value in list

default service_known := false

service_known if service

default place_known := false

place_known if place

default place_kind := ""

place_kind := place.kind

default place_region := ""

place_region := place.region

default tier := 0

tier := service.tier
