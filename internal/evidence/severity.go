package evidence

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pandatix/go-cvss/20"
	"github.com/pandatix/go-cvss/30"
	"github.com/pandatix/go-cvss/31"
	"github.com/pandatix/go-cvss/40"
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

// Scale is a set of words that tools write for a severity.
type Scale string

// The scales of words.
const (
	Words    Scale = "words"     // of most scanners
	Levels   Scale = "level"     // SARIF 2.1.0 section 3.27.10
	Semgreps Scale = "semgrep"   // Semgrep's rule severities
	Snyks    Scale = "snyk"      // Snyk's severities
	NPM      Scale = "npm audit" // npm's severities
)

// scales is the one table of words. A word that is not there is unrated.
var scales = map[Scale]map[string]Severity{
	Words: {
		"critical": Critical, "high": High, "important": High, "medium": Medium, "moderate": Medium,
		"low": Low, "minor": Low, "negligible": Info, "info": Info, "informational": Info, "none": Info,
	},
	Levels:   {"error": High, "warning": Medium, "note": Low, "none": Info},
	Semgreps: {"critical": Critical, "high": High, "error": High, "medium": Medium, "warning": Medium, "low": Low, "info": Low},
	Snyks:    {"critical": Critical, "high": High, "medium": Medium, "low": Low},
	NPM:      {"critical": Critical, "high": High, "moderate": Medium, "low": Low, "info": Info},
}

// Severity maps a word of the scale, in any case of letters.
func (s Scale) Severity(word string) Severity {
	if v, known := scales[s][strings.ToLower(strings.TrimSpace(word))]; known {
		return v
	}
	return Unrated
}

// Add counts n findings; anything that is not a severity is unrated.
func (s *Severities) Add(v Severity, n int) {
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

// Worse reports whether v must be believed rather than w where two results
// that are one differ in it. Unrated may be anything, so only critical is worse.
func (v Severity) Worse(w Severity) bool {
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

// SeverityOfScore maps a score on the scale of CVSS (0 to 10; SARIF's
// security-severity is such a score): 9 and more critical, 7 high, 4 medium,
// above 0 low, 0 info. Some scanners write the word instead, in any case of
// letters. Everything else is unrated.
func SeverityOfScore(score string) Severity {
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

// SeverityOfVector is the severity of the base score of a CVSS vector of
// version 2.0, 3.0, 3.1 or 4.0, and the score as text. What is no vector is
// unrated.
func SeverityOfVector(vector string) (Severity, string) {
	score, err := scoreOf(strings.TrimSpace(vector))
	if err != nil {
		return Unrated, ""
	}
	text := strconv.FormatFloat(score, 'f', 1, 64)
	return SeverityOfScore(text), text
}

func scoreOf(vector string) (float64, error) {
	switch {
	case len(vector) > MaxWord:
		return 0, strconv.ErrRange
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		v, err := gocvss40.ParseVector(vector)
		if err != nil {
			return 0, err
		}
		return v.Score(), nil
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		v, err := gocvss31.ParseVector(vector)
		if err != nil {
			return 0, err
		}
		return v.BaseScore(), nil
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		v, err := gocvss30.ParseVector(vector)
		if err != nil {
			return 0, err
		}
		return v.BaseScore(), nil
	}
	v, err := gocvss20.ParseVector(vector)
	if err != nil {
		return 0, err
	}
	return v.BaseScore(), nil
}

// ScaleText says where a severity came from, in at most 80 bytes.
func ScaleText(parts ...string) string { return Cut(strings.Join(parts, " "), 80) }
