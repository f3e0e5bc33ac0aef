package control

import (
	"context"
	"errors"
	"fmt"

	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// RecheckPolicy compiles the bundle in force as this version reads it, and runs
// its tests again: what it decided under the version before it must decide
// under this one. It is called before the first write of a start. A bundle that
// is still to take effect is looked at too, but stops nothing: it can be
// replaced until then.
func (c *Control) RecheckPolicy(ctx context.Context) error {
	stands, now, err := c.activations(ctx)
	if err != nil {
		return err
	}
	if current, active := stands.Current(now.Time()); active {
		if err := c.holds(ctx, current); err != nil {
			return err
		}
	}
	for _, a := range stands.List {
		if a.Off || a.Effective <= now {
			continue
		}
		if err := c.holds(ctx, a); err != nil {
			c.Log.Warn("a policy that is still to take effect does not hold under this version", "name", a.Name, "digest", a.Digest, "effective", a.Effective, "error", err)
		}
	}
	return nil
}

func (c *Control) activations(ctx context.Context) (stands activation.State, now event.Micros, err error) {
	stands, err = view(ctx, c, func(l *Load) (activation.State, error) {
		now = event.MicrosOf(l.Now)
		return read[activation.State](l, activation.Stream)
	})
	return stands, now, err
}

// answersAs refuses a bundle whose tests are answered otherwise than when it was activated.
func (c *Control) answersAs(ctx context.Context, a activation.Entry, p *policy.Program) error {
	var was []activation.Answer
	if err := c.kept(ctx, a.Answers, &was); err != nil {
		return fmt.Errorf("what the tests were answered: %w", err)
	}
	return activation.AnswersAs(p, was)
}

// holds is nil where the bundle compiles, all of its tests pass, and are answered
// as they were.
func (c *Control) holds(ctx context.Context, a activation.Entry) error {
	program, err := c.program(ctx, a)
	if err == nil {
		err = program.Ready()
	}
	if err == nil && a.Answers != "" {
		err = c.answersAs(ctx, a, program)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	what := fmt.Sprintf("the policy %s %s does not hold under this version of Signalbox", a.Name, a.Version)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		return fmt.Errorf("%s: %w", what, err)
	}
	why := f.What
	if f.Why != "" {
		why += ": " + f.Why
	}
	return fault.New(fault.Invalid, "policy.upgrade", what).Because(why).At(f.Where).Cause(err).
		Remedy("start the version before, activate a policy that holds under both, and then upgrade")
}
