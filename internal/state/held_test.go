package state_test

import (
	"errors"
	"testing"

	"signalbox.dev/signalbox/internal/state"
)

// What is held of one version of a set is answered at that version alone.
func TestHeld(t *testing.T) {
	var h state.Held[string]
	reads := 0
	at := func(version uint64, value string, found bool, failure error) (string, bool, error) {
		return h.Get(version, "key", func() (string, bool, error) {
			reads++
			return value, found, failure
		})
	}
	for _, c := range []struct {
		version uint64
		value   string
		want    string
		reads   int // in all
	}{
		{3, "three", "three", 1},
		{3, "not read", "three", 1},
		{4, "four", "four", 2},
		{3, "three again", "three again", 3}, // whoever has an older snapshot reads for himself
		{4, "not read", "four", 3},
	} {
		got, found, err := at(c.version, c.value, true, nil)
		if err != nil || !found || got != c.want || reads != c.reads {
			t.Errorf("at version %d: %q, %v, %v after %d reads; want %q after %d", c.version, got, found, err, reads, c.want, c.reads)
		}
	}
	if _, found, err := at(5, "", false, nil); found || err != nil {
		t.Errorf("what is not there was found: %v", err)
	}
	failure := errors.New("unreadable")
	if _, found, err := at(5, "partly", true, failure); found && err == nil || !errors.Is(err, failure) {
		t.Errorf("a failed read: %v, %v", found, err)
	}
	if got, _, err := at(5, "five", true, nil); got != "five" || err != nil {
		t.Errorf("neither absence nor failure is held: %q, %v", got, err)
	}
}
