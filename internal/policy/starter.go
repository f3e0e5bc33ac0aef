package policy

import (
	"embed"
	"path"
)

//go:embed packs/starter/*.yaml packs/regulated/*.yaml
var packs embed.FS

// Starter is the pack for a small team's first day: ten gates, their tests, and
// the rest to change. Its group of approvers is release-approvers.
func Starter() []File { return pack("packs/starter") }

// Regulated is the pack for services under audit: stricter gates, each naming
// the controls that it supports, and those controls with what remains with people.
func Regulated() []File { return pack("packs/regulated") }

// Packs are the names under which Pack knows the embedded bundles.
func Packs() []string { return []string{"starter", "regulated"} }

// Pack is the embedded bundle of a name, or false.
func Pack(name string) ([]File, bool) {
	switch name {
	case "starter":
		return Starter(), true
	case "regulated":
		return Regulated(), true
	}
	return nil, false
}

// pack is an embedded bundle. What is embedded can always be read.
func pack(dir string) []File {
	entries, err := packs.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	files := make([]File, len(entries))
	for i, e := range entries {
		data, err := packs.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			panic(err)
		}
		files[i] = File{Name: e.Name(), Data: data}
	}
	return files
}
