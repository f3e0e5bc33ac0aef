// Package dossier is what a question to the gate offline rests on: catalog,
// change, reports, approvals and freezes, read from files.
//
// It leaves flags and the answer to cli, and how each file is read to its noun.
// Invariant: all that it finds is assumed, and said to be, since nobody but the
// files says so.
package dossier

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/survey"
	"signalbox.dev/signalbox/internal/wire"
)

// MaxInput bounds a catalog, a list of approvals or of freezes, in bytes.
const MaxInput = 4 << 20

// Question is a question to the gate on files alone. Paths may be empty: what
// they would say is then not known.
type Question struct {
	Ask                         wire.GateRequest
	Policy                      *policy.Program
	Catalog, Approvals, Freezes string         // paths
	Evidence                    []string       // paths
	Change                      survey.Options // no repository: the change is not known
	Now                         time.Time
	Bundles                     release.BundleVerifier // nil: Sigstore bundles are refused
	Word                        policy.Provenance      // whose word the change and the reports are taken for
}

// Facts are what the gate would weigh, and the names of persons by id.
func (q Question) Facts(ctx context.Context) (release.Facts, map[string]string, error) {
	f := release.Facts{Environment: q.Ask.Environment, Assumed: []string{"release", "clock", "no stop"}}
	if q.Word != policy.Assumed {
		f.Assumed = append(f.Assumed, "the word of a "+string(q.Word))
	}
	for _, n := range []struct{ field, value string }{
		{"service", q.Ask.Service}, {"version", q.Ask.Version}, {"digest", q.Ask.Digest}, {"environment", q.Ask.Environment},
	} {
		if err := release.CheckName(n.field, n.value); err != nil {
			return f, nil, err
		}
	}
	drafts, err := release.Open(release.Opened{ID: "offline", Service: q.Ask.Service, Version: q.Ask.Version, Digest: q.Ask.Digest, Size: q.Ask.Size, ChangeType: q.Ask.ChangeType})
	if err != nil || len(drafts) == 0 {
		return f, nil, err
	}
	f.Release = release.State{
		Service: q.Ask.Service, Version: q.Ask.Version, Digest: q.Ask.Digest, Size: q.Ask.Size, ChangeType: q.Ask.ChangeType,
		Revision: 1, Phase: release.Submitted, Provenance: policy.Assumed, OpenedAt: event.MicrosOf(q.Now), Submitted: event.MicrosOf(q.Now),
	}
	f.Policy = q.Policy
	names := map[string]string{}
	steps := []func() error{
		func() (err error) { names, err = q.catalogued(&f); return },
		func() error { return q.attach(ctx, &f) },
		func() error { return q.claims(&f) },
		func() error { return q.frozen(&f) },
		func() error { return q.votes(&f) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return f, nil, err
		}
	}
	return f, names, nil
}

// pseudonym needs no key here: nothing of it is recorded.
func pseudonym(kind, value string) string {
	return kind + ":" + strings.ToLower(strings.TrimSpace(value))
}

// catalogued fills what the catalog file knows, and returns persons' names by id.
func (q Question) catalogued(f *release.Facts) (map[string]string, error) {
	names := map[string]string{}
	f.People, f.Identities = map[string]access.Person{}, map[string]string{}
	if q.Catalog == "" {
		return names, nil
	}
	b, err := settings.ReadFile(q.Catalog, MaxInput)
	if err != nil {
		return nil, err
	}
	entries, err := catalog.Parse(q.Catalog, b)
	if err != nil {
		return nil, err
	}
	f.Assumed = append(f.Assumed, "catalog")
	for i, s := range entries.Services {
		f.Services = append(f.Services, s.Name)
		if s.Name == q.Ask.Service {
			f.Service = &entries.Services[i]
		}
	}
	for i, e := range entries.Environments {
		f.Environments = append(f.Environments, e.Name)
		if e.Name == q.Ask.Environment {
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

func (q Question) attach(ctx context.Context, f *release.Facts) error {
	if q.Change.Repository == "" {
		if q.Change.From != "" || q.Change.To != "" {
			return fault.Invalidf("gate.no-reader", "--from and --to need a repository").Remedy("give --repo PATH")
		}
		return nil
	}
	look := q.Change
	if f.Service != nil {
		look.Catalog, look.Service = &catalog.Entries{Services: []catalog.Service{*f.Service}}, f.Service.Name
	}
	ch, err := survey.Read(ctx, look)
	if err != nil {
		return err
	}
	record, _ := ch.Record(pseudonym)
	f.Lists.Commits = release.CommitsOf(ch.CommitList)
	f.Release.Change = &release.Attached{Record: record, Digest: ch.Digest(), Provenance: q.Word, At: event.MicrosOf(q.Now)}
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
func (q Question) claims(f *release.Facts) error {
	f.Artifact.Digest = q.Ask.Digest
	envelopes := map[string][]byte{}
	var claims []evidence.Claim
	for i, path := range q.Evidence {
		b, err := settings.ReadFile(path, report.MaxSize)
		if err != nil {
			return err
		}
		claim, err := report.Reader{Bundles: q.Bundles != nil}.Read(b)
		if err != nil {
			return Placed(path, err)
		}
		added := evidence.Added{
			ID: fmt.Sprintf("file-%d", i+1), Service: q.Ask.Service, Version: q.Ask.Version, Digest: q.Ask.Digest, Label: fmt.Sprintf("file-%d", i+1),
			Claim: claim, Provenance: string(q.Word), File: release.Sum(b), Size: int64(len(b)), At: event.MicrosOf(q.Now),
		}
		if slices.ContainsFunc(f.Artifact.Claims, func(a evidence.Added) bool { return a.File == added.File }) {
			return fault.Invalidf("gate.evidence-twice", "%s has the content of a report that was given before it", path).Remedy("give each report once").On("--evidence")
		}
		if _, err := evidence.Add(f.Artifact, added, q.Now); err != nil {
			return Placed(path, err)
		}
		if added.Claim = claim.Summary(); claim.Attestation != nil {
			envelopes[added.File], _ = report.Unpacked(b) // as it was read
		}
		f.Artifact, claims = f.Artifact.With(added), append(claims, claim)
	}
	if f.Policy != nil {
		f.Signed = release.Certify(f.Artifact, envelopes, f.Policy.Attestors(), q.Bundles)
	}
	if err := closeFindings(f, claims); err != nil {
		return err
	}
	f.Lists.Findings = release.FindingsOf(claims)
	if len(q.Evidence) > 0 {
		f.Assumed = append(f.Assumed, "evidence")
	}
	return nil
}

// Placed adds the file to an error that knows only the place within it.
func Placed(path string, err error) error {
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

func (q Question) frozen(f *release.Facts) error {
	var entries []freezeEntry
	if err := readList(q.Freezes, &entries); err != nil || len(entries) == 0 {
		return err
	}
	for i, e := range entries {
		z := calendar.Freeze{ID: fmt.Sprintf("freeze-%d", i+1), Name: e.Name, Rule: e.Rule, Scope: e.Scope}
		var err error
		if z.From, err = entryInstant(q.Freezes, e.From, "from"); err != nil {
			return err
		}
		if z.Until, err = entryInstant(q.Freezes, e.Until, "until"); err != nil {
			return err
		}
		if e.Name == "" || z.Until != 0 && z.Until <= z.From {
			return fault.Invalidf("gate.freeze", "freeze %d has no name, or ends before it begins", i+1).At(fault.Position{File: q.Freezes})
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
func (q Question) votes(f *release.Facts) error {
	var entries []voteEntry
	if err := readList(q.Approvals, &entries); err != nil || len(entries) == 0 {
		return err
	}
	_, subject, err := f.Subject()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, known := f.People[e.Person]; !known {
			wrong := fault.Invalidf("gate.person", "the catalog knows no person %q", e.Person).At(fault.Position{File: q.Approvals})
			if near := catalog.Nearest(e.Person, slices.Sorted(maps.Keys(f.People))); near != "" {
				return wrong.Remedy("did you mean " + near + "?")
			}
			return wrong.Remedy("name a person of --catalog by handle")
		}
		if e.Answer != approval.Approve && e.Answer != approval.Reject {
			return fault.Invalidf("gate.answer", "%q is not an answer", e.Answer).At(fault.Position{File: q.Approvals}).Remedy("write approve or reject")
		}
		at, err := entryInstant(q.Approvals, e.At, "at")
		if err != nil {
			return err
		}
		if at == 0 || at > event.MicrosOf(q.Now) {
			return fault.Invalidf("gate.vote-time", "the approval by %s has no time, or one to come", e.Person).At(fault.Position{File: q.Approvals})
		}
		f.Release.Votes = append(f.Release.Votes, approval.Vote{Person: e.Person, Environment: q.Ask.Environment, Subject: subject, Answer: e.Answer, At: at})
	}
	f.Assumed = append(f.Assumed, release.AssumedApprovals)
	return nil
}

// readList reads a YAML file that is one list into v; nothing where path is empty.
func readList(path string, v any) error {
	if path == "" {
		return nil
	}
	b, err := settings.ReadFile(path, MaxInput)
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
