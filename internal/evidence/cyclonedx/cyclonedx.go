// Package cyclonedx reads CycloneDX 1.2 to 1.7, JSON and XML: which
// vulnerabilities a bill of materials lists, what they affect, and which of them
// its analysis (VEX) closes.
//
// It leaves to conform whether a document breaches the rules of its version,
// which it holds. Its invariants: a document that breaches them yields no claim;
// one without a vulnerability is an inventory and no scan; what an analysis
// closes is what it names, and stands listed.
package cyclonedx

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// Format names what is read here.
const Format = "cyclonedx"

// Bounds on what is kept of lists that are only shown.
const (
	maxTools   = 20
	maxAliases = 20 // of one vulnerability
)

// checkVersion refuses versions of the specification that are not read.
func checkVersion(version, field string) error {
	if version != "" && slices.Contains(strings.Split(versions, ", "), version) {
		return nil
	}
	said := "none"
	if version != "" {
		said = strconv.Quote(evidence.Cut(version, 40))
	}
	return fault.Invalidf("evidence.cyclonedx-version", "the CycloneDX version is %s", said).On(field).
		Because("these are read: " + versions).Remedy("have the tool write one of them")
}

// refuse gives a breach of the rules its code and a way out.
func refuse(err error, version string) error {
	f, ok := err.(*fault.Error)
	if !ok {
		return err
	}
	if strings.HasPrefix(f.Code, "conform.") {
		f.Code = "evidence.cyclonedx"
	} else {
		f.Code = "evidence.json"
	}
	if f.Fix == "" {
		f.Fix = "have the tool write CycloneDX " + version + " as its schema has it"
	}
	return f
}

// bom is what is gathered of one document.
type bom struct {
	evidence.Collector
	version   string
	serial    string // "urn:uuid:…"
	revision  string // of the document under its serial number
	tools     []evidence.Tool
	generated time.Time

	product         thing    // what the document describes
	digests         []string // of the product, "sha256:…"
	parts           int      // components and services that it lists
	wanted          map[key]*thing
	vulnerabilities int
	analysed        int // of them with a state
	outside         int // affected things of other documents
	unlisted        int // affected things that no part has the reference of
	rejected        int
	statements      []evidence.Statement
}

// key stands for a reference, however long.
type key [sha256.Size]byte

func keyOf(ref []byte) key { return sha256.Sum256(ref) }

// thing is a component or service that something refers to.
type thing struct {
	ref, group, name, version, purl string
}

// full is the name with the group before it.
func (t thing) full() string {
	if t.group == "" {
		return t.name
	}
	return t.group + "/" + t.name
}

// want notes that a vulnerability affects what a reference names.
func (b *bom) want(ref []byte) error {
	k := b.keyHere(ref)
	if _, there := b.wanted[k]; there {
		return nil
	}
	if len(b.wanted) >= evidence.MaxResults {
		return evidence.TooLarge("evidence.too-many", "vulnerabilities affect more than %d components", evidence.MaxResults)
	}
	if b.wanted == nil {
		b.wanted = map[key]*thing{}
	}
	b.wanted[k] = nil
	return nil
}

// wants reports whether something affects what has the reference.
func (b *bom) wants(ref []byte) bool {
	_, there := b.wanted[keyOf(ref)]
	return there
}

// found notes a thing that is wanted.
func (b *bom) found(t thing) {
	b.wanted[keyOf([]byte(t.ref))] = &t
}

// keyHere is the key of a reference, of which a link to this very document is
// taken for the reference within it.
func (b *bom) keyHere(ref []byte) key {
	if within, ours := b.within(string(ref)); ours {
		return keyOf([]byte(within))
	}
	return keyOf(ref)
}

// within is the reference that a BOM-Link names where it leads to this document.
func (b *bom) within(ref string) (string, bool) {
	rest, link := strings.CutPrefix(ref, "urn:cdx:")
	serial, hasSerial := strings.CutPrefix(b.serial, "urn:uuid:")
	if !link || !hasSerial {
		return "", false
	}
	document, inside, found := strings.Cut(rest, "#")
	if !found || document != serial+"/"+cmp.Or(b.revision, "1") {
		return "", false
	}
	return unescaped(inside), true
}

// unescaped is a fragment without its percent-encoding; one that is broken is
// left as it is.
func unescaped(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// at notes when the document was written. A time without a zone is not used.
func (b *bom) at(s string) {
	if t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(strings.TrimSpace(s))); err == nil {
		b.generated = t.UTC()
	}
}

func (b *bom) tool(name, version string) {
	t := evidence.Tool{Name: evidence.Cut(name, evidence.MaxWord), Version: evidence.Cut(version, evidence.MaxWord)}
	if t.Name != "" && len(b.tools) < maxTools && !slices.Contains(b.tools, t) {
		b.tools = append(b.tools, t)
	}
}

// digest notes a digest of the product.
func (b *bom) digest(algorithm, content string) {
	if sum, err := hex.DecodeString(content); algorithm == "SHA-256" && err == nil && len(sum) == 32 && len(b.digests) < maxTools {
		b.digests = append(b.digests, "sha256:"+strings.ToLower(content))
	}
}

// named is the tools as one: their names, and the version of the only one.
func (b *bom) named() evidence.Tool {
	var names []string
	for _, t := range b.tools {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	tool := evidence.Tool{Name: strings.Join(names, " + ")}
	if len(b.tools) == 1 {
		tool.Version = b.tools[0].Version
	}
	return tool
}

// isVEX reports whether the document only states what is known of
// vulnerabilities: it lists no parts, and analyses each vulnerability.
func (b *bom) isVEX() bool {
	return b.vulnerabilities > 0 && b.parts == 0 && b.analysed == b.vulnerabilities
}

func (b *bom) claim() evidence.Claim {
	c := b.Claim(Format, b.version, b.named())
	c.Generated = b.generated
	note := func(n int, format string) {
		if n > 0 {
			c.Notes = append(c.Notes, fmt.Sprintf(format, n))
		}
	}
	switch {
	case b.vulnerabilities == 0:
		c.Findings.Unscanned = true
		c.Notes = append(c.Notes, fmt.Sprintf("this is an inventory of %d components and services, not a scan: that it lists no vulnerability proves nothing", b.parts))
	case b.isVEX():
		c.Findings.Unscanned, c.Statements = true, b.statements
		c.Notes = append(c.Notes, "these are statements about vulnerabilities, not a scan: they close findings of scans where they name the artifact or the package")
	}
	note(b.outside, "%d of the affected components belong to other documents")
	note(b.unlisted, "%d of the affected components are not in this document")
	note(b.rejected, "%d vulnerabilities are rejected by who published them, and stand until an analysis closes them")
	return c
}
