package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Bounds of a service's components.
const (
	maxComponents = 200
	maxPaths      = 100 // of one component
	maxPattern    = 200 // bytes
)

// Component is a part of a service, told by where it lies in the repository.
type Component struct {
	Name  string   `json:"name"`
	Paths []string `json:"paths"` // patterns, see Owns
}

// Owns reports whether a path of the repository is the component's: one of its
// patterns names the file or a directory that it lies in. In a pattern * and ?
// stand for what they stand for in a shell and ** for any number of directories.
func (c Component) Owns(file string) bool {
	elements := strings.Split(file, "/")
	return slices.ContainsFunc(c.Paths, func(p string) bool { return leads(strings.Split(strings.TrimSuffix(p, "/"), "/"), elements) })
}

// leads reports whether a pattern matches the first elements of a path, or all of them.
func leads(pattern, elements []string) bool {
	// reached[i]: the patterns so far match exactly the first i elements.
	reached := make([]bool, len(elements)+1)
	reached[0] = true
	for _, p := range pattern {
		next := make([]bool, len(elements)+1)
		for i := range reached {
			switch {
			case p == "**":
				next[i] = reached[i] || i > 0 && next[i-1]
			case i > 0 && reached[i-1]:
				next[i], _ = path.Match(p, elements[i-1]) // checked when the catalog was read
			}
		}
		reached = next
	}
	return slices.Contains(reached, true)
}

// ComponentsOf are the names of the components that own a path, in the
// catalog's order.
func (s Service) ComponentsOf(file string) []string {
	var names []string
	for _, c := range s.Components {
		if c.Owns(file) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Locate tells the components of paths; nil where the service lists none, and so
// says nothing about paths.
func (s Service) Locate() func(file string) []string {
	if len(s.Components) == 0 {
		return nil
	}
	return s.ComponentsOf
}

// checkComponents says what is wrong with a service's components; "" is nothing.
func checkComponents(all []Component) (what, fix string) {
	if len(all) > maxComponents {
		return fmt.Sprintf("there are more than %d components", maxComponents), "join some of them"
	}
	seen := map[string]bool{}
	for _, c := range all {
		switch {
		case !nameForm.MatchString(c.Name):
			return fmt.Sprintf("the component's name %q cannot be used", c.Name), "names are as those of services"
		case seen[c.Name]:
			return fmt.Sprintf("the component %s stands twice", c.Name), "list all its paths in one place"
		case len(c.Paths) == 0 || len(c.Paths) > maxPaths:
			return fmt.Sprintf("the component %s has %d paths", c.Name, len(c.Paths)), fmt.Sprintf("list 1 to %d", maxPaths)
		}
		seen[c.Name] = true
		for _, p := range c.Paths {
			if !usable(p) {
				return fmt.Sprintf("the component %s cannot lie at %q", c.Name, p),
					"write a file, a directory or a pattern with *, ? and **, from the root of the repository, such as internal/pay/** or cmd/*/main.go"
			}
		}
	}
	return "", ""
}

// usable reports whether a pattern is relative, plain and bounded.
func usable(p string) bool {
	if p == "" || len(p) > maxPattern || strings.ContainsAny(p, "\\[]\x00") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(strings.TrimSuffix(p, "/"), "/"), func(e string) bool {
		return e == "" || e == "." || e == ".." || strings.Contains(e, "**") && e != "**"
	})
}
