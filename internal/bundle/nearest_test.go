package bundle

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"critical", "high", "severity", "title", "tests"}
	for word, want := range map[string]string{"crticial": "critical", "hihg": "high", "sevrity": "severity", "Title": "title", "test": "tests", "frobnicate": "", "": ""} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for word, want := range map[string]string{
		"gate": `did you mean "Gate"?`, "Gates": `did you mean "Gate"?`, "scopeRule": `did you mean "ScopeRule"?`,
		"x": "use one of: Gate, Policy, ScopeRule", strings.Repeat("Gate", 50): "use one of: Gate, Policy, ScopeRule",
	} {
		if got := DidYouMean(word, []string{"ScopeRule", "Policy", "Gate"}); got != want {
			t.Errorf("for %.20q: %s, want %s", word, got, want)
		}
	}
}
