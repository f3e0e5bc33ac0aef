package state

import (
	"sync"

	"signalbox.dev/signalbox/internal/event"
)

// hintsMax bounds what Hints keep: all is forgotten where there is more.
const hintsMax = 10_000

// Hints remember at which streams something was found. A hint is no answer:
// whoever follows it loads those streams in his own snapshot, and looks for what
// he wants by its key where their states do not say that they are it.
type Hints struct {
	mu    sync.Mutex
	found map[string][]event.Stream
}

// Of is where something was found last; nil where that is not known.
func (h *Hints) Of(what string) []event.Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.found[what]
}

// Found remembers where something was found.
func (h *Hints) Found(what string, at ...event.Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found == nil || len(h.found) >= hintsMax {
		h.found = map[string][]event.Stream{}
	}
	h.found[what] = at
}
