package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// osvMembers are the names that OSV-Scanner gives to what it writes beside its results.
var osvMembers = []string{"results", "experimental_config", "image_metadata", "license_summary"}

// IsOSV recognises OSV-Scanner's JSON, which names neither tool nor version.
// Other tools too write results, beside members of their own.
func IsOSV(t evidence.Top) bool {
	return !t.Array && t.Members["results"].Kind == '[' && !t.Has("errors") && !t.Has("metrics") && !t.Has("generated_at") && !t.Has("matches")
}

// ReadOSV makes a claim of a report of OSV-Scanner.
func ReadOSV(b []byte) (evidence.Claim, error) {
	o := osv{}
	if err := evidence.Decode(b, &o); err != nil {
		return evidence.Claim{}, err
	}
	if o.stranger != "" && o.results == 0 {
		return evidence.Claim{}, refusal{
			"osv-results", fmt.Sprintf("the results are empty, and beside them stands %q, which OSV-Scanner does not write", o.stranger),
			"this is the report of another tool", "see the list of what is read",
		}.fault()
	}
	c := o.Claim("osv-scanner", "", evidence.Tool{Name: "OSV-Scanner"})
	note(&c, o.uncalled, "%d vulnerabilities are in code that OSV-Scanner does not see called; they stand")
	note(&c, o.unimportant, "%d vulnerabilities are called unimportant by their distribution; they stand")
	return c, nil
}

// osv is a report as far as it has been read.
type osv struct {
	evidence.Collector
	results     int
	uncalled    int
	unimportant int
	stranger    string // a member that OSV-Scanner does not write
}

// UnmarshalJSONFrom reads an object.
func (o *osv) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return evidence.Object(dec)
	}
	return evidence.EachMember(dec, evidence.MaxMembers, "members", func(name string) error {
		switch {
		case name == "results":
			return o.sources(dec)
		case !slices.Contains(osvMembers, name) && !strings.HasPrefix(name, "experimental_"):
			o.stranger = evidence.Cut(name, 40)
		}
		return dec.SkipValue()
	})
}

// sources reads the results, one for each file that was scanned. Each is gone
// through twice, because the file may stand behind what is in it.
func (o *osv) sources(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "results", func(int) error {
		return evidence.Whole(dec, func(raw jsontext.Value) error {
			var head struct {
				Source struct {
					Path string `json:"path"`
					Type string `json:"type"`
				} `json:"source"`
				Packages evidence.Presence `json:"packages"`
			}
			if err := v2.Unmarshal(raw, &head); err != nil {
				return err
			}
			if !head.Packages.There() || head.Source.Path == "" && head.Source.Type == "" {
				return refusal{"osv-source", "a result has no source or no packages", "it is no result of OSV-Scanner", again}.fault()
			}
			o.results++
			packages := evidence.Rows[osvFound]{Limit: evidence.MaxResults, What: "packages", Take: func(p *osvFound) error {
				return o.count(head.Source.Path, p)
			}}
			return v2.Unmarshal(raw, &inner{func(dec *jsontext.Decoder) error {
				return evidence.Object(dec, evidence.Member{Name: "packages", Into: &packages})
			}})
		})
	})
}

// osvFound is a package with what is known of it.
type osvFound struct {
	Package struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		Ecosystem string `json:"ecosystem"`
		Commit    string `json:"commit"`
	}
	Entries    map[string]*osvEntry
	order      []string // of Entries
	Groups     []osvGroup
	Violations list
}

// osvGroup is one vulnerability under all its names.
type osvGroup struct {
	IDs      list           `json:"ids"`
	Aliases  list           `json:"aliases"`
	Max      *evidence.Word `json:"max_severity"`
	Analysis osvAnalysis    `json:"experimentalAnalysis"`
}

// osvAnalysis is what the tool's own analysis says of a group, by the ids in it.
type osvAnalysis struct{ all, uncalled, unimportant int }

// UnmarshalJSONFrom counts what is said.
func (a *osvAnalysis) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.EachMember(dec, evidence.MaxMembers, "analyses", func(string) error {
		if dec.PeekKind() != '{' {
			return dec.SkipValue()
		}
		var v struct {
			Called      *bool `json:"called"`
			Unimportant bool  `json:"unimportant"`
		}
		err := v2.UnmarshalDecode(dec, &v)
		a.all++
		if v.Called != nil && !*v.Called {
			a.uncalled++
		}
		if v.Unimportant {
			a.unimportant++
		}
		return err
	})
}

// UnmarshalJSONFrom reads an object.
func (p *osvFound) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	p.Entries = map[string]*osvEntry{}
	entries := evidence.Rows[osvEntry]{Limit: maxEntries, What: "vulnerabilities of a package", Take: func(e *osvEntry) error {
		if p.Entries[e.ID] == nil {
			p.order = append(p.order, e.ID)
		}
		p.Entries[e.ID] = e.kept()
		return nil
	}}
	groups := evidence.Rows[osvGroup]{Limit: maxEntries, What: "groups of a package", Take: func(g *osvGroup) error {
		p.Groups = append(p.Groups, *g)
		return nil
	}}
	return evidence.Object(
		dec,
		evidence.Member{Name: "package", Into: &p.Package},
		evidence.Member{Name: "vulnerabilities", Into: &entries},
		evidence.Member{Name: "groups", Into: &groups},
		evidence.Member{Name: "license_violations", Into: &p.Violations},
	)
}

// count adds one finding for each group, for each vulnerability that is in
// none, and for each licence that the configuration does not allow.
func (o *osv) count(path string, p *osvFound) error {
	if p.Package.Name == "" && p.Package.Commit == "" {
		return refusal{"osv-package", "a package has no name", "it is no result of OSV-Scanner", again}.fault()
	}
	grouped := map[string]bool{}
	for _, g := range p.Groups {
		for _, id := range g.IDs {
			grouped[id] = true
		}
	}
	for _, id := range p.order {
		if !grouped[id] {
			p.Groups = append(p.Groups, osvGroup{IDs: list{id}})
		}
	}
	for _, g := range p.Groups {
		o.analysis(g.Analysis)
		f := p.finding(path, g)
		if err := o.Add(f, "group", strings.Join(g.IDs, " "), p.Package.Ecosystem, f.Package, f.Version, path); err != nil {
			return err
		}
	}
	for _, licence := range p.Violations {
		f := evidence.Finding{Rule: "licence " + licence, Package: p.Package.Name, Version: p.Package.Version, Location: path, Scale: "osv-scanner:not rated", Message: "the licence " + licence + " is not allowed"}
		if err := o.Add(f); err != nil {
			return err
		}
	}
	return nil
}

// analysis counts what the tool's own analysis says. That it sees no call is
// its guess, and no statement of anybody: the finding stands.
func (o *osv) analysis(a osvAnalysis) {
	switch {
	case a.unimportant > 0:
		o.unimportant++
	case a.all > 0 && a.uncalled == a.all:
		o.uncalled++
	}
}

func (p *osvFound) finding(path string, g osvGroup) evidence.Finding {
	f := evidence.Finding{
		Rule: g.IDs.first(), Package: cmp.Or(p.Package.Name, p.Package.Commit), Version: cmp.Or(p.Package.Version, p.Package.Commit),
		Location: path, Identifiers: ids(g.IDs, g.Aliases), Severity: evidence.Unrated,
	}
	for _, id := range g.IDs {
		e := p.Entries[id]
		if e == nil {
			continue
		}
		f.Identifiers = ids(f.Identifiers, e.Aliases, e.Specific.CWEs, e.Affected.weaknesses())
		f.Message = cmp.Or(f.Message, e.Summary, e.Details)
		f.Fixed = cmp.Or(f.Fixed, e.Affected.fixed(p.Package.Name))
	}
	f.Severity, f.Scale = p.severity(g)
	return f
}

// severity is by the group's highest score, else the worst of its entries.
func (p *osvFound) severity(g osvGroup) (evidence.Severity, string) {
	if max := string(said(g.Max)); max != "" {
		return evidence.SeverityOfScore(max), evidence.ScaleText("osv-scanner:max_severity", max)
	}
	severity, text := evidence.Unrated, "osv-scanner:not rated"
	for _, id := range g.IDs {
		e := p.Entries[id]
		if e == nil {
			continue
		}
		if s, t := e.rating("osv-scanner").severity(); s != evidence.Unrated && (severity == evidence.Unrated || s.Worse(severity)) {
			severity, text = s, t
		}
	}
	return severity, text
}
