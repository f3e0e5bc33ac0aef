// Package hsm signs by Ed25519 keys that a PKCS#11 token holds.
//
// It is a module of its own, for it is C: a module is a library that is loaded into
// the process, so neither the product's binary nor its module graph has any of it. It
// leaves to seal which key is meant and whether a signature holds.
//
// Invariants: a PIN that was refused is not tried again while its file says the
// same, and none is tried where that could lock the token; a call that does not come
// back holds up one of a few sessions and nobody for longer than patience.
package hsm

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/miekg/pkcs11"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

const (
	sessions = 4               // open at once with a token; tokens have as few as eight for all who use them
	answers  = 5 * time.Second // the patience with a token, unless a test has more
)

// What PKCS#11 has since version 3.0 and the library does not name.
const (
	edwardsKey  = 0x40   // CKK_EC_EDWARDS
	edwardsMake = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
	edwardsSign = 0x1057 // CKM_EDDSA; without a parameter it is the pure Ed25519 of RFC 8032
)

// Tokens are the tokens that this process has to do with: seal.Tokens. The zero
// value knows of none yet and is ready to use.
type Tokens struct {
	patience time.Duration // for a session to be free, and the token's answer; 0 is five seconds

	mu      sync.Mutex
	modules map[string]*module // by the file that is loaded
	tokens  map[seal.URI]*token
}

// of is the token that a URI names.
func (t *Tokens) of(at seal.URI) *token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens == nil {
		t.modules, t.tokens = map[string]*module{}, map[seal.URI]*token{}
	}
	at = at.Holder()
	known := t.tokens[at]
	if known == nil {
		file := moduleFile(at)
		if t.modules[file] == nil {
			t.modules[file] = &module{file: file}
		}
		known = &token{at: at, module: t.modules[file], patience: cmp.Or(t.patience, answers), turns: make(chan struct{}, sessions)}
		t.tokens[at] = known
	}
	return known
}

// Find is the public half of the one key that a URI names, and the URI that names no other.
func (t *Tokens) Find(at seal.URI) (ed25519.PublicKey, seal.URI, error) {
	f, err := ask(t.of(at), reading, func(s session) (found, error) {
		private, err := s.private(at)
		if err != nil {
			return found{}, err
		}
		return s.found(at, private)
	})
	return f.public, f.at, err
}

// Make generates a key that cannot be taken out of the token.
func (t *Tokens) Make(at seal.URI) (ed25519.PublicKey, seal.URI, error) {
	f, err := ask(t.of(at), writing, func(s session) (found, error) {
		at := at
		if at.ID == "" { // another at each try: what one left behind is not in the way of the next
			var id [16]byte
			_, _ = rand.Read(id[:]) // never fails: see crypto/rand
			at.ID = string(id[:])
		}
		private, err := s.generate(at)
		if err != nil {
			return found{}, err
		}
		if err := s.keeps(at, private); err != nil {
			return found{}, errors.Join(err, s.destroy(at))
		}
		return s.found(at, private)
	})
	return f.public, f.at, err
}

// Sign is what the token answers to a message.
func (t *Tokens) Sign(at seal.URI, message []byte) ([]byte, error) {
	return ask(t.of(at), reading, func(s session) ([]byte, error) {
		private, err := s.known(at)
		if err != nil {
			return nil, err
		}
		if err := s.ctx.SignInit(s.handle, mechanism(edwardsSign), private); err != nil {
			return nil, err
		}
		return s.ctx.Sign(s.handle, message)
	})
}

// Remove destroys a key, in both halves.
func (t *Tokens) Remove(at seal.URI) error {
	_, err := ask(t.of(at), writing, func(s session) (struct{}, error) {
		if _, err := s.private(at); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.destroy(at)
	})
	return err
}

// Format keeps every verb from what is in memory beside it.
func (t *Tokens) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("PKCS#11 tokens")) }

func mechanism(kind uint) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(kind, nil)}
}

// answer is what a call has come to.
type answer[T any] struct {
	value T
	err   error
}

// ask does something in a session with a token, for as long as there is patience:
// whoever asks may hold what others wait for. Where the session was lost it is done
// in a new one, once.
func ask[T any](t *token, mode uint, do func(session) (T, error)) (T, error) {
	var none T
	timer := time.NewTimer(t.patience)
	defer timer.Stop()
	select {
	case t.turns <- struct{}{}:
	case <-timer.C:
		return none, t.silent("its sessions are all taken")
	}
	done := make(chan answer[T], 1)
	go func() { // C cannot be called off: what does not come back keeps its turn
		defer func() { <-t.turns }()
		value, err := within(t, mode, do)
		if lost(err) || fault.KindOf(err) == fault.NotFound { // to an old session a token that is gone looks empty
			value, err = within(t, mode, do)
		}
		done <- answer[T]{value, t.explain(err)}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-timer.C:
		return none, t.silent(fmt.Sprintf("it has not answered within %s", t.patience))
	}
}

func (t *token) silent(why string) error {
	return fault.New(fault.Unavailable, "hsm.silent", t.at.Place()+" does not answer").Because(why).
		Remedy("see whether the device is there and what else asks it; nothing was signed, and it is asked again")
}

// within does something in one session, which goes on only if that went well.
func within[T any](t *token, mode uint, do func(session) (T, error)) (value T, err error) {
	s, release, err := t.session(mode)
	if err != nil {
		return value, err
	}
	defer func() { release(err == nil) }()
	return do(s)
}
