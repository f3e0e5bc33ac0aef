package policy

import (
	"strings"
	"testing"
)

// pack is a bundle to include: it names itself, has a gate and a test of it.
var guest = []File{{Name: "gates.yaml", Data: []byte(strings.TrimPrefix(doc("Policy", "name: base\nversion: \"7\"\n")+
	doc("Gate", "name: guest\ntitle: Guest\ncondition: findings.critical == 0\n")+
	doc("TestCase", "name: fine\nat: 2027-03-01T09:00:00Z\ninputs: {findings: {critical: 0}}\nexpect: {verdict: go}\n"), "---\n"))}}

// including is the base bundle with the guest below dir, and an Include.
func including(dir, include string) []File {
	files := sample(doc("Include", include))
	for _, f := range guest {
		files = append(files, File{Name: dir + "/" + f.Name, Data: f.Data})
	}
	return files
}

func TestInclude(t *testing.T) {
	good := "name: house\npath: include/house\ndigest: " + Digest(guest) + "\n"
	p := compiled(t, including("include/house", good))
	if all := p.Includes(); len(all) != 1 || all[0].Policy.Version != "7" || all[0].Digest != Digest(guest) || p.Policy().Version != "1" {
		t.Errorf("includes %+v of %+v", all, p.Policy())
	}
	if o := p.Decide(with(func(in *Inputs) { in.Findings.Critical = 1 })); o.Verdict != NoGo || reason(t, o, "guest").Code != "failed" {
		t.Errorf("the included gate says %+v", reason(t, o, "guest"))
	}
	if err := p.Ready(); err != nil {
		t.Errorf("a guest's test may come out stricter than it expects: %v", err)
	}
	for name, c := range map[string]struct{ dir, include, code string }{
		"another digest":  {"include/house", strings.Replace(good, Digest(guest), Digest(nil), 1), "policy.include-digest"},
		"no digest":       {"include/house", strings.Replace(good, Digest(guest), "latest", 1), "policy.include"},
		"another folder":  {"include/other", good, "policy.include"},
		"not a folder":    {"include/house", strings.Replace(good, "include/house", "../house", 1), "policy.include"},
		"out of include/": {"house", strings.Replace(good, "include/house", "house", 1), "policy.include"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Compile(including(c.dir, c.include))
			found := false
			for _, x := range problems {
				found = found || x.Code == c.code
			}
			if !found || !Failed(problems) {
				t.Errorf("%v", problems)
			}
		})
	}
}

// TestAGuestMustNotComeOutLooser: a guest's test that expects no-go fails where
// the whole says go, and one of the bundle itself fails either way.
func TestAGuestMustNotComeOutLooser(t *testing.T) {
	strict := []File{{Name: "t.yaml", Data: []byte(strings.TrimPrefix(doc("TestCase", "name: strict\nat: 2027-03-01T09:00:00Z\nexpect: {verdict: no-go}\n"), "---\n"))}}
	files := append(sample(doc("Include", "name: house\npath: include/house\ndigest: "+Digest(strict)+"\n")), File{Name: "include/house/t.yaml", Data: strict[0].Data})
	if err := compiled(t, files).Ready(); err == nil {
		t.Error("cannot tell is milder than no-go")
	}
	own := sample(doc("TestCase", "name: mild\nat: 2027-03-01T09:00:00Z\nexpect: {verdict: go}\n"))
	if err := compiled(t, own).Ready(); err == nil {
		t.Error("a test of the bundle itself is exact")
	}
}

func TestIncludedBundlesIncludeNone(t *testing.T) {
	inner := []File{{Name: "i.yaml", Data: []byte(strings.TrimPrefix(doc("Include", "name: deep\npath: include/deep\ndigest: "+Digest(nil)+"\n"), "---\n"))}}
	files := append(sample(doc("Include", "name: house\npath: include/house\ndigest: "+Digest(inner)+"\n")), File{Name: "include/house/i.yaml", Data: inner[0].Data})
	if _, problems := Compile(files); !Failed(problems) || !strings.Contains(problems[0].What, "includes another") {
		t.Errorf("%v", problems)
	}
}
