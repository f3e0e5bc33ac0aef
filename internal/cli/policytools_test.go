package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// replaced writes the starter policy into dir with one text of a file replaced.
func replaced(t *testing.T, w world, dir, file, was, is string) {
	t.Helper()
	w.run(t, "policy", "init", dir).expect(t, 0)
	path := filepath.Join(dir, file)
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), was) {
		t.Fatalf("%s has no %q: %v", path, was, err)
	}
	write(t, path, strings.Replace(string(data), was, is, 1))
}

func TestPolicyFormat(t *testing.T) {
	w := home(t)
	replaced(t, w, "p", "scope.yaml", "name: production\nmatch", "match")
	replaced(t, w, "q", "scope.yaml", "kind: ScopeRule\nname: production\n", "name:   production\nkind: ScopeRule\n")
	w.run(t, "policy", "fmt", "-w", "q").expect(t, 0, "scope.yaml")
	w.run(t, "policy", "fmt", "q").expect(t, 0)
	w.run(t, "policy", "init", "r").expect(t, 0)
	w.run(t, "policy", "diff", "r", "q").expect(t, 0, "Nothing changes its meaning")
	replaced(t, w, "s", "policy.yaml", "apiVersion", "kind: [")
	w.run(t, "policy", "fmt", "-w", "s").expect(t, 2, "policy.yaml")
}

func TestPolicyFormatTellsWithoutWriting(t *testing.T) {
	w := home(t)
	replaced(t, w, "p", "releases.yaml", "chain: none", "chain:    none")
	before, _ := os.ReadFile("p/releases.yaml")
	w.run(t, "policy", "fmt", "p").expect(t, 2, "releases.yaml")
	if after, _ := os.ReadFile("p/releases.yaml"); string(after) != string(before) {
		t.Error("it wrote the file")
	}
}

func TestPolicyExplain(t *testing.T) {
	w := home(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "explain", "p").expect(t, 0, "the number of critical findings is 0", "two approvers of release-approvers")
	if o := w.run(t, "policy", "explain", "p", "small"); strings.Contains(o.out, "feature:") {
		t.Error(o.out)
	}
	w.run(t, "policy", "explain", "p", "nothing").expect(t, 2, "has no document")
	w.run(t, "policy", "explain", "p", "--service", "payments").expect(t, 2, "--catalog")
	write(t, "catalog.yaml", checklistCatalog)
	w.run(t, "policy", "explain", "p", "--service", "payments", "--environment", "production", "--catalog", "catalog.yaml").
		expect(t, 0, "A release of payments (tier 0) to production (production)", "☐ No critical findings", "patch normal")
	w.run(t, "policy", "explain", "p", "--service", "absent", "--environment", "production", "--catalog", "catalog.yaml").expect(t, 2, "does not name both")
}

const checklistCatalog = `apiVersion: signalbox/v1
kind: Team
name: checkout
---
apiVersion: signalbox/v1
kind: Group
name: release-approvers
---
apiVersion: signalbox/v1
kind: Service
name: payments
tier: 0
team: checkout
---
apiVersion: signalbox/v1
kind: Environment
name: production
is: production
---
apiVersion: signalbox/v1
kind: Person
name: ada
display: Ada Example
emails: [ada@example.com]
teams: [checkout]
groups: [release-approvers]
`

func TestPolicyLintWithACatalog(t *testing.T) {
	w := home(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "lint", "p").expect(t, 0, "nothing is wrong")
	w.run(t, "policy", "lint", "p", "--verbose").expect(t, 0, "nothing is wrong") // all is decided
	write(t, "catalog.yaml", checklistCatalog)
	w.run(t, "policy", "lint", "p", "--catalog", "catalog.yaml").expect(t, 2, "nobody can satisfy ApprovalChain two-approvers", "releases.yaml:")
	w.run(t, "policy", "lint", "p", "--catalog", "absent.yaml").expect(t, 2, "absent.yaml")
}

func TestPolicyCoverage(t *testing.T) {
	w := home(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "test", "p", "--coverage").expect(t, 0, "tests.errored == 0", "ways are exercised", "inputs: {tests: {errored: 1}}")
	w.run(t, "policy", "test", "p", "--coverage", "-o", "json").expect(t, 0, `"not_applicable"`)
}

func TestPolicyDiff(t *testing.T) {
	w := home(t)
	w.run(t, "policy", "init", "old").expect(t, 0)
	replaced(t, w, "new", "releases.yaml", "quorum: 2", "quorum: 3")
	const change = "Major and minor normal releases now need three approvers of release-approvers instead of two."
	w.run(t, "policy", "diff", "old", "new").expect(t, 0, "tightened: "+change)
	w.run(t, "policy", "diff", "old", "new", "-o", "json").expect(t, 0, `"mark": "tightened"`)
	w.run(t, "policy", "diff", "old", "absent").expect(t, 2)

	var files []wire.PolicyFile
	for _, f := range policy.Starter() {
		files = append(files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	server := serve(t, map[string]any{"GET /policy/files": wire.PolicyFiles{Files: files}}).at(t)
	replaced(t, server, "new", "releases.yaml", "quorum: 2", "quorum: 3")
	server.run(t, "policy", "diff", "active", "new").expect(t, 0, change)
	server.run(t, "policy", "document", "active").expect(t, 0, "# Release policy starter 1.0")
	server.run(t, "policy", "explain", "active", "no-critical-findings").expect(t, 0, "it is no-go unless")
	none := serve(t, map[string]any{"GET /policy/files": wire.PolicyFiles{Files: []wire.PolicyFile{}}}).at(t)
	for _, args := range [][]string{{"diff", "active", "active"}, {"document", "active"}, {"explain", "active"}} {
		none.run(t, append([]string{"policy"}, args...)...).expect(t, 8, "no policy is in force")
	}
	serve(t, map[string]any{}).at(t).run(t, "policy", "document", "active").expect(t, 2)
}

func TestPolicyDocument(t *testing.T) {
	w := home(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "document", "p").expect(t, 0, "# Release policy starter 1.0", "## Controls not operating")
	w.run(t, "policy", "document", "p", "--format", "pdf", "--out", "p.pdf").expect(t, 0)
	if data, err := os.ReadFile("p.pdf"); err != nil || !strings.HasPrefix(string(data), "%PDF-") {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	w.run(t, "policy", "document", "p", "--format", "pdf", "--out", "p.pdf").expect(t, 8, "exists already")
	w.run(t, "policy", "document", "p", "--format", "doc").expect(t, 2, "md or pdf")
}

func TestPolicySchema(t *testing.T) {
	home(t).run(t, "policy", "schema").expect(t, 0, "draft/2020-12", `"Gate"`)
}
