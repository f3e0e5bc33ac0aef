package load

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
)

// Locust names a format that is read here.
const Locust = "locust"

// locustColumns are the columns that are read, by their names since Locust 1.0
// and before it.
var locustColumns = [...][2]string{
	locustName:     {"name", "name"},
	locustRequests: {"request count", "# requests"},
	locustFailures: {"failure count", "# failures"},
	locustMedian:   {"median response time", "median response time"},
	locustMean:     {"average response time", "average response time"},
	locustP50:      {"50%", "50%"},
	locustP95:      {"95%", "95%"},
	locustP99:      {"99%", "99%"},
	locustMethod:   {"type", "method"},
}

const (
	locustName = iota
	locustRequests
	locustFailures
	locustMedian
	locustMean
	locustP50
	locustP95
	locustP99
	locustMethod
)

// locustWhole is the name of the row that sums up all; it was Total before 1.0.
var locustWhole = []string{"Aggregated", "Total"}

// IsLocustCSV reports whether text begins like Locust's file _stats.csv.
func IsLocustCSV(start []byte) bool {
	record, err := table(start, ',').Read()
	if err != nil {
		return false
	}
	at := locustAt(record)
	return at[locustName] >= 0 && at[locustRequests] >= 0 && at[locustFailures] >= 0 && at[locustMedian] >= 0
}

func locustAt(header []string) (at [len(locustColumns)]int) {
	for i, names := range locustColumns {
		if at[i] = columnOf(header, names[0]); at[i] < 0 {
			at[i] = columnOf(header, names[1])
		}
	}
	return at
}

// ReadLocustCSV makes a claim of Locust's file _stats.csv: a row a request, the
// last of them for all.
func ReadLocustCSV(b []byte) (evidence.Claim, error) {
	c := locustCSV{csv: table(bytes.TrimLeft(b, " \t\r\n"), ',')}
	c.csv.FieldsPerRecord = -1
	header, err := c.csv.Read()
	if err != nil {
		return evidence.Claim{}, tableFault(err)
	}
	c.at = locustAt(header)
	for {
		record, err := c.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = c.row(record)
		} else {
			err = tableFault(err)
		}
		if err != nil {
			return evidence.Claim{}, err
		}
	}
	if c.whole == nil {
		return evidence.Claim{}, broken("the last row, Aggregated, is missing").Because("Locust ends its table with it").
			Remedy("it is cut short, or no file _stats.csv: send what Locust wrote at the end of the test")
	}
	return locustClaim(*c.whole, c.rows, evidence.Claim{Format: Locust, Tool: evidence.Tool{Name: "Locust"}})
}

// locustCSV is the way through one table.
type locustCSV struct {
	csv   *csv.Reader
	at    [len(locustColumns)]int
	width int // of a row, 0 before the first; some versions write fewer columns than the header names
	rows  []locustRow
	whole *locustRow
}

func (c *locustCSV) row(record []string) error {
	if c.width == 0 {
		c.width = len(record)
	}
	if len(record) != c.width || len(record) <= max(c.at[locustName], c.at[locustRequests], c.at[locustFailures], c.at[locustMedian]) {
		return placed(broken("the row has %d columns", len(record)).Because("rows end too early, or differ").
			Remedy("it is cut short or damaged: write it again"), c.csv, 0)
	}
	if c.whole != nil {
		return placed(broken("a row follows that of all requests").Because("Locust ends its table with it"), c.csv, 0)
	}
	if len(c.rows) >= maxLabels {
		return evidence.TooLarge("evidence.too-many", "there are more than %d rows", maxLabels)
	}
	r, err := c.counts(record)
	if err != nil {
		return err
	}
	if r.requests > 0 {
		if err := c.times(record, &r); err != nil {
			return err
		}
	}
	method := c.cell(record, locustMethod)
	if slices.Contains(locustWhole, c.cell(record, locustName)) && (method == "" || method == "None") {
		c.whole = &r
		return nil
	}
	c.rows = append(c.rows, r)
	return nil
}

func (c *locustCSV) cell(record []string, column int) string {
	if i := c.at[column]; i >= 0 && i < len(record) {
		return strings.TrimSpace(record[i])
	}
	return ""
}

func (c *locustCSV) counts(record []string) (r locustRow, err error) {
	r.Name = strings.Clone(strings.TrimSpace(c.cell(record, locustMethod) + " " + c.cell(record, locustName)))
	requests, err1 := strconv.ParseUint(c.cell(record, locustRequests), 10, 40)
	failures, err2 := strconv.ParseUint(c.cell(record, locustFailures), 10, 40)
	if err1 != nil || err2 != nil || failures > requests {
		return r, placed(broken("%q of %q requests failed", evidence.Cut(c.cell(record, locustFailures), 40), evidence.Cut(c.cell(record, locustRequests), 40)).
			Because("those are not counts"), c.csv, c.at[locustRequests])
	}
	r.count(int(requests), int(failures))
	return r, nil
}

func (c *locustCSV) times(record []string, r *locustRow) error {
	for _, x := range []struct {
		to     **float64
		column int
	}{{&r.P50, locustP50}, {&r.P50, locustMedian}, {&r.P95, locustP95}, {&r.P99, locustP99}, {&r.Mean, locustMean}} {
		text := c.cell(record, x.column)
		if *x.to != nil || text == "" || text == "N/A" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err == nil {
			err = milliseconds("a time", &v)
		}
		if err != nil {
			return placed(broken("a time is %q", evidence.Cut(text, 40)).Because("that is no time in milliseconds"), c.csv, c.at[x.column])
		}
		*x.to = &v
	}
	return nil
}

// locustRow is what Locust says of one request, or of all.
type locustRow struct {
	evidence.LoadPart
	requests, failures int
}

func (r *locustRow) count(requests, failures int) {
	r.requests, r.failures, r.Requests = requests, failures, &requests
	if requests > 0 {
		r.ErrorRate = ptr(rate(failures, requests))
	}
}

// sum is what rows count together.
func sum(rows []locustRow) (requests, failures int) {
	for _, r := range rows {
		requests, failures = requests+r.requests, failures+r.failures
	}
	return requests, failures
}

// locustClaim is the row of all requests, and the others as components.
func locustClaim(whole locustRow, rows []locustRow, c evidence.Claim) (evidence.Claim, error) {
	if whole.requests == 0 {
		return evidence.Claim{}, nothing("Locust counted no request")
	}
	l := &evidence.Load{Requests: whole.requests, ErrorRate: *whole.ErrorRate, P50: whole.P50, P95: whole.P95, P99: whole.P99, Mean: whole.Mean}
	var parts []evidence.LoadPart
	for _, r := range rows {
		if r.requests > 0 {
			parts = append(parts, r.LoadPart)
		}
	}
	list(l, parts)
	c.Kind, c.Load = evidence.LoadKind, l
	requests, failures := sum(rows)
	note(&c, len(rows) > 0 && (requests != whole.requests || failures != whole.failures),
		"the row of all requests states %d failures in %d, the single rows say %d in %d; the former counts", whole.failures, whole.requests, failures, requests)
	noteParts(&c)
	return c, nil
}
