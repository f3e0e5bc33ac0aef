package wire

import (
	"context"
	"net/http"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// EventStream is the media type of server-sent events: what Replay asks for.
const EventStream = "text/event-stream"

// ReplayRequest asks what a bundle would have answered.
type ReplayRequest struct {
	Files []PolicyFile `json:"files"`
	Since time.Time    `json:"since,omitzero" doc:"The first decision's instant at the earliest; all of them, where absent"`
}

// ReplayEvent is one event of a replay: just one of the three. The summary is the last.
type ReplayEvent struct {
	Progress *ReplayProgress `json:"progress,omitempty"`
	Flip     *ReplayFlip     `json:"flip,omitempty"`
	Summary  *ReplaySummary  `json:"summary,omitempty"`
}

// ReplayProgress says how many facts of the journal have been read.
type ReplayProgress struct {
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
}

// ReplayFlip is a decision that the candidate would have answered otherwise.
type ReplayFlip struct {
	Decision    string       `json:"decision" doc:"Id"`
	Release     string       `json:"release"`
	Service     string       `json:"service"`
	Team        string       `json:"team,omitempty" doc:"That owned the service then"`
	Version     string       `json:"version"`
	Environment string       `json:"environment"`
	At          time.Time    `json:"at"`
	Effect      string       `json:"effect" enum:"stopped,let-through,other-answer,cannot-be-told" doc:"What it would have meant for the pipeline"`
	Was         string       `json:"was" enum:"go,wait,no-go,indeterminate"`
	Now         string       `json:"now" enum:"go,wait,no-go,indeterminate"`
	Observed    bool         `json:"observed,omitempty" doc:"The candidate would have observed, not enforced"`
	Gates       []ReplayGate `json:"gates" doc:"That block under one bundle and not under the other"`
	Why         string       `json:"why,omitempty" doc:"Why it cannot be told, or what was taken for granted"`
	Outcome     string       `json:"outcome" doc:"How the release turned out, in words; outcome unknown where nothing is known"`
}

// ReplayGate is what a gate said and would have said.
type ReplayGate struct {
	Gate string `json:"gate"`
	Was  string `json:"was"`
	Now  string `json:"now"`
}

// ReplayCounts is how many decisions had which effect.
type ReplayCounts struct {
	Stopped int `json:"stopped" doc:"Went on, and would not have"`
	Through int `json:"let_through" doc:"Were stopped, and would have gone on"`
	Other   int `json:"other_answer" doc:"Another answer to the same effect"`
	Untold  int `json:"cannot_be_told" doc:"The record does not hold what the candidate asks for"`
}

// ReplaySummary sums a replay up. The lists have at most 100 entries each, the largest.
type ReplaySummary struct {
	Candidate string `json:"candidate" doc:"Digest of the bundle"`
	Name      string `json:"name"`
	Version   string `json:"version,omitempty"`
	Total     int    `json:"total" doc:"Decisions"`
	Same      int    `json:"same"`
	ReplayCounts
	Gates    []ReplayShare `json:"gates" doc:"A decision counts for each gate whose word changed"`
	Services []ReplayShare `json:"services"`
	Teams    []ReplayShare `json:"teams"`
	LeftOut  int           `json:"left_out,omitempty" doc:"Entries beyond the lists"`
}

// ReplayShare is what a gate, service or team has of the flips.
type ReplayShare struct {
	Name string `json:"name" doc:"Empty where none was known"`
	ReplayCounts
	Decisions []string `json:"decisions" doc:"Ids, at most 20"`
}

// Replay has the recorded history decided again under a bundle, and calls fn
// with what comes meanwhile. Nothing is recorded.
func (c *Client) Replay(ctx context.Context, q ReplayRequest, fn func(ReplayEvent) error) (ReplaySummary, error) {
	var sum ReplaySummary
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := time.AfterFunc(callTime+silence, cancel)
	defer quiet.Stop()
	p, err := post("/policy/replays", q)
	if err != nil {
		return sum, err
	}
	p.accept = EventStream
	response, err := c.request(ctx, p)
	if err != nil {
		_, err = c.unreached(ctx, err)
		return sum, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		_, err := refusal(response)
		return sum, err
	}
	whole := false
	err = events(response.Body, func(data []byte) error {
		quiet.Reset(silence)
		var e ReplayEvent
		if err := strict.DecodeOpen(data, &e); err != nil {
			return err
		}
		if e.Summary != nil {
			sum, whole = *e.Summary, true
			return nil
		}
		return fn(e)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return sum, interrupted(ctx)
	case err != nil && fault.KindOf(err) != fault.Internal:
		return sum, err
	case err != nil || !whole:
		return sum, fault.New(fault.Unavailable, "client.replay-cut", "the replay broke off").Because("the server ended it before its summary").Remedy("try again").Cause(err)
	}
	return sum, nil
}
