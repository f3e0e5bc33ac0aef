package scan

import (
	"fmt"
	"slices"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/semver"

	"signalbox.dev/signalbox/internal/evidence"
)

// A stream has no end mark, so one that is cut between two messages is still
// valid. But since 1.1.4 it lists the modules with their versions, and before
// any finding all entries about them: an entry that affects one of the versions
// and has no finding shows that findings are missing.

// govulnEntry is an entry with the versions that it affects.
type govulnEntry struct {
	osvEntry
	Withdrawn *string        `json:"withdrawn"`
	Versions  govulnVersions `json:"affected"`
}

// govulnVersions are the affected versions by module: of 50 modules at most,
// with 200 versions each at most. Where there are more, they are not judged.
type govulnVersions []govulnModule

type govulnModule struct {
	path     string
	events   []govulnEvent
	unjudged bool // there are ranges of another type, limits to a platform, or too many events
}

type govulnEvent struct {
	Introduced string `json:"introduced"`
	Fixed      string `json:"fixed"`
}

// version is the version of an event, "" for the beginning of time.
func (e govulnEvent) version() string {
	if e.Fixed != "" {
		return "v" + e.Fixed
	}
	if e.Introduced == "0" {
		return ""
	}
	return "v" + e.Introduced
}

// UnmarshalJSONFrom reads an array.
func (l *govulnVersions) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "affected packages", func(int) error {
		if len(*l) >= 50 {
			return dec.SkipValue()
		}
		var m govulnModule
		if err := m.read(dec); err != nil {
			return err
		}
		*l = append(*l, m)
		return nil
	})
}

func (m *govulnModule) read(dec *jsontext.Decoder) error {
	type place struct {
		OS   evidence.Presence `json:"goos"`
		Arch evidence.Presence `json:"goarch"`
	}
	var v struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Ranges   evidence.Rows[govulnRange] `json:"ranges"`
		Specific struct {
			Imports evidence.Rows[place] `json:"imports"`
		} `json:"ecosystem_specific"`
	}
	v.Ranges = evidence.Rows[govulnRange]{Limit: evidence.MaxMembers, What: "ranges", Take: func(r *govulnRange) error {
		m.unjudged = m.unjudged || r.Type != "SEMVER" || r.Events.long || len(m.events) > 200
		if !m.unjudged {
			m.events = append(m.events, r.Events.list...)
		}
		return nil
	}}
	v.Specific.Imports = evidence.Rows[place]{Limit: evidence.MaxMembers, What: "imports", Take: func(p *place) error {
		m.unjudged = m.unjudged || p.OS.There() || p.Arch.There()
		return nil
	}}
	err := v2.UnmarshalDecode(dec, &v)
	m.path = evidence.Cut(v.Package.Name, evidence.MaxWord)
	return err
}

type govulnRange struct {
	Type   string       `json:"type"`
	Events govulnEvents `json:"events"`
}

type govulnEvents struct {
	list []govulnEvent
	long bool
}

// UnmarshalJSONFrom reads an array.
func (l *govulnEvents) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "events", func(i int) error {
		if l.long = i >= 200; l.long {
			return dec.SkipValue()
		}
		var e govulnEvent
		err := v2.UnmarshalDecode(dec, &e)
		l.list = append(l.list, e)
		return err
	})
}

// affects reports whether the module is surely affected at a version.
func (m govulnModule) affects(version string) bool {
	if m.unjudged || !semver.IsValid(version) || len(m.events) == 0 {
		return false
	}
	events := slices.Clone(m.events)
	slices.SortStableFunc(events, func(a, b govulnEvent) int { return semver.Compare(a.version(), b.version()) })
	affected := false
	for _, e := range events {
		switch v := e.version(); {
		case v != "" && !semver.IsValid(v):
			return false
		case v == "" || semver.Compare(v, version) <= 0:
			affected = e.Fixed == ""
		}
	}
	return affected
}

// takeModules notes the versions of the modules that are scanned.
func (g *govulncheck) takeModules(dec *jsontext.Decoder) error {
	type module struct {
		Path    string `json:"path"`
		Version string `json:"version"`
	}
	var v struct {
		Modules evidence.Rows[module] `json:"modules"`
	}
	g.modules = map[string]string{}
	v.Modules = evidence.Rows[module]{Limit: evidence.MaxMembers, What: "modules", Take: func(m *module) error {
		g.modules[evidence.Cut(m.Path, evidence.MaxWord)] = evidence.Cut(m.Version, 100)
		return nil
	}}
	if err := v2.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	return g.started()
}

// expect notes an entry that must have a finding.
func (g *govulncheck) expect(e *govulnEntry) {
	if e.Withdrawn != nil {
		return
	}
	for _, m := range e.Versions {
		if version := g.modules[m.path]; version != "" && m.affects("v"+strings.TrimPrefix(version, "v")) {
			g.expected[e.ID] = m.path + "@" + version
		}
	}
}

// lost refuses a run in which a finding is missing.
func (g *govulncheck) lost() error {
	for id, module := range g.expected {
		if g.found[id] == nil {
			return refusal{
				"govulncheck-lost", fmt.Sprintf("govulncheck lists %s, which affects %s, and no finding of it", evidence.Cut(id, 40), evidence.Cut(module, 100)),
				"the stream is cut short, or findings were taken out of it", again,
			}.fault()
		}
	}
	return nil
}
