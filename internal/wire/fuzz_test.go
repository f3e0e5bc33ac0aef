package wire

import (
	"bytes"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// Whatever a server sends, events ends and gives whole pieces only.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("id: 1\nevent: news\ndata: {\"next\":1}\n\n: still here\n\n"))
	f.Add([]byte("data: a\ndata: b\n\ndata: cut"))
	f.Add([]byte(":\n\n\r\n\x00data:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = events(bytes.NewReader(b), func(data []byte) error {
			if len(data) == 0 || bytes.ContainsRune(data, '\n') {
				t.Errorf("data %q of %q", data, b)
			}
			return nil
		})
	})
}

// Whatever a server sends as a problem, it becomes a fault with a kind and a message.
func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"type":"about:blank","title":"Conflict","status":409,"kind":"conflict","code":"a.b","detail":"what","where":{"file":"a","line":1}}`))
	f.Add([]byte(`{"status":999,"kind":"go","errors":[{},{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Problem
		if strict.DecodeOpen(b, &p) != nil {
			return
		}
		made := p.Fault()
		if made.What == "" || fault.Status(made.Kind) < 400 || problem(p).Error() == "" && len(p.Errors) < 2 {
			t.Errorf("%q became %+v", b, made)
		}
	})
}
