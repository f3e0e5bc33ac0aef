package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// moded is the base bundle in a mode.
func moded(t *testing.T, mode string) *Program {
	t.Helper()
	return compiled(t, []File{{Name: "base.yaml", Data: []byte(strings.Replace(base, "version: \"1\"\n", "version: \"1\"\n"+mode, 1))}})
}

func TestMode(t *testing.T) {
	ends := monday.Add(48 * time.Hour)
	limited := "\nby: board\nuntil: 2027-03-03T09:00:00Z\n"
	bad := func(in *Inputs) { in.Release.Version = "" }
	for name, c := range map[string]struct {
		mode     string
		at       time.Time
		change   func(*Inputs)
		want     string
		enforced bool
		verdict  Verdict
	}{
		"unsaid":                {"", monday, bad, ModeEnforce, true, NoGo},
		"enforce":               {"mode: enforce\n", monday, bad, ModeEnforce, true, NoGo},
		"observe":               {"mode: observe" + limited, monday, bad, ModeObserve, false, NoGo},
		"warn":                  {"mode: warn" + limited, monday, bad, ModeWarn, false, NoGo},
		"observe, a go":         {"mode: observe" + limited, monday, nil, ModeObserve, false, Go},
		"just before its end":   {"mode: observe" + limited, ends.Add(-time.Second), bad, ModeObserve, false, NoGo},
		"at its end":            {"mode: observe" + limited, ends, bad, ModeEnforce, true, NoGo},
		"a stranger":            {"mode: observe" + limited, monday, func(in *Inputs) { in.Service.Known = false }, ModeEnforce, true, CannotTell},
		"an unknown place":      {"mode: warn" + limited, monday, func(in *Inputs) { in.Environment.Known = false }, ModeEnforce, true, CannotTell},
		"a draft, in its tests": {"mode: draft\n", monday, bad, ModeEnforce, true, NoGo},
	} {
		t.Run(name, func(t *testing.T) {
			o := moded(t, c.mode).Decide(with(func(in *Inputs) {
				in.Now = c.at
				if c.change != nil {
					c.change(in)
				}
			}))
			if o.Mode != c.want || o.Enforced != c.enforced || o.Verdict != c.verdict {
				t.Errorf("mode %s, enforced %v, %s", o.Mode, o.Enforced, o.Verdict)
			}
			if !c.enforced && (o.Observe == nil || o.Observe.By != "board" || !o.Observe.Until.Equal(ends) || o.Until.After(ends) || o.Until.IsZero()) {
				t.Errorf("observed %+v until %s", o.Observe, o.Until)
			}
			if c.enforced && o.Observe != nil {
				t.Errorf("observed %+v", o.Observe)
			}
		})
	}
}

func TestDraftsAndModesThatAreOverAreNotActivated(t *testing.T) {
	tests := "mode: observe\nby: board\nuntil: 2027-03-03\n"
	for name, c := range map[string]struct {
		mode string
		at   time.Time
		want string
	}{
		"draft":       {"mode: draft\n", monday, "policy.draft"},
		"in time":     {tests, monday, ""},
		"over by now": {tests, monday.Add(48 * time.Hour), "policy.mode-over"},
		"enforce":     {"mode: enforce\n", monday, ""},
	} {
		err := moded(t, c.mode).Activatable(c.at)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || faultCode(err) != c.want):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func faultCode(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Code
	}
	return ""
}
