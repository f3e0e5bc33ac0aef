package change

import (
	"regexp"
	"strconv"
	"strings"
)

// number finds a version in a ref: v1.2.3, release-1.2.3, app/1.2, and the
// pre-release that may follow (Semantic Versioning 2.0.0, sections 9 and 10).
var number = regexp.MustCompile(`^(?:refs/tags/)?(.*?)v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8})(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?(?:\+[0-9A-Za-z.-]+)?$`)

type version struct {
	prefix string // such as "app/" of app/v1.2.3
	parts  [3]int
	early  bool // a pre-release of that number
}

func parseVersion(ref string) (version, bool) {
	m := number.FindStringSubmatch(ref)
	if m == nil {
		return version{}, false
	}
	prefix := strings.TrimSuffix(m[1], "v")
	if prefix != "" && !strings.ContainsAny(prefix[len(prefix)-1:], "/-_@") {
		return version{}, false
	}
	v := version{prefix: prefix, early: m[5] != ""}
	for i, s := range m[2:5] {
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return version{}, false
		}
		v.parts[i] = n
	}
	return v, true
}

// Step is the step from one ref's version number to another's: major, minor,
// patch, none where they are equal. A pre-release takes the step of the number
// that it leads up to. It is unknown where either is no number, where the first
// is a pre-release (nobody says what that one took), where they belong to two
// series, and where the number goes backwards or only the pre-release changes.
func Step(from, to string) string {
	a, okA := parseVersion(from)
	b, okB := parseVersion(to)
	if !okA || !okB || a.prefix != b.prefix || a.early {
		return Unknown
	}
	for i, size := range []string{Major, Minor, Patch} {
		switch {
		case b.parts[i] > a.parts[i]:
			return size
		case b.parts[i] < a.parts[i]:
			return Unknown
		}
	}
	if b.early {
		return Unknown
	}
	return NoStep
}
