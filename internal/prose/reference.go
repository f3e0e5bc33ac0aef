package prose

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// Reference is the language reference in Markdown, made from the code.
func Reference() string {
	inputs, fields := policy.Meanings()
	var b strings.Builder
	fmt.Fprintf(&b, "# Policy language\n\nDocuments of `apiVersion: %s`, version %d of the inputs.\n\n", bundle.APIVersion, policy.Contract)
	b.WriteString(semantics())
	b.WriteString("\n## Kinds\n\nEvery document has `apiVersion`, `kind` and `name`.\n")
	for _, kind := range policy.Kinds() {
		k := kind.Name
		fmt.Fprintf(&b, "\n### %s\n\n| field | meaning |\n|---|---|\n", k)
		for _, m := range fields[k] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", m.Name, m.Text)
		}
	}
	b.WriteString(inputsHead)
	for _, m := range inputs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | `%s` |\n", m.Name, m.Type, m.Unit, m.Text, m.Origin, m.Example)
	}
	return b.String()
}

const inputsHead = `
## Inputs

Beside these a condition reads ` + "`param.NAME` and, in gates, `threshold.NAME`" + `.

Origin is who fills an input. The examples are CEL literals, to be compared with the input as they stand; of a list of items the example is the empty list, and the fields of its items follow it, read as in ` + "`findings.items.exists(f, f.severity == \"high\")`" + `.

| input | type | unit | meaning | origin | example |
|---|---|---|---|---|---|
`

// semantics are the rules that no condition can change.
func semantics() string {
	return fmt.Sprintf(`## How an answer comes about

Conditions are CEL. The answer is the worst of the gates that block, in the order no-go, cannot tell, wait, go.

- A gate whose condition reads a section that is not known cannot tell, whatever the condition computes. Only the field known may be read of a section that is not known, and a condition that holds only because something is not known cannot tell either.
- A rule that selects (match, when, applies) depends on every section it reads, known included: where one is not known, a gate applies, and a ScopeRule or ReleaseType cannot be told.
- A change that is not complete, zero tests, findings without a severity (where counts by severity are read and the condition holds) and a release that is not submitted (where submitted_at is read and the condition holds) cannot tell. What is older than max_age cannot tell; what comes from someone weaker than provenance is no-go.
- What no load test gives is not 0: a rule that reads a time of load, of its parts or of previous that is 0 cannot tell, nor can one that reads the figures of a last good release for which no load test was reported. Where there was no release before, those figures are 0 and known to be so: ask for previous.exists. A rule that reads components of a change that nobody told cannot tell either.
- The size is the strictest of the declaration, the step of the version and whether the change is breaking; two versions that cannot be compared by their numbers count as major. A change counts as standard only where it is known in full, is not breaking and touches no migration.
- A service or environment outside the catalog is governed in full and never observed. No ScopeRule that matches, and no gate that is certain to apply, cannot tell.
- Where the release type asks for a lead time, the answer waits until it has passed since submission; a release that is not submitted cannot tell. A freeze in force waits, or is no-go, as the FreezeRule that it names says; without one it waits where the freeze has an end, else it is no-go.
- A rule whose worst case costs up to %d runs unmetered; one of %d or more is refused; a decision has a budget of %d. Texts have at most %d bytes, lists at most %d items.
- The lists change.commit_list, findings.items, load.parts, attestation.statements and approval.votes are loaded only where a rule reads them; a rule that reads one that could not be loaded cannot tell. Use their counts where they do. In them severities, answers and types of commits have at most %d bytes, locations %d, other texts %d.
- An attestation is an Attestor's word where enough of its distinct keys signed the envelope; key ids count for nothing. Its content is read after that, must name the artifact among its subjects, and must be of a type and builder that the Attestor speaks for. Whoever sends it adds nothing and takes nothing away: where it is some Attestor's word it is attested, and so is a report whose file is another subject of the same statement.
- Ask all of one statement within one exists: what two statements say apart nobody said together. Over an empty list all holds, so require exists.
- Durations are written 15m, 4h, 7d or 1d12h.
`, policy.CheapRule, policy.RuleBudget, policy.DecisionBudget, policy.MaxInputText, policy.MaxInputList, policy.MaxItemWord, policy.MaxItemPlace, policy.MaxItemText)
}
