package strict

import "testing"

func TestSpelled(t *testing.T) {
	for name, right := range map[string]bool{"sig": true, "other": true, "": true, "Sig": false, "SIG": false, "ſig": false} {
		if err := Spelled(map[string]any{name: 1}, "/a", "sig", "keyid"); (err == nil) != right {
			t.Errorf("%q: %v", name, err)
		}
	}
}
