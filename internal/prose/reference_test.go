package prose

import (
	"strings"
	"testing"
)

func TestReference(t *testing.T) {
	text := Reference()
	for _, s := range []string{"| `findings.critical` | int | findings |", "| `calendar.thaws_at` | timestamp | instant, UTC |", "| the reports | `0` |", "| `service.flags` | list of string |", "### FreezeRule", "| `permit_ttl` |"} {
		if !strings.Contains(text, s) {
			t.Errorf("the reference does not say %s", s)
		}
	}
}
