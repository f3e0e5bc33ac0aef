package change

import (
	"regexp"
	"strconv"
	"strings"
)

// number finds a version in a ref: v1.2.3, release-1.2.3, app/1.2. What
// follows after - is a pre-release (Semantic Versioning 2.0.0, section 9).
var number = regexp.MustCompile(`^(?:refs/tags/)?(.*?)v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8}))?(?:\+[0-9A-Za-z.-]+)?$`)

type version struct {
	prefix string // such as "app/" of app/v1.2.3
	parts  [3]int
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
	v := version{prefix: prefix}
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
// patch, none where they are equal. It is unknown where either is no plain
// number, is a pre-release, belongs to another series, or goes backwards.
func Step(from, to string) string {
	a, okA := parseVersion(from)
	b, okB := parseVersion(to)
	if !okA || !okB || a.prefix != b.prefix {
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
	return NoStep
}
