package server

import (
	"os"
	"runtime"
	"strings"
	_ "time/tzdata" // zones also where the machine has none
)

// tzdata names the time zone data that windows are reckoned with: the
// machine's version where it says one, else that of the Go release built in.
func tzdata() string {
	for _, dir := range []string{"/usr/share/zoneinfo", "/usr/lib/zoneinfo"} {
		if b, err := os.ReadFile(dir + "/+VERSION"); err == nil && len(b) < 40 {
			return strings.TrimSpace(string(b))
		}
		if b, err := os.ReadFile(dir + "/tzdata.zi"); err == nil {
			first, _, _ := strings.Cut(string(b), "\n")
			if v, ok := strings.CutPrefix(first, "# version "); ok {
				return strings.TrimSpace(v)
			}
		}
	}
	return "embedded in " + runtime.Version()
}
