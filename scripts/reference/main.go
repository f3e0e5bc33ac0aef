// Command reference writes the generated pages of docs/reference.
//
// It knows which page comes from which room, and how the controls of a pack are
// listed; it leaves the rest of what stands on a page to that room. It keeps this: a page holds nothing that the code does not say.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"signalbox.dev/signalbox/internal/api"
	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
)

// pages are the pages by file name.
func pages() (map[string]string, error) {
	schema, err := prose.Schema()
	if err != nil {
		return nil, err
	}
	openAPI, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"cli.md":             cli.CommandReference(),
		"configuration.md":   cli.ConfigurationReference(),
		"controls.md":        controls(policy.Regulated()),
		"openapi.json":       string(openAPI),
		"policy.md":          prose.Reference(),
		"policy.schema.json": string(schema),
	}, nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: reference DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	all, err := pages()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(all[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}
