package verify

import "signalbox.dev/signalbox/internal/trust"

// Keys are the public keys that someone trusts.
type Keys = trust.Keys

// Key is one of them.
type Key = trust.Key

// Purpose is what a key may sign.
type Purpose = trust.Purpose

// The purposes of public keys.
const (
	ForJournal = trust.ForJournal
	ForPermits = trust.ForPermits
	ForWitness = trust.ForWitness
)

// ParseKeys reads a file of public keys: see trust.Parse.
func ParseKeys(b []byte) (Keys, error) { return trust.Parse(b) }
