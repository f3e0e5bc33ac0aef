package document

import (
	"fmt"
	"regexp"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// IncludeDir is the folder of a bundle in which included bundles lie, each in a
// folder of its own that an Include names.
const IncludeDir = "include/"

// Include is another bundle within this one: its files must have the digest, so
// what is included cannot change unseen.
type Include struct {
	Name   string
	Path   string // include/NAME
	Digest string // of the files below, by their names below
	Policy Policy // as the included bundle names itself; zero where it does not
	Where  fault.Position
}

var (
	digestForm  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	includeForm = regexp.MustCompile(`^include/[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

func (r *Reader) include(f *bundle.Fields) {
	i := Include{Name: r.name(f, "Include", nameForm), Path: strings.TrimSuffix(f.Need("path"), "/"), Digest: f.Need("digest"), Where: f.At()}
	switch {
	case Included(f.At().File):
		r.Out.Add(bundle.Problem{Where: f.KeyAt("kind"), Code: "policy.include", What: "an included bundle includes another", Why: "whoever reads the bundle must see in one place what it is made of", Fix: "include both from the bundle itself"})
	case i.Path != "" && !includeForm.MatchString(i.Path):
		r.Out.Add(bundle.Problem{Where: f.ValueAt("path"), Code: "policy.include", What: fmt.Sprintf("%q is not a folder of included bundles", i.Path), Fix: "write such as path: include/regulated"})
	case i.Digest != "" && !digestForm.MatchString(i.Digest):
		r.Out.Add(bundle.Problem{Where: f.ValueAt("digest"), Code: "policy.include", What: "the digest is not one", Why: "it is sha256: and 64 lower-case hexadecimal digits", Fix: r.digestFix(i.Path)})
	case i.Path != "" && i.Digest != "":
		r.Once(f.ValueAt("path"), "the included folder "+i.Path)
		r.contents(f, i)
	}
	r.Includes = append(r.Includes, i)
}

// contents checks that what is included is what was meant.
func (r *Reader) contents(f *bundle.Fields, i Include) {
	files := below(r.Files, i.Path)
	switch {
	case len(files) == 0:
		r.Out.Add(bundle.Problem{Where: f.ValueAt("path"), Code: "policy.include", What: fmt.Sprintf("there are no files below %s", i.Path), Why: "Include " + i.Name + " names it", Fix: "copy the bundle there"})
	case bundle.Digest(files) != i.Digest:
		r.Out.Add(bundle.Problem{Where: f.ValueAt("digest"), Code: "policy.include-digest", What: fmt.Sprintf("what lies below %s is not what was included", i.Path), Why: "its digest is " + bundle.Digest(files), Fix: "look at what changed, then write the new digest"})
	}
}

func (r *Reader) digestFix(dir string) string {
	if files := below(r.Files, dir); len(files) > 0 {
		return "write digest: " + bundle.Digest(files)
	}
	return ""
}

// below are the files of a folder, by their names in it.
func below(files []bundle.File, dir string) []bundle.File {
	var all []bundle.File
	for _, f := range files {
		if name, is := strings.CutPrefix(f.Name, dir+"/"); is && dir != "" {
			all = append(all, bundle.File{Name: name, Data: f.Data})
		}
	}
	return all
}

// Included reports whether a file belongs to an included bundle.
func Included(file string) bool { return strings.HasPrefix(file, IncludeDir) }

// included refuses files that no Include speaks for, and gives each Include the
// name that its bundle has.
func (r *Reader) included(p *Set) {
	for _, f := range p.Files {
		if !Included(f.Name) {
			continue
		}
		claimed := false
		for _, i := range r.Includes {
			claimed = claimed || i.Path != "" && strings.HasPrefix(f.Name, i.Path+"/")
		}
		if !claimed {
			dir, _, _ := strings.Cut(strings.TrimPrefix(f.Name, IncludeDir), "/")
			r.Out.Add(bundle.Problem{Where: fault.Position{File: f.Name}, Code: "policy.include", What: "no Include names this file's folder", Why: "what lies below include/ counts only under the digest that an Include states", Fix: r.digestFix(IncludeDir + dir)})
		}
	}
	for n := range r.Includes {
		i := &r.Includes[n]
		for _, q := range r.guests {
			if strings.HasPrefix(q.Where.File, i.Path+"/") {
				i.Policy = q
			}
		}
	}
	p.Includes = r.Includes
}
