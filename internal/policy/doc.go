// Package policy is the language in which an organisation says what may be
// released, and its evaluator.
//
// It knows the bundle (YAML documents), the conditions (CEL over Inputs), how a
// bundle is checked, compiled, tested and asked. It leaves to others where
// inputs come from (release), who may activate a bundle (access, control) and
// how votes and freezes come about (approval, calendar).
//
// Invariant: unknown is not yes. What a condition would compute from a section
// that is not known never counts in favour, and making a section unknown never
// turns another answer into go.
package policy
