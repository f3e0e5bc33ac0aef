package readers

import (
	"slices"
	"testing"

	"signalbox.dev/signalbox/internal/report"
)

// Every format that is read is measured, and read as what it is.
func TestEveryFormatIsMeasured(t *testing.T) {
	var names []string
	for _, f := range forms() {
		names = append(names, f.format)
		if _, n, err := f.read(long); err != nil || n < 1000 {
			t.Errorf("%s: %d elements, %v", f.name(), n, err)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); !slices.Equal(names, report.Names()) {
		t.Errorf("measured are %v\nread are %v", names, report.Names())
	}
}
