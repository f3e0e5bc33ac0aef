package web

import (
	"context"
	"time"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// Decisions finds what the journal recorded, for pages.
type Decisions interface {
	// Decision is a recorded decision by its id. Errors: fault NotFound.
	Decision(ctx context.Context, id string) (Recorded, error)
	// Recent is recorded decisions, newest first.
	Recent(ctx context.Context, f Filter) (Page, error)
	// Name is a person's printed name; "" where it is not known any more.
	Name(ctx context.Context, person string) (string, error)
}

// Recorded is a decision and the position of its fact in the journal.
type Recorded struct {
	release.Decision
	Position uint64
}

// Filter narrows a list of decisions; empty fields narrow nothing.
type Filter struct {
	Service     string
	Environment string
	Verdict     policy.Verdict
	Cursor      string // where an earlier page ended
}

// Page is a part of a list. Next is the cursor of the part after it, "" at the end.
type Page struct {
	Items []Listed
	Next  string
}

// Listed is a decision as lists show it.
type Listed struct {
	ID, Service, Version, Environment string
	Verdict                           policy.Verdict
	Enforced                          bool
	At                                time.Time
}
