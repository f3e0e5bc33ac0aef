package policy

import (
	"embed"
	"path"
)

//go:embed packs/starter/*.yaml
var packs embed.FS

// Starter is the pack for a small team's first day: ten gates, their tests, and
// the rest to change. Its group of approvers is release-approvers.
func Starter() []File { return pack("packs/starter") }

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
