package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Collector counts the findings of a report as a reader meets them, folds
// equal ones and lists the first MaxItems. The zero value is ready to use.
type Collector struct {
	seen     map[[sha256.Size]byte]counted // by what makes findings the same
	findings Findings
	added    int
}

// counted is a finding that was counted: how severe, and which of the items.
type counted struct {
	severity Severity
	item     int // MaxItems where it is not listed
}

// Add counts a finding. Two are one where key is the same and both stand or
// both do not; without a key, where rule, package, version, location and
// message are. The one is as severe as the worst of them. Texts are cut here.
func (c *Collector) Add(f Finding, key ...string) error {
	if c.added++; c.added > MaxResults {
		return TooLarge("evidence.too-many", "there are more than %d results", MaxResults)
	}
	if len(key) == 0 {
		key = []string{f.Rule, f.Package, f.Version, f.Location, f.Message}
	}
	sum := sumOf(append(key, strconv.FormatBool(f.Suppressed)))
	if first, again := c.seen[sum]; again {
		c.findings.Folded++
		c.seen[sum] = c.fold(first, f)
		return nil
	}
	if c.seen == nil {
		c.seen = map[[sha256.Size]byte]counted{}
	}
	c.seen[sum] = counted{f.Severity, len(c.findings.Items)}
	if f.Suppressed {
		c.findings.Suppressed++
	} else {
		c.findings.Total++
		c.findings.BySeverity.Add(f.Severity, 1)
	}
	if len(c.findings.Items) < MaxItems {
		c.findings.Items = append(c.findings.Items, f.cut())
	} else {
		c.findings.Omitted++
	}
	return nil
}

// sumOf tells lists of texts apart. It writes piece by piece: a text may be as
// long as a report.
func sumOf(parts []string) [sha256.Size]byte {
	h := sha256.New()
	var piece [4096]byte
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		for len(p) > 0 {
			n := copy(piece[:], p)
			h.Write(piece[:n])
			p = p[n:]
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// fold makes the first of equal findings as severe as the worst of them.
func (c *Collector) fold(first counted, f Finding) counted {
	if !f.Severity.Worse(first.severity) {
		return first
	}
	if !f.Suppressed {
		c.findings.BySeverity.Add(first.severity, -1)
		c.findings.BySeverity.Add(f.Severity, 1)
	}
	if first.item < MaxItems {
		c.findings.Items[first.item].Severity, c.findings.Items[first.item].Scale = f.Severity, Cut(f.Scale, 80)
	}
	return counted{f.Severity, first.item}
}

func (f Finding) cut() Finding {
	if f.Severity == "" {
		f.Severity = Unrated
	}
	for _, s := range []*string{&f.Rule, &f.Location, &f.Package, &f.Version, &f.PURL, &f.Fixed, &f.Why} {
		*s = Cut(*s, MaxWord)
	}
	f.Scale, f.Message = Cut(f.Scale, 80), Cut(f.Message, MaxMessage)
	ids := []string{}
	for _, id := range f.Identifiers {
		if id = Cut(id, MaxWord); id != "" && len(ids) < 20 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	f.Identifiers = ids
	return f
}

// Findings are those counted so far. Items is never nil.
func (c *Collector) Findings() *Findings {
	f := c.findings
	if f.Items == nil {
		f.Items = []Finding{}
	}
	return &f
}

// Claim is what a scan found, with a note where findings are not listed.
func (c *Collector) Claim(format, version string, tool Tool) Claim {
	f := c.Findings()
	claim := Claim{Kind: FindingsKind, Format: format, Version: version, Tool: tool.cut(), Findings: f}
	if f.Omitted > 0 {
		claim.Notes = append(claim.Notes, fmt.Sprintf("%d findings are counted but not listed", f.Omitted))
	}
	return claim
}

func (t Tool) cut() Tool { return Tool{Name: Cut(t.Name, MaxWord), Version: Cut(t.Version, MaxWord)} }

var (
	advisory = regexp.MustCompile(`(?i)\b(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[23456789cfghjmpqrvwx]{4}){3})\b`)
	weakness = regexp.MustCompile(`(?i)\bCWE-0*(\d{1,6})\b`)
)

// Identifiers are the public names of vulnerabilities and weaknesses in the texts.
func Identifiers(texts ...string) []string {
	out := []string{}
	add := func(id string) {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, s := range texts {
		for _, id := range advisory.FindAllString(s, 20) {
			if id = strings.ToUpper(id); strings.HasPrefix(id, "GHSA") {
				id = "GHSA" + strings.ToLower(id[4:])
			}
			add(id)
		}
		for _, m := range weakness.FindAllStringSubmatch(s, 20) {
			add("CWE-" + m[1])
		}
	}
	return out
}

// Hex is a digest as a key for Add.
func Hex(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:]) }
