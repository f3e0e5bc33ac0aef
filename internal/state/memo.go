package state

import "sync"

// memoMax is how much a Memo keeps.
const memoMax = 64

// Memo keeps the last few of what took long to find by what never changes, such
// as a digest; failures included. It is safe for several at once, who may find
// the same.
type Memo[V any] struct {
	mu    sync.Mutex
	found map[string]remembered[V]
}

type remembered[V any] struct {
	value V
	err   error
}

// Get is what was found for a key, found with find where it is not kept.
func (m *Memo[V]) Get(key string, find func() (V, error)) (V, error) {
	m.mu.Lock()
	known, found := m.found[key]
	m.mu.Unlock()
	if found {
		return known.value, known.err
	}
	value, err := find()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found == nil || len(m.found) >= memoMax {
		m.found = map[string]remembered[V]{}
	}
	m.found[key] = remembered[V]{value, err}
	return value, err
}
