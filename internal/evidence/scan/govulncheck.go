package scan

import (
	"cmp"
	"fmt"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// GovulncheckProtocol begins the versions of govulncheck's protocol that are read.
const GovulncheckProtocol = "v1."

// IsGovulncheck recognises govulncheck's stream of messages, the same in an
// array, and the one object of its versions before 0.2.
func IsGovulncheck(t evidence.Top) bool {
	if len(t.Members) == 1 && (t.Array || t.Has("config") || t.Has("progress") || t.Has("osv") || t.Has("finding") || t.Has("SBOM")) {
		return t.Members["config"].Kind == '{' || t.Members["progress"].Kind == '{' || t.Members["osv"].Kind == '{' ||
			t.Members["finding"].Kind == '{' || t.Members["SBOM"].Kind == '{'
	}
	return !t.Array && t.Has("Vulns") && (t.Has("Calls") || t.Has("Imports") || t.Has("Requires") || t.Has("Modules"))
}

// ReadGovulncheck makes a claim of a report of govulncheck.
func ReadGovulncheck(b []byte) (evidence.Claim, error) {
	top, err := evidence.TopOf(b)
	if err != nil {
		return evidence.Claim{}, err
	}
	if top.Has("Vulns") {
		return readGovulncheckObject(b)
	}
	g := govulncheck{osvs: map[string]*osvEntry{}, found: map[string]*govulnFinding{}, expected: map[string]string{}}
	if top.Array {
		err = evidence.Decode(b, &inner{func(dec *jsontext.Decoder) error {
			return evidence.Each(dec, 10*evidence.MaxResults, "messages", func(int) error { return g.message(dec) })
		}})
	} else {
		err = evidence.Values(b, func(dec *jsontext.Decoder) error {
			return v2.UnmarshalDecode(dec, &inner{g.message})
		})
	}
	if err != nil {
		return evidence.Claim{}, err
	}
	return g.claim()
}

// govulncheck is a stream as far as it has been read. A vulnerability counts
// once, however many findings there are of it.
type govulncheck struct {
	config   *govulnConfig // of the run that is being read
	tool     evidence.Tool
	protocol string
	began    string // the newest message of progress that says what is being done
	findings int    // of the run
	osvs     map[string]*osvEntry
	found    map[string]*govulnFinding
	order    []string          // of found
	modules  map[string]string // that are scanned, with their versions
	expected map[string]string // entries that must have a finding, and the module
}

type govulnConfig struct {
	Protocol string `json:"protocol_version"`
	Name     string `json:"scanner_name"`
	Version  string `json:"scanner_version"`
	Mode     string `json:"scan_mode"`
}

// message reads one message, which has one member.
func (g *govulncheck) message(dec *jsontext.Decoder) error {
	return evidence.Object(
		dec,
		evidence.Member{Name: "config", Into: g.takeConfig},
		evidence.Member{Name: "progress", Into: g.takeProgress},
		evidence.Member{Name: "SBOM", Into: g.takeModules},
		evidence.Member{Name: "osv", Into: g.takeOSV},
		evidence.Member{Name: "finding", Into: g.takeFinding},
	)
}

// takeConfig begins a run. Where several streams were joined, each must be whole.
func (g *govulncheck) takeConfig(dec *jsontext.Decoder) error {
	if g.config != nil {
		if err := g.finished(); err != nil {
			return err
		}
	}
	var c govulnConfig
	if err := v2.UnmarshalDecode(dec, &c); err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(c.Protocol, GovulncheckProtocol):
		return unread("govulncheck", "protocol_version", evidence.Word(evidence.Cut(c.Protocol, 40)), "v1")
	case c.Mode == "query" || c.Mode == "extract":
		return refusal{"govulncheck-mode", fmt.Sprintf("govulncheck ran in the mode %q", c.Mode), "that scans nothing", "run govulncheck on source or a binary"}.fault()
	}
	g.config, g.began, g.findings = &c, "", 0
	g.protocol, g.tool = c.Protocol, evidence.Tool{Name: cmp.Or(c.Name, "govulncheck"), Version: c.Version}
	return nil
}

// started refuses a stream whose beginning is missing.
func (g *govulncheck) started() error {
	if g.config == nil {
		return refusal{"govulncheck-config", "the stream of govulncheck does not begin with its configuration", "its beginning is missing", again}.fault()
	}
	return nil
}

// What govulncheck says when it begins to load, to fetch and to compare. Only
// after the last of them that its version writes has it looked for anything.
const (
	govulnScanning = "Scanning your "
	govulnFetching = "Fetching vulnerabilities"
	govulnChecking = "Checking the "
)

func (g *govulncheck) takeProgress(dec *jsontext.Decoder) error {
	var p struct {
		Message string `json:"message"`
	}
	if err := v2.UnmarshalDecode(dec, &p); err != nil {
		return err
	}
	for _, step := range []string{govulnScanning, govulnFetching, govulnChecking} {
		if strings.HasPrefix(p.Message, step) {
			g.began = step
		}
	}
	return g.started()
}

// finished refuses a run that did not come to compare: versions before 1.1.1
// say once that they scan, later ones say when they have fetched what there is.
func (g *govulncheck) finished() error {
	if err := g.lost(); err != nil {
		return err
	}
	if g.findings > 0 || g.config.Mode == "convert" || g.began == govulnChecking || g.began == govulnScanning {
		return nil
	}
	return refusal{"govulncheck-unfinished", "govulncheck stopped before it compared anything", "its stream ends before it says that it checks", "repair what it says on standard error, and run it again"}.fault()
}

func (g *govulncheck) takeOSV(dec *jsontext.Decoder) error {
	var o govulnEntry
	if err := v2.UnmarshalDecode(dec, &o); err != nil {
		return err
	}
	if err := g.keep(&o.osvEntry); err != nil {
		return err
	}
	g.expect(&o)
	return g.started()
}

// keep keeps an entry without the packages that it affects.
func (g *govulncheck) keep(o *osvEntry) error {
	if len(g.osvs) >= maxEntries {
		return evidence.TooLarge("evidence.too-many", "there are more than %d vulnerabilities", maxEntries)
	}
	o.Affected = nil
	g.osvs[o.ID] = o.kept()
	return nil
}

// govulnFinding is the closest use of a vulnerability that was found.
type govulnFinding struct {
	level  int // 1 required, 2 imported, 3 called
	module string
	at     string // the version
	fixed  string
	place  string
}

// govulnTrace is the vulnerable symbol, and the place in one's own code that
// leads to it.
type govulnTrace struct {
	module, version, packagePath, function string
	place                                  string
	frames                                 int
}

// UnmarshalJSONFrom reads an array of frames.
func (t *govulnTrace) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "frames of a trace", func(i int) error {
		var f struct {
			Module   string `json:"module"`
			Version  string `json:"version"`
			Package  string `json:"package"`
			Function string `json:"function"`
			Position struct {
				File   string `json:"filename"`
				Line   int64  `json:"line"`
				Column int64  `json:"column"`
			} `json:"position"`
		}
		if err := v2.UnmarshalDecode(dec, &f); err != nil {
			return err
		}
		if t.frames++; i == 0 {
			t.module, t.version, t.packagePath, t.function = f.Module, f.Version, f.Package, f.Function
		}
		if f.Position.File != "" {
			t.place = at(f.Position.File, f.Position.Line, f.Position.Column)
		}
		return nil
	})
}

func (g *govulncheck) takeFinding(dec *jsontext.Decoder) error {
	var f struct {
		OSV   string      `json:"osv"`
		Fixed string      `json:"fixed_version"`
		Trace govulnTrace `json:"trace"`
	}
	if err := v2.UnmarshalDecode(dec, &f); err != nil {
		return err
	}
	if f.OSV == "" {
		return refusal{"govulncheck-finding", "a finding of govulncheck names no vulnerability", "it cannot be counted", again}.fault()
	}
	g.findings++
	found := govulnFinding{level: 1, module: f.Trace.module, at: f.Trace.version, fixed: f.Fixed, place: cmp.Or(f.Trace.place, f.Trace.packagePath, f.Trace.module)}
	switch {
	case f.Trace.function != "":
		found.level = 3
	case f.Trace.packagePath != "":
		found.level = 2
	}
	if err := g.note(f.OSV, found); err != nil {
		return err
	}
	return g.started()
}

// note keeps the closest use of a vulnerability.
func (g *govulncheck) note(id string, found govulnFinding) error {
	have := g.found[id]
	switch {
	case have == nil && len(g.order) >= maxEntries:
		return evidence.TooLarge("evidence.too-many", "there are more than %d vulnerabilities", maxEntries)
	case have == nil:
		g.order = append(g.order, id)
		g.found[id] = &found
	case found.level > have.level:
		*have = found
	}
	return nil
}

func (g *govulncheck) claim() (evidence.Claim, error) {
	if err := g.started(); err != nil {
		return evidence.Claim{}, err
	}
	if err := g.finished(); err != nil {
		return evidence.Claim{}, err
	}
	return g.counted()
}

// counted makes a claim of what was noted, one finding for each vulnerability.
func (g *govulncheck) counted() (evidence.Claim, error) {
	var c evidence.Collector
	called := 0
	for _, id := range g.order {
		found, entry := g.found[id], g.osvs[id]
		if entry == nil {
			entry = &osvEntry{ID: id}
		}
		how := []string{"required, not known to be called", "imported, not known to be called", "called"}[found.level-1]
		if found.level == 3 {
			called++
		}
		f := evidence.Finding{
			Rule: id, Package: found.module, Version: found.at, Fixed: found.fixed, Location: found.place,
			Identifiers: ids([]string{id}, entry.Aliases, entry.Specific.CWEs), Message: fmt.Sprintf("%s (%s)", cmp.Or(entry.Summary, entry.Details, id), how),
		}
		f.Severity, f.Scale = entry.rating("govulncheck").severity()
		if err := c.Add(f, id); err != nil {
			return evidence.Claim{}, err
		}
	}
	claim := c.Claim("govulncheck", g.protocol, g.tool)
	if len(g.order) > 0 {
		claim.Notes = append(claim.Notes, fmt.Sprintf("%d of %d vulnerabilities are in functions that are called", called, len(g.order)))
	}
	return claim, nil
}

// readGovulncheckObject reads the one object that versions before 0.2 write. It
// is gone through twice, because the versions of modules stand behind the rest.
func readGovulncheckObject(b []byte) (evidence.Claim, error) {
	g := govulncheck{osvs: map[string]*osvEntry{}, found: map[string]*govulnFinding{}, tool: evidence.Tool{Name: "govulncheck"}}
	versions, modules := map[string]string{}, evidence.Rows[struct{ Path, Version string }]{Limit: evidence.MaxMembers, What: "modules"}
	modules.Take = func(m *struct{ Path, Version string }) error {
		versions[m.Path] = m.Version
		return nil
	}
	err := evidence.Decode(b, &inner{func(dec *jsontext.Decoder) error {
		return evidence.Object(dec, evidence.Member{Name: "Modules", Into: &modules})
	}})
	if err != nil {
		return evidence.Claim{}, err
	}
	rows := evidence.Rows[govulnOld]{Limit: 10 * evidence.MaxResults, What: "vulnerable symbols", Take: func(v *govulnOld) error {
		if v.OSV.ID == "" {
			return refusal{"govulncheck-finding", "a vulnerability of govulncheck has no id", "it cannot be counted", again}.fault()
		}
		if err := g.keep(&v.OSV); err != nil {
			return err
		}
		found := govulnFinding{level: 1, module: v.Module, at: versions[v.Module], place: cmp.Or(v.Package, v.Module)}
		switch {
		case v.Call > 0:
			found.level = 3
		case v.Import > 0:
			found.level = 2
		}
		return g.note(v.OSV.ID, found)
	}}
	err = evidence.Decode(b, &inner{func(dec *jsontext.Decoder) error {
		return evidence.Object(dec, evidence.Member{Name: "Vulns", Into: &rows})
	}})
	if err != nil {
		return evidence.Claim{}, err
	}
	if len(g.order) == 0 && len(versions) == 0 {
		return evidence.Claim{}, refusal{"govulncheck-modules", "the report of govulncheck names no module and no vulnerability", "nothing was scanned", again}.fault().On("/Modules")
	}
	return g.counted()
}

type govulnOld struct {
	OSV     osvEntry `json:"OSV"`
	Package string   `json:"PkgPath"`
	Module  string   `json:"ModPath"`
	Call    int      `json:"CallSink"`
	Import  int      `json:"ImportSink"`
}
