package change

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	ada  = Identity{"Ada Example", "ada@example.com"}
	ben  = Identity{"Ben Example", "ben@example.com"}
	cleo = Identity{"Cleo Example", "cleo@example.com"}
)

func TestStep(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"v1.2.3", "v1.2.4", Patch},
		{"v1.2.3", "v1.3.0", Minor},
		{"v1.2.3", "v2.0.0", Major},
		{"1.2.3", "v1.2.4", Patch},
		{"v1.2.3", "v1.2.3", NoStep},
		{"v1.9.9", "v1.10.0", Minor},
		{"v1.2", "v1.3", Minor},
		{"v1.2", "v1.2.1", Patch},
		{"refs/tags/v1.2.3", "v1.2.4", Patch},
		{"app/v1.2.3", "app/v1.3.0", Minor},
		{"release-1.2.3", "release-1.2.4", Patch},
		{"v1.2.3+build.5", "v1.2.4+build.6", Patch},
		{"app/v1.2.3", "web/v1.3.0", Unknown},
		{"v1.2.3", "v1.2.2", Unknown},
		{"v2.0.0", "v1.9.0", Unknown},
		{"v1.2.3-rc.1", "v1.2.3", Unknown},
		{"v1.2.3-rc.1", "v1.3.0", Unknown},
		{"v1.2.3-rc.1", "v1.2.3-rc.2", Unknown},
		{"v1.2.3", "v1.2.3-rc.1", Unknown},
		{"v1.2.3", "v1.3.0-rc.1", Minor},
		{"v1.2.3", "v2.0.0-alpha", Major},
		{"v1.2.3", "v1.2.4-rc.1+build.5", Patch},
		{"app/v1.2.3", "app/v2.0.0-rc-1.x", Major},
		{"v1.2", "v1.3-rc.1", Unknown},
		{"v1.2.3", "v2.0.0-", Unknown},
		{"v1.2.3", "main", Unknown},
		{"", "v1.0.0", Unknown},
		{"v01.2.3", "v1.2.4", Unknown},
		{"v1.2.3.4", "v1.2.4.4", Unknown},
		{"v999999999999.0.0", "v1.0.0", Unknown},
		{"deadbee1.2.3", "deadbee1.2.4", Unknown},
	} {
		if got := Step(c.from, c.to); got != c.want {
			t.Errorf("%q to %q: %s, want %s", c.from, c.to, got, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		subject, body             string
		breaking, revert, feature bool
	}{
		{"feat: x", "", false, false, true},
		{"feat(api): x", "", false, false, true},
		{"feat!: x", "", true, false, true},
		{"fix(api)!: x", "", true, false, false},
		{"FIX: x", "", false, false, false},
		{"fix: x", "BREAKING CHANGE: y", true, false, false},
		{"fix: x", "text\n\nBREAKING-CHANGE: y", true, false, false},
		{"fix: x", "this is no BREAKING CHANGE: y", false, false, false},
		{"fix: x", "breaking change: y", false, false, false},
		{"fix: x", "BREAKING CHANGE:", false, false, false},
		{"wow!: surprise", "", true, false, false},
		{"wow! surprise", "", false, false, false},
		{"feature: x", "", false, false, false},
		{"feat:x", "", false, false, false},
		{`Revert "feat: x"`, "This reverts commit 0123456789abcdef0123456789abcdef01234567.", false, true, false},
		{`Revert "feat: x"`, "", false, true, false},
		{"revert: x", "", false, true, false},
		{"undo x", "This reverts commit 0123456.", false, true, false},
		{"undo x", "say: This reverts commit 0123456.", false, false, false},
		{"Reverted to x", "", false, false, false},
		{"", "", false, false, false},
	} {
		k := Commit{Subject: c.subject, Body: c.body}
		if k.breaking() != c.breaking || k.revert() != c.revert || k.feature() != c.feature {
			t.Errorf("%q %q: breaking %v, revert %v, feature %v", c.subject, c.body, k.breaking(), k.revert(), k.feature())
		}
	}
}

func TestCoAuthors(t *testing.T) {
	got := CoAuthors("subject\n\nCo-authored-by: Ben Example <ben@example.com>\nco-authored-BY:Cleo Example<cleo@example.com>\r\n" +
		"Co-authored-by: nobody\nSee Co-authored-by: Eve <eve@example.com>\n\nCo-authored-by: <lone@example.com>\ntrailing words")
	want := []Identity{ben, cleo, {"", "lone@example.com"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		path                              string
		migration, dependency, test, docs bool
	}{
		{"db/migrate/20260101_x.rb", true, false, false, false},
		{"db/migrations/001_x.sql", true, false, false, false},
		{"internal/store/migrations/001.up.sql", true, false, false, false},
		{"x/0001_init.down.sql", true, false, false, false},
		{"src/main/resources/db/migration/V1__init.sql", true, false, false, false},
		{"sql/V1_2__init.sql", true, false, false, false},
		{"sql/R__views.sql", true, false, false, false},
		{"src/main/resources/db/changelog/db.changelog-master.yaml", true, false, false, false},
		{"liquibase/x.xml", true, false, false, false},
		{"alembic/versions/ab12_x.py", true, false, false, false},
		{"shop/migrations/0002_auto.py", true, false, false, false},
		{"shop/migrations/__init__.py", false, false, false, false},
		{"prisma/migrations/2026_init/migration.sql", true, false, false, false},
		{"src/migrations/1700-x.ts", true, false, false, false},
		{"test/migrations/001.sql", true, false, false, false},
		{"docs/migration.md", false, false, false, true},
		{"node_modules/x/migrations/1.js", false, false, false, false},
		{"queries/report.sql", false, false, false, false},
		{"changelogs/fragments/1.yml", false, false, false, false},
		{"go.mod", false, true, false, false},
		{"a/b/go.sum", false, true, false, false},
		{"web/package-lock.json", false, true, false, false},
		{"pom.xml", false, true, false, false},
		{"build.gradle.kts", false, true, false, false},
		{"requirements.txt", false, true, false, false},
		{"requirements-dev.txt", false, true, false, false},
		{"requirements/prod.in", false, true, false, false},
		{"pyproject.toml", false, true, false, false},
		{"Cargo.lock", false, true, false, false},
		{"Gemfile", false, true, false, false},
		{"composer.json", false, true, false, false},
		{"src/Shop.csproj", false, true, false, false},
		{"tests/fixtures/package.json", false, true, false, false},
		{"mygo.mod", false, false, false, false},
		{"a_test.go", false, false, true, false},
		{"testdata/x.json", false, false, true, false},
		{"src/test/java/AppTest.java", false, false, true, false},
		{"src/main/java/test/App.java", false, false, false, false},
		{"app/LatestIT.java", false, false, true, false},
		{"app/Unit.java", false, false, false, false},
		{"web/a.spec.ts", false, false, true, false},
		{"spec/models/user_spec.rb", false, false, true, false},
		{"spec/openapi.yaml", false, false, false, false},
		{"test_x.py", false, false, true, false},
		{"contest/x.go", false, false, false, false},
		{"attestation.go", false, false, false, false},
		{"README", false, false, false, true},
		{"README.md", false, false, false, true},
		{"LICENSE-APACHE", false, false, false, true},
		{"docs/picture.png", false, false, false, true},
		{"docs/conf.py", false, false, false, false},
		{"docs/app.js", false, false, false, false},
		{"security.py", false, false, false, false},
		{"history.go", false, false, false, false},
		{"notice.txt", false, false, false, true},
		{"a.go", false, false, false, false},
		{"", false, false, false, false},
	} {
		if got := [4]bool{IsMigration(c.path), IsDependency(c.path), IsTest(c.path), IsDoc(c.path)}; got != [4]bool{c.migration, c.dependency, c.test, c.docs} {
			t.Errorf("%q: migration, dependency, test, docs: %v", c.path, got)
		}
	}
}

func TestPeople(t *testing.T) {
	forge := Identity{"GitHub", "noreply@github.com"}
	c := Describe(Raw{Commits: []Commit{
		{Author: ada, Committer: forge, CoAuthors: []Identity{cleo}},
		{Author: Identity{"A. Example", " ADA@example.com "}, Committer: ben},
		{Author: Identity{"Nameless", ""}, Committer: ben},
		{Author: ben, Committer: Identity{"Eve", "eve@example.com"}},
	}})
	keys := func(list []Identity) string {
		var out []string
		for _, i := range list {
			out = append(out, i.Key())
		}
		return strings.Join(out, " ")
	}
	for name, pair := range map[string][2]string{
		"authors":      {keys(c.Authors), "ada@example.com ada@example.com ben@example.com name:nameless"},
		"committers":   {keys(c.Committers), "ben@example.com eve@example.com noreply@github.com"},
		"co-authors":   {keys(c.CoAuthors), "cleo@example.com"},
		"contributors": {keys(c.Contributors()), "ada@example.com ben@example.com cleo@example.com eve@example.com name:nameless"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %s, want %s", name, pair[0], pair[1])
		}
	}
	own := Describe(Raw{Commits: []Commit{{Author: forge, Committer: forge}}})
	if keys(own.Contributors()) != "noreply@github.com" {
		t.Errorf("a forge that is the author is hidden: %+v", own.Contributors())
	}
}

func TestDescribe(t *testing.T) {
	c := Describe(Raw{
		From: "a", To: "b", FromRef: "v1.0.0", ToRef: "v1.0.1",
		Commits: []Commit{{ID: "2", Author: ada, Committer: ada, Subject: "feat!: x", Signed: true}, {ID: "1", Author: ada, Committer: ada, Subject: "revert: y"}},
		Files:   []File{{Path: "db/migrate/1.rb", Added: 3}, {Path: "go.mod", Added: 1, Deleted: 2}, {Path: "x.bin", Binary: true}},
		Notes:   []string{"note"},
	})
	want := Change{
		From: "a", To: "b", FromRef: "v1.0.0", ToRef: "v1.0.1", Commits: 2,
		Authors: []Identity{ada}, Committers: []Identity{ada}, CoAuthors: []Identity{},
		FilesChanged: 3, LinesAdded: 4, LinesDeleted: 2, SemverStep: Patch, ReleaseType: Major,
		Reasons: []string{
			"the version number takes a patch step", "a commit announces a feature", "a commit announces a breaking change", "1 database migration file changed",
			"1 dependency manifest changed", "1 earlier commit taken back",
		},
		Breaking: true, Reverts: 1, Subsystems: []string{".", "db"}, Migrations: []string{"db/migrate/1.rb"}, Dependencies: []string{"go.mod"},
		Signed: 1, Complete: true, Notes: []string{"note"}, Content: c.Digest(),
		CommitList: []CommitFact{{Type: "revert", Revert: true}, {Signed: true, Type: "feat", Breaking: true}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestReleaseType(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		subject        string
		file           string
		want           string
	}{
		{"patch", "v1.0.0", "v1.0.1", "fix: x", "a.go", Patch},
		{"minor", "v1.0.0", "v1.1.0", "fix: x", "a.go", Minor},
		{"major", "v1.0.0", "v2.0.0", "fix: x", "a.go", Major},
		{"a feature in a patch", "v1.0.0", "v1.0.1", "feat: x", "a.go", Minor},
		{"a breaking change in a patch", "v1.0.0", "v1.0.1", "fix!: x", "a.go", Major},
		{"a migration in a patch", "v1.0.0", "v1.0.1", "fix: x", "db/migrations/1.sql", Minor},
		{"no number", "main", "next", "fix: x", "a.go", Minor},
		{"no number and breaking", "main", "next", "fix!: x", "a.go", Major},
		{"no step", "v1.0.0", "v1.0.0", "fix: x", "a.go", Patch},
		{"the first version", "", "v1.0.0", "fix: x", "a.go", Minor},
	} {
		got := Describe(Raw{FromRef: c.from, ToRef: c.to, Commits: []Commit{{Subject: c.subject}}, Files: []File{{Path: c.file}}})
		if got.ReleaseType != c.want || len(got.Reasons) == 0 {
			t.Errorf("%s: %s because %q", c.name, got.ReleaseType, got.Reasons)
		}
	}
}

func TestOnly(t *testing.T) {
	for _, c := range []struct {
		files       []File
		tests, docs bool
	}{
		{nil, false, false},
		{[]File{{Path: "a_test.go"}}, true, false},
		{[]File{{Path: "a_test.go"}, {Path: "a.go"}}, false, false},
		{[]File{{Path: "README.md"}}, false, true},
		{[]File{{Path: "README.md"}, {Path: "a_test.go"}}, false, false},
		{[]File{{Path: "a_test.go", OldPath: "a.go"}}, false, false},
		{[]File{{Path: "docs/a.md", OldPath: "a.md"}}, false, true},
	} {
		got := Describe(Raw{Files: c.files})
		if got.OnlyTests != c.tests || got.OnlyDocs != c.docs {
			t.Errorf("%+v: only tests %v, only docs %v", c.files, got.OnlyTests, got.OnlyDocs)
		}
	}
	moved := Describe(Raw{Files: []File{{Path: "old.sql", OldPath: "db/migrate/1.rb"}, {Path: "old.txt", OldPath: "go.mod"}}})
	if len(moved.Migrations) != 1 || len(moved.Dependencies) != 1 {
		t.Errorf("files moved away: %+v", moved)
	}
}

func TestShallowIsSaid(t *testing.T) {
	c := Describe(Raw{Shallow: true})
	if c.Complete || !strings.Contains(strings.Join(c.Reasons, "; "), "cut off") {
		t.Errorf("%+v", c)
	}
}

// What is missing may announce more, so only the greatest size is sure.
func TestShallowHasNoSureSize(t *testing.T) {
	for _, c := range []struct{ to, subject, want string }{
		{"v1.0.1", "fix: x", Unknown},
		{"v1.1.0", "feat: x", Unknown},
		{"v2.0.0", "fix: x", Major},
		{"v1.0.1", "fix!: x", Major},
	} {
		r := Raw{FromRef: "v1.0.0", ToRef: c.to, Commits: []Commit{{Subject: c.subject}}, Shallow: true}
		if got := Describe(r); got.ReleaseType != c.want {
			t.Errorf("%s, %s: %s because %q", c.to, c.subject, got.ReleaseType, got.Reasons)
		}
		if r.Shallow = false; Describe(r).ReleaseType == Unknown {
			t.Errorf("control: %s is unknown though all is there", c.to)
		}
	}
}

func TestPlaces(t *testing.T) {
	r := Raw{Files: []File{{Path: "cmd/pay/main.go"}, {Path: "lib/a.go", OldPath: "web/a.go"}, {Path: "README.md"}}}
	c := Describe(r)
	if diff := cmp.Diff([]string{".", "cmd", "lib", "web"}, c.Subsystems); diff != "" || c.Components != nil || c.Elsewhere != 0 || len(c.Notes) > 0 {
		t.Errorf("%s %+v", diff, c)
	}
	r.Components = func(path string) []string {
		if first, _, _ := strings.Cut(path, "/"); first == "cmd" || first == "web" {
			return []string{first, "all"}
		}
		return nil
	}
	c = Describe(r)
	if diff := cmp.Diff([]string{"all", "cmd", "web"}, c.Components); diff != "" || c.Elsewhere != 1 || !strings.Contains(c.Notes[0], "1 file in no component") {
		t.Errorf("%s %+v", diff, c)
	}
	r.Files = nil
	if c = Describe(r); c.Components == nil || len(c.Components) != 0 || c.Elsewhere != 0 {
		t.Errorf("nothing changed: %+v", c)
	}
}

func TestSignatures(t *testing.T) {
	r := Raw{Commits: []Commit{
		{ID: "1", Signed: true, Signature: Verified, Key: "k2", KeyNames: []string{"ada"}},
		{ID: "2", Signed: true, Signature: Verified, Key: "k1"},
		{ID: "3", Signed: true, Signature: Verified, Key: "k2", KeyNames: []string{"ada"}},
		{ID: "4", Signed: true, Signature: Bad},
		{ID: "5", Signed: true, Signature: Unverifiable},
		{ID: "6", Signed: true},
		{ID: "7"},
		{ID: "8", Signature: Verified, Key: "k1"}, // carries none
	}}
	if c := Describe(r); c.Signatures != nil || c.Signed != 6 {
		t.Errorf("without keys: %+v", c.Signatures)
	}
	r.Checked = true
	c := Describe(r)
	want := &Signatures{Verified: 3, Bad: 1, Unverifiable: 2, Unsigned: 2, Keys: []SigningKey{{"k1", []string{}, 1}, {"k2", []string{"ada"}, 2}}}
	if diff := cmp.Diff(want, c.Signatures); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(c.Reasons, "signatures that do not hold: 1") {
		t.Errorf("%q", c.Reasons)
	}
}

func TestTelling(t *testing.T) {
	body := strings.Repeat("filler\n", 100_000) + "BREAKING CHANGE: x\nmore\nThis reverts commit 0123456.\n"
	if got := Telling(body); got != "BREAKING CHANGE: x\nThis reverts commit 0123456." {
		t.Errorf("%.100q", got)
	}
	if got := Telling("BREAKING CHANGE: " + strings.Repeat("é", 10_000)); len(got) > 220 || !(Commit{Body: got}).breaking() {
		t.Errorf("%d bytes", len(got))
	}
}

// The digest changes with content, and with nothing else.
func TestDigest(t *testing.T) {
	base := func() Raw {
		return Raw{From: "a", To: "b", FromRef: "v1", ToRef: "v2", Commits: []Commit{{ID: "1"}, {ID: "2"}}, Files: []File{{Path: "x", Added: 1}, {Path: "y"}}}
	}
	digest := func(change func(*Raw)) string {
		r := base()
		change(&r)
		return Describe(r).Digest()
	}
	want := digest(func(*Raw) {})
	if len(want) != 71 || !strings.HasPrefix(want, "sha256:") {
		t.Fatalf("%q", want)
	}
	for name, f := range map[string]func(*Raw){
		"order of commits": func(r *Raw) { slices.Reverse(r.Commits) },
		"order of files":   func(r *Raw) { slices.Reverse(r.Files) },
		"names of refs":    func(r *Raw) { r.FromRef = "x" },
		"notes":            func(r *Raw) { r.Notes = []string{"x"} },
		"place":            func(r *Raw) { r.Repository = "x" },
	} {
		if digest(f) != want {
			t.Errorf("%s: the digest changes", name)
		}
	}
	for name, f := range map[string]func(*Raw){
		"from":          func(r *Raw) { r.From = "x" },
		"to":            func(r *Raw) { r.To = "x" },
		"a commit more": func(r *Raw) { r.Commits = append(r.Commits, Commit{ID: "3"}) },
		"a commit less": func(r *Raw) { r.Commits = r.Commits[:1] },
		"lines":         func(r *Raw) { r.Files[0].Added++ },
		"a path":        func(r *Raw) { r.Files[0].Path = "z" },
		"an old path":   func(r *Raw) { r.Files[0].OldPath = "z" },
		"binary":        func(r *Raw) { r.Files[0].Binary = true },
		"shallow":       func(r *Raw) { r.Shallow = true },
	} {
		if digest(f) == want {
			t.Errorf("%s: the digest stays", name)
		}
	}
}

// The record holds no name and no address; the private part holds both.
func TestRecord(t *testing.T) {
	c := Describe(Raw{From: "a", To: "b", FromRef: "v1.0.0", ToRef: "v1.1.0", Commits: []Commit{
		{ID: "1", Author: ada, Committer: ben, CoAuthors: []Identity{{"Nameless", ""}}, Subject: "by Ada"},
	}, Files: []File{{Path: "db/migrate/ada.rb", Added: 2}}})
	asked := map[string]string{}
	record, private := c.Record(func(kind, value string) string {
		asked[kind+" "+value] = ""
		return fmt.Sprintf("p%d", len(value))
	})
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"ada", "Ada", "ben@", "Example", "nameless"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("the record holds %q: %s", secret, b)
		}
	}
	if diff := cmp.Diff(map[string]string{"email ada@example.com": "", "email ben@example.com": "", "name nameless": ""}, asked); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"p15", "p8"}, record.Contributors); diff != "" { // the two of one pseudonym are one
		t.Error(diff)
	}
	if len(private) != 3 || !strings.Contains(private["contributor/0"], "Ada Example") || record.Digest != c.Digest() || record.Migrations != 1 {
		t.Errorf("%+v %v", record, private)
	}
}

func TestRecordIsBounded(t *testing.T) {
	var r Raw
	for i := range 500 {
		i := Identity{strings.Repeat("é", 200), fmt.Sprintf("p%d@example.com", i)}
		r.Commits = append(r.Commits, Commit{Author: i, Committer: i})
	}
	record, private := Describe(r).Record(func(_, v string) string { return v })
	size := 0
	for _, v := range private {
		size += len(v)
	}
	if len(record.Contributors) != 500 || len(private) != maxNamed || size > 24<<10 {
		t.Errorf("%d contributors, %d named, %d bytes", len(record.Contributors), len(private), size)
	}
}

// Whatever the commits, every author and co-author contributes, counts add up,
// and the description does not depend on the order of commits.
func TestDescribeProperties(t *testing.T) {
	identity := rapid.Custom(func(t *rapid.T) Identity {
		return Identity{rapid.SampledFrom([]string{"A", "B"}).Draw(t, "name"), rapid.SampledFrom([]string{"", "a@example.com", "A@Example.com", "b@example.com", "noreply@github.com"}).Draw(t, "email")}
	})
	commit := rapid.Custom(func(t *rapid.T) Commit {
		return Commit{
			ID: rapid.StringMatching(`[0-9a-f]{8}`).Draw(t, "id"), Author: identity.Draw(t, "author"), Committer: identity.Draw(t, "committer"),
			CoAuthors: rapid.SliceOfN(identity, 0, 2).Draw(t, "co"), Subject: rapid.SampledFrom([]string{"feat: x", "fix!: x", "x"}).Draw(t, "subject"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		r := Raw{Commits: rapid.SliceOfN(commit, 0, 6).Draw(t, "commits")}
		c := Describe(r)
		has := func(i Identity) bool {
			return slices.ContainsFunc(c.Contributors(), func(j Identity) bool { return i.Key() == j.Key() })
		}
		for _, k := range r.Commits {
			if !has(k.Author) || !k.Committer.Forge() && !has(k.Committer) {
				t.Errorf("left out: %+v", k)
			}
			for _, i := range k.CoAuthors {
				if !has(i) {
					t.Errorf("left out: %+v", i)
				}
			}
		}
		shuffled := Describe(Raw{Commits: rapid.Permutation(r.Commits).Draw(t, "shuffled")})
		if c.Digest() != shuffled.Digest() || c.ReleaseType != shuffled.ReleaseType || len(c.Contributors()) != len(shuffled.Contributors()) {
			t.Errorf("%+v and %+v", c, shuffled)
		}
	})
}
