package change

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// places says where in the repository the change lies: in which directories at
// its root and, where somebody has said whose the paths are, in which
// components. A file that was moved lies where it was as well.
func (c *Change) places(r Raw) {
	directories, components := map[string]bool{}, map[string]bool{}
	for _, f := range r.Files {
		owned := false
		for _, p := range []string{f.Path, f.OldPath} {
			if p == "" {
				continue
			}
			directories[subsystem(p)] = true
			if r.Components == nil {
				continue
			}
			for _, name := range r.Components(p) {
				components[name], owned = true, true
			}
		}
		if r.Components != nil && !owned {
			c.Elsewhere++
		}
	}
	c.Subsystems = append([]string{}, slices.Sorted(maps.Keys(directories))...)
	if r.Components == nil {
		return
	}
	c.Components = append([]string{}, slices.Sorted(maps.Keys(components))...)
	if c.Elsewhere > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%s in no component of the catalog", count(c.Elsewhere, "file")))
	}
}

// subsystem is the directory at the root that a path lies in, "." for none.
func subsystem(path string) string {
	if first, _, below := strings.Cut(path, "/"); below {
		return first
	}
	return "."
}
