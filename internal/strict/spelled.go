package strict

import (
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// Spelled refuses an object that has a member whose name differs from a known one
// in case alone: DecodeOpen passes over it, where other readers would take it for
// the known one. at is the JSON pointer of the object, "" for the document.
func Spelled(members map[string]any, at string, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(known, name) {
			continue
		}
		for _, k := range known {
			if strings.EqualFold(name, k) {
				return fault.Invalidf("json.case", "the member %q is not written %q", name, k).
					Because("readers differ on which of the two it is").On(at + "/" + k)
			}
		}
	}
	return nil
}
