package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOwns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		owns          bool
	}{
		{"cmd/pay", "cmd/pay/main.go", true},
		{"cmd/pay/", "cmd/pay/main.go", true},
		{"cmd/pay", "cmd/pay", true},
		{"cmd/pay", "cmd/payments/main.go", false},
		{"cmd/pay", "x/cmd/pay/main.go", false},
		{"cmd/pay/main.go", "cmd/pay/main.go", true},
		{"cmd/pay/main.go", "cmd/pay/other.go", false},
		{"cmd/*", "cmd/pay/main.go", true},
		{"cmd/*/main.go", "cmd/pay/main.go", true},
		{"cmd/*/main.go", "cmd/pay/deep/main.go", false},
		{"cmd/**/main.go", "cmd/pay/deep/main.go", true},
		{"cmd/**/main.go", "cmd/main.go", true},
		{"**/*.sql", "db/migrations/1.sql", true},
		{"**/*.sql", "1.sql", true},
		{"**/*.sql", "1.go", false},
		{"**/pay/**", "a/pay/b/c", true},
		{"*.go", "a.go", true},
		{"*.go", "x/a.go", false},
		{"**", "anything/at/all", true},
		{"a?c", "abc/d", true},
		{"a?c", "ac/d", false},
		{"é", "é/x", true},
	} {
		if got := (Component{Paths: []string{"never/this", c.pattern}}).Owns(c.path); got != c.owns {
			t.Errorf("%s owns %s: %v", c.pattern, c.path, got)
		}
	}
	many := strings.Repeat("**/a/", 20) + "b"
	if (Component{Paths: []string{many}}).Owns(strings.Repeat("a/", 2000)) { // ends, and soon
		t.Error("a path without b is owned")
	}
}

const componentFile = `apiVersion: signalbox/v1
kind: Team
name: checkout
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 1
team: checkout
components:
  - name: pay
    paths: [internal/pay/**, "**/pay.go"]
  - name: web
    paths: [web, internal/pay/page.go]
`

func TestComponentsAreRead(t *testing.T) {
	e, err := Parse("c.yaml", []byte(componentFile))
	if err != nil {
		t.Fatal(err)
	}
	s := e.Services[0]
	for path, want := range map[string][]string{
		"internal/pay/a.go": {"pay"}, "web/x.js": {"web"}, "internal/pay/page.go": {"pay", "web"}, "README.md": nil,
	} {
		if diff := cmp.Diff(want, s.ComponentsOf(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestComponentsAreRefused(t *testing.T) {
	for old, new := range map[string]string{
		"name: pay":           "name: Pay!",
		"name: web":           "name: pay",
		"paths: [web,":        "paths: [/web,",
		"[web, internal/pay/": "[web, ../internal/pay/",
		"paths: [internal":    "paths: [\"[a-z]\", internal",
		`"**/pay.go"`:         `"a**/pay.go"`,
		`"**/pay.go"]`:        `""]`,
		"name: web\n":         "name: web\n    owner: me\n",
	} {
		if !strings.Contains(componentFile, old) {
			t.Fatalf("%q is not in the file", old)
		}
		if _, err := Parse("c.yaml", []byte(strings.Replace(componentFile, old, new, 1))); err == nil {
			t.Errorf("%q is accepted", new)
		}
	}
	if _, err := Parse("c.yaml", []byte(strings.Replace(componentFile, "paths: [web, internal/pay/page.go]", "paths: []", 1))); err == nil || !strings.Contains(err.Error(), "has 0 paths") {
		t.Errorf("no paths: %v", err)
	}
	if _, err := Parse("c.yaml", []byte("apiVersion: signalbox/v1\nkind: Team\nname: a\ncomponents: []\n")); err == nil {
		t.Error("a team has components")
	}
}

func FuzzOwns(f *testing.F) {
	f.Add("cmd/**/x*.go", "cmd/a/b/xy.go")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		c := []Component{{Name: "a", Paths: []string{pattern}}}
		if what, _ := checkComponents(c); what == "" && c[0].Owns(path) && pattern != "**" && strings.Trim(pattern, "*/") == pattern && !strings.ContainsAny(pattern, "*?") &&
			path != pattern && !strings.HasPrefix(path, pattern+"/") {
			t.Errorf("%q owns %q", pattern, path)
		}
	})
}
