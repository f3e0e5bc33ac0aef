package view

import "testing"

// A cursor is what a page ended with, byte for byte, or refused.
func FuzzCursor(f *testing.F) {
	f.Add(cursor{List: "tokens", Key: "3"}.String(), true)
	f.Add(cursor{List: "services", Key: "shop"}.String(), false)
	f.Add("eyJsIjoidG9rZW5zIiwiayI6IjEgT1IgMSJ9", true)
	f.Fuzz(func(t *testing.T, text string, byPosition bool) {
		for _, list := range []string{"tokens", "services"} {
			key, err := parseCursor(list, text, byPosition)
			if err != nil {
				continue
			}
			if n, is := key.(int64); is != byPosition || is && n < 0 {
				t.Errorf("%q has the key %v", text, key)
			}
		}
	})
}
