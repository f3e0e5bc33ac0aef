package state

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckText reports why both engines could not keep s as text of at most limit bytes.
func CheckText(s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("it is longer than %d bytes", limit)
	case !utf8.ValidString(s):
		return errors.New("it is not valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return errors.New("it holds a NUL character")
	}
	return nil
}
