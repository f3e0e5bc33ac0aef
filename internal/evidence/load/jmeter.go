package load

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// JMeter names a format that is read here, in XML and in CSV.
const JMeter = "jmeter"

// jmeter reads JMeter's results: samples, each with a time in milliseconds and
// whether it succeeded.
//
// What sums up others counts once. A sample within a sample (a redirect, an
// embedded resource, a request within a transaction) is passed over, as JMeter
// itself lists the outer one alone. A transaction that stands beside its
// requests is told by its message, and counts in no total.
type jmeter struct {
	samples
	layout string // of instants that are no milliseconds since 1970; "-" where none fits
}

// transaction begins the message of a sample that a Transaction Controller made.
const transaction = "Number of samples in transaction :"

// layouts of instants, besides milliseconds since 1970.
var layouts = []string{
	"2006/01/02 15:04:05.000", "2006-01-02 15:04:05.000", "2006/01/02 15:04:05", "2006-01-02 15:04:05",
	"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000", "2006-01-02T15:04:05",
}

// elapsed reads a time in milliseconds.
func (j *jmeter) elapsed32(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, broken("a sample took %q", evidence.Cut(s, 40)).Because("that is no whole number of milliseconds")
	}
	return int32(n), nil
}

// counts reads how many requests a sample stands for and how many of them
// failed, from the columns or attributes that few tests write, and success.
func (j *jmeter) counts(success, samples, errors string) (count, failed int, err error) {
	switch {
	case strings.EqualFold(success, "false"):
		failed = 1
	case !strings.EqualFold(success, "true"):
		return 0, 0, broken("a sample's success is %q", evidence.Cut(success, 40)).Because("that is neither true nor false")
	}
	if samples == "" || samples == "1" {
		return 1, failed, nil
	}
	n, err := strconv.ParseUint(samples, 10, 31)
	bad, err2 := strconv.ParseUint(errors, 10, 31)
	if err != nil || err2 != nil || bad > n || n == 0 {
		return 0, 0, broken("a sample stands for %q requests with %q errors", evidence.Cut(samples, 40), evidence.Cut(errors, 40)).
			Because("those are not counts")
	}
	return int(n), max(int(bad), failed), nil
}

// instant reads when a sample began.
func (j *jmeter) instant(s string, m *sample) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		m.at, m.timed = n, n > 0 && n < 1e14
		return
	}
	if j.layout == "" {
		j.layout = "-"
		for _, l := range layouts {
			if _, err := time.Parse(l, s); err == nil {
				j.layout = l
				break
			}
		}
	}
	if j.layout == "-" {
		return
	}
	if t, err := time.Parse(j.layout, s); err == nil {
		m.at, m.timed = t.UnixMilli(), true
		j.zoneless = j.zoneless || !strings.HasSuffix(j.layout, "Z07:00")
	}
}

// IsJMeterXML reports whether the root element is that of JMeter's results.
func IsJMeterXML(root xml.StartElement) bool {
	return root.Name.Local == "testResults" && root.Name.Space == ""
}

// NewJMeterXML reads results in XML.
func NewJMeterXML() evidence.XMLReader { return &jmeterXML{} }

type jmeterXML struct {
	jmeter
	version string
	open    sample
	outer   bool // a sample stands within the open one
}

// jmeterSample are the elements of a sample; the last is of JMeter 2.0.
var jmeterSample = []string{"httpSample", "sample", "sampleResult"}

// Open is evidence.XMLReader.
func (j *jmeterXML) Open(around []xml.Name, e xml.StartElement) error {
	is := slices.Contains(jmeterSample, e.Name.Local)
	switch {
	case len(around) == 0:
		j.version = evidence.Attributes(e)["version"]
		if !slices.Contains([]string{"", "1.0", "1.1", "1.2"}, j.version) {
			return fault.Invalidf("evidence.jmeter-version", "the version of JMeter's results is %q", evidence.Cut(j.version, 40)).
				Because("1.2 and earlier are read")
		}
	case len(around) == 1 && !is:
		return broken("an element %q stands among the samples", evidence.Cut(e.Name.Local, 40)).Because("JMeter writes no such element")
	case len(around) == 1:
		j.outer = false
		return j.sample(evidence.Attributes(e))
	case is:
		j.outer = true
	}
	return nil
}

func (j *jmeterXML) sample(a map[string]string) (err error) {
	either := func(short, long string) string {
		if v, there := a[short]; there {
			return v
		}
		return a[long]
	}
	m := sample{label: either("lb", "label"), sum: strings.HasPrefix(either("rm", "responseMessage"), transaction)}
	if m.elapsed, err = j.elapsed32(either("t", "time")); err != nil {
		return err
	}
	if m.count, m.errors, err = j.counts(either("s", "success"), a["sc"], a["ec"]); err != nil {
		return err
	}
	j.instant(either("ts", "timeStamp"), &m)
	j.open = m
	return nil
}

// Text is evidence.XMLReader: nothing is read of texts.
func (j *jmeterXML) Text([]xml.Name, []byte) error { return nil }

// Shut is evidence.XMLReader. A transaction that holds its requests is the only
// place where they are counted.
func (j *jmeterXML) Shut(around []xml.Name, _ xml.Name) error {
	if len(around) == 1 {
		j.open.sum = j.open.sum && !j.outer
		return j.add(j.open)
	}
	return nil
}

// Claim is evidence.XMLReader.
func (j *jmeterXML) Claim() (evidence.Claim, error) {
	return j.claim(evidence.Claim{Format: JMeter, Version: j.version, Tool: evidence.Tool{Name: "JMeter"}})
}
