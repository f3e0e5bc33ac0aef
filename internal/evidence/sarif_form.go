package evidence

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds on a SARIF log, some of them above those of GitHub (25,000 results,
// 20 runs); more is refused, never left out.
const (
	maxResults    = 200_000 // in all runs
	maxRuns       = 1_000
	maxExtensions = 50     // of one tool
	maxRules      = 20_000 // of one tool component
	maxInner      = 1_000  // elements of lists within one result or invocation
	maxMessage    = 1_000  // bytes of a message kept
	maxWord       = 300    // bytes of a rule, file or name kept
)

// sarifProbe tells whether a document is SARIF, and of which version.
type sarifProbe struct {
	Schema  presence `json:"$schema"`
	Version *word    `json:"version"`
	Runs    presence `json:"runs"`
}

// sarif reports whether two of the three members that open a log are there.
func (p sarifProbe) sarif() bool {
	schema, version, runs := p.Schema.kind == '"', p.Version != nil, p.Runs.kind != 0
	return version && runs || schema && runs || schema && version
}

// word is a string or a number as text: a version is written as either.
type word string

// UnmarshalJSONFrom reads a string, or anything else as it is written.
func (w *word) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if v.Kind() != '"' {
		*w = word(cutText(string(v[:min(len(v), 100)]), 80))
		return nil
	}
	s, err := jsontext.AppendUnquote(nil, v)
	*w = word(cutText(string(s), 80))
	return err
}

type sarifRun struct {
	Tool struct {
		Driver     sarifComponent  `json:"driver"`
		Extensions sarifComponents `json:"extensions"`
	} `json:"tool"`
	Invocations sarifInvocations `json:"invocations"`
	Results     presence         `json:"results"`
	Artifacts   sarifArtifacts   `json:"artifacts"`
	External    struct {
		Results *presence `json:"results"`
	} `json:"externalPropertyFileReferences"`
}

type sarifComponent struct {
	Name            string     `json:"name"`
	GUID            string     `json:"guid"`
	Version         string     `json:"version"`
	SemanticVersion string     `json:"semanticVersion"`
	Rules           sarifRules `json:"rules"`
}

type sarifComponents []sarifComponent

// UnmarshalJSONFrom reads at most maxExtensions.
func (l *sarifComponents) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = list[sarifComponent](dec, maxExtensions, "extensions of a tool")
	return err
}

type sarifRule struct {
	ID            string `json:"id"`
	GUID          string `json:"guid"`
	Configuration struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	Messages   sarifMessages   `json:"messageStrings"`
	Properties sarifProperties `json:"properties"`
}

type sarifRules []sarifRule

// UnmarshalJSONFrom reads at most maxRules.
func (l *sarifRules) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = list[sarifRule](dec, maxRules, "rules of a tool")
	return err
}

// sarifMessages is a rule's message strings by name, at most 20 of them.
type sarifMessages map[string]sarifText

// UnmarshalJSONFrom keeps the first 20 and passes over the rest: they are for reading only.
func (m *sarifMessages) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		var plain map[string]jsontext.Value
		return v2.UnmarshalDecode(dec, &plain)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*m = sarifMessages{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		if len(*m) >= 20 || len(key) > maxWord {
			if err := dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var v struct {
			Text sarifText `json:"text"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		(*m)[key] = v.Text
	}
	_, err := dec.ReadToken()
	return err
}

// sarifText is a text by its digest, and its beginning.
type sarifText struct {
	head string
	sum  [sha256.Size]byte
}

// UnmarshalJSONFrom reads a string.
func (t *sarifText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var s string
	if err := v2.UnmarshalDecode(dec, &s); err != nil {
		return err
	}
	t.head, t.sum = cutText(s, maxMessage), sha256.Sum256([]byte(s))
	return nil
}

// sarifProperties is what is read of a property bag.
type sarifProperties struct {
	Score *word     `json:"security-severity"`
	Tags  sarifTags `json:"tags"`
}

// sarifTags are those tags that are public identifiers, at most 20.
type sarifTags []string

// UnmarshalJSONFrom keeps identifiers and passes over the rest.
func (l *sarifTags) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return dec.SkipValue()
	}
	return each(dec, maxMembers, "tags", func(int) error {
		var tag word
		if err := v2.UnmarshalDecode(dec, &tag); err != nil {
			return err
		}
		for _, id := range identifiers(string(tag)) {
			if len(*l) < 20 && !slices.Contains(*l, id) {
				*l = append(*l, id)
			}
		}
		return nil
	})
}

var (
	advisory = regexp.MustCompile(`(?i)\b(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[23456789cfghjmpqrvwx]{4}){3})\b`)
	weakness = regexp.MustCompile(`(?i)\bCWE-0*(\d{1,6})\b`)
)

// identifiers are the public names of vulnerabilities and weaknesses in s.
func identifiers(s string) []string {
	var out []string
	for _, id := range advisory.FindAllString(s, 20) {
		if id = strings.ToUpper(id); strings.HasPrefix(id, "GHSA") {
			id = "GHSA" + strings.ToLower(id[4:])
		}
		out = append(out, id)
	}
	for _, m := range weakness.FindAllStringSubmatch(s, 20) {
		out = append(out, "CWE-"+m[1])
	}
	return out
}

type sarifInvocation struct {
	Successful *bool          `json:"executionSuccessful"`
	End        string         `json:"endTimeUtc"`
	Start      string         `json:"startTimeUtc"`
	Overrides  sarifOverrides `json:"ruleConfigurationOverrides"`
}

type sarifInvocations []sarifInvocation

// UnmarshalJSONFrom reads at most maxInner.
func (l *sarifInvocations) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = list[sarifInvocation](dec, maxInner, "invocations")
	return err
}

type sarifOverride struct {
	Configuration struct {
		Level string `json:"level"`
	} `json:"configuration"`
	Descriptor sarifReference `json:"descriptor"`
}

type sarifOverrides []sarifOverride

// UnmarshalJSONFrom reads at most maxInner.
func (l *sarifOverrides) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = list[sarifOverride](dec, maxInner, "overrides of rules")
	return err
}

type sarifArtifact struct {
	Location struct {
		URI string `json:"uri"`
	} `json:"location"`
}

type sarifArtifacts []sarifArtifact

// UnmarshalJSONFrom reads at most maxResults.
func (l *sarifArtifacts) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = list[sarifArtifact](dec, maxResults, "artifacts")
	return err
}

// sarifResults hands on one result after the other.
type sarifResults struct{ take func(*sarifResult) error }

// UnmarshalJSONFrom reads at most maxResults.
func (l *sarifResults) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return each(dec, maxResults, "results", func(int) error {
		var r sarifResult
		if err := v2.UnmarshalDecode(dec, &r); err != nil {
			return err
		}
		return l.take(&r)
	})
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    *int              `json:"ruleIndex"`
	Rule         *sarifReference   `json:"rule"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	Baseline     string            `json:"baselineState"`
	Message      sarifMessage      `json:"message"`
	Locations    sarifLocations    `json:"locations"`
	Suppressions sarifSuppressions `json:"suppressions"`
	Properties   sarifProperties   `json:"properties"`
	Provenance   struct {
		Invocation *int `json:"invocationIndex"`
	} `json:"provenance"`
}

// sarifReference names a rule of a tool component (2.1.0 section 3.52).
type sarifReference struct {
	ID        string `json:"id"`
	Index     *int   `json:"index"`
	GUID      string `json:"guid"`
	Component *struct {
		Index *int   `json:"index"`
		Name  string `json:"name"`
		GUID  string `json:"guid"`
	} `json:"toolComponent"`
}

type sarifMessage struct {
	Text      *sarifText     `json:"text"`
	Markdown  *sarifText     `json:"markdown"`
	ID        string         `json:"id"`
	Arguments sarifArguments `json:"arguments"`
}

type sarifArguments []string

// UnmarshalJSONFrom reads at most maxInner.
func (l *sarifArguments) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = list[string](dec, maxInner, "arguments of a message")
	return err
}

// sarifSuppressions counts suppressions and those that are in force: a status
// other than accepted is not (2.1.0 section 3.27.23).
type sarifSuppressions struct{ all, accepted int }

// UnmarshalJSONFrom counts an array.
func (s *sarifSuppressions) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return each(dec, maxInner, "suppressions of a result", func(int) error {
		var v struct {
			Status string `json:"status"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		s.all++
		if v.Status == "" || v.Status == "accepted" {
			s.accepted++
		}
		return nil
	})
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI   string `json:"uri"`
			Base  string `json:"uriBaseId"`
			Index *int   `json:"index"`
		} `json:"artifactLocation"`
		Region struct {
			Line       int64 `json:"startLine"`
			Column     int64 `json:"startColumn"`
			EndLine    int64 `json:"endLine"`
			EndColumn  int64 `json:"endColumn"`
			CharOffset int64 `json:"charOffset"`
			CharLength int64 `json:"charLength"`
			ByteOffset int64 `json:"byteOffset"`
			ByteLength int64 `json:"byteLength"`
		} `json:"region"`
	} `json:"physicalLocation"`
	Logical sarifLogical `json:"logicalLocations"`
}

// sarifLogical is the first logical location's name, or its bare name.
type sarifLogical string

// UnmarshalJSONFrom keeps the first name.
func (l *sarifLogical) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return each(dec, maxInner, "logical locations", func(int) error {
		var v struct {
			Full string `json:"fullyQualifiedName"`
			Name string `json:"name"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		if v.Full == "" {
			v.Full = v.Name
		}
		if *l == "" {
			*l = sarifLogical(v.Full)
		}
		return nil
	})
}

// sarifLocations is the first location, and a digest of the others.
type sarifLocations struct {
	first sarifLocation
	count int
	rest  string
}

// UnmarshalJSONFrom reads an array.
func (l *sarifLocations) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var rest hash.Hash
	err := each(dec, maxMembers, "locations of a result", func(i int) error {
		var v sarifLocation
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		l.count++
		if i == 0 {
			l.first = v
			return nil
		}
		if rest == nil {
			rest = sha256.New()
		}
		fmt.Fprintf(rest, "%s\n", v.key(nil))
		return nil
	})
	if rest != nil {
		l.rest = string(rest.Sum(nil))
	}
	return err
}
