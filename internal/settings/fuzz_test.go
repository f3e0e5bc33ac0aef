package settings

import (
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

// Whatever a project's file says, it sets nothing that it may not.
func FuzzProjectSettings(f *testing.F) {
	for _, s := range []string{"service: payments\n", "server: http://evil.example\n", "output: json\nzone: UTC\n", "? server\n: x\n", "{service: a, service: b}", "--- a\n--- b\n", "\"ser\\u0076er\": x\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parse("f", b, true)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Errorf("%v", err)
			}
			return
		}
		for key := range got.values {
			if o := Of(key); o.Key != key || !o.Project {
				t.Errorf("it sets %q", key)
			}
		}
	})
}
