package archtest

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// deadLinks are the relative links of every Markdown file that lead nowhere.
func deadLinks(root fs.FS) (dead []string, files int, err error) {
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, name)
		case path.Ext(name) != ".md":
			return nil
		}
		files++
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, _, _ := strings.Cut(string(m[1]), "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			if _, err := fs.Stat(root, path.Join(path.Dir(name), target)); err != nil {
				dead = append(dead, name+": "+target)
			}
		}
		return nil
	})
	return dead, files, err
}

func TestLinks(t *testing.T) {
	dead, files, err := deadLinks(root(t))
	if err != nil {
		t.Fatal(err)
	}
	if files < 5 {
		t.Errorf("only %d Markdown files were read", files)
	}
	for _, d := range dead {
		t.Errorf("leads nowhere: %s", d)
	}
}

func TestDeadLinks(t *testing.T) {
	dead, _, err := deadLinks(fstest.MapFS{
		"a/b.md": {Data: []byte("[here](c.md#top) [there](../x.md) [gone](d.md) [far](https://example.com/e.md) [up](#top)")},
		"a/c.md": {}, "x.md": {},
	})
	if err != nil || len(dead) != 1 || dead[0] != "a/b.md: d.md" {
		t.Errorf("found %v (%v)", dead, err)
	}
}
