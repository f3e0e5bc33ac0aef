package terminal

import (
	"html"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/wire"
)

// The receipt stands in a summary word for word, and nothing in it is more than text.
func TestSummaryHasTheReceipt(t *testing.T) {
	note := "signalbox-receipt/v1\norigin o\n</pre><script>x</script>\n```\n\n— o AAAA+/=\n"
	s := Summary(wire.Decision{Verdict: wire.Go}, Options{Note: []byte(note), Checkpoint: []byte("o\n41\nAbc=\n\n— o x\n")})
	_, rest, found := strings.Cut(s, "<pre>\n")
	text, _, closed := strings.Cut(rest, "</pre>")
	if !found || !closed || html.UnescapeString(text) != note {
		t.Errorf("the summary holds %q", html.UnescapeString(text))
	}
	if strings.Contains(s, "<script>") || strings.Contains(s, "```") || !strings.Contains(s, "Newest checkpoint: 41 facts, root Abc=") {
		t.Error(s)
	}
	if s := Summary(wire.Decision{Verdict: wire.Go}, Options{}); strings.Contains(s, "<pre>") {
		t.Error("a receipt of nothing")
	}
}
