package evidence

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Status is what a statement about a vulnerability says of a product, in the
// words of VEX (CISA, Minimum Requirements for VEX, 2023).
type Status string

// The statuses. Only the first two close a finding.
const (
	NotAffected Status = "not_affected"
	Fixed       Status = "fixed"
	Affected    Status = "affected"
	UnderWay    Status = "under_investigation"
)

// Closes reports whether a finding of which s is true does not stand.
func (s Status) Closes() bool { return s == NotAffected || s == Fixed }

// Statement is what somebody says of one vulnerability in one product, or in
// one component of it.
type Statement struct {
	Vulnerability []string // its name, then its aliases
	Product       Thing
	Component     *Thing // nil: the product whole
	Status        Status
	Why           string    // justification or impact, as written
	At            time.Time // of two about the same, the later is true
}

// Thing is a product or component by the names that a statement gives it.
type Thing struct {
	IDs     []string // package URLs and other ids
	Digests []string // "sha256:…"
}

// about reports whether a and b speak of the same.
func (s Statement) about(o Statement) bool {
	same := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
	}
	thing := func(a, b Thing) bool { return same(a.IDs, b.IDs) || same(a.Digests, b.Digests) }
	if !same(s.Vulnerability, o.Vulnerability) || !thing(s.Product, o.Product) || (s.Component == nil) != (o.Component == nil) {
		return false
	}
	return s.Component == nil || thing(*s.Component, *o.Component)
}

// names reports whether the statement's product is the artifact, or its product
// or component is the package of the finding.
func (s Statement) names(digest string, f Finding) bool {
	if s.Product.is(digest) {
		return s.Component == nil || s.Component.holds(f)
	}
	return s.Component == nil && s.Product.holds(f)
}

// is reports whether the thing is the artifact with a digest: by a hash, or by
// the digest in its id, as in pkg:oci/shop@sha256%3Aab… or registry/shop@sha256:ab….
func (t Thing) is(digest string) bool {
	if slices.Contains(t.Digests, digest) {
		return true
	}
	return slices.ContainsFunc(t.IDs, func(id string) bool {
		_, after, found := strings.Cut(unescape.Replace(id), "@")
		after, _, _ = strings.Cut(after, "?")
		return found && strings.EqualFold(after, digest)
	})
}

// holds reports whether the thing is the finding's package: by its package URL,
// in which what the thing leaves open (version, qualifiers) may be anything.
func (t Thing) holds(f Finding) bool {
	have, ok := cutPURL(f.PURL)
	if !ok {
		return false
	}
	return slices.ContainsFunc(t.IDs, func(id string) bool {
		want, ok := cutPURL(id)
		return ok && want.covers(have)
	})
}

// purl is a package URL in its parts: "pkg:type/namespace/name", version,
// qualifiers. Subpaths do not tell packages apart.
type purl struct {
	name, version string
	qualifiers    []string
}

var unescape = strings.NewReplacer("%3A", ":", "%3a", ":", "%40", "@", "%2B", "+", "%2b", "+", "%2F", "/", "%2f", "/")

// cutPURL reads a package URL (ECMA-427), as far as comparison needs.
func cutPURL(s string) (purl, bool) {
	rest, found := strings.CutPrefix(s, "pkg:")
	if !found {
		return purl{}, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	p := purl{name: rest}
	if i := strings.LastIndexByte(rest, '@'); i > 0 && !strings.Contains(rest[i:], "/") {
		p.name, p.version = rest[:i], unescape.Replace(rest[i+1:])
	}
	kind, name, found := strings.Cut(strings.TrimLeft(p.name, "/"), "/")
	p.name = strings.ToLower(kind) + "/" + unescape.Replace(strings.Trim(name, "/"))
	for q := range strings.SplitSeq(query, "&") {
		if q != "" {
			p.qualifiers = append(p.qualifiers, unescape.Replace(q))
		}
	}
	return p, found && name != ""
}

func (p purl) covers(o purl) bool {
	if p.name != o.name || p.version != "" && p.version != o.version {
		return false
	}
	return !slices.ContainsFunc(p.qualifiers, func(q string) bool { return !slices.Contains(o.qualifiers, q) })
}

// Latest drops the statements that a later one about the same overrides. Of two
// of one time the later in the list is true.
func Latest(all []Statement) []Statement {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Statement) int { return a.At.Compare(b.At) })
	overridden := make([]bool, len(sorted))
	byName := map[string][]int{}
	for i, s := range sorted {
		for _, name := range s.Vulnerability {
			for _, earlier := range byName[name] {
				overridden[earlier] = overridden[earlier] || earlier != i && s.about(sorted[earlier])
			}
			byName[name] = append(byName[name], i)
		}
	}
	var out []Statement
	for i, s := range sorted {
		if !overridden[i] {
			out = append(out, s)
		}
	}
	return out
}

// Close is the claim of a scan of the artifact with a digest, with those
// findings closed that a statement names; n is how many. A statement that a
// finding stands, or is under investigation, wins over one of the same time or
// earlier that closes it. The claim must list all its findings; it is not changed.
func Close(c Claim, digest string, statements []Statement) (closed Claim, n int) {
	if c.Findings == nil || c.Findings.Unscanned || c.Findings.Omitted > 0 {
		return c, 0
	}
	f := *c.Findings
	f.Items = slices.Clone(f.Items)
	for i, item := range f.Items {
		s, found := last(digest, item, statements)
		if item.Suppressed || !found || !s.Status.Closes() {
			continue
		}
		item.Suppressed, item.Why = true, Cut("vex: "+string(s.Status)+", "+s.Why, MaxWord)
		f.Items[i] = item
		f.BySeverity.Add(item.Severity, -1)
		f.Total--
		f.Suppressed++
		n++
	}
	c.Findings = &f
	return c, n
}

// last is the newest statement that names the finding.
func last(digest string, f Finding, all []Statement) (Statement, bool) {
	var found []Statement
	for _, s := range all {
		if s.speaks(f) && s.names(digest, f) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return Statement{}, false
	}
	return slices.MaxFunc(found, func(a, b Statement) int {
		return cmp.Or(a.At.Compare(b.At), standing(a)-standing(b))
	}), true
}

func standing(s Statement) int {
	if s.Status.Closes() {
		return 0
	}
	return 1
}

// speaks reports whether the statement is about the finding's vulnerability. A
// finding may carry several (an advisory of two CVEs, a package of two
// advisories): a statement closes it only if it names all of one kind.
func (s Statement) speaks(f Finding) bool {
	named, missing := map[string]int{}, map[string]int{}
	for _, id := range append([]string{f.Rule}, f.Identifiers...) {
		kind := kindOf(id)
		if slices.ContainsFunc(s.Vulnerability, func(v string) bool { return strings.EqualFold(v, id) }) {
			named[kind]++
		} else {
			missing[kind]++
		}
	}
	delete(named, "CWE")
	for kind := range named {
		if kind == "" || missing[kind] == 0 || !s.Status.Closes() {
			return true
		}
	}
	return false
}

// kindOf is CVE, GHSA or CWE of what is one such name and nothing else, else "".
func kindOf(id string) string {
	names := Identifiers(id)
	if len(names) != 1 || !strings.EqualFold(names[0], id) {
		return ""
	}
	kind, _, _ := strings.Cut(names[0], "-")
	return kind
}
