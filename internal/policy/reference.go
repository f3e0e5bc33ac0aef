package policy

import (
	_ "embed"
	"fmt"
	"reflect"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
)

// meaning describes one input or one field of a document; unit, origin (who
// fills it) and example (a CEL literal) are an input's.
type meaning struct{ name, text, unit, origin, example string }

//go:embed meanings.txt
var meaningsText string

// meanings are those of the inputs, and of the fields by kind, which begins with
// a capital letter.
func meanings() (inputs []meaning, fields map[string][]meaning) {
	fields = map[string][]meaning{}
	for line := range strings.Lines(meaningsText) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
		kind, field, _ := strings.Cut(name, ".")
		switch {
		case !ok || strings.HasPrefix(line, "#"):
		case kind != strings.ToLower(kind):
			fields[kind] = append(fields[kind], meaning{name: field, text: text})
		default:
			m := meaning{name: name}
			for i, part := range strings.SplitN(text, " | ", 4) {
				*[]*string{&m.text, &m.unit, &m.origin, &m.example}[i] = part
			}
			inputs = append(inputs, m)
		}
	}
	return inputs, fields
}

// Reference is the language reference in Markdown, made from the code.
func Reference() string {
	inputs, fields := meanings()
	var b strings.Builder
	fmt.Fprintf(&b, "# Policy language\n\nDocuments of `apiVersion: %s`, version %d of the inputs.\n\n", bundle.APIVersion, Contract)
	b.WriteString(semantics())
	b.WriteString("\n## Kinds\n\nEvery document has `apiVersion`, `kind` and `name`.\n")
	for _, kind := range Kinds() {
		k := kind.Name
		fmt.Fprintf(&b, "\n### %s\n\n| field | meaning |\n|---|---|\n", k)
		for _, m := range fields[k] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", m.name, m.text)
		}
	}
	b.WriteString(inputsHead)
	for _, m := range inputs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | `%s` |\n", m.name, inputType(m.name), m.unit, m.text, m.origin, m.example)
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
- The size is the strictest of the declaration, the step of the version and whether the change is breaking; two versions that cannot be compared by their numbers count as major. A change counts as standard only where it is known in full, is not breaking and touches no migration.
- A service or environment outside the catalog is governed in full and never observed. No ScopeRule that matches, and no gate that is certain to apply, cannot tell.
- Where the release type asks for a lead time, the answer waits until it has passed since submission; a release that is not submitted cannot tell. A freeze in force waits, or is no-go, as the FreezeRule that it names says; without one it waits where the freeze has an end, else it is no-go.
- A rule whose worst case costs up to %d runs unmetered; one of %d or more is refused; a decision has a budget of %d. Texts have at most %d bytes, lists at most %d items.
- The lists change.commit_list, findings.items and approval.votes are loaded only where a rule reads them; a rule that reads one that could not be loaded cannot tell. Use their counts where they do. In them severities, answers and types of commits have at most %d bytes, locations %d, other texts %d.
- Durations are written 15m, 4h, 7d or 1d12h.
`, CheapRule, RuleBudget, DecisionBudget, MaxInputText, MaxInputList, MaxItemWord, MaxItemPlace, MaxItemText)
}

// inputGoType is the Go type of an input, or of a field of the items of a list.
func inputGoType(name string) (reflect.Type, bool) {
	parts := strings.Split(name, ".")
	index, ok := inputIndex(strings.Join(parts[:min(len(parts), 2)], "."))
	if !ok {
		return nil, false
	}
	t := reflect.TypeFor[Inputs]().FieldByIndex(index).Type
	if len(parts) < 3 {
		return t, true
	}
	item, ok := itemType(t)
	if !ok {
		return nil, false
	}
	i, ok := fieldIndex(item, parts[2])
	if !ok {
		return nil, false
	}
	return item.Field(i).Type, true
}

// inputType is the CEL type of an input.
func inputType(name string) string {
	t, ok := inputGoType(name)
	if !ok {
		return ""
	}
	switch t.Kind() {
	case reflect.Int:
		return "int"
	case reflect.Float64:
		return "double"
	case reflect.Bool:
		return "bool"
	case reflect.Slice:
		if _, items := itemType(t); items {
			return "list of items"
		}
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
