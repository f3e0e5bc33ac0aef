package report

import (
	"encoding/xml"
	"slices"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/evidence/coverage"
	"signalbox.dev/signalbox/internal/evidence/cyclonedx"
	"signalbox.dev/signalbox/internal/evidence/junit"
	"signalbox.dev/signalbox/internal/evidence/load"
	"signalbox.dev/signalbox/internal/evidence/openvex"
	"signalbox.dev/signalbox/internal/evidence/sarif"
	"signalbox.dev/signalbox/internal/evidence/scan"
	"signalbox.dev/signalbox/internal/evidence/spdx"
)

// jsonFormat is a format in JSON, recognised by what the document opens with.
type jsonFormat struct {
	name string // for people, with its versions
	is   func(evidence.Top) bool
	read func([]byte) (evidence.Claim, error)
}

// xmlFormat is a format in XML, recognised by its root element. One of reader
// and again is there; again is of a format whose documents are gone through
// more than once.
type xmlFormat struct {
	name   string
	is     func(xml.StartElement) bool
	reader func(doctype string) evidence.XMLReader
	again  func(doc []byte) evidence.XMLReader
}

// textFormat is a format of lines, recognised by how it begins.
type textFormat struct {
	name string
	is   func(start []byte) bool // white space before it is cut off
	read func([]byte) (evidence.Claim, error)
}

// What is read, a row a format. No document may fit two rows of a table. A row
// without a name is of something that is often taken for a report: its reader
// says what to send instead.
var (
	jsons = []jsonFormat{
		{"SARIF 2.1.0", sarif.Recognise, sarif.Read},
		{"OpenVEX 0.2.0", openvex.Recognise, openvex.Read},
		{"SPDX 2.3", spdx.Recognise, spdx.Read},
		{"k6", load.IsK6, load.ReadK6},
		{"", load.IsK6Points, load.RefuseK6Points},
		{"Gatling", load.IsGatling, load.ReadGatling},
		{"Locust", load.IsLocust, load.ReadLocust},
		{"CycloneDX 1.2–1.7", cyclonedx.Recognise, cyclonedx.Read},
		{"Trivy", scan.IsTrivy, scan.ReadTrivy},
		{"Grype", scan.IsGrype, scan.ReadGrype},
		{"Snyk", scan.IsSnyk, scan.ReadSnyk},
		{"npm audit", scan.IsNPM, scan.ReadNPM},
		{"govulncheck", scan.IsGovulncheck, scan.ReadGovulncheck},
		{"GitLab security report 2–15", scan.IsGitLab, scan.ReadGitLab},
		{"Semgrep", scan.IsSemgrep, scan.ReadSemgrep},
		{"OSV-Scanner", scan.IsOSV, scan.ReadOSV},
		{"in-toto attestation", attestation.Recognise, attestation.Read},
	}
	xmls = []xmlFormat{
		{"JUnit XML", junit.Recognise, func(string) evidence.XMLReader { return junit.New() }, nil},
		{"Cobertura", coverage.IsCobertura, coverage.NewCobertura, nil},
		{"Clover", coverage.IsClover, func(string) evidence.XMLReader { return coverage.NewClover() }, nil},
		{"JaCoCo", coverage.IsJaCoCo, coverage.NewJaCoCo, nil},
		{"JMeter", load.IsJMeterXML, func(string) evidence.XMLReader { return load.NewJMeterXML() }, nil},
		{"CycloneDX 1.2–1.7", cyclonedx.RecogniseXML, nil, cyclonedx.NewXML},
	}
	texts = []textFormat{
		{"SPDX 2.3", spdx.RecogniseTags, spdx.ReadTags},
		{"LCOV", coverage.IsLCOV, coverage.ReadLCOV},
		{"Go cover profile", coverage.IsGoCover, coverage.ReadGoCover},
		{"JMeter", load.IsJMeterCSV, load.ReadJMeterCSV},
		{"Gatling", load.IsGatlingLog, load.ReadGatlingLog},
		{"Locust", load.IsLocustCSV, load.ReadLocustCSV},
		{"Go benchmarks", load.IsGoBench, load.ReadGoBench},
		{"", load.IsStranger, load.RefuseStranger},
	}
)

// Names are the formats that are read, sorted, for people.
func Names() []string {
	var out []string
	for _, f := range jsons {
		out = append(out, f.name)
	}
	for _, f := range xmls {
		out = append(out, f.name)
	}
	for _, f := range texts {
		out = append(out, f.name)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" })
}
