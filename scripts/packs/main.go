// Command packs writes the frameworks and controls of the regulated pack.
//
// It knows a file of facts about frameworks, given on the command line, and the
// claims beside it: which of those controls the pack supports, how far, and what
// remains with people. It leaves to the gates of the pack, written by hand, which
// gate enforces what; tests hold the two together. It keeps this: what no claim
// names is not claimed, and a claim never says more than the facts allow.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed claims.yaml
var claimsFile []byte

// fact is one row of the facts: what a framework asks for, and how a tool can
// support it: E enforce, V show, D detect, A attest, O outside.
type fact struct {
	FW   string `yaml:"fw"`
	ID   string `yaml:"id"`
	Text string `yaml:"t"`
	Mode string `yaml:"mode"`
	Src  string `yaml:"src"`
}

type claims struct {
	Frameworks []framework `yaml:"frameworks"`
	Claims     []claim     `yaml:"claims"`
}

type framework struct {
	Facts     string   `yaml:"facts"`
	Name      string   `yaml:"name"`
	Title     string   `yaml:"title"`
	Authority string   `yaml:"authority"`
	Version   string   `yaml:"version"`
	Note      string   `yaml:"note"`
	Flags     []string `yaml:"flags"`
	Classes   []string `yaml:"classes"`
}

type claim struct {
	Of         string `yaml:"of"`
	As         string `yaml:"as"`
	Key        bool   `yaml:"key"`
	For        string `yaml:"for"`
	Frequency  string `yaml:"frequency"`
	Duty       string `yaml:"duty"`
	Unverified bool   `yaml:"unverified"` // the id or text is uncertain, whatever the source
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: packs FACTS DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "packs:", err)
		os.Exit(1)
	}
}

func run(path, dir string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pages, err := files(data, claimsFile)
	if err != nil {
		return err
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files are the documents by file name, one file a framework.
func files(facts, claimed []byte) (map[string]string, error) {
	var rows struct {
		Controls []fact `yaml:"controls"`
	}
	var c claims
	if err := yaml.Unmarshal(facts, &rows); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	if err := yaml.Unmarshal(claimed, &c); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	byRow := map[string]claim{}
	for _, one := range c.Claims {
		if err := one.check(byRow); err != nil {
			return nil, err
		}
		byRow[one.Of] = one
	}
	pages := map[string]string{}
	for _, f := range c.Frameworks {
		page, err := f.page(rows.Controls, byRow)
		if err != nil {
			return nil, err
		}
		pages["controls-"+f.Name+".yaml"] = page
	}
	for of := range byRow {
		return nil, fmt.Errorf("the facts have no %s", of)
	}
	return pages, nil
}

func (c claim) check(earlier map[string]claim) error {
	if _, twice := earlier[c.Of]; twice {
		return fmt.Errorf("%s is claimed twice", c.Of)
	}
	if !slices.Contains([]string{"full", "partial", "evidence-only"}, c.As) {
		return fmt.Errorf("%s: %q is no coverage", c.Of, c.As)
	}
	if c.Duty == "" || c.For == "" {
		return fmt.Errorf("%s: no duty or no objective", c.Of)
	}
	return nil
}

// page is a framework and its controls; it takes its claims out of the map.
func (f framework) page(rows []fact, byRow map[string]claim) (string, error) {
	var b strings.Builder
	var absent []string
	for _, row := range rows {
		if row.FW != f.Facts {
			continue
		}
		of := row.FW + " " + row.ID
		c, claimed := byRow[of]
		if !claimed {
			absent = append(absent, row.ID)
			continue
		}
		delete(byRow, of)
		if c.As != "evidence-only" && row.Mode != "E" {
			return "", fmt.Errorf("%s is claimed %s, but no tool enforces it (mode %s)", of, c.As, row.Mode)
		}
		f.control(&b, row, c)
	}
	note := f.Note
	if len(absent) > 0 {
		note = strings.TrimSpace(note + " Not supported by this version: " + strings.Join(absent, ", ") + ".")
	}
	head := "# Written by scripts/packs. Which gate names a control stands in gates.yaml.\napiVersion: signalbox/v1\nkind: Framework\n" +
		lines("name", f.Name, "title", f.Title, "authority", f.Authority, "version", f.Version, "note", note)
	return head + b.String(), nil
}

// sources are the places where statements and ids were looked up.
var sources = map[string]string{
	"gk": "common knowledge", "page284": "a published guide to auditing IT general controls, p. 284", "tibco": "documentation of a log manager's SOX pack", "bankersonline": "text of 18 USC 1519 and 1520, as reprinted",
	"symphony": "a published summary of BAI06", "patient-protect": "a published reference to 164.312", "techvera": "a published breakdown of the Security Rule",
	"dqs": "a certifier's guide to Annex A 8.32 to 8.34", "isms": "a published guide to Annex A", "cat": "the OSCAL catalogue of SP 800-53, HIGH baseline",
	"myctrl": "a published listing of SP 800-218", "hicomply": "a published guide to CC8", "cloudaware": "a published listing of requirements 6 and 5",
	"bitlion": "a published listing of requirements 10 and 11", "dor-net": "a reprint of the Regulation", "advisera": "a reprint of the RTS", "springlex": "a reprint of the RTS",
	"dora-info": "a reprint of the RTS", "frmr": "the authority's machine-readable documentation", "lawstack": "a reprint of 21 CFR 11", "pdfslide": "a published guide to 21 CFR 11", "betterchem": "a reprint of 21 CFR 11",
}

func (f framework) control(b *strings.Builder, row fact, c claim) {
	nature, status := "preventive", "verified"
	if row.Mode != "E" {
		nature = "detective"
	}
	if row.Src == "gk" || c.Unverified {
		status = "unverified"
	}
	b.WriteString("---\napiVersion: signalbox/v1\nkind: Control\n")
	b.WriteString(lines("name", slug(f.Name+"-"+row.ID), "framework", f.Name, "id", row.ID, "statement", row.Text, "objective", c.For,
		"owner", "compliance", "frequency", or(c.Frequency, "per-release"), "nature", nature))
	if c.Key {
		b.WriteString("key: true\n")
	}
	b.WriteString(lines("coverage", c.As, "duty", c.Duty, "status", status, "source", or(sources[row.Src], row.Src)))
	if len(f.Flags)+len(f.Classes) > 0 {
		b.WriteString("mandatory:\n")
		for _, l := range []struct {
			key  string
			list []string
		}{{"flags", f.Flags}, {"data_classes", f.Classes}} {
			if len(l.list) > 0 {
				fmt.Fprintf(b, "  %s: [%s]\n", l.key, strings.Join(l.list, ", "))
			}
		}
	}
}

// lines are keys with their values; an empty value is left out.
func lines(pairs ...string) string {
	var b strings.Builder
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", pair[0], scalar(pair[1]))
		}
	}
	return b.String()
}

var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 ._/(),;'–-]*$`)

// scalar is a text as YAML reads it back.
func scalar(s string) string {
	if plain.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no"}, strings.ToLower(s)) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

func slug(s string) string {
	return strings.Trim(notSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
