package bundle

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var durationPart = regexp.MustCompile(`^([0-9]{1,6})(w|d|h|m|s)`)

// ParseDuration reads durations as policies write them: 90m, 4h, 7d, 2w or
// several units from large to small, such as 1d12h. A day has 24 hours.
func ParseDuration(s string) (time.Duration, bool) {
	units := map[string]time.Duration{"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	total, smallest := time.Duration(0), time.Duration(math.MaxInt64)
	if s == "" {
		return 0, false
	}
	for s != "" {
		m := durationPart.FindStringSubmatch(s)
		if m == nil || units[m[2]] >= smallest {
			return 0, false
		}
		n, _ := strconv.Atoi(m[1])
		smallest = units[m[2]]
		total += time.Duration(n) * smallest
		if n > 0 && total/smallest < time.Duration(n) || total > 100*365*24*time.Hour {
			return 0, false
		}
		s = s[len(m[0]):]
	}
	return total, true
}

// Duration is d as policies write it.
func Duration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	return b.String()
}
