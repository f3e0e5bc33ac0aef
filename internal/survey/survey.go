// Package survey is what the terminal does with a change on this machine: it
// reads one from a repository, beside the keys and the catalog that the caller
// gives, and shows it.
//
// It leaves flags, files and the server to cli, how a repository is read to
// connect/git and what the history means to change. Invariant: what is not given
// is not known, and is shown as not known.
package survey

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// Options say what to read and what beside it.
type Options struct {
	Repository string // a directory
	From, To   string // names of commits; From "" is the beginning
	Keys       []File // of keys that signatures are held against; none: they are not
	Catalog    *catalog.Entries
	Service    string // of the catalog, whose components the paths belong to
}

// File is a file's name and content.
type File struct {
	Name string
	Data []byte
}

// Read reads and describes a change.
func Read(ctx context.Context, o Options) (change.Change, error) {
	var keys *git.Keys
	for _, f := range o.Keys {
		if keys == nil {
			keys = &git.Keys{}
		}
		if err := keys.Add(f.Name, f.Data); err != nil {
			return change.Change{}, err
		}
	}
	components, err := o.components()
	if err != nil {
		return change.Change{}, err
	}
	raw, err := git.Inspect(ctx, git.Options{Repository: o.Repository, From: o.From, To: o.To, Keys: keys})
	if err != nil {
		return change.Change{}, err
	}
	raw.Components = components
	return change.Describe(raw), nil
}

// components tells the components of the service; nil where no catalog says.
func (o Options) components() (func(path string) []string, error) {
	if o.Catalog == nil {
		return nil, nil
	}
	var names []string
	for _, s := range o.Catalog.Services {
		if s.Name == o.Service {
			return s.Locate(), nil
		}
		names = append(names, s.Name)
	}
	unknown := fault.New(fault.NotFound, "catalog.unknown-name", fmt.Sprintf("the catalog describes no service %q", o.Service)).On("--service")
	if o.Service == "" {
		return nil, fault.Invalidf("cli.missing", "--catalog needs --service").Because("components are those of a service").On("--service")
	}
	if near := catalog.Nearest(o.Service, names); near != "" {
		return nil, unknown.Remedy("did you mean " + near + "?")
	}
	return nil, unknown.Remedy("correct --service, or describe it")
}

// Wire is a change in the shape of the API.
func Wire(ch change.Change) (wire.Change, error) {
	var w wire.Change
	b, err := json.Marshal(ch)
	if err != nil {
		return w, fmt.Errorf("encode the change: %w", err)
	}
	if err := strict.Decode(b, &w); err != nil {
		return w, fmt.Errorf("the change is not of the contract's shape: %w", err)
	}
	return w, nil
}

// Print writes a change for people.
func Print(ch wire.Change) func(io.Writer) error {
	complete := "yes"
	if !ch.Complete {
		complete = "no: commits are missing"
	}
	return terminal.Facts("from", joined(" ", ch.FromRef, ch.From), "to", joined(" ", ch.ToRef, ch.To),
		"commits", fmt.Sprint(ch.Commits), "people", people(ch),
		"files", fmt.Sprintf("%d, +%d -%d lines", ch.FilesChanged, ch.LinesAdded, ch.LinesDeleted),
		"directories", strings.Join(ch.Subsystems, ", "), "components", components(ch),
		"step", ch.SemverStep, "size", ch.ReleaseType+", because "+strings.Join(ch.Reasons, "; "),
		"migrations", strings.Join(ch.Migrations, ", "), "manifests", strings.Join(ch.Dependencies, ", "),
		"signed", signatures(ch), "complete", complete, "notes", strings.Join(ch.Notes, "; "), "digest", ch.Digest)
}

func joined(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), separator)
}

func people(ch wire.Change) string {
	var all []string
	for _, list := range [][]wire.Identity{ch.Authors, ch.Committers, ch.CoAuthors} {
		for _, i := range list {
			if who := i.Name + " <" + i.Email + ">"; !slices.Contains(all, who) {
				all = append(all, who)
			}
		}
	}
	return strings.Join(all, ", ")
}

func components(ch wire.Change) string {
	switch {
	case ch.Components == nil:
		return "not known: no catalog was given"
	case len(ch.Components) == 0:
		return "none"
	}
	return strings.Join(ch.Components, ", ")
}

func signatures(ch wire.Change) string {
	text := fmt.Sprintf("%d of %d", ch.Signed, ch.Commits)
	s := ch.Signatures
	if s == nil {
		if ch.Signed == 0 {
			return text
		}
		return text + ", whether the signatures hold is not known: no keys were given"
	}
	text += fmt.Sprintf(": %d verified, %d not what was signed, %d cannot be verified", s.Verified, s.Bad, s.Unverifiable)
	for _, k := range s.Keys {
		text += fmt.Sprintf("; %s by %s (%s)", terminal.Count(k.Commits, "commit", "commits"), k.Key, strings.Join(k.Names, ", "))
	}
	return text
}
