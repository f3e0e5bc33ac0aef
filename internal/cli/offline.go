package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/report"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/survey"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

const maxInput = 4 << 20 // bytes of a catalog, of approvals or of freezes

// offline is a question to the gate on files alone. All that it rests on is
// assumed: nobody but the files says so.
type offline struct {
	q                                   wire.GateRequest
	policy, catalog, approvals, freezes string   // paths; all but policy may be empty
	evidence                            []string // paths
	repo, from, to                      string   // no repo: the change is not known
	keys                                []survey.File
	now                                 time.Time
	word                                policy.Provenance // whose word the change and the reports are taken for
}

// gateOffline asks the same release.Gate as the server, on files.
func (c call) gateOffline(ctx context.Context) error {
	for _, name := range []string{"wait", "timeout", "permit-out", "server-reads"} {
		if c.flags.Changed(name) {
			return fault.Invalidf("gate.online-only", "--%s is not for the gate offline", name).
				Because("offline nothing is recorded and no permit is signed").Remedy("leave it out, or ask the server, without --policy").On("--" + name)
		}
	}
	at, err := c.instant("at")
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = time.Now().UTC()
	}
	word, known := map[string]policy.Provenance{"pipeline": policy.ByPipeline, "person": policy.ByPerson, "nobody": policy.Assumed}[c.text("as")]
	if !known {
		return fault.Invalidf("gate.as", "%q gives no word", c.text("as")).Remedy("write pipeline, person or nobody").On("--as")
	}
	keys, err := c.keyFiles()
	if err != nil {
		return err
	}
	o := offline{
		word: word, keys: keys,
		q: c.gateRequest(), policy: c.text("policy"), catalog: c.text("catalog"), approvals: c.text("approvals"), freezes: c.text("freezes"),
		evidence: c.texts("evidence"), repo: c.text("repo"), from: c.text("from"), to: c.text("to"), now: at,
	}
	d, names, err := o.decide(ctx)
	if err != nil {
		return err
	}
	show, err := c.printOptions()
	if err != nil {
		return err
	}
	show.People, show.Now = names, at
	answer := wire.Answer{Decision: d, People: names}
	if err := c.print(answer, func(w io.Writer) error { return terminal.PrintDecision(w, d, show) }); err != nil {
		return err
	}
	if format, _ := c.format(); format != asTable { // the table says so itself
		c.note("offline: nothing here is recorded and no permit is signed")
	}
	return c.concluded(d, show, "")
}

// decide is the gate's answer, and the names of the persons it mentions.
func (o offline) decide(ctx context.Context) (wire.Decision, map[string]string, error) {
	f, names, err := o.facts(ctx)
	if err != nil {
		return wire.Decision{}, nil, err
	}
	d, err := release.Gate(o.now, f)
	if err != nil {
		return wire.Decision{}, nil, err
	}
	d.PermitUntil = time.Time{} // what is assumed permits nothing
	w, err := wireDecision(d)
	return w, names, err
}

// wireDecision is a decision in the shape of the API.
func wireDecision(d release.Decision) (wire.Decision, error) {
	var w wire.Decision
	b, err := json.Marshal(d)
	if err != nil {
		return w, fmt.Errorf("encode the decision: %w", err)
	}
	if err := strict.Decode(b, &w); err != nil {
		return w, fmt.Errorf("the decision is not of the contract's shape: %w", err)
	}
	return w, nil
}

func (o offline) facts(ctx context.Context) (release.Facts, map[string]string, error) {
	f := release.Facts{Environment: o.q.Environment, Assumed: []string{"release", "clock"}}
	if o.word != policy.Assumed {
		f.Assumed = append(f.Assumed, "the word of a "+string(o.word))
	}
	for _, n := range []struct{ field, value string }{
		{"service", o.q.Service}, {"version", o.q.Version}, {"digest", o.q.Digest}, {"environment", o.q.Environment},
	} {
		if err := release.CheckName(n.field, n.value); err != nil {
			return f, nil, err
		}
	}
	drafts, err := release.Open(release.Opened{ID: "offline", Service: o.q.Service, Version: o.q.Version, Digest: o.q.Digest, Size: o.q.Size, ChangeType: o.q.ChangeType})
	if err != nil || len(drafts) == 0 {
		return f, nil, err
	}
	f.Release = release.State{
		Service: o.q.Service, Version: o.q.Version, Digest: o.q.Digest, Size: o.q.Size, ChangeType: o.q.ChangeType,
		Revision: 1, Phase: release.Submitted, Provenance: policy.Assumed, OpenedAt: event.MicrosOf(o.now), Submitted: event.MicrosOf(o.now),
	}
	names := map[string]string{}
	steps := []func() error{
		func() (err error) { f.Policy, err = program(o.policy); return },
		func() (err error) { names, err = o.catalogued(&f); return },
		func() error { return o.attach(ctx, &f) },
		func() error { return o.claims(&f) },
		func() error { return o.frozen(&f) },
		func() error { return o.votes(&f) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return f, nil, err
		}
	}
	return f, names, nil
}

// program is the bundle in a directory, compiled.
func program(dir string) (*policy.Program, error) {
	files, err := policyFiles(dir)
	if err != nil {
		return nil, err
	}
	return compiled(files)
}

func compiled(files []policy.File) (*policy.Program, error) {
	p, problems := policy.Compile(files)
	if policy.Failed(problems) {
		return nil, &policy.Failure{List: problems}
	}
	return p, nil
}

// policyFiles are the YAML files of a directory, those in directories below it included.
func policyFiles(dir string) ([]policy.File, error) {
	var files []policy.File
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.New(fault.NotFound, "policy.directory", "the policy directory cannot be read").Because(plainReason(err)).On("--policy").Cause(err)
		case e.IsDir() && path != dir && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) || strings.HasPrefix(e.Name(), "."):
			return nil
		case len(files) == policy.MaxFiles:
			return fault.New(fault.TooLarge, "policy.too-many-files", fmt.Sprintf("the directory holds more than %d files", policy.MaxFiles))
		}
		data, err := readFile(path, policy.MaxFile)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, policy.File{Name: filepath.ToSlash(name), Data: data})
		return err
	})
	if err == nil && len(files) == 0 {
		err = fault.New(fault.NotFound, "policy.empty", "the directory "+dir+" holds no policy").Because("there is no .yaml file in it").
			Remedy("signalbox policy init DIR writes the starter policy")
	}
	return files, err
}

// pseudonym needs no key here: nothing of it is recorded.
func pseudonym(kind, value string) string {
	return kind + ":" + strings.ToLower(strings.TrimSpace(value))
}

// catalogued fills what the catalog file knows, and returns persons' names by id.
func (o offline) catalogued(f *release.Facts) (map[string]string, error) {
	names := map[string]string{}
	f.People, f.Identities = map[string]access.Person{}, map[string]string{}
	if o.catalog == "" {
		return names, nil
	}
	b, err := readFile(o.catalog, maxInput)
	if err != nil {
		return nil, err
	}
	entries, err := catalog.Parse(o.catalog, b)
	if err != nil {
		return nil, err
	}
	f.Assumed = append(f.Assumed, "catalog")
	for i, s := range entries.Services {
		f.Services = append(f.Services, s.Name)
		if s.Name == o.q.Service {
			f.Service = &entries.Services[i]
		}
	}
	for i, e := range entries.Environments {
		f.Environments = append(f.Environments, e.Name)
		if e.Name == o.q.Environment {
			f.Place = &entries.Environments[i]
		}
	}
	for _, p := range entries.People {
		identities := []string{pseudonym("handle", p.Handle)}
		for _, e := range p.Emails {
			identities = append(identities, pseudonym("email", e))
		}
		for _, i := range identities {
			f.Identities[i] = p.Handle
		}
		f.People[p.Handle] = access.Person{ID: p.Handle, Identities: identities, Teams: p.Teams, Groups: p.Groups, Roles: p.Roles}
		names[p.Handle] = p.Name
	}
	return names, nil
}

func (o offline) attach(ctx context.Context, f *release.Facts) error {
	if o.repo == "" {
		if o.from != "" || o.to != "" {
			return fault.Invalidf("gate.no-reader", "--from and --to need a repository").Remedy("give --repo PATH")
		}
		return nil
	}
	look := survey.Options{Repository: o.repo, From: o.from, To: o.to, Keys: o.keys}
	if f.Service != nil {
		look.Catalog, look.Service = &catalog.Entries{Services: []catalog.Service{*f.Service}}, f.Service.Name
	}
	ch, err := survey.Read(ctx, look)
	if err != nil {
		return err
	}
	record, _ := ch.Record(pseudonym)
	f.Lists.Commits = release.CommitsOf(ch.CommitList)
	f.Release.Change = &release.Attached{Record: record, Digest: ch.Digest(), Provenance: o.word, At: event.MicrosOf(o.now)}
	f.Assumed = append(f.Assumed, "change")
	return nil
}

// closeFindings counts scans again beside the statements about vulnerabilities
// that were given with them. The claims come in the order of the files.
func closeFindings(f *release.Facts, claims []evidence.Claim) error {
	read := func(a evidence.Added) *evidence.Claim {
		n, err := strconv.Atoi(strings.TrimPrefix(a.ID, "file-"))
		if err != nil || n < 1 || n > len(claims) {
			return &evidence.Claim{}
		}
		return &claims[n-1]
	}
	for _, r := range f.Artifact.Recountings() {
		var said []evidence.Statement
		for _, s := range r.Statements {
			said = append(said, read(s).Statements...)
		}
		scan := read(r.Scan)
		draft, err := r.Record(r.Scan.ID, *scan, said)
		if err != nil {
			return err
		}
		*scan, _ = evidence.Close(*scan, r.Scan.Digest, said)
		f.Artifact = f.Artifact.After([]event.Draft{draft}, r.Scan.At)
	}
	return nil
}

// claims reads the reports. Each stands under its file's place in the list, so
// that two reports of one tool both count.
func (o offline) claims(f *release.Facts) error {
	f.Artifact.Digest = o.q.Digest
	var claims []evidence.Claim
	for i, path := range o.evidence {
		b, err := readFile(path, report.MaxSize)
		if err != nil {
			return err
		}
		claim, err := report.Read(b)
		if err != nil {
			return placed(path, err)
		}
		added := evidence.Added{
			ID: fmt.Sprintf("file-%d", i+1), Service: o.q.Service, Version: o.q.Version, Digest: o.q.Digest, Label: fmt.Sprintf("file-%d", i+1),
			Claim: claim.Summary(), Provenance: string(o.word), File: release.Sum(b), Size: int64(len(b)), At: event.MicrosOf(o.now),
		}
		if slices.ContainsFunc(f.Artifact.Claims, func(a evidence.Added) bool { return a.File == added.File }) {
			return fault.Invalidf("gate.evidence-twice", "%s has the content of a report that was given before it", path).Remedy("give each report once").On("--evidence")
		}
		if _, err := evidence.Add(f.Artifact, added, o.now); err != nil {
			return placed(path, err)
		}
		f.Artifact, claims = f.Artifact.With(added), append(claims, claim)
	}
	if err := closeFindings(f, claims); err != nil {
		return err
	}
	f.Lists.Findings = release.FindingsOf(claims)
	if len(o.evidence) > 0 {
		f.Assumed = append(f.Assumed, "evidence")
	}
	return nil
}

// placed adds the file to an error that knows only the place within it.
func placed(path string, err error) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Where.File == "" {
		e.Where.File = path
	}
	return err
}

// freezeEntry is one freeze of the file that --freezes names.
type freezeEntry struct {
	Name  string         `json:"name"`
	Rule  string         `json:"rule"`
	Scope calendar.Scope `json:"scope"`
	From  string         `json:"from"`
	Until string         `json:"until"`
}

func (o offline) frozen(f *release.Facts) error {
	var entries []freezeEntry
	if err := readList(o.freezes, &entries); err != nil || len(entries) == 0 {
		return err
	}
	for i, e := range entries {
		z := calendar.Freeze{ID: fmt.Sprintf("freeze-%d", i+1), Name: e.Name, Rule: e.Rule, Scope: e.Scope}
		var err error
		if z.From, err = entryInstant(o.freezes, e.From, "from"); err != nil {
			return err
		}
		if z.Until, err = entryInstant(o.freezes, e.Until, "until"); err != nil {
			return err
		}
		if e.Name == "" || z.Until != 0 && z.Until <= z.From {
			return fault.Invalidf("gate.freeze", "freeze %d has no name, or ends before it begins", i+1).At(fault.Position{File: o.freezes})
		}
		f.Freezes = append(f.Freezes, z)
	}
	f.Assumed = append(f.Assumed, "freezes")
	return nil
}

// entryInstant is an instant in a list; 0 where none is given.
func entryInstant(file, text, field string) (event.Micros, error) {
	if text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fault.Invalidf("gate.instant", "%q is not an instant", text).On(field).At(fault.Position{File: file}).
			Remedy("write it as RFC 3339 with its zone, such as 2026-12-24T18:00:00+01:00")
	}
	return event.MicrosOf(t), nil
}

// voteEntry is one approval of the file that --approvals names.
type voteEntry struct {
	Person  string `json:"person"` // handle
	Answer  string `json:"answer"`
	At      string `json:"at"`
	Comment string `json:"comment"`
}

// votes binds each answer of the file to what would be approved today.
func (o offline) votes(f *release.Facts) error {
	var entries []voteEntry
	if err := readList(o.approvals, &entries); err != nil || len(entries) == 0 {
		return err
	}
	_, subject, err := f.Subject()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, known := f.People[e.Person]; !known {
			wrong := fault.Invalidf("gate.person", "the catalog knows no person %q", e.Person).At(fault.Position{File: o.approvals})
			if near := catalog.Nearest(e.Person, slices.Sorted(maps.Keys(f.People))); near != "" {
				return wrong.Remedy("did you mean " + near + "?")
			}
			return wrong.Remedy("name a person of --catalog by handle")
		}
		if e.Answer != approval.Approve && e.Answer != approval.Reject {
			return fault.Invalidf("gate.answer", "%q is not an answer", e.Answer).At(fault.Position{File: o.approvals}).Remedy("write approve or reject")
		}
		at, err := entryInstant(o.approvals, e.At, "at")
		if err != nil {
			return err
		}
		if at == 0 || at > event.MicrosOf(o.now) {
			return fault.Invalidf("gate.vote-time", "the approval by %s has no time, or one to come", e.Person).At(fault.Position{File: o.approvals})
		}
		f.Release.Votes = append(f.Release.Votes, approval.Vote{Person: e.Person, Environment: o.q.Environment, Subject: subject, Answer: e.Answer, At: at})
	}
	f.Assumed = append(f.Assumed, release.AssumedApprovals)
	return nil
}

// readList reads a YAML file that is one list into v; nothing where path is empty.
func readList(path string, v any) error {
	if path == "" {
		return nil
	}
	b, err := readFile(path, maxInput)
	if err != nil {
		return err
	}
	docs, err := strict.YAML(path, b)
	if err != nil {
		return err
	}
	if len(docs) != 1 {
		return fault.Invalidf("file.documents", "%s is not one list", path)
	}
	return docs[0].Into(v)
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "file.exists", path+" exists already").Remedy("choose another directory, or move it away")
	}
	if err != nil {
		return fault.Invalidf("file.unwritable", "%s cannot be written", path).Because(plainReason(err)).Cause(err)
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fault.Invalidf("file.unwritable", "%s cannot be written", path).Because(plainReason(err)).Cause(err)
	}
	return nil
}
