package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

// walk takes one new release from no-go to go and into production, and answers
// the id of the decision that let it.
func (d *demo) walk(ctx context.Context, src source) (string, error) {
	if err := d.furnish(ctx, src); err != nil {
		return "", err
	}
	done, err := d.as["dana"].Releases(ctx, wire.ReleaseFilter{Service: "shop", Paging: wire.Paging{Limit: 200}})
	if err != nil {
		return "", err
	}
	version := src.version(len(done.Items) + 1)
	sum := sha256.Sum256([]byte(src.change.To + version))
	r := &run{demo: d, src: src, target: wire.EvidenceTarget{Service: "shop", Version: version, Digest: "sha256:" + hex.EncodeToString(sum[:])}}
	for _, step := range []func(context.Context) error{r.open, r.refused, r.mended, r.misnamed, r.frozen, r.approved, r.deployed, r.proven} {
		if err := step(ctx); err != nil {
			return r.granted, err
		}
	}
	return r.granted, nil
}

// furnish makes the organisation, as far as it does not stand already.
func (d *demo) furnish(ctx context.Context, src source) error {
	d.begin("An example organisation: services, people, a pipeline, a policy")
	there, err := d.server.Control.Administered(ctx)
	if err != nil {
		return err
	}
	if !there {
		founder := control.Founder{Handle: "ada", Name: "Ada Example", Email: "ada@signalbox.example"}
		if _, err := d.server.Control.CreateAdministrator(ctx, founder); err != nil {
			return err
		}
	}
	if err := d.sign(ctx, control.TokenRequest{Handle: "ada"}, "ada"); err != nil {
		return err
	}
	file, err := catalogFile(src)
	if err != nil {
		return err
	}
	imported, err := d.as["ada"].ImportCatalog(ctx, "catalog.yaml", file)
	if err != nil {
		return err
	}
	d.say("Catalog: %d entries added, %d changed, %d as they were. Every commit identity of the change is claimed by a person.", imported.Added, imported.Changed, imported.Same)
	for _, who := range []string{"ben", "cleo", "dana"} {
		if err := d.sign(ctx, control.TokenRequest{Handle: who}, who); err != nil {
			return err
		}
	}
	if err := d.sign(ctx, control.TokenRequest{Machine: "shop-pipeline"}, "shop-pipeline"); err != nil {
		return err
	}
	return d.activate(ctx)
}

func (d *demo) activate(ctx context.Context) error {
	program, problems := policy.Compile(policy.Starter())
	if policy.Failed(problems) {
		return fmt.Errorf("the starter pack does not compile: %v", problems)
	}
	if active, _, err := d.server.Control.ActivePolicy(ctx); err != nil || active != nil && active.Digest() == program.Digest() {
		d.say("Policy: the starter pack, active already.")
		return err
	}
	q := wire.PolicyRequest{Reason: "first policy of the example"}
	for _, f := range policy.Starter() {
		q.Files = append(q.Files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	a, err := d.as["dana"].ActivatePolicy(ctx, q)
	if err != nil {
		return err
	}
	d.say("Policy: %s %s is active, %d tests pass.", a.Name, a.Version, a.Tests)
	return nil
}

// catalogFile is the example's catalog with the shop, whose repository is the
// source, and one person for every commit identity of the change.
func catalogFile(src source) ([]byte, error) {
	base, err := example.ReadFile("example/catalog.yaml")
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(base)
	fmt.Fprintf(b, "---\napiVersion: signalbox/v1\nkind: Service\nname: shop\ntier: 1\nteam: storefront\nrepository: %q\n", src.repository)
	for _, who := range src.change.Contributors() {
		if strings.HasSuffix(who.Key(), "@signalbox.example") && known(base, who.Key()) {
			continue
		}
		sum := sha256.Sum256([]byte(who.Key()))
		fmt.Fprintf(b, "---\napiVersion: signalbox/v1\nkind: Person\nname: contributor-%s\ndisplay: %q\nteams: [storefront]\n", hex.EncodeToString(sum[:4]), orElse(who.Name, "Contributor"))
		if !strings.HasPrefix(who.Key(), "name:") {
			fmt.Fprintf(b, "emails: [%q]\n", who.Key())
		}
	}
	return b.Bytes(), nil
}

func known(catalog []byte, email string) bool { return bytes.Contains(catalog, []byte(email)) }

// run is one release on its walk.
type run struct {
	*demo
	src     source
	target  wire.EvidenceTarget
	release string
	granted string // id of the decision that let it go
	permit  []byte
}

func (r *run) open(ctx context.Context) error {
	r.begin("The pipeline opens release shop %s", r.target.Version)
	opened, err := r.as["shop-pipeline"].OpenRelease(ctx, wire.ReleaseRequest{Service: "shop", Version: r.target.Version, Digest: r.target.Digest})
	if err != nil {
		return err
	}
	r.release = opened.ID
	if _, err := r.as["shop-pipeline"].ReadChange(ctx, r.release, wire.ReadChangeRequest{From: r.src.from, To: r.src.to}); err != nil {
		return err
	}
	r.say("The server itself has read the change from the repository: nobody's word is taken for it.")
	return nil
}

// refused: the first reports stand in the way.
func (r *run) refused(ctx context.Context) error {
	r.begin("Scan, tests and coverage arrive; one finding is critical, one test fails")
	if err := r.reports(ctx, "scan-first.sarif", "tests-first.xml", "coverage.xml"); err != nil {
		return err
	}
	_, err := r.ask(ctx, "production")
	return err
}

// misnamed: an environment that nobody knows is never a go.
func (r *run) misnamed(ctx context.Context) error {
	r.begin("Somebody mistypes the environment: unknown is not yes")
	_, err := r.ask(ctx, "prodution")
	return err
}

// mended: with good reports only the approvals are missing.
func (r *run) mended(ctx context.Context) error {
	if len(r.Evidence) > 0 {
		r.begin("Your reports arrive")
		if err := r.upload(ctx, r.Evidence, os.ReadFile); err != nil {
			return err
		}
	} else {
		r.begin("The finding was a false alarm and is suppressed with a reason; the test is mended")
		if err := r.reports(ctx, "scan-second.sarif", "tests-second.xml"); err != nil {
			return err
		}
	}
	_, err := r.ask(ctx, "production")
	return err
}

// frozen: the business wants quiet.
func (r *run) frozen(ctx context.Context) error {
	r.begin("Dana Example freezes production for the quarter's end; the approvals come in all the same")
	name := "quarter-end-" + r.release[len(r.release)-8:]
	_, err := r.as["dana"].DeclareFreeze(ctx, wire.FreezeRequest{
		Name: name, Rule: "freeze", Scope: wire.Scope{Kinds: []string{"production"}}, Until: time.Now().Add(2 * time.Hour), Reason: "the books close tonight",
	})
	if err != nil {
		return err
	}
	for _, who := range []string{"ben", "cleo"} {
		shown, err := r.as[who].Preview(ctx, r.release, "production")
		if err != nil {
			return err
		}
		vote := wire.VoteRequest{Environment: "production", Answer: "approve", Comment: "read the change", Seen: shown.Subject}
		if _, err := r.as[who].Vote(ctx, r.release, vote); err != nil {
			return err
		}
		r.say("%s approves exactly %s.", who, shown.Subject[:19]+"…")
	}
	if _, err := r.ask(ctx, "production"); err != nil {
		return err
	}
	_, err = r.as["dana"].LiftFreeze(ctx, name, wire.Reasoned{Reason: "the books are closed"})
	return err
}

// approved: the freeze is lifted, and nothing is missing.
func (r *run) approved(ctx context.Context) error {
	r.begin("The freeze is lifted")
	answer, err := r.ask(ctx, "production")
	if err != nil {
		return err
	}
	r.granted, r.permit = answer.Decision.ID, answer.Permit
	return nil
}

// deployed: the permit is checked offline, redeemed, and the deployment reported.
func (r *run) deployed(ctx context.Context) error {
	if len(r.permit) == 0 {
		r.say("\nThere is no permit: the reasons above say what stands in the way.")
		return nil
	}
	r.begin("The permit is checked offline, redeemed once, and the deployment reported")
	public, err := r.as["shop-pipeline"].Keys(ctx)
	if err != nil {
		return err
	}
	keys, err := verify.ParseKeys(public)
	if err != nil {
		return err
	}
	expect := verify.Expect{Service: "shop", Version: r.target.Version, Digest: r.target.Digest, Environment: "production", Now: time.Now(), Skew: time.Minute}
	p, err := verify.CheckPermit(r.permit, keys, expect)
	if err != nil {
		return err
	}
	r.say("Permit %s holds for %s more: signed, for this digest and environment.", p.ID, in(p.NotAfter))
	start := wire.StartRequest{Service: "shop", Version: r.target.Version, Digest: r.target.Digest, Environment: "production", Permit: r.permit, Run: "demo"}
	first, err := r.as["shop-pipeline"].StartDeployment(ctx, start)
	if err != nil {
		return err
	}
	r.say("Deployment %s: authorised %v.", first.ID, first.Authorised)
	if _, err := r.as["shop-pipeline"].FinishDeployment(ctx, first.ID); err != nil {
		return err
	}
	second, err := r.as["shop-pipeline"].StartDeployment(ctx, start)
	if err != nil {
		return err
	}
	r.say("The same permit a second time: an unauthorised deployment (%s), and on record.", second.Code)
	return nil
}

// proven: the journal verifies with the public key alone.
func (r *run) proven(ctx context.Context) error {
	r.begin("Anyone can verify the journal, offline, with the export and the public key")
	public, err := r.as["ada"].Keys(ctx)
	if err != nil {
		return err
	}
	keys, err := verify.ParseKeys(public)
	if err != nil {
		return err
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(r.as["ada"].Export(ctx, write)) }()
	report, err := verify.Export(ctx, read, keys, nil)
	if err != nil {
		return err
	}
	r.say("%d facts, %d signed checkpoints: every leaf, every version and the root hold.", report.Facts, report.Checkpoints)
	return nil
}

// reports writes files of the example beside the data, where anybody can read
// and change them, and uploads them.
func (r *run) reports(ctx context.Context, names ...string) error {
	dir := filepath.Join(r.Data, "example-reports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("example reports: %w", err)
	}
	var paths []string
	for _, name := range names {
		b, err := example.ReadFile("example/" + name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return fmt.Errorf("example reports: %w", err)
		}
		paths = append(paths, path)
	}
	return r.upload(ctx, paths, os.ReadFile)
}

func (r *run) upload(ctx context.Context, paths []string, read func(string) ([]byte, error)) error {
	for _, path := range paths {
		b, err := read(path)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		target := r.target
		target.Label = label(path)
		claim, err := r.as["shop-pipeline"].AddEvidence(ctx, target, bytes.NewReader(b))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		r.say("  read %s: %s", path, claim.Kind)
	}
	return nil
}

// label is a report's name without what tells first and second apart: the
// second of a kind takes the place of the first.
func label(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	name, _, _ = strings.Cut(name, "-")
	return name
}

// ask asks the gate as the pipeline does, and prints the answer.
func (r *run) ask(ctx context.Context, environment string) (wire.Answer, error) {
	answer, err := r.as["shop-pipeline"].Ask(ctx, wire.GateRequest{Service: "shop", Version: r.target.Version, Digest: r.target.Digest, Environment: environment})
	if err != nil {
		return answer, err
	}
	r.say("")
	return answer, cli.PrintDecision(r.out, answer.Decision, cli.PrintOptions{
		All: r.All, Color: r.Color, Zone: r.Zone, Now: time.Now(), People: answer.People, Standing: answer.Standing,
		URL: r.url + "/decisions/" + answer.Decision.ID,
	})
}
