package state

import "sync"

// Held is what was read of a set's members at one version of the set. Every
// change of a member raises that version, and whoever asks has read it in his own
// snapshot, so what is held is what he would read. What is held belongs to all
// who ask, and nobody changes it.
type Held[V any] struct {
	mu      sync.Mutex
	version uint64
	values  map[string]V
}

// Get is a value at a version of the set, read with find where it is not held.
// One that find does not find is not held: callers may name whatever they like.
func (h *Held[V]) Get(version uint64, key string, find func() (V, bool, error)) (V, bool, error) {
	h.mu.Lock()
	value, found := h.values[key]
	found = found && h.version == version
	h.mu.Unlock()
	if found {
		return value, true, nil
	}
	value, found, err := find()
	if err != nil || !found {
		return value, false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.values == nil || version > h.version {
		h.version, h.values = version, map[string]V{}
	}
	if version == h.version {
		h.values[key] = value
	}
	return value, true, nil
}
