package evidence

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Severity is one of six words; every scale of a scanner maps to them by a table here.
type Severity string

// The severities, worst first. Unrated is unknown: it may be anything.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
	Unrated  Severity = "unrated"
)

// add counts n findings; anything that is not a severity is unrated.
func (s *Severities) add(v Severity, n int) {
	switch v {
	case Critical:
		s.Critical += n
	case High:
		s.High += n
	case Medium:
		s.Medium += n
	case Low:
		s.Low += n
	case Info:
		s.Info += n
	default:
		s.Unrated += n
	}
}

// worse reports whether v must be believed rather than w where two results
// that are one differ in it. Unrated may be anything, so only critical is worse.
func (v Severity) worse(w Severity) bool {
	order := []Severity{Info, Low, Medium, High, Unrated, Critical}
	return slices.Index(order, v) > slices.Index(order, w)
}

func (s *Severities) sum(o Severities) {
	s.Critical += o.Critical
	s.High += o.High
	s.Medium += o.Medium
	s.Low += o.Low
	s.Info += o.Info
	s.Unrated += o.Unrated
}

// severityOfScore maps a score on the scale of CVSS (0 to 10; SARIF's
// security-severity is such a score): 9 and more critical, 7 high, 4 medium,
// above 0 low, 0 info. Some scanners write the word instead, in any case of
// letters. Everything else is unrated.
func severityOfScore(score string) Severity {
	switch word := Severity(strings.ToLower(score)); word {
	case Critical, High, Medium, Low, Info:
		return word
	}
	n, err := strconv.ParseFloat(score, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 10 {
		return Unrated
	}
	switch {
	case n >= 9:
		return Critical
	case n >= 7:
		return High
	case n >= 4:
		return Medium
	case n > 0:
		return Low
	default:
		return Info
	}
}

// severityOfLevel maps SARIF's result level (2.1.0 section 3.27.10). A word
// that the standard does not know is unrated.
func severityOfLevel(level string) Severity {
	switch level {
	case "error":
		return High
	case "warning":
		return Medium
	case "note":
		return Low
	case "none":
		return Info
	default:
		return Unrated
	}
}

// scale says where a severity came from, in at most 80 bytes.
func scale(parts ...string) string { return cutText("sarif:"+strings.Join(parts, " "), 80) }
