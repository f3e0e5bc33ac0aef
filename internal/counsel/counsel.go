// Package counsel says what a policy means, for whoever writes or reads one on
// the server: looked over, compared with the one in force, laid out, described.
//
// Nothing is recorded and no decision rests on it; the rights are those of control.
package counsel

import (
	"context"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/lint"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
)

// CheckRequest asks what is wrong with a bundle.
type CheckRequest struct {
	Files    []policy.File
	Coverage bool // also what its test cases exercise
}

// Checked is what was found. One that does not compile has neither results nor coverage.
type Checked struct {
	Digest   string
	Problems []policy.Problem
	Tests    []policy.TestResult
	Coverage *lint.Coverage
}

// Check looks a bundle over beside the catalog, and runs its test cases.
// A problem or a failing test is an answer and no error. Nothing is recorded.
func Check(ctx context.Context, c *control.Control, r control.Request, q CheckRequest) (Checked, error) {
	around, err := c.Surroundings(ctx, r)
	if err != nil {
		return Checked{}, err
	}
	done := Checked{Digest: policy.Digest(q.Files), Problems: lint.Check(q.Files, around)}
	program, _ := policy.Compile(q.Files)
	if program == nil || ctx.Err() != nil {
		return done, ctx.Err()
	}
	done.Tests = program.Test()
	if q.Coverage && ctx.Err() == nil {
		found, err := lint.Cover(program)
		if err != nil {
			return done, err
		}
		done.Coverage = &found
	}
	return done, ctx.Err()
}

// Compared is what changes its meaning between the bundle in force and another.
type Compared struct {
	From, To string // digests
	Changes  []prose.Change
}

// Compare says in words what would change if a bundle took the place of
// the one in force. Nothing is recorded.
func Compare(ctx context.Context, c *control.Control, r control.Request, files []policy.File) (Compared, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return Compared{}, err
	}
	to, err := control.Compiled(files)
	if err != nil {
		return Compared{}, err
	}
	from, err := inForce(ctx, c)
	if err != nil {
		return Compared{}, err
	}
	changes, err := prose.Diff(from, to)
	return Compared{From: from.Digest(), To: to.Digest(), Changes: changes}, err
}

// Format lays the files of a bundle out, whether it compiles or not.
// Nothing is recorded.
func Format(r control.Request, files []policy.File) (prose.Laid, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return prose.Laid{}, err
	}
	return prose.Format(files)
}

// inForce is the bundle in force, or a Conflict where none is.
func inForce(ctx context.Context, c *control.Control) (*policy.Program, error) {
	program, _, err := c.ActivePolicy(ctx)
	if err == nil && program == nil {
		err = fault.New(fault.Conflict, "policy.inactive", "no policy is in force").Remedy("activate one")
	}
	return program, err
}

// Described is a bundle as auditors read it.
type Described struct {
	Digest string
	prose.Document
	InWords prose.Document // the same, explained document by document
}

// Describe is a bundle as auditors read it: the one in force, which whoever
// may read may ask for, where files is nil. Nothing is recorded.
func Describe(ctx context.Context, c *control.Control, r control.Request, files []policy.File) (Described, error) {
	need, find := access.Read, func() (*policy.Program, error) { return inForce(ctx, c) }
	if files != nil {
		need, find = access.Policy, func() (*policy.Program, error) { return control.Compiled(files) }
	}
	if err := r.Actor.May(need); err != nil {
		return Described{}, err
	}
	program, err := find()
	if err != nil {
		return Described{}, err
	}
	now, err := c.Now(ctx)
	if err != nil {
		return Described{}, err
	}
	d, err := prose.Describe(program, now)
	if err != nil {
		return Described{}, err
	}
	words, err := prose.Explain(program)
	return Described{program.Digest(), d, words}, err
}
