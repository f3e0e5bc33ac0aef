// Command cyclonedx writes the rules of CycloneDX that internal/evidence/cyclonedx
// embeds: what the schemas of a release of the npm package
// @cyclonedx/cyclonedx-library constrain, without a word of what they explain.
//
// It knows the folder res/schema of that package, given on the command line:
//
//	go run ./scripts/cyclonedx package/res/schema internal/evidence/cyclonedx/rules
//
// It runs by hand, never in a build or test. It keeps this: a construct of a
// schema that it does not know ends it, so that no constraint is lost.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// versions are those of the specification that are read. The first two have a
// strict schema in JSON, which knows no names beyond its own; later ones are
// strict themselves.
var versions = []struct{ version, json string }{
	{"1.2", "bom-1.2-strict.SNAPSHOT.schema.json"},
	{"1.3", "bom-1.3-strict.SNAPSHOT.schema.json"},
	{"1.4", "bom-1.4.SNAPSHOT.schema.json"},
	{"1.5", "bom-1.5.SNAPSHOT.schema.json"},
	{"1.6", "bom-1.6.SNAPSHOT.schema.json"},
	{"1.7", "bom-1.7.SNAPSHOT.schema.json"},
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cyclonedx SCHEMAS DIRECTORY")
		os.Exit(2)
	}
	files, err := rules(os.Args[1])
	for name, b := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[2], name), b, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cyclonedx:", err)
		os.Exit(1)
	}
}

// rules are the files to write, by name.
func rules(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	shared, err := sharedRules(dir)
	if err != nil {
		return nil, err
	}
	files["shared.json"] = shared
	for _, v := range versions {
		path := filepath.Join(dir, v.json)
		if files[v.version+".json"], err = jsonRules(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		path = filepath.Join(dir, "bom-"+v.version+".SNAPSHOT.xsd")
		if files[v.version+".xml.json"], err = xmlRules(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return files, nil
}

// lined writes an object with a line for each entry of its objects named in
// long, so that versions can be compared line by line.
func lined(object map[string]any, long ...string) ([]byte, error) {
	out := []byte("{")
	for i, name := range sorted(object) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n"+quote(name)+":"...)
		inner, isObject := object[name].(map[string]any)
		if !isObject || !contains(long, name) {
			b, err := json.Marshal(object[name])
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
			continue
		}
		out = append(out, '{')
		for j, key := range sorted(inner) {
			if j > 0 {
				out = append(out, ',')
			}
			b, err := json.Marshal(inner[key])
			if err != nil {
				return nil, err
			}
			out = append(out, "\n "+quote(key)+":"...)
			out = append(out, b...)
		}
		out = append(out, '}')
	}
	return append(out, "}\n"...), nil
}
