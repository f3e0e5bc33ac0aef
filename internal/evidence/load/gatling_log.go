package load

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// IsGatlingLog reports whether text begins like a simulation.log of Gatling 3.
func IsGatlingLog(start []byte) bool { return bytes.HasPrefix(start, []byte("RUN\t")) }

// gatlingLog reads simulation.log line by line. Its requests are
//
//	REQUEST  [user]  groups  name  start  end  OK or KO  message
//
// separated by tabs, the user up to Gatling 3.3.
type gatlingLog struct {
	samples
	version string
	line    int
	at      int // of the field groups, 0 before the first request
}

// ReadGatlingLog makes a claim of a simulation.log of Gatling 3 in text.
func ReadGatlingLog(b []byte) (evidence.Claim, error) {
	var g gatlingLog
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return evidence.Claim{}, broken("the last line does not end").Remedy("it is cut short: write it again")
	}
	for line := range bytes.Lines(b) {
		g.line++
		fields := strings.Split(strings.TrimRight(string(line), "\r\n"), "\t")
		if err := g.read(fields); err != nil {
			if f, ok := err.(*fault.Error); ok {
				return evidence.Claim{}, f.At(fault.Position{Line: g.line, Column: 1})
			}
			return evidence.Claim{}, err
		}
	}
	return g.claim(evidence.Claim{Format: Gatling, Version: g.version, Tool: evidence.Tool{Name: "Gatling", Version: g.version}})
}

var gatlingText = regexp.MustCompile(`^3\.\d{1,2}(?:\.\d{1,3})?(?:[.-][\w.-]{1,30})?$`)

func (g *gatlingLog) read(fields []string) error {
	switch fields[0] {
	case "RUN":
		g.version = fields[len(fields)-1]
		if g.line > 1 || !gatlingText.MatchString(g.version) {
			return fault.Invalidf("evidence.gatling-version", "the log is of Gatling %q", evidence.Cut(g.version, 40)).
				Because("the logs of Gatling 3 that are text are read, one run each").Remedy("send js/stats.json of the report")
		}
	case "REQUEST":
		return g.request(fields)
	case "USER", "GROUP", "ERROR", "ASSERTION", "":
	default:
		return broken("a line begins with %q", evidence.Cut(fields[0], 40)).Because("Gatling writes no such record")
	}
	return nil
}

func (g *gatlingLog) request(fields []string) (err error) {
	if g.at == 0 { // the fields of the first request say where groups stand in all
		g.at = 1
		if n := len(fields); n >= 8 && ended(fields[6]) && !ended(fields[5]) {
			g.at = 2
		}
	}
	at := g.at
	if len(fields) < at+5 || !ended(fields[at+4]) {
		return broken("a request has %d fields, and none of them is its outcome", len(fields)).Remedy("it is cut short or damaged: send js/stats.json of the report")
	}
	start, err1 := strconv.ParseInt(fields[at+2], 10, 64)
	end, err2 := strconv.ParseInt(fields[at+3], 10, 64)
	if err1 != nil || err2 != nil || start < 0 || end < start || end > 1e14 || end-start > 1<<31-1 {
		return broken("a request ran from %q to %q", evidence.Cut(fields[at+2], 40), evidence.Cut(fields[at+3], 40)).
			Because("those are no instants in milliseconds")
	}
	name := strings.Trim(strings.ReplaceAll(fields[at], ",", " / ")+" / "+fields[at+1], " /")
	m := sample{label: name, elapsed: int32(end - start), count: 1, at: start, timed: start > 0}
	if fields[at+4] == "KO" {
		m.errors = 1
	}
	return g.add(m)
}

func ended(s string) bool { return s == "OK" || s == "KO" }
