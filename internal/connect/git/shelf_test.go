package git

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever git says, what is read of it is a piece of it of the size it names.
func FuzzShelved(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte(id + " blob 3\nabc\n" + id + " blob 0\n\n"))
	f.Add([]byte(id + ":x missing\n"))
	f.Add([]byte(id + " tree 3\nabc\n"))
	f.Add([]byte(id + " blob 9999999999999999999\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		content, rest, err := shelved(b)
		if err != nil {
			return
		}
		said := fmt.Sprintf("%s\n", content)
		if len(content) > maxShelved || !strings.HasSuffix(string(b), string(rest)) || len(rest)+len(said) >= len(b) {
			t.Errorf("%q becomes %q and %q", b, content, rest)
		}
	})
}
