package change

import (
	"regexp"
	"strconv"
	"strings"
)

// conventional is the first line of a Conventional Commit (1.0.0): type,
// optional scope, an optional ! for a breaking change, description.
var conventional = regexp.MustCompile(`^([A-Za-z]+)(?:\([^()\r\n]*\))?(!?):[ \t]+\S`)

// footer is a BREAKING CHANGE footer, upper case as the convention requires.
var footer = regexp.MustCompile(`(?m)^BREAKING[ -]CHANGE:[ \t]*\S`)

// trailer is a Co-authored-by line, as forges and git write it.
var trailer = regexp.MustCompile(`(?im)^[ \t]*co-authored-by:[ \t]*([^<\r\n]*?)[ \t]*<([^<>\r\n]*)>`)

// CoAuthors are the identities that a message's Co-authored-by lines name,
// wherever in the message they stand.
func CoAuthors(message string) []Identity {
	var out []Identity
	for _, m := range trailer.FindAllStringSubmatch(message, -1) {
		out = append(out, Identity{Name: m[1], Email: strings.TrimSpace(m[2])})
	}
	return out
}

// reverted is what git revert writes into the body.
var reverted = regexp.MustCompile(`(?m)^This reverts commit [0-9a-f]{7,64}`)

// Telling is what of a message's body says something here: its lines that
// announce a breaking change or take a commit back. The rest may be megabytes.
func Telling(body string) string {
	var out []string
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if footer.MatchString(line) || reverted.MatchString(line) {
			out = append(out, clip(strings.ToValidUTF8(line, ""), 200))
		}
	}
	return strings.Join(out, "\n")
}

func (k Commit) breaking() bool {
	m := conventional.FindStringSubmatch(k.Subject)
	return m != nil && m[2] == "!" || footer.MatchString(k.Body)
}

func (k Commit) kind() string {
	if m := conventional.FindStringSubmatch(k.Subject); m != nil {
		return strings.ToLower(m[1])
	}
	return ""
}

func (k Commit) feature() bool { return k.kind() == "feat" }

func (k Commit) revert() bool {
	return strings.HasPrefix(k.Subject, `Revert "`) || k.kind() == "revert" || reverted.MatchString(k.Body)
}

// classify suggests the size of the release and says why. The version number
// is believed where it is the greater; a breaking change, a database migration
// and an unreadable number each raise the size, nothing lowers it. Where history
// is cut off, anything short of major is not known: the missing commits may say more.
func (c *Change) classify(feature bool) {
	size, why := Patch, []string{}
	raise := func(to, reason string) {
		why = append(why, reason)
		if rankOf(to) > rankOf(size) {
			size = to
		}
	}
	switch c.SemverStep {
	case Unknown:
		raise(Minor, "the step between "+quoteRef(c.FromRef)+" and "+quoteRef(c.ToRef)+" is not known, so at least minor")
	case NoStep:
		why = append(why, "the version number does not change")
	default:
		raise(c.SemverStep, "the version number takes a "+c.SemverStep+" step")
	}
	if feature {
		raise(Minor, "a commit announces a feature")
	}
	if c.Breaking {
		raise(Major, "a commit announces a breaking change")
	}
	if n := len(c.Migrations); n > 0 {
		raise(Minor, count(n, "database migration file")+" changed")
	}
	if !c.Complete && size != Major {
		why = append(why, "at least "+size+", and no more is known: history is cut off, and what is missing may announce more")
		size = Unknown
	}
	c.ReleaseType = size
	c.Reasons = append(why, c.remarks()...)
}

// remarks are reasons that do not change the size but belong beside it.
func (c *Change) remarks() []string {
	var out []string
	if n := len(c.Dependencies); n > 0 {
		out = append(out, count(n, "dependency manifest")+" changed")
	}
	if c.Reverts > 0 {
		out = append(out, count(c.Reverts, "earlier commit")+" taken back")
	}
	if c.Signatures != nil && c.Signatures.Bad > 0 {
		out = append(out, "signatures that do not hold: "+strconv.Itoa(c.Signatures.Bad))
	}
	switch {
	case c.OnlyDocs:
		out = append(out, "only documentation changed")
	case c.OnlyTests:
		out = append(out, "only tests changed")
	}
	if !c.Complete {
		out = append(out, "history is cut off, so commits and people may be missing")
	}
	return out
}

func rankOf(size string) int {
	return map[string]int{Patch: 1, Minor: 2, Major: 3}[size]
}

func quoteRef(ref string) string {
	if ref == "" {
		return "the beginning"
	}
	return `"` + ref + `"`
}
