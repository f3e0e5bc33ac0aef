package vault

import (
	"bytes"
	"iter"
)

// Digests is every digest that is written out in bytes, such as the body of a
// fact: what stands there in any field, of any kind, is named.
func Digests(b []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			i := bytes.Index(b, []byte(prefix))
			if i < 0 || len(b) < i+len(prefix)+64 {
				return
			}
			digest := string(b[i : i+len(prefix)+64])
			if _, err := hexOf(digest); err == nil && !yield(digest) {
				return
			}
			b = b[i+len(prefix):]
		}
	}
}
