package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// TrivySchema is the version of Trivy's JSON that is read. The array of results
// that it wrote before has none.
const TrivySchema = "2"

// IsTrivy recognises Trivy's reports: of an artifact, of a cluster, and the
// array of results of versions before 0.20.
func IsTrivy(t evidence.Top) bool {
	if t.Array {
		return t.Has("Target")
	}
	return t.Has("SchemaVersion") || t.Has("ArtifactName", "Results") || t.Has("ClusterName")
}

// ReadTrivy makes a claim of a report of Trivy.
func ReadTrivy(b []byte) (evidence.Claim, error) {
	t := trivy{}
	if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("[")) {
		if err := evidence.Decode(b, (*trivyLegacy)(&t)); err != nil {
			return evidence.Claim{}, err
		}
		return t.claim("")
	}
	if err := evidence.Decode(b, &t); err != nil {
		return evidence.Claim{}, err
	}
	if t.schema == "" && !t.cluster {
		return evidence.Claim{}, unread("Trivy", "SchemaVersion", "", TrivySchema)
	}
	return t.claim(t.schema)
}

// trivy is a report as far as it has been read.
type trivy struct {
	evidence.Collector
	schema   string
	cluster  bool // of Kubernetes resources
	legacy   bool
	version  string // of Trivy
	created  string
	dead     bool // the distribution is not maintained any more
	targets  int  // that were scanned
	unlisted int  // exceptions that targets count and do not list
	unequal  int  // targets whose own count of failures differs from what they list
}

// UnmarshalJSONFrom reads an object.
func (t *trivy) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var own struct {
		Version string `json:"Version"`
	}
	var about struct {
		OS struct {
			Dead bool `json:"EOSL"`
		} `json:"OS"`
	}
	results := func(dec *jsontext.Decoder) error { return t.results(dec, "") }
	err := evidence.Object(
		dec,
		evidence.Member{Name: "SchemaVersion", Into: t.takeSchema},
		evidence.Member{Name: "Trivy", Into: &own},
		evidence.Member{Name: "Metadata", Into: &about},
		evidence.Member{Name: "CreatedAt", Into: &t.created},
		evidence.Member{Name: "Results", Into: results},
		evidence.Member{Name: "ClusterName", Into: func(dec *jsontext.Decoder) error {
			t.cluster = true
			return dec.SkipValue()
		}},
		// Of a cluster: all resources, those of the summary, and what versions before 0.45 wrote.
		evidence.Member{Name: "Resources", Into: t.resources},
		evidence.Member{Name: "Findings", Into: t.resources},
		evidence.Member{Name: "Vulnerabilities", Into: t.resources},
		evidence.Member{Name: "Misconfigurations", Into: t.resources},
	)
	t.version, t.dead = own.Version, about.OS.Dead
	return err
}

// takeSchema refuses a schema that is not read before anything is read by it.
func (t *trivy) takeSchema(dec *jsontext.Decoder) error {
	var w evidence.Word
	if err := w.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	if w != TrivySchema {
		return unread("Trivy", "SchemaVersion", w, TrivySchema)
	}
	t.schema = string(w)
	return nil
}

// trivyLegacy is an array of results.
type trivyLegacy trivy

// UnmarshalJSONFrom reads an array.
func (l *trivyLegacy) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	t := (*trivy)(l)
	t.legacy = true
	return t.results(dec, "")
}

// resources reads what was scanned in a cluster.
func (t *trivy) resources(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxResults, "resources", func(int) error {
		return evidence.Whole(dec, func(raw jsontext.Value) error {
			var head struct {
				Namespace string `json:"Namespace"`
				Kind      string `json:"Kind"`
				Name      string `json:"Name"`
				Error     string `json:"Error"`
			}
			if err := v2.Unmarshal(raw, &head); err != nil {
				return err
			}
			if head.Error != "" {
				return failed("Trivy", fmt.Sprintf("%s/%s: %s", head.Kind, head.Name, head.Error))
			}
			place := strings.TrimPrefix(head.Namespace+"/"+head.Kind+"/"+head.Name, "/")
			return v2.Unmarshal(raw, &inner{func(dec *jsontext.Decoder) error {
				return evidence.Object(dec, evidence.Member{Name: "Results", Into: func(dec *jsontext.Decoder) error { return t.results(dec, place) }})
			}})
		})
	})
}

// inner reads a value by a function.
type inner struct {
	read func(*jsontext.Decoder) error
}

// UnmarshalJSONFrom calls the function.
func (i *inner) UnmarshalJSONFrom(dec *jsontext.Decoder) error { return i.read(dec) }

// trivyTarget is the head of a result: what was scanned.
type trivyTarget struct {
	Target  string `json:"Target"`
	Class   string `json:"Class"`
	Type    string `json:"Type"`
	Summary struct {
		Failures   int `json:"Failures"`
		Exceptions int `json:"Exceptions"`
	} `json:"MisconfSummary"`
	Vulnerabilities evidence.Presence `json:"Vulnerabilities"`

	cluster string // the resource that it belongs to
	failing int    // misconfigurations that are listed and stand
	excused int    // that are listed and are exceptions
	outside string // why none of its findings stands
}

// results reads the results of one artifact. A result is gone through twice,
// because its target may stand behind its findings.
func (t *trivy) results(dec *jsontext.Decoder, cluster string) error {
	return evidence.Each(dec, evidence.MaxMembers, "results", func(int) error {
		return evidence.Whole(dec, func(raw jsontext.Value) error { return t.result(raw, cluster) })
	})
}

func (t *trivy) result(raw jsontext.Value, cluster string) error {
	target := trivyTarget{cluster: cluster}
	if err := v2.Unmarshal(raw, &target); err != nil {
		return err
	}
	if target.Class == "" && target.Type == "" && (!t.legacy || target.Target == "" || target.Vulnerabilities.Kind == 0) {
		return refusal{"trivy-target", "a result says neither class nor type of what was scanned", "an empty result proves nothing", again}.fault()
	}
	t.targets++
	err := v2.Unmarshal(raw, &inner{func(dec *jsontext.Decoder) error {
		kinds := target.kinds(t)
		return evidence.Object(
			dec,
			evidence.Member{Name: "Vulnerabilities", Into: rows(kinds["vulnerability"])},
			evidence.Member{Name: "Misconfigurations", Into: rows(kinds["misconfiguration"])},
			evidence.Member{Name: "Secrets", Into: rows(kinds["secret"])},
			evidence.Member{Name: "Licenses", Into: rows(kinds["license"])},
			evidence.Member{Name: "ExperimentalModifiedFindings", Into: rows(func(dec *jsontext.Decoder) error {
				return evidence.Whole(dec, func(raw jsontext.Value) error { return t.modified(raw, target) })
			})},
		)
	}})
	if err != nil {
		return err
	}
	t.unlisted += max(target.Summary.Exceptions-target.excused, 0)
	switch stated := target.Summary.Failures; {
	case stated > 0 && target.failing == 0:
		return refusal{"trivy-summary", fmt.Sprintf("a result counts %d failures and lists none", stated), "what is counted and not listed is lost", again}.fault()
	case stated != target.failing && stated > 0:
		t.unequal++
	}
	return nil
}

// rows reads each element of a list of findings.
func rows(take func(*jsontext.Decoder) error) func(*jsontext.Decoder) error {
	return func(dec *jsontext.Decoder) error {
		return evidence.Each(dec, evidence.MaxResults, "findings", func(int) error { return take(dec) })
	}
}

// kinds are the readers of one finding of the target, by Trivy's names of their kinds.
func (r *trivyTarget) kinds(t *trivy) map[string]func(*jsontext.Decoder) error {
	return map[string]func(*jsontext.Decoder) error{
		"vulnerability":    counted(t, r, r.vulnerability),
		"misconfiguration": counted(t, r, r.misconfiguration),
		"secret":           counted(t, r, r.secret),
		"license":          counted(t, r, r.licence),
	}
}

// counted reads one finding and counts it; without a key it is none.
func counted[T any](t *trivy, r *trivyTarget, take func(*T) (evidence.Finding, []string)) func(*jsontext.Decoder) error {
	return func(dec *jsontext.Decoder) error {
		var v T
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		f, key := take(&v)
		if key == nil {
			return nil
		}
		f.Why = cmp.Or(r.outside, f.Why)
		f.Suppressed = f.Why != ""
		return t.Add(f, append([]string{r.cluster, r.Target, f.Rule, f.Package, f.Version, f.Message}, key...)...)
	}
}

// trivyModified is a finding that a statement or an ignore file has changed.
type trivyModified struct {
	Type      string `json:"Type"`
	Status    string `json:"Status"`
	Statement string `json:"Statement"`
	Source    string `json:"Source"`
	Finding   evidence.Presence
}

// outside says why the finding does not stand, "" where it does.
func (m *trivyModified) outside() string {
	switch {
	case m.Status == "ignored":
		return why("ignored", m.Statement, m.Source)
	case evidence.Status(m.Status).Closes():
		return why("vex", m.Status, m.Statement, m.Source)
	}
	return ""
}

// modified counts a finding that was changed. It is gone through twice, because
// what changed it may stand behind it.
func (t *trivy) modified(raw jsontext.Value, target trivyTarget) error {
	var m trivyModified
	if err := v2.Unmarshal(raw, &m); err != nil {
		return err
	}
	target.outside = m.outside()
	take, known := target.kinds(t)[m.Type]
	if !known || m.Finding.Kind != '{' {
		return refusal{"trivy-modified", fmt.Sprintf("a modified finding is of the type %q, or is not there", evidence.Cut(m.Type, 40)), "it cannot be counted", again}.fault()
	}
	return v2.Unmarshal(raw, &inner{func(dec *jsontext.Decoder) error {
		return evidence.Object(dec, evidence.Member{Name: "Finding", Into: take})
	}})
}

func (t *trivy) claim(schema string) (evidence.Claim, error) {
	if t.targets == 0 {
		return evidence.Claim{}, refusal{
			"trivy-results", "the report of Trivy has no results", "without a target nothing was scanned",
			"let Trivy scan what it supports, with the scanners that are needed, and send what it writes",
		}.fault().On("/Results")
	}
	c := t.Claim("trivy", schema, evidence.Tool{Name: "Trivy", Version: t.version})
	c.Generated = instant(t.created)
	if t.dead {
		c.Notes = append(c.Notes, "the distribution is not maintained any more, so what is found may not be all")
	}
	note(&c, t.unlisted, "%d exceptions are counted and not listed")
	note(&c, t.unequal, "%d results count other failures than they list")
	return c, nil
}

// place is where a finding is, for people: the file within the target where
// there is one.
func (r *trivyTarget) place(file string, line int64) string {
	s := at(cmp.Or(file, r.Target), line, 0)
	if r.cluster != "" {
		return r.cluster + ": " + s
	}
	return s
}
