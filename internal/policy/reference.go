package policy

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// meaning describes one input or one field of a document.
type meaning struct{ name, text string }

// inputMeanings describes every input; a test holds it complete.
var inputMeanings = []meaning{
	{"now", "the instant of the decision, UTC, from the server's clock"},
	{"release.known", "whether the release is known"},
	{"release.version", "the version as the service writes it, such as 1.4.0"},
	{"release.digest", "digest of the artifact, sha256: and 64 lower-case hexadecimal digits"},
	{"release.size", "major, minor or patch: as declared in a ScopeRule and ReleaseType, as classified in a Gate"},
	{"release.change_type", "standard, normal or emergency: as declared in a ScopeRule and ReleaseType, as classified in a Gate"},
	{"release.type", "name of the ReleaseType; gates only"},
	{"release.requested_by", "server, pipeline or person: who opened the release"},
	{"release.deployed_early", "whether this digest went to the environment without a permit"},
	{"service.known", "whether the service is in the catalog"},
	{"service.name", "its name"},
	{"service.tier", "business criticality, 0 (highest) to 3"},
	{"service.team", "the team that owns it"},
	{"service.owned", "whether a present person owns it"},
	{"service.flags", "such as icfr, critical-function, ephi, cardholder"},
	{"service.data_classes", "classes of the data that it handles"},
	{"environment.known", "whether the environment is in the catalog"},
	{"environment.name", "its name"},
	{"environment.kind", "production, staging, test or development"},
	{"environment.region", "where it runs"},
	{"change.known", "whether the change has been read"},
	{"change.provenance", "server, pipeline or person: who read it"},
	{"change.complete", "false where history was shallow or unreadable"},
	{"change.commits", "commits since the version before"},
	{"change.contributors", "distinct persons who contributed"},
	{"change.unknown_contributors", "commit identities that no person claims"},
	{"change.files", "files touched"},
	{"change.lines_added", "lines added"},
	{"change.lines_deleted", "lines deleted"},
	{"change.semver_step", "major, minor, patch, none or unknown: from the version before"},
	{"change.breaking", "whether a commit declares a breaking change"},
	{"change.reverts", "commits that revert another"},
	{"change.migrations", "database migration files touched"},
	{"change.dependencies", "dependency manifests touched"},
	{"change.only_tests", "whether nothing but tests is touched"},
	{"change.only_docs", "whether nothing but documentation is touched"},
	{"change.signed", "commits that carry a signature; whose signature holds is another question"},
	{"findings.known", "whether a scanner reported on the artifact"},
	{"findings.provenance", "server, pipeline or person: who sent the weakest report counted"},
	{"findings.age_hours", "age of the oldest report counted, in hours"},
	{"findings.total", "findings of all severities"},
	{"findings.critical", "critical findings"},
	{"findings.high", "high findings"},
	{"findings.medium", "medium findings"},
	{"findings.low", "low findings"},
	{"findings.info", "informational findings"},
	{"findings.unrated", "findings whose severity is none of the above"},
	{"findings.suppressed", "findings that the report marks as suppressed"},
	{"findings.tools", "scanners that reported"},
	{"tests.known", "whether a test run was reported for the artifact"},
	{"tests.provenance", "server, pipeline or person: who sent the weakest report counted"},
	{"tests.age_hours", "age of the oldest report counted, in hours"},
	{"tests.total", "tests, those skipped among them"},
	{"tests.passed", "tests that passed"},
	{"tests.failed", "tests that failed"},
	{"tests.errored", "tests that could not run to their end"},
	{"tests.skipped", "tests that were skipped"},
	{"coverage.known", "whether coverage was reported for the artifact"},
	{"coverage.provenance", "server, pipeline or person: who sent the weakest report counted"},
	{"coverage.age_hours", "age of the oldest report counted, in hours"},
	{"coverage.line_rate", "share of lines covered, 0 to 1"},
	{"coverage.branch_rate", "share of branches covered, 0 to 1"},
	{"coverage.branch_known", "whether branches were counted"},
	{"coverage.lines_covered", "lines covered"},
	{"coverage.lines_valid", "lines that could be covered"},
	{"approval.known", "false where a contributor is not a known person"},
	{"approval.satisfied", "whether the chain is satisfied"},
	{"approval.rejected", "whether the release is rejected"},
	{"approval.assumed", "whether votes are taken from a file, offline"},
	{"approval.approvals", "distinct persons whose approval counts"},
	{"approval.required", "approvals required"},
	{"approval.eligible", "present persons who could still approve"},
	{"approval.excluded", "votes that do not count, contributors' among them"},
	{"approval.lapsed", "votes given for other content, or too long ago"},
	{"calendar.known", "whether the calendar could be read"},
	{"calendar.frozen", "whether a freeze is in force that the release type is not exempt from"},
	{"calendar.freezes", "those freezes"},
	{"calendar.exempt", "freezes in force that the release type is exempt from"},
	{"calendar.thaws_at", "when the last of them ends"},
	{"calendar.open_end", "whether one of them ends only when lifted"},
}

// fieldMeanings describes every field of every kind; a test holds it complete.
var fieldMeanings = map[string][]meaning{
	"Policy": {
		{"name", "the bundle's name"}, {"version", "its version, a text in quotes"}, {"description", "what it is for"}, {"owner", "the group that answers for it"},
	},
	"ScopeRule": {
		{"name", "unique among scope rules"}, {"match", "condition; left out, the rule matches all; not approval, calendar or thresholds"}, {"governance", "full, light or none; the strictest of all rules that match wins"},
		{"observe", "by (a name) and until (a date or instant): verdicts are recorded, not enforced"}, {"reason", "why, in one sentence"},
	},
	"ReleaseType": {
		{"name", "unique among release types"}, {"size", "list of major, minor, patch"}, {"change_types", "list of standard, normal, emergency"},
		{"when", "condition over the rest; not approval, calendar or thresholds"}, {"chain", "an ApprovalChain, or none"}, {"thresholds", "numbers by name, read as threshold.NAME"},
		{"lead_time", "from submission to deployment, at least"}, {"rollback_time_objective", "how fast a rollback must be"}, {"permit_ttl", "how long a permit lasts, 15m unless said, at most 4h"},
	},
	"Gate": {
		{"name", "unique among gates"}, {"title", "what it asks, in a few words"}, {"description", "what it means that it fails, one sentence"}, {"applies", "condition; left out, the gate always applies; where it cannot be told, the gate applies"},
		{"governance", "list of full, light; both unless said"}, {"condition", "condition that must hold"}, {"needs", "sections that must be known, beside those that the condition reads"}, {"max_age", "how old what it needs may be"},
		{"provenance", "the weakest that is believed: server, pipeline, person"}, {"severity", "block (unless said), warn or observe"}, {"on_fail", "no-go (unless said) or wait"}, {"observed", "expression for what was observed; else the inputs that the condition reads"},
		{"required", "plain text for what is required; else the condition"}, {"owner", "the group or team answerable for the gate"}, {"lift", "who can lift it: a group, team or role"}, {"next", "the next step"}, {"controls", "list of framework/id"},
	},
	"ApprovalChain": {
		{"name", "unique among chains"}, {"tiers", "list of name, groups, quorum; one in this version"}, {"valid_for", "how long a vote counts, 168h unless said"}, {"rejections", "how many persons reject a release, 1 unless said"},
	},
	"FreezeRule": {
		{"name", "unique; the only rule of a bundle holds for every freeze"}, {"may_declare", "groups"}, {"may_lift", "groups"}, {"exempt", "release types that such a freeze does not stop"},
		{"verdict", "wait or no-go; unless said, wait where the freeze has an end, else no-go"}, {"in_flight", "continue (unless said) or stop: deployments under way"},
	},
	"Parameter": {
		{"name", "read as param.NAME"}, {"value", "a number (with a fraction), true, false or text"}, {"unit", "of the value"}, {"min", "least number"}, {"max", "greatest number"}, {"description", "what it does"}, {"may_change", "groups"},
	},
	"TestCase": {
		{"name", "unique among test cases"}, {"at", "the instant of the decision"}, {"inputs", "sections and their fields; one that is mentioned is known, unless it says known: false"},
		{"expect", "verdict (no-go unless said), type, and reasons: gates that must not pass"}, {"cases", "list of name, at, inputs, expect, each over those above"},
	},
}

// Reference is the language reference in Markdown, made from the code.
func Reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Policy language\n\nDocuments of `apiVersion: %s`, version %d of the inputs.\n\n", APIVersion, Contract)
	b.WriteString(semantics())
	b.WriteString("\n## Kinds\n\nEvery document has `apiVersion`, `kind` and `name`.\n")
	for _, k := range kindNames() {
		fmt.Fprintf(&b, "\n### %s\n\n| field | meaning |\n|---|---|\n", k)
		for _, m := range fieldMeanings[k] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", m.name, m.text)
		}
	}
	b.WriteString("\n## Inputs\n\nBeside these a condition reads `param.NAME` and, in gates, `threshold.NAME`.\n\n| input | type | meaning |\n|---|---|---|\n")
	for _, m := range inputMeanings {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.name, inputType(m.name), m.text)
	}
	return b.String()
}

// semantics are the rules that no condition can change.
func semantics() string {
	return fmt.Sprintf(`## How an answer comes about

Conditions are CEL. The answer is the worst of the gates that block, in the order no-go, cannot tell, wait, go.

- A gate whose condition reads a section that is not known cannot tell, whatever the condition computes. Only the field known may be read of a section that is not known, and a condition that holds only because something is not known cannot tell either.
- A rule that selects (match, when, applies) depends on every section it reads, known included: where one is not known, a gate applies, and a ScopeRule or ReleaseType cannot be told.
- A change that is not complete, zero tests, and findings without a severity (where counts by severity are read and the condition holds) cannot tell. What is older than max_age cannot tell; what comes from someone weaker than provenance is no-go.
- The size is the strictest of the declaration, the step of the version and whether the change is breaking. A change counts as standard only where it is known in full, is not breaking and touches no migration.
- A service or environment outside the catalog is governed in full and never observed. No ScopeRule that matches, and no gate that is certain to apply, cannot tell.
- A rule whose worst case costs up to %d runs unmetered; one of %d or more is refused; a decision has a budget of %d. Texts have at most %d bytes, lists at most %d items.
- Durations are written 15m, 4h, 7d or 1d12h.
`, CheapRule, RuleBudget, DecisionBudget, MaxInputText, MaxInputList)
}

// inputType is the CEL type of an input.
func inputType(name string) string {
	index, ok := inputIndex(name)
	if !ok {
		return ""
	}
	switch t := reflect.TypeFor[Inputs]().FieldByIndex(index).Type; t.Kind() {
	case reflect.Int:
		return "int"
	case reflect.Float64:
		return "double"
	case reflect.Bool:
		return "bool"
	case reflect.Slice:
		return "list of string"
	case reflect.String:
		return "string"
	default:
		if t == reflect.TypeFor[time.Time]() {
			return "timestamp"
		}
		return ""
	}
}
