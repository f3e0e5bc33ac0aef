package sarif

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

type sarifRun struct {
	Tool struct {
		Driver     sarifComponent  `json:"driver"`
		Extensions sarifComponents `json:"extensions"`
	} `json:"tool"`
	Invocations sarifInvocations  `json:"invocations"`
	Results     evidence.Presence `json:"results"`
	Artifacts   sarifArtifacts    `json:"artifacts"`
	External    struct {
		Results *evidence.Presence `json:"results"`
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
	*l, err = evidence.List[sarifComponent](dec, maxExtensions, "extensions of a tool")
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
	*l, err = evidence.List[sarifRule](dec, maxRules, "rules of a tool")
	return err
}

// sarifMessages is a rule's message strings by name, at most 20 of them.
type sarifMessages map[string]evidence.Text

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
		if len(*m) >= 20 || len(key) > evidence.MaxWord {
			if err := dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var v struct {
			Text evidence.Text `json:"text"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		(*m)[key] = v.Text
	}
	_, err := dec.ReadToken()
	return err
}

// sarifProperties is what is read of a property bag.
type sarifProperties struct {
	Score *evidence.Word `json:"security-severity"`
	Tags  sarifTags      `json:"tags"`
}

// sarifTags are those tags that are public identifiers, at most 20.
type sarifTags []string

// UnmarshalJSONFrom keeps identifiers and passes over the rest.
func (l *sarifTags) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return dec.SkipValue()
	}
	return evidence.Each(dec, evidence.MaxMembers, "tags", func(int) error {
		var tag evidence.Word
		if err := v2.UnmarshalDecode(dec, &tag); err != nil {
			return err
		}
		for _, id := range evidence.Identifiers(string(tag)) {
			if len(*l) < 20 && !slices.Contains(*l, id) {
				*l = append(*l, id)
			}
		}
		return nil
	})
}

type sarifInvocation struct {
	Successful *bool          `json:"executionSuccessful"`
	End        string         `json:"endTimeUtc"`
	Start      string         `json:"startTimeUtc"`
	Overrides  sarifOverrides `json:"ruleConfigurationOverrides"`
}

type sarifInvocations []sarifInvocation

// UnmarshalJSONFrom reads at most evidence.MaxInner.
func (l *sarifInvocations) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = evidence.List[sarifInvocation](dec, evidence.MaxInner, "invocations")
	return err
}

type sarifOverride struct {
	Configuration struct {
		Level string `json:"level"`
	} `json:"configuration"`
	Descriptor sarifReference `json:"descriptor"`
}

type sarifOverrides []sarifOverride

// UnmarshalJSONFrom reads at most evidence.MaxInner.
func (l *sarifOverrides) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = evidence.List[sarifOverride](dec, evidence.MaxInner, "overrides of rules")
	return err
}

type sarifArtifact struct {
	Location struct {
		URI string `json:"uri"`
	} `json:"location"`
}

type sarifArtifacts []sarifArtifact

// UnmarshalJSONFrom reads at most evidence.MaxResults.
func (l *sarifArtifacts) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = evidence.List[sarifArtifact](dec, evidence.MaxResults, "artifacts")
	return err
}

// sarifResults hands on one result after the other.
type sarifResults struct{ take func(*sarifResult) error }

// UnmarshalJSONFrom reads at most evidence.MaxResults.
func (l *sarifResults) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxResults, "results", func(int) error {
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
	Text      *evidence.Text `json:"text"`
	Markdown  *evidence.Text `json:"markdown"`
	ID        string         `json:"id"`
	Arguments sarifArguments `json:"arguments"`
}

type sarifArguments []string

// UnmarshalJSONFrom reads at most evidence.MaxInner.
func (l *sarifArguments) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = evidence.List[string](dec, evidence.MaxInner, "arguments of a message")
	return err
}

// sarifSuppressions counts suppressions and those that are in force: a status
// other than accepted is not (2.1.0 section 3.27.23).
type sarifSuppressions struct{ all, accepted int }

// UnmarshalJSONFrom counts an array.
func (s *sarifSuppressions) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "suppressions of a result", func(int) error {
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
	return evidence.Each(dec, evidence.MaxInner, "logical locations", func(int) error {
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
	err := evidence.Each(dec, evidence.MaxMembers, "locations of a result", func(i int) error {
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
