package control

import (
	"context"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/keyring"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/trust"
)

// Rotation asks that a new key take the place of an old one.
type Rotation struct {
	Purpose     string // journal or permit
	Reason      string
	Compromised bool // another may have the old key
	Forget      bool // delete the old key once it is ended
}

// RotateKey ends the key of a purpose and begins another, by one fact that both
// have signed. From it on every process signs by the new key.
func (c *Control) RotateKey(ctx context.Context, r Request, q Rotation) (trust.Rotated, error) {
	var minted string
	p := seal.Purpose(q.Purpose)
	done, err := do(ctx, c, r, q, func(l *Load) ([]event.Draft, trust.Rotated, error) {
		turn := trust.Rotated{Purpose: trust.Purpose(p), At: event.MicrosOf(l.Now), Compromised: q.Compromised}
		if err := r.Actor.May(access.Operate); err != nil {
			return nil, trust.Rotated{}, err
		}
		if minted == "" {
			var err error
			if minted, err = c.Keys.Mint(p); err != nil {
				return nil, trust.Rotated{}, err
			}
		}
		line, err := read[trust.Line](l, trust.StreamOf(trust.Purpose(p)))
		if err != nil {
			return nil, trust.Rotated{}, err
		}
		turn.New, turn.Old = minted, orElse(line.Current(), c.Keys.First(p))
		return line.Rotate(c.Journal.Origin(), turn, q.Reason, func(by string, words []byte) ([]byte, error) { return c.Keys.Sign(p, by, words) })
	})
	if minted != "" && done.New != minted && fault.KindOf(err) != fault.Unavailable {
		_ = c.Keys.Discard(p, minted) // no fact names it
	}
	if err == nil && q.Forget {
		err = c.Keys.Forget(p, done.Old)
	}
	return done, err
}

// CheckKeys reports why not both keys can sign, or nil.
func (c *Control) CheckKeys(ctx context.Context) error { return keyring.Check(ctx, c.Journal, c.Keys) }

// PublicKeys is the file of public keys, ended ones included: what verify.ParseKeys reads.
func (c *Control) PublicKeys(ctx context.Context) ([]byte, error) {
	return view(ctx, c, func(l *Load) ([]byte, error) { return keyring.Public(ctx, l.from, c.Keys) })
}
