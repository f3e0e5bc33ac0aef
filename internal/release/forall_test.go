package release

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/policy"
)

// A release that needs N things goes with all of them, and with any one of them
// broken in any way it does not. A certificate authority once checked one of N
// names N times: so each of the N is broken alone, and the reason must be its own.

// An item is one thing that a release needs. Each is of a kind, and has a number
// of its own, which its claim, its key or its voter bears.
type item struct {
	kind string
	i    int
}

// breakage is one way in which facts that yield go do so no more.
type breakage struct {
	name   string
	gate   string // whose reason must say so
	does   func(w *world)
	revote bool // the votes are given anew, for what the facts then are, so that they are not what stands in the way
}

// world is facts that may be broken: what a break changes is its own.
type world struct {
	Facts
	items []item
}

var itemKinds = []string{"scan", "tests", "vote", "load", "attested", "flag", "component", "coverage", "listed"}

func (x item) name() string { return fmt.Sprintf("%s-%d", x.kind, x.i) }

// gate is the reason that stands for the item.
func (x item) gate() string {
	if x.kind == "vote" {
		return approvalReason
	}
	return x.name()
}

// itemsFrom are n items, of the kinds in turn from one on. Of several reports of
// coverage only the lowest counts, so one that is missing is not missed: there is one.
func itemsFrom(n, first int) []item {
	var all []item
	covered := false
	for k := first; len(all) < n; k++ {
		kind := itemKinds[k%len(itemKinds)]
		if kind == "coverage" && covered {
			continue
		}
		covered = covered || kind == "coverage"
		all = append(all, item{kind, len(all)})
	}
	return all
}

func count(items []item, kind string) (n int) {
	for _, x := range items {
		if x.kind == kind {
			n++
		}
	}
	return n
}

// needing is a policy that needs every item.
func needing(t testing.TB, items []item) *policy.Program {
	t.Helper()
	var w strings.Builder
	doc := func(kind, name, text string) {
		fmt.Fprintf(&w, "---\napiVersion: signalbox/v1\nkind: %s\nname: %s\n%s", kind, name, text)
	}
	w.WriteString("apiVersion: signalbox/v1\nkind: Policy\nname: all\nversion: \"1\"\n")
	doc("ScopeRule", "live", "match: environment.kind == \"production\"\ngovernance: full\n")
	doc("ScopeRule", "rest", "match: environment.kind == \"development\"\ngovernance: none\n")
	chain := "none"
	if votes := count(items, "vote"); votes > 0 {
		chain = "everybody"
		doc("ApprovalChain", chain, fmt.Sprintf("tiers: [{name: review, groups: [voters], quorum: %d}]\nvalid_for: 24h\n", votes))
	}
	doc("ReleaseType", "any", "size: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: "+chain+"\n")
	doc("Gate", "always", "title: T\ncondition: release.version == \"v1.1.0\"\n")
	aged := "max_age: 7d\nprovenance: pipeline\n"
	for _, x := range items {
		condition := map[string]string{
			"scan":      fmt.Sprintf("%q in findings.tools && findings.critical == 0\n%s", x.name(), aged),
			"tests":     fmt.Sprintf("tests.failed + tests.errored + tests.skipped == 0 && tests.total == %d\n%s", count(items, "tests"), aged),
			"load":      fmt.Sprintf("%q in load.tools && load.thresholds_failed == 0 && load.error_rate < 0.01\n%s", x.name(), aged),
			"coverage":  "coverage.line_rate >= 0.8\n" + aged,
			"attested":  fmt.Sprintf("attestation.statements.exists(s, s.attestor == %q)\n", x.name()),
			"flag":      fmt.Sprintf("%q in service.flags\n", x.name()),
			"component": fmt.Sprintf("%q in change.components\nprovenance: pipeline\n", x.name()),
			"listed":    fmt.Sprintf("findings.items.all(f, f.rule != %q)\n", x.name()),
		}[x.kind]
		if condition != "" {
			doc("Gate", x.name(), "title: T\ncondition: >-\n  "+condition)
		}
		if x.kind == "attested" {
			doc("Attestor", x.name(), "slsa_level: 3\nkeys: [{name: runner, key: "+publicKey(x.name())+"}]\n")
		}
	}
	p, problems := policy.Compile([]policy.File{{Name: "all.yaml", Data: []byte(w.String())}})
	if policy.Failed(problems) {
		t.Fatal(problems, w.String())
	}
	return p
}

// complete are facts that have every item.
func complete(t testing.TB, items []item) *world {
	t.Helper()
	f := good(t)
	f.Policy = needing(t, items)
	f.Artifact, f.People = evidence.Artifact{Digest: digest}, map[string]access.Person{"ann": f.People["ann"]}
	f.Signed.Envelopes = map[string][]byte{}
	w := &world{f, items}
	w.claim(item{"scan", 1000}, evidence.FindingsKind, evidence.Claim{Format: "sarif", Findings: &evidence.Findings{}})
	w.Lists.Findings = []policy.Finding{}
	for _, x := range items {
		switch x.kind {
		case "scan":
			w.claim(x, evidence.FindingsKind, evidence.Claim{Format: "sarif", Findings: &evidence.Findings{}})
		case "tests":
			w.claim(x, evidence.TestsKind, evidence.Claim{Format: "junit", Tests: &evidence.Tests{Total: 1, Passed: 1}})
		case "coverage":
			w.claim(x, evidence.CoverageKind, evidence.Claim{Format: "cobertura", Coverage: &evidence.Coverage{LineRate: 0.9, LinesCovered: 90, LinesValid: 100}})
		case "load":
			w.claim(x, evidence.LoadKind, evidence.Claim{Format: "k6", Load: &evidence.Load{Requests: 10, Set: 1}})
		case "attested":
			w.attest(t, x, x.name(), digest)
		case "flag":
			s := *w.Service
			s.Flags = append(slices.Clone(s.Flags), x.name())
			w.Service = &s
		case "component":
			w.Release.Change.Record.Components = append(w.Release.Change.Record.Components, x.name())
		case "vote":
			p := f.People["ann"]
			p.ID, p.Identities, p.Groups = x.name(), nil, []string{"voters"}
			w.People[x.name()] = p
		}
	}
	w.vote(t)
	return w
}

func (w *world) claim(x item, kind evidence.Kind, c evidence.Claim) {
	c.Kind, c.Tool = kind, evidence.Tool{Name: x.name()}
	w.Artifact = w.Artifact.With(evidence.Added{
		ID: x.name(), Service: "shop", Version: "v1.1.0", Digest: digest, Label: x.name(), Claim: c, Provenance: "pipeline",
		File: Sum([]byte(x.name())), At: event.MicrosOf(now.Add(-time.Hour)),
	})
}

// attest lets a key sign a statement about a digest, and puts it in the item's place.
func (w *world) attest(t testing.TB, x item, key, subject string) {
	t.Helper()
	b := sealed(t, provenance(runner, source, head, subject), key)
	c, err := attestation.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	w.Signed.Envelopes = maps.Clone(w.Signed.Envelopes)
	w.Signed.Envelopes[Sum(b)] = b
	w.Artifact = w.Artifact.With(evidence.Added{
		ID: x.name(), Service: "shop", Version: "v1.1.0", Digest: digest, Label: x.name(), Claim: c.Summary(), Provenance: "pipeline", File: Sum(b), At: event.MicrosOf(now.Add(-time.Hour)),
	})
}

func (w *world) vote(t testing.TB) {
	t.Helper()
	var voters []string
	for _, x := range w.items {
		if x.kind == "vote" {
			voters = append(voters, x.name())
		}
	}
	w.Facts = approved(t, w.Facts, voters...)
}

// broken is another world with one thing broken; w stays as it is.
func (w *world) broken(t testing.TB, b breakage) *world {
	o := *w
	o.Artifact.Claims, o.Release.Votes, o.People = slices.Clone(w.Artifact.Claims), slices.Clone(w.Release.Votes), maps.Clone(w.People)
	o.Identities, o.Signed.Envelopes = maps.Clone(w.Identities), maps.Clone(w.Signed.Envelopes)
	attached := *w.Release.Change
	attached.Record.Components = slices.Clone(attached.Record.Components)
	o.Release.Change = &attached
	service := *w.Service
	service.Flags = slices.Clone(service.Flags)
	o.Service = &service
	place := *w.Place
	o.Place = &place
	b.does(&o)
	if b.revote {
		o.vote(t)
	}
	return &o
}

// standing is the item's claim, to be broken.
func (w *world) standing(x item) *evidence.Added {
	i := slices.IndexFunc(w.Artifact.Claims, func(c evidence.Added) bool { return c.ID == x.name() })
	return &w.Artifact.Claims[i]
}

func (w *world) drop(x item) {
	w.Artifact.Claims = slices.DeleteFunc(w.Artifact.Claims, func(c evidence.Added) bool { return c.ID == x.name() })
}

var elsewhere = "sha256:" + strings.Repeat("e", 64)

// breaksOf are the ways in which one item alone is broken.
func breaksOf(t testing.TB, x item) []breakage {
	var all []breakage
	add := func(name string, does func(w *world)) {
		all = append(all, breakage{x.name() + ": " + name, x.gate(), does, x.kind != "vote"})
	}
	on := func(name string, does func(c *evidence.Added)) { add(name, func(w *world) { does(w.standing(x)) }) }
	switch x.kind {
	case "scan", "tests", "load", "coverage", "attested":
		add("dropped", func(w *world) { w.drop(x) })
		on("of another artifact", func(c *evidence.Added) { c.Digest = elsewhere })
		on("of no artifact", func(c *evidence.Added) { c.Digest = "" })
		on("says nothing", func(c *evidence.Added) { c.Claim = evidence.Claim{Kind: c.Claim.Kind, Tool: c.Claim.Tool} })
		add("another artifact's in its place", func(w *world) {
			c := w.standing(x)
			c.Digest, c.File = elsewhere, Sum([]byte("theirs"))
		})
	}
	if slices.Contains([]string{"scan", "tests", "load", "coverage"}, x.kind) {
		on("of another kind", func(c *evidence.Added) { c.Claim.Kind = "unheard-of" })
		on("too old", func(c *evidence.Added) { c.At = event.MicrosOf(now.Add(-7*24*time.Hour - time.Second)) })
		on("written too long ago", func(c *evidence.Added) { c.Claim.Generated = now.Add(-7*24*time.Hour - time.Second) })
		for _, word := range []string{"person", "assumed", "", "Pipeline", "root"} {
			on("by "+word, func(c *evidence.Added) { c.Provenance = word })
		}
	}
	return append(all, breaksOfKind(t, x)...)
}

func breaksOfKind(t testing.TB, x item) []breakage {
	var all []breakage
	add := func(name string, does func(w *world)) {
		all = append(all, breakage{x.name() + ": " + name, x.gate(), does, x.kind != "vote"})
	}
	on := func(name string, does func(c *evidence.Added)) { add(name, func(w *world) { does(w.standing(x)) }) }
	switch x.kind {
	case "scan":
		on("a critical finding", func(c *evidence.Added) {
			c.Claim.Findings = &evidence.Findings{Total: 1, BySeverity: evidence.Severities{Critical: 1}}
		})
		on("an unrated finding", func(c *evidence.Added) {
			c.Claim.Findings = &evidence.Findings{Total: 1, BySeverity: evidence.Severities{Unrated: 1}}
		})
		on("nobody scanned", func(c *evidence.Added) { c.Claim.Findings = &evidence.Findings{Unscanned: true} })
		on("another tool", func(c *evidence.Added) { c.Claim.Tool.Name = strings.ToUpper(x.name()) })
	case "tests":
		for name, tests := range map[string]evidence.Tests{"zero": {}, "failed": {Total: 1, Failed: 1}, "errored": {Total: 1, Errored: 1}, "skipped": {Total: 1, Skipped: 1}} {
			on(name, func(c *evidence.Added) { c.Claim.Tests = &tests })
		}
	case "load":
		on("a threshold crossed", func(c *evidence.Added) { c.Claim.Load = &evidence.Load{Requests: 10, Set: 1, Failed: 1} })
		on("errors", func(c *evidence.Added) { c.Claim.Load = &evidence.Load{Requests: 10, Set: 1, ErrorRate: 0.01} })
		on("another tool", func(c *evidence.Added) { c.Claim.Tool.Name += "0" })
	case "coverage":
		on("too low", func(c *evidence.Added) {
			c.Claim.Coverage = &evidence.Coverage{LineRate: 0.79, LinesCovered: 79, LinesValid: 100}
		})
		on("of nothing", func(c *evidence.Added) { c.Claim.Coverage = &evidence.Coverage{} })
	case "attested":
		add("by another key", func(w *world) { w.attest(t, x, "stranger", digest) })
		add("about another artifact", func(w *world) { w.attest(t, x, x.name(), elsewhere) })
		add("envelope lost", func(w *world) { delete(w.Signed.Envelopes, w.standing(x).File) })
		add("envelope broken", func(w *world) { w.Signed.Envelopes[w.standing(x).File] = []byte("{}") })
	case "flag":
		add("missing", func(w *world) { w.Service.Flags = remove(w.Service.Flags, x.name()) })
		add("nearly", func(w *world) { w.Service.Flags = append(remove(w.Service.Flags, x.name()), x.name()+"0") })
	case "component":
		add("missing", func(w *world) {
			w.Release.Change.Record.Components = remove(w.Release.Change.Record.Components, x.name())
		})
		add("not told", func(w *world) { w.Release.Change = nil })
		add("by a person", func(w *world) { w.Release.Change.Provenance = policy.ByPerson })
		add("in part", func(w *world) { w.Release.Change.Record.Complete = false })
	case "listed":
		add("there", func(w *world) { w.Lists.Findings = []policy.Finding{{Rule: "other"}, {Rule: x.name()}} })
		add("not loaded", func(w *world) { w.Lists.Findings = nil })
		add("too long", func(w *world) { w.Lists.Findings = make([]policy.Finding, policy.MaxInputList+1) })
	case "vote":
		all = append(all, votesBroken(x)...)
	}
	return all
}

func remove(from []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(s string) bool { return s == name })
}

func votesBroken(x item) []breakage {
	var all []breakage
	on := func(name string, does func(w *world, v *approval.Vote)) {
		all = append(all, breakage{x.name() + ": " + name, approvalReason, func(w *world) {
			i := slices.IndexFunc(w.Release.Votes, func(v approval.Vote) bool { return v.Person == x.name() })
			does(w, &w.Release.Votes[i])
		}, false})
	}
	person := func(name string, does func(p *access.Person)) {
		on(name, func(w *world, _ *approval.Vote) {
			p := w.People[x.name()]
			does(&p)
			w.People[x.name()] = p
		})
	}
	on("missing", func(w *world, _ *approval.Vote) {
		w.Release.Votes = slices.DeleteFunc(w.Release.Votes, func(v approval.Vote) bool { return v.Person == x.name() })
	})
	on("taken back", func(_ *world, v *approval.Vote) { v.Withdrawn = true })
	on("against", func(_ *world, v *approval.Vote) { v.Answer = approval.Reject })
	on("neither", func(_ *world, v *approval.Vote) { v.Answer = "APPROVE" })
	on("changed since", func(w *world, v *approval.Vote) {
		later := *v
		later.Answer = approval.Reject
		w.Release.Votes = append(w.Release.Votes, later)
	})
	on("for another environment", func(_ *world, v *approval.Vote) { v.Environment = "staging" })
	on("for an environment of nearly that name", func(_ *world, v *approval.Vote) { v.Environment = "Production" })
	on("for something else", func(_ *world, v *approval.Vote) { v.Subject = elsewhere })
	on("for anything", func(_ *world, v *approval.Vote) { v.Subject = "" })
	on("too old", func(_ *world, v *approval.Vote) { v.At = event.MicrosOf(now.Add(-24 * time.Hour)) })
	on("twice by another", func(w *world, v *approval.Vote) {
		if len(w.Release.Votes) == 1 {
			v.Person = "nobody"
			return
		}
		v.Person = w.Release.Votes[0].Person
		if v.Person == x.name() {
			v.Person = w.Release.Votes[1].Person
		}
	})
	on("by a contributor", func(w *world, _ *approval.Vote) { w.Identities["mail-ann"] = x.name() })
	on("by whoever opened it", func(w *world, _ *approval.Vote) { w.Release.OpenedBy = "person/" + x.name() })
	person("by somebody departed", func(p *access.Person) { p.Departed = true })
	person("without the right", func(p *access.Person) { p.Roles = []string{"developer"} })
	person("outside the group", func(p *access.Person) { p.Groups = []string{"voter"} })
	on("by nobody known", func(w *world, _ *approval.Vote) { delete(w.People, x.name()) })
	return all
}

// breaksOfAll are those that concern no single item.
func breaksOfAll() []breakage {
	all := []breakage{
		{"no policy", "signalbox/policy", func(w *world) { w.Policy = nil }, true},
		{"unknown service", serviceReason, func(w *world) { w.Service = nil }, true},
		{"another service's entry", serviceReason, func(w *world) { w.Service.Name = "shops" }, true},
		{"unknown environment", environmentReason, func(w *world) { w.Place = nil }, true},
		{"the entry of an environment that nothing governs", environmentReason, func(w *world) { w.Place.Name, w.Place.Kind = "sandbox", catalog.Development }, true},
		{"another artifact", "always", func(w *world) { w.Release.Version, w.Release.Digest = "v1.1.1", elsewhere }, true},
		{"no change", contributorsReason, func(w *world) { w.Release.Change = nil }, true},
		{"change in part", contributorsReason, func(w *world) { w.Release.Change.Record.Complete = false }, true},
		{"nobody claims a commit", contributorsReason, func(w *world) { w.Identities = nil }, true},
		{"one commit nobody claims", contributorsReason, func(w *world) { w.Release.Change.Record.Contributors = []string{"mail-ann", "mail-who"} }, true},
		{"no release", "signalbox/release", func(w *world) { w.Release.ID = "" }, true},
		{"withdrawn", closedReason, func(w *world) { w.Release.Phase = Withdrawn }, false},
		{"rejected", closedReason, func(w *world) { w.Release.Phase = Rejected }, false},
		{"stopped", "signalbox/stop", func(w *world) { w.Stop = halt.Switch{ID: "s", Since: event.MicrosOf(now)} }, false},
		{"frozen", calendarReason, func(w *world) {
			w.Freezes = []calendar.Freeze{{ID: "z", Name: "z", From: event.MicrosOf(now), Until: event.MicrosOf(now.Add(time.Second))}}
		}, false},
		{"frozen until lifted", calendarReason, func(w *world) { w.Freezes = []calendar.Freeze{{ID: "z", Name: "z"}} }, false},
		{"frozen here alone", calendarReason, func(w *world) {
			w.Freezes = []calendar.Freeze{{ID: "z", Name: "z", Rule: "gone", Scope: calendar.Scope{Services: []string{"shop"}, Environments: []string{"production"}, Kinds: []string{"production"}, Tiers: []int{1}}}}
		}, false},
	}
	for _, name := range []string{"Production", "PRODUCTION", "production ", " production", "prod", "production-eu", "productions", "prodυction", "production\u200b", "production\x00", "prod/eu", ""} {
		near := func(w *world) { w.Environment = name }
		all = append(all, breakage{fmt.Sprintf("environment %q", name), environmentReason, near, true},
			breakage{fmt.Sprintf("service %q", strings.ReplaceAll(name, "production", "shop")), serviceReason, func(w *world) {
				w.Release.Service = strings.ReplaceAll(name, "production", "shop")
			}, true})
	}
	return all
}

// decides is a gate as the property sees it: whether it says go, and what stands in the way.
type decides func(t testing.TB, f Facts) (goes bool, against []string)

func plain(t testing.TB, f Facts) (bool, []string) {
	d := decide(t, f)
	var against []string
	for _, r := range d.Reasons {
		if r.Severity == policy.Block && r.Verdict != policy.Go {
			against = append(against, r.Gate)
		}
	}
	return d.Verdict == policy.Go || d.Permitted() || !d.PermitUntil.IsZero() || d.Passes(), against
}

// forAll tries every break of every item alone. It returns how many it tried and
// which of them the gate did not answer with the right reason.
func forAll(t testing.TB, items []item, gate decides) (tried int, missed []string) {
	t.Helper()
	w := complete(t, items)
	if goes, against := plain(t, w.Facts); !goes {
		t.Fatalf("%d items, all there, and no go: %v", len(items), against)
	}
	all := breaksOfAll()
	for _, x := range items {
		all = append(all, breaksOf(t, x)...)
	}
	for _, b := range all {
		tried++
		if goes, against := gate(t, w.broken(t, b).Facts); goes || !slices.Contains(against, b.gate) {
			missed = append(missed, fmt.Sprintf("%d items: %s: go is %v, against it %v", len(items), b.name, goes, against))
		}
	}
	if goes, against := plain(t, w.Facts); !goes {
		t.Fatalf("the breaks have broken what they were to leave alone: %v", against)
	}
	return tried, missed
}

// TestForAll: up to 50 things needed, each broken alone in every way. In full, it
// is every number of things, and their kinds begin at each in turn.
func TestForAll(t *testing.T) {
	most, step, starts := 50, 4, 1
	switch {
	case os.Getenv("SIGNALBOX_PROVE") == "full":
		step, starts = 1, len(itemKinds)
	case testing.Short():
		most = 9
	}
	tried := 0
	for n := 1; n <= most; n += step {
		for first := range starts {
			k, missed := forAll(t, itemsFrom(n, n+first), plain)
			tried += k
			for _, m := range missed {
				t.Error(m)
			}
		}
	}
	t.Logf("%d breaks of facts that yield go; none yields go", tried)
}

// The control: gates that are wrong in the ways that matter are caught.
func TestForAllCatches(t *testing.T) {
	items := itemsFrom(2*len(itemKinds), 0)
	passed := func(t testing.TB, f Facts, name string) bool {
		for _, r := range decide(t, f).Reasons {
			if r.Gate == name {
				return r.Verdict == policy.Go
			}
		}
		return false
	}
	for name, gate := range map[string]decides{
		"any of them does": func(t testing.TB, f Facts) (bool, []string) {
			_, against := plain(t, f)
			return slices.ContainsFunc(items, func(x item) bool { return passed(t, f, x.gate()) }), against
		},
		"the first, again and again": func(t testing.TB, f Facts) (bool, []string) {
			_, against := plain(t, f)
			goes := true
			for range items {
				goes = goes && passed(t, f, items[0].gate())
			}
			return goes, against
		},
		"all but the last": func(t testing.TB, f Facts) (bool, []string) {
			_, against := plain(t, f)
			return !slices.ContainsFunc(against, func(g string) bool { return g != items[len(items)-1].gate() }), against
		},
		"refuses for a reason of another": func(t testing.TB, f Facts) (bool, []string) {
			goes, against := plain(t, f)
			if i := slices.Index(against, items[3].gate()); i >= 0 {
				against[i] = items[4].gate()
			}
			return goes, against
		},
	} {
		tried, missed := forAll(t, items, gate)
		if len(missed) == 0 {
			t.Errorf("a gate that is wrong was not caught in %d tries: %s", tried, name)
		}
		t.Logf("%s: caught in %d of %d", name, len(missed), tried)
	}
}
