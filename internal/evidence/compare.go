package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Compared is which findings stand about one version and not about another.
type Compared struct {
	Appeared []Finding // in order of severity, worst first; at most MaxCompared
	Gone     []Finding
	Stayed   int
	Omitted  int // of Appeared and Gone, for length
}

// MaxCompared bounds each list of a comparison.
const MaxCompared = 500

// Compare tells which findings appeared and which are gone between the scans of
// two versions. A vulnerability is the same in another version of its package,
// and a fault of code on another line of its file.
func Compare(from, to []Claim) Compared {
	before, after := standingIn(from), standingIn(to)
	var c Compared
	for key, f := range after {
		if _, stayed := before[key]; stayed {
			c.Stayed++
		} else {
			c.Appeared = append(c.Appeared, f)
		}
	}
	for key, f := range before {
		if _, stayed := after[key]; !stayed {
			c.Gone = append(c.Gone, f)
		}
	}
	for _, list := range []*[]Finding{&c.Appeared, &c.Gone} {
		slices.SortFunc(*list, worstFirst)
		if n := len(*list) - MaxCompared; n > 0 {
			*list, c.Omitted = (*list)[:MaxCompared], c.Omitted+n
		}
	}
	return c
}

func worstFirst(a, b Finding) int {
	switch {
	case a.Severity.Worse(b.Severity):
		return -1
	case b.Severity.Worse(a.Severity):
		return 1
	}
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Location, b.Location), cmp.Compare(a.Message, b.Message))
}

// standingIn is what stands in the scans, each once.
func standingIn(claims []Claim) map[string]Finding {
	all := map[string]Finding{}
	for _, c := range claims {
		if c.Findings == nil || c.Findings.Unscanned {
			continue
		}
		for _, f := range c.Findings.Items {
			if f.Suppressed {
				continue
			}
			key := f.acrossVersions()
			if known, again := all[key]; !again || f.Severity.Worse(known.Severity) {
				all[key] = f
			}
		}
	}
	return all
}

// acrossVersions is what a finding has in common with the same one in another version.
func (f Finding) acrossVersions() string {
	if f.Package != "" {
		names := slices.DeleteFunc(append([]string{f.Rule}, f.Identifiers...), func(id string) bool { return !strings.HasPrefix(id, "CVE-") })
		slices.Sort(names)
		return fmt.Sprintf("%q %q", slices.Concat(names, []string{f.Rule})[0], f.Package)
	}
	file, _, _ := strings.Cut(f.Location, ":")
	return fmt.Sprintf("%q %q %q", f.Rule, file, f.Message)
}

// About is the claims that stand about a version of a service, of all its artifacts.
func About(all []Artifact, service, version string) Artifact {
	var out Artifact
	for _, a := range all {
		for _, c := range a.Claims {
			if c.Service == service && c.Version == version {
				out.Claims = append(out.Claims, c)
			}
		}
		if len(all) == 1 {
			out.Digest = a.Digest
		}
	}
	return out
}
