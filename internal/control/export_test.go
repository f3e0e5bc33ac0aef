package control

import "signalbox.dev/signalbox/internal/state"

// Hints are where tokens and releases were found.
func (c *Control) Hints() (tokens, releases *state.Hints) { return &c.tokens, &c.releases }
