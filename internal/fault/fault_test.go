package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestError(t *testing.T) {
	cause := errors.New("cause")
	e := Invalidf("a.b", "%q is wrong", "x").Because("it is not y").Remedy("write y").At(Position{File: "f.yaml", Line: 3, Column: 7}).On("/x").Cause(cause)
	if got, want := e.Error(), `f.yaml:3:7: "x" is wrong: it is not y (write y)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wrapped := fmt.Errorf("outer: %w", e)
	if KindOf(wrapped) != Invalid || !errors.Is(wrapped, cause) {
		t.Errorf("kind %v", KindOf(wrapped))
	}
	if KindOf(cause) != Internal || KindOf(errors.Join(cause, e)) != Invalid {
		t.Error("an error without a kind is ours; of several the first that has one counts")
	}
	if got := New(Busy, "c", "too much").Error(); got != "too much" {
		t.Errorf("got %q", got)
	}
}

func TestPosition(t *testing.T) {
	for want, p := range map[string]Position{"": {}, "f": {File: "f"}, "f:2": {File: "f", Line: 2}, "f:2:3": {File: "f", Line: 2, Column: 3}, "2:3": {Line: 2, Column: 3}, "f ": {File: "f ", Column: 3}} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The exit codes and statuses are a contract: this table is what is documented.
func TestCodes(t *testing.T) {
	for k, want := range map[Kind][2]int{
		Internal: {1, 500}, Invalid: {2, 422}, Unauthorised: {4, 401}, Forbidden: {4, 403}, NotFound: {2, 404}, Conflict: {8, 409},
		TooLarge: {2, 413}, Busy: {6, 429}, Unavailable: {6, 503}, Unverified: {7, 422}, Interrupted: {130, 500},
	} {
		if got := [2]int{Exit(k), Status(k)}; got != want {
			t.Errorf("%s: %v, want %v", k, got, want)
		}
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}
