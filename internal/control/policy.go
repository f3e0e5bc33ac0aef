package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/mandate"
	"signalbox.dev/signalbox/internal/policy"
)

// programs caches compiled bundles by digest; a bundle never changes.
type programs struct {
	mu       sync.Mutex
	byDigest map[string]*policy.Program
}

// keptPrograms bounds the cache: the active bundle, the next, and a few before.
const keptPrograms = 8

func (p *programs) get(digest string, compile func() (*policy.Program, error)) (*policy.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.byDigest[digest]; found != nil {
		return found, nil
	}
	program, err := compile()
	if err != nil {
		return nil, err
	}
	if p.byDigest == nil || len(p.byDigest) >= keptPrograms {
		p.byDigest = map[string]*policy.Program{}
	}
	p.byDigest[digest] = program
	return program, nil
}

// Compiled is a bundle ready to decide, or an Invalid fault that lists all problems.
func Compiled(files []policy.File) (*policy.Program, error) {
	program, problems := policy.Compile(files)
	if !policy.Failed(problems) {
		return program, nil
	}
	return nil, &policy.Failure{List: problems}
}

// PolicyRequest activates a bundle.
type PolicyRequest struct {
	Files     []policy.File
	Reason    string
	Effective time.Time // zero: now
}

// ActivatePolicy checks, tests and activates a bundle. Its sources are in the
// vault before the fact that names them.
func (c *Control) ActivatePolicy(ctx context.Context, r Request, q PolicyRequest) (activation.Entry, error) {
	var none activation.Entry
	if err := r.Actor.May(access.Policy); err != nil {
		return none, err
	}
	program, err := Compiled(q.Files)
	if err != nil {
		return none, err
	}
	if err := program.Ready(); err != nil {
		return none, err
	}
	var kept activation.Kept
	if kept.File, err = c.keep(ctx, program.Files()); err != nil {
		return none, err
	}
	if kept.Answers, err = c.keep(ctx, activation.Answers(program)); err != nil {
		return none, err
	}
	content := []string{program.Digest(), q.Reason, q.Effective.String()}
	return do(ctx, c, r, content, func(l *Load) ([]event.Draft, activation.Entry, error) {
		stands, err := read[activation.State](l, activation.Stream)
		if err != nil {
			return nil, none, err
		}
		if err := c.upheld(l, program, q.Effective); err != nil {
			return nil, none, err
		}
		drafts, err := stands.Activate(program, kept, q.Effective, q.Reason, l.Now)
		if err != nil {
			return nil, none, err
		}
		done := drafts[0].Body.(activation.Entry)
		done.By, done.At = r.Actor.Subject, event.MicrosOf(l.Now)
		return drafts, done, nil
	})
}

// keep puts what a bundle is, or says, into the vault.
func (c *Control) keep(ctx context.Context, v any) (digest string, err error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode what is kept of the policy: %w", err)
	}
	digest, _, err = c.Vault.Put(ctx, bytes.NewReader(b))
	return digest, err
}

// kept reads what keep put there.
func (c *Control) kept(ctx context.Context, digest string, v any) error {
	from, err := c.Vault.Open(ctx, digest)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	b, err := io.ReadAll(io.LimitReader(from, maxBundle))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// upheld refuses a bundle that drops what the flags and data classes of the
// catalog's services make mandate.
func (c *Control) upheld(l *Load, p *policy.Program, effective time.Time) error {
	known, err := governed(l)
	if err != nil {
		return err
	}
	if !effective.IsZero() {
		known.Now = effective
	}
	return mandate.Uphold(p, known)
}

// DeactivatePolicy puts the bundle in force out of force: every answer is cannot
// tell from then on, until another takes effect.
func (c *Control) DeactivatePolicy(ctx context.Context, r Request, reason string) (activation.Entry, error) {
	var none activation.Entry
	if err := r.Actor.May(access.Policy); err != nil {
		return none, err
	}
	return do(ctx, c, r, reason, func(l *Load) ([]event.Draft, activation.Entry, error) {
		stands, err := read[activation.State](l, activation.Stream)
		if err != nil {
			return nil, none, err
		}
		drafts, err := stands.Deactivate(reason, l.Now)
		if err != nil {
			return nil, none, err
		}
		ended, _ := stands.Current(l.Now)
		return drafts, activation.Entry{
			Digest: ended.Digest, Name: ended.Name, Version: ended.Version, Effective: event.MicrosOf(l.Now), Off: true, By: r.Actor.Subject, At: event.MicrosOf(l.Now),
		}, nil
	})
}

// ActivePolicy is the bundle in force and its activation; nil where none is.
func (c *Control) ActivePolicy(ctx context.Context) (*policy.Program, activation.Entry, error) {
	type active struct {
		program    *policy.Program
		activation activation.Entry
	}
	a, err := view(ctx, c, func(l *Load) (active, error) {
		stands, err := read[activation.State](l, activation.Stream)
		if err != nil {
			return active{}, err
		}
		current, found := stands.Current(l.Now)
		if !found {
			return active{}, nil
		}
		program, err := c.program(l.ctx, current)
		return active{program, current}, err
	})
	return a.program, a.activation, err
}

// active is the bundle in force, nil where none is, and when another takes effect.
func (c *Control) active(l *Load) (*policy.Program, time.Time, error) {
	stands, err := read[activation.State](l, activation.Stream)
	if err != nil {
		return nil, time.Time{}, err
	}
	current, found := stands.Current(l.Now)
	if !found {
		return nil, stands.Next(l.Now), nil
	}
	program, err := c.program(l.ctx, current)
	return program, stands.Next(l.Now), err
}

// maxBundle bounds what is read back of a bundle's sources.
const maxBundle = 16 << 20

func (c *Control) program(ctx context.Context, a activation.Entry) (*policy.Program, error) {
	return c.programs.get(a.Digest, func() (*policy.Program, error) { return c.compile(ctx, a) })
}

// compile reads the sources of an activation and makes them ready to decide.
func (c *Control) compile(ctx context.Context, a activation.Entry) (*policy.Program, error) {
	var files []policy.File
	if err := c.kept(ctx, a.File, &files); err != nil {
		return nil, fmt.Errorf("sources of the policy: %w", err)
	}
	program, err := Compiled(files)
	if err != nil {
		return nil, fmt.Errorf("the policy does not compile: %w", err)
	}
	if program.Digest() != a.Digest {
		return nil, fault.New(fault.Unverified, "policy.digest", "the sources of the policy are not those that were activated").
			Because("their digest is " + program.Digest() + ", not " + a.Digest)
	}
	return program, nil
}
