// Package terminal knows how things are shown: a decision as a person wants to
// read it, the same in a pipeline's job summary, tables, JSON and YAML.
//
// It leaves to cli where things come from and which command shows what. Its
// invariant: whatever text it is given, no byte that a terminal, a workflow
// runner or Markdown would act on reaches the output.
package terminal
