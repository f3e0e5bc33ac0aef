package control_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/seal"
)

// Where something was found before is no answer: hints that lead elsewhere, or
// nowhere, change nothing and are put right.
func TestHintsAreNotTrusted(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var secrets []string
		for _, handle := range []string{"ann", "ben"} {
			issued, err := h.IssueToken(h.ctx, h.as("root"), control.TokenRequest{Handle: handle, Life: time.Hour})
			must(t, err)
			secrets = append(secrets, issued.Secret)
		}
		ann, err := seal.HashToken(secrets[0])
		must(t, err)
		ben, err := seal.HashToken(secrets[1])
		must(t, err)
		is := func(when, secret, who string) {
			t.Helper()
			if a, err := h.Authenticate(h.ctx, secret); err != nil || a.Subject != h.who[who].Subject {
				t.Errorf("%s: %s instead of %s, %v", when, a.Subject, who, err)
			}
		}
		tokens, releases := h.Hints()
		is("found by its key", secrets[0], "ann")
		is("found by its key", secrets[1], "ben")
		right := tokens.Of(ann)
		if len(right) != 2 || string(right[1]) != h.who["ann"].Subject {
			t.Fatalf("remembered of the token: %v", right)
		}
		for _, wrong := range [][]event.Stream{tokens.Of(ben), {event.StreamOf(access.TokenNoun, "none")}, {right[0], tokens.Of(ben)[1]}} {
			tokens.Found(ann, wrong...)
			is("misled", secrets[0], "ann")
		}
		must(t, h.RevokeToken(h.ctx, h.as("root"), right[0].ID(), "test"))
		if _, err := h.Authenticate(h.ctx, secrets[0]); fault.KindOf(err) != fault.Unauthorised {
			t.Errorf("a token that was found before and is revoked: %v", err)
		}

		q := h.gate().ReleaseRequest
		one, err := h.OpenRelease(h.ctx, h.as("ci"), q)
		must(t, err)
		other := q
		other.Version = "v9.9.9"
		two, err := h.OpenRelease(h.ctx, h.as("ci"), other)
		must(t, err)
		name := release.Name(q.Service, q.Version, q.Digest)
		for _, at := range []string{one.ID, two.ID, "none", one.ID} {
			releases.Found(name, event.StreamOf(release.Noun, at))
			if got, err := h.OpenRelease(h.ctx, h.as("ci"), q); err != nil || got.ID != one.ID {
				t.Errorf("asked by way of %s: %s instead of %s, %v", at, got.ID, one.ID, err)
			}
		}
	})
}
