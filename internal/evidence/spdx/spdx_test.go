package spdx

import (
	"bytes"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

const good = `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","dataLicense":"CC0-1.0","name":"shop","documentNamespace":"https://shop.example/spdx/1",
"creationInfo":{"created":"2026-01-02T03:04:05Z","creators":["Organization: Example","Tool: builder-1.2.3"]},
"externalDocumentRefs":[{"externalDocumentId":"DocumentRef-base","spdxDocument":"https://base.example/1","checksum":{"algorithm":"SHA1","checksumValue":"d6a770ba38583ed4bb4525bd96e50461655d2759"}}],
"packages":[{"SPDXID":"SPDXRef-a","name":"a","downloadLocation":"NOASSERTION","versionInfo":"1","externalRefs":[{"referenceCategory":"SECURITY","referenceType":"advisory","referenceLocator":"https://shop.example/advisory"}]},
 {"SPDXID":"SPDXRef-b","name":"b","downloadLocation":"NONE"}],
"files":[{"SPDXID":"SPDXRef-f","fileName":"./f","checksums":[]}],
"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relatedSpdxElement":"SPDXRef-a","relationshipType":"DESCRIBES"},
 {"spdxElementId":"SPDXRef-a","relatedSpdxElement":"DocumentRef-base:SPDXRef-x","relationshipType":"DEPENDS_ON"},{"spdxElementId":"SPDXRef-b","relatedSpdxElement":"NOASSERTION","relationshipType":"DEPENDS_ON"}]}`

const goodTags = `# a comment
SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: shop
DocumentNamespace: https://shop.example/spdx/1
ExternalDocumentRef: DocumentRef-base https://base.example/1 SHA1: d6a770ba38583ed4bb4525bd96e50461655d2759
Creator: Tool: builder-1.2.3
Creator: Organization: Example
Created: 2026-01-02T03:04:05Z
DocumentComment: <text>two
lines: of text</text>

PackageName: a
SPDXID: SPDXRef-a
PackageDownloadLocation: NOASSERTION
ExternalRef: SECURITY advisory https://shop.example/advisory

PackageName: b
SPDXID: SPDXRef-b
PackageDownloadLocation: NONE
FileName: ./f
SPDXID: SPDXRef-f
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-a
Relationship: SPDXRef-a DEPENDS_ON DocumentRef-base:SPDXRef-x
`

func TestInventory(t *testing.T) {
	for name, read := range map[string]func() (string, error){
		"JSON": func() (string, error) {
			c, err := Read([]byte(good))
			return c.Notes[0] + c.Tool.Name + c.Tool.Version + c.Notes[1], err
		},
		"tags": func() (string, error) {
			c, err := ReadTags([]byte(goodTags))
			return c.Notes[0] + c.Tool.Name + c.Tool.Version + c.Notes[1], err
		},
	} {
		got, err := read()
		if err != nil || !strings.Contains(got, "2 packages and 1 files") || !strings.Contains(got, "builder1.2.3") || !strings.Contains(got, "1 references") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	c, err := Read([]byte(good))
	if err != nil || c.Findings.Total != 0 || !c.Findings.Unscanned || c.Findings.Items == nil || c.Version != "2.3" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ from, to, says string }{
		"version":          {"SPDX-2.3", "SPDX-2.2", "only SPDX-2.3"},
		"license":          {"CC0-1.0", "MIT", "CC0-1.0"},
		"document id":      {"SPDXRef-DOCUMENT", "SPDXRef-DOC", "SPDXRef-DOCUMENT"},
		"namespace":        {"https://shop.example/spdx/1", "shop", "namespace"},
		"created":          {"2026-01-02T03:04:05Z", "2026-01-02", "created"},
		"creator":          {"Tool: builder-1.2.3", "builder", "no kind"},
		"an id twice":      {"SPDXRef-b", "SPDXRef-a", "twice"},
		"a bad id":         {"SPDXRef-b", "b_1", "SPDXRef-"},
		"no such element":  {"DESCRIBES SPDXRef-a", "DESCRIBES SPDXRef-z", "no element"},
		"no such document": {"DocumentRef-base:SPDXRef-x", "DocumentRef-else:SPDXRef-x", "no element"},
	} {
		for form, doc := range map[string]string{"JSON": good, "tags": goodTags} {
			if name == "no such element" && form == "JSON" {
				c.from, c.to = `"relatedSpdxElement":"SPDXRef-a"`, `"relatedSpdxElement":"SPDXRef-z"`
			}
			bad := strings.Replace(doc, c.from, c.to, 1)
			if bad == doc {
				continue
			}
			read := Read
			if form == "tags" {
				read = ReadTags
			}
			if got, err := read([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s as %s: %+v, %v", name, form, got.Findings, err)
			}
		}
	}
	for name, c := range map[string][2]string{
		"no download": {`"downloadLocation":"NONE"`, `"x":1`}, "no name": {`"name":"b"`, `"x":1`}, "no relation": {`"relationshipType":"DESCRIBES"`, `"x":1`},
		"half a reference": {`"referenceType":"advisory",`, ``}, "a name twice": {`"name":"b"`, `"name":"b","name":"b"`}, "packages no list": {`"packages":[`, `"packages":{},"x":[`},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		if _, err := Read([]byte(bad)); err == nil || bad == good {
			t.Errorf("%s: read", name)
		}
	}
	for n := range len(good) {
		if _, err := Read([]byte(good[:n])); err == nil {
			t.Errorf("cut at %d, and read", n)
		}
	}
	for name, bad := range map[string]string{
		"no colon": goodTags + "nothing\n", "text without an end": goodTags + "PackageComment: <text>a\n", "a tag twice": strings.Replace(goodTags, "DocumentName: shop", "DocumentName: a\nDocumentName: b", 1),
		"a relationship of two": goodTags + "Relationship: SPDXRef-a DEPENDS_ON\n",
	} {
		if _, err := ReadTags([]byte(bad)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestRecognisesTags(t *testing.T) {
	for text, want := range map[string]bool{goodTags: true, "SPDXVersion: SPDX-2.2": true, "mode: set\n": false, "# only a comment\n": false, "": false} {
		if RecogniseTags([]byte(text)) != want {
			t.Errorf("%.30q: %v", text, !want)
		}
	}
}

func FuzzSPDX(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(goodTags))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := Read
		if !bytes.HasPrefix(b, []byte("{")) {
			read = ReadTags
		}
		c, err := read(b)
		if k := fault.KindOf(err); err != nil && k != fault.Invalid && k != fault.TooLarge {
			t.Error(err)
		}
		if err == nil && (!c.Findings.Unscanned || c.Findings.Total != 0) {
			t.Errorf("%+v", c.Findings)
		}
	})
}
