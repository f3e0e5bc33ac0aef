package cyclonedx

import (
	"embed"
	"fmt"

	"signalbox.dev/signalbox/internal/conform"
	"signalbox.dev/signalbox/internal/strict"
)

// Rules are what the schemas of each version constrain, as scripts/cyclonedx
// wrote them from @cyclonedx/cyclonedx-library 10.3.0 (Apache License 2.0, OWASP
// Foundation), which holds the schemas of the specification. The extension for vulnerabilities is written by hand: no release
// of the schemas holds it, and tools strayed from its draft in what is left
// open here (a source without a name, a weakness beside the list of them).
//
//go:embed rules/*.json
var rules embed.FS

// versions are those of the specification that are read.
const versions = "1.2, 1.3, 1.4, 1.5, 1.6, 1.7"

// jsonRules compiles what a version says of documents in JSON. Those of 1.2 and
// 1.3 are strict, as later ones are: a name they do not know may hold findings.
func jsonRules(version string) (*conform.JSON, error) {
	own, shared, err := ruleFiles(version + ".json")
	if err != nil {
		return nil, err
	}
	compiled, err := conform.CompileJSON(own, shared)
	if err != nil {
		return nil, fmt.Errorf("rules of CycloneDX %s: %w", version, err)
	}
	// A reference from a vulnerability must lead to one thing.
	return compiled, compiled.Distinct("bom-ref", "component", "service")
}

// xmlRules compiles what a version says of documents in XML.
func xmlRules(version string) (*conform.XML, error) {
	own, shared, err := ruleFiles(version + ".xml.json")
	if err != nil {
		return nil, err
	}
	extension, _, err := ruleFiles("vulnerability.xml.json")
	if err != nil {
		return nil, err
	}
	var lists struct {
		Definitions struct {
			Licences struct {
				IDs []string `json:"enum"`
			} `json:"spdx"`
		} `json:"definitions"`
	}
	if err := strict.DecodeOpen(shared, &lists); err != nil {
		return nil, err
	}
	compiled, err := conform.CompileXML(own, map[string][]string{"spdx:licenseId": lists.Definitions.Licences.IDs}, extension)
	if err != nil {
		return nil, fmt.Errorf("rules of CycloneDX %s in XML: %w", version, err)
	}
	return compiled, nil
}

func ruleFiles(name string) (own, shared []byte, err error) {
	if own, err = rules.ReadFile("rules/" + name); err == nil {
		shared, err = rules.ReadFile("rules/shared.json")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("rules of CycloneDX: %w", err)
	}
	return own, shared, nil
}
