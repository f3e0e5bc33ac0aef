package load

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// jmeterColumns are the columns that JMeter may write, in lower case.
var jmeterColumns = []string{
	"timestamp", "elapsed", "label", "responsecode", "responsemessage", "threadname", "datatype", "success", "failuremessage",
	"bytes", "sentbytes", "grpthreads", "allthreads", "url", "filename", "latency", "encoding", "samplecount", "errorcount",
	"hostname", "idletime", "connect",
}

// bare is how many of them every set of JMeter's begins with, where results
// have no header.
const bare = 8

// IsJMeterCSV reports whether text begins like JMeter's results: with a header
// of its columns, or with a record of its usual ones.
func IsJMeterCSV(start []byte) bool {
	comma, ok := delimiter(start)
	if !ok {
		return false
	}
	record, err := table(start, comma).Read()
	return err == nil && (jmeterHeader(record) || jmeterRecord(record))
}

func jmeterHeader(record []string) bool {
	known := 0
	for _, c := range record {
		if slices.Contains(jmeterColumns, column(c)) {
			known++
		}
	}
	return known >= 3 && columnOf(record, "elapsed") >= 0
}

func jmeterRecord(record []string) bool {
	if len(record) < bare {
		return false
	}
	_, err := (&jmeter{}).elapsed32(record[1])
	success := strings.ToLower(record[7])
	return err == nil && (success == "true" || success == "false")
}

var (
	headerStart = regexp.MustCompile(`^"?[A-Za-z]+"?([^\w\s".-]|\t)`)
	recordStart = regexp.MustCompile(`^(?:\d{12,14}|\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,3})?)([^\w\s".-]|\t)\d{1,10}`)
)

// delimiter is what stands after the first column of a header or record.
func delimiter(start []byte) (rune, bool) {
	start = start[:min(len(start), 200)]
	for _, form := range []*regexp.Regexp{headerStart, recordStart} {
		if m := form.FindSubmatch(start); m != nil {
			r := []rune(string(m[1]))
			return r[0], r[0] < 0x80
		}
	}
	return 0, false
}

// table reads records that all have as many fields as the first.
func table(b []byte, comma rune) *csv.Reader {
	r := csv.NewReader(bytes.NewReader(b))
	r.Comma, r.ReuseRecord = comma, true
	return r
}

func column(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// columnOf is where a column stands, -1 without it.
func columnOf(header []string, name string) int {
	return slices.IndexFunc(header, func(c string) bool { return column(c) == name })
}

// ReadJMeterCSV makes a claim of results in CSV, with a header or without.
func ReadJMeterCSV(b []byte) (evidence.Claim, error) {
	b = bytes.TrimLeft(b, " \t\r\n")
	comma, _ := delimiter(b)
	c := jmeterCSV{csv: table(b, comma)}
	first, err := c.csv.Read()
	if err != nil {
		return evidence.Claim{}, tableFault(err)
	}
	header := jmeterColumns[:bare]
	if jmeterHeader(first) {
		header = first
	}
	if err := c.columns(header); err != nil {
		return evidence.Claim{}, err
	}
	if c.at.elapsed == len(first)-1 && b[len(b)-1] != '\n' {
		return evidence.Claim{}, broken("the last line does not end").Because("its last column is elapsed, of which digits may be missing").
			Remedy("it is cut short: write it again")
	}
	rows := min(bytes.Count(b, []byte("\n"))+1, len(b)/16, maxSamples)
	c.jmeter.elapsed, c.of = make([]int32, 0, rows), make([]uint32, 0, rows)
	if !jmeterHeader(first) {
		if err := c.row(first); err != nil {
			return evidence.Claim{}, err
		}
	}
	for {
		record, err := c.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return evidence.Claim{}, tableFault(err)
		}
		if err := c.row(record); err != nil {
			return evidence.Claim{}, err
		}
	}
	return c.claim(evidence.Claim{Format: JMeter, Tool: evidence.Tool{Name: "JMeter"}})
}

// jmeterCSV is the way through one table.
type jmeterCSV struct {
	jmeter
	csv *csv.Reader
	at  struct{ elapsed, success, label, message, instant, samples, errors int } // columns, -1 without
}

// columns finds where what is read stands.
func (c *jmeterCSV) columns(header []string) error {
	for _, x := range []struct {
		name string
		at   *int
	}{
		{"elapsed", &c.at.elapsed},
		{"success", &c.at.success},
		{"label", &c.at.label},
		{"responsemessage", &c.at.message},
		{"timestamp", &c.at.instant},
		{"samplecount", &c.at.samples},
		{"errorcount", &c.at.errors},
	} {
		*x.at = columnOf(header, x.name)
		if n := *x.at; n >= 0 && columnOf(header[n+1:], x.name) >= 0 {
			return broken("the column %q stands twice", x.name)
		}
	}
	if c.at.elapsed < 0 || c.at.success < 0 {
		return broken("the results have no column elapsed or none success").Because("what is not measured is not known").
			Remedy("have JMeter save both: jmeter.save.saveservice.time and .successful")
	}
	return nil
}

func (c *jmeterCSV) row(record []string) (err error) {
	at := func(i int) string {
		if i < 0 {
			return ""
		}
		return record[i]
	}
	m := sample{label: at(c.at.label), sum: strings.HasPrefix(at(c.at.message), transaction)}
	if m.elapsed, err = c.elapsed32(record[c.at.elapsed]); err != nil {
		return placed(err, c.csv, c.at.elapsed)
	}
	if m.count, m.errors, err = c.counts(record[c.at.success], at(c.at.samples), at(c.at.errors)); err != nil {
		return placed(err, c.csv, c.at.success)
	}
	c.instant(at(c.at.instant), &m)
	return c.add(m)
}

// placed says where in a table a fault is.
func placed(err error, table *csv.Reader, column int) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	line, at := table.FieldPos(column)
	return f.At(fault.Position{Line: line, Column: at})
}

// tableFault is the fault of a table that cannot be read.
func tableFault(err error) error {
	f := fault.Invalidf("evidence.csv", "the table cannot be read").Remedy("it is cut short or damaged: write it again").Cause(err)
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		why := map[error]string{
			csv.ErrFieldCount: "the line has another number of columns than the first",
			csv.ErrQuote:      "a quote is not closed, or text follows it", csv.ErrBareQuote: "a quote stands within text that is not quoted",
		}[p.Err]
		return f.Because(why).At(fault.Position{Line: p.Line, Column: p.Column})
	}
	return f.Because(err.Error())
}
