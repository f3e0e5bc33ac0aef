package spdx

import (
	"bytes"
	"errors"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// RecogniseTags reports whether a text opens as tags and values. Comments may
// stand before the version.
func RecogniseTags(start []byte) bool {
	for line := range bytes.Lines(start[:min(len(start), 64<<10)]) {
		switch text := bytes.TrimSpace(line); {
		case len(text) == 0 || text[0] == '#':
		default:
			return bytes.HasPrefix(text, []byte("SPDXVersion:"))
		}
	}
	return false
}

// tags reads line by line; a package, file or snippet is noted when its tags end.
type tags struct {
	*document
	part               string // package, file, snippet or ""
	id, name, download string
}

// ReadTags makes a claim of a document of tags and values (2.3 annex on
// formats). Text between <text> and </text> may run over lines.
func ReadTags(b []byte) (evidence.Claim, error) {
	t := tags{document: newDocument()}
	number, within := 0, ""
	for line := range bytes.Lines(b) {
		number++
		if len(line) > 1<<20 {
			return evidence.Claim{}, evidence.TooLarge("evidence.width", "a line is longer than %d bytes", 1<<20).At(fault.Position{Line: number})
		}
		text := strings.TrimSpace(string(line))
		if within != "" {
			if strings.HasSuffix(text, "</text>") {
				within = ""
			}
			continue
		}
		if text == "" || text[0] == '#' {
			continue
		}
		tag, value, found := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		if !found {
			return evidence.Claim{}, broken("a line is no tag and value: "+quoted(text), "it holds no colon").At(fault.Position{Line: number})
		}
		if strings.HasPrefix(value, "<text>") && !strings.HasSuffix(value, "</text>") {
			within = tag
		}
		if err := t.take(tag, value); err != nil {
			return evidence.Claim{}, at(err, number)
		}
	}
	if within != "" {
		return evidence.Claim{}, broken("the text of "+quoted(within)+" does not end", "there is no </text>: the document is cut short").At(fault.Position{Line: number})
	}
	if err := t.flush(); err != nil {
		return evidence.Claim{}, at(err, number)
	}
	return t.claim()
}

func at(err error, line int) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.At(fault.Position{Line: line})
	}
	return err
}

func (t *tags) take(tag, value string) error {
	switch tag {
	case "PackageName":
		return t.begin("package", value)
	case "FileName":
		return t.begin("file", value)
	case "SnippetSPDXID":
		if err := t.begin("snippet", "a snippet"); err != nil {
			return err
		}
		t.id = value
	case "LicenseID":
		return t.begin("license", value)
	case "SPDXID":
		t.identify(value)
	case "PackageDownloadLocation":
		t.download = value
	case "ExternalRef":
		if strings.HasPrefix(value, "SECURITY advisory ") {
			t.advisories++
		}
	case "Relationship":
		parts := strings.Fields(value)
		if len(parts) != 3 {
			return broken("a relationship is "+quoted(value), "it is two elements and a type between them")
		}
		return t.relate(parts[0], parts[2])
	default:
		return t.header(tag, value)
	}
	return nil
}

func (t *tags) identify(value string) {
	if t.part == "" {
		t.document.id = value
		return
	}
	t.id = value
}

func (t *tags) header(tag, value string) error {
	for name, into := range map[string]*string{
		"SPDXVersion": &t.version, "DataLicense": &t.document.license, "DocumentName": &t.document.name, "DocumentNamespace": &t.namespace, "Created": &t.created,
	} {
		if tag == name {
			if *into != "" {
				return broken("the tag "+tag+" stands twice", "a document has one")
			}
			*into = value
		}
	}
	switch tag {
	case "Creator":
		if t.creators = append(t.creators, value); len(t.creators) > evidence.MaxInner {
			return evidence.TooLarge("evidence.too-many", "there are more than %d creators", evidence.MaxInner)
		}
	case "ExternalDocumentRef":
		id, _, _ := strings.Cut(value, " ")
		return t.outside(&jsonExternal{id})
	}
	return nil
}

// begin notes the part that ends here, and starts another.
func (t *tags) begin(part, name string) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.part, t.name, t.id, t.download = part, name, "", ""
	return nil
}

func (t *tags) flush() error {
	switch t.part {
	case "package":
		return t.aPackage(t.id, t.name, t.download)
	case "file":
		return t.file(t.id, t.name)
	case "snippet":
		return t.element("snippet", t.id, t.name)
	}
	return nil
}
