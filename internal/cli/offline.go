package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/survey"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// gateOffline asks the same release.Gate as the server, on files.
func (c call) gateOffline(ctx context.Context) error {
	for _, name := range []string{"wait", "timeout", "permit-out", "server-reads"} {
		if c.flags.Changed(name) {
			return fault.Invalidf("gate.online-only", "--%s is not for the gate offline", name).
				Because("offline nothing is recorded and no permit is signed").Remedy("leave it out, or ask the server, without --policy").On("--" + name)
		}
	}
	at, err := c.instant("at")
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = time.Now().UTC()
	}
	word, known := map[string]policy.Provenance{"pipeline": policy.ByPipeline, "person": policy.ByPerson, "nobody": policy.Assumed}[c.text("as")]
	if !known {
		return fault.Invalidf("gate.as", "%q gives no word", c.text("as")).Remedy("write pipeline, person or nobody").On("--as")
	}
	keys, err := c.keyFiles()
	if err != nil {
		return err
	}
	compiled, err := program(c.text("policy"))
	if err != nil {
		return err
	}
	d, names, err := decide(ctx, dossier.Question{
		Ask: c.gateRequest(), Policy: compiled, Catalog: c.text("catalog"), Approvals: c.text("approvals"), Freezes: c.text("freezes"), Evidence: c.texts("evidence"),
		Change: survey.Options{Repository: c.text("repo"), From: c.text("from"), To: c.text("to"), Keys: keys}, Now: at, Word: word, Bundles: c.local.Bundles,
	})
	if err != nil {
		return err
	}
	show, err := c.printOptions()
	if err != nil {
		return err
	}
	show.People, show.Now = names, at
	answer := wire.Answer{Decision: d, People: names}
	if err := c.print(answer, func(w io.Writer) error { return terminal.PrintDecision(w, d, show) }); err != nil {
		return err
	}
	if format, _ := c.format(); format != asTable { // the table says so itself
		c.note("offline: nothing here is recorded and no permit is signed")
	}
	return c.concluded(d, show, "")
}

// decide is the gate's answer, and the names of the persons it mentions.
func decide(ctx context.Context, q dossier.Question) (wire.Decision, map[string]string, error) {
	f, names, err := q.Facts(ctx)
	if err != nil {
		return wire.Decision{}, nil, err
	}
	d, err := release.Gate(q.Now, f)
	if err != nil {
		return wire.Decision{}, nil, err
	}
	d.PermitUntil = time.Time{} // what is assumed permits nothing
	w, err := wireDecision(d)
	return w, names, err
}

// wireDecision is a decision in the shape of the API.
func wireDecision(d release.Decision) (wire.Decision, error) {
	var w wire.Decision
	b, err := json.Marshal(d)
	if err != nil {
		return w, fmt.Errorf("encode the decision: %w", err)
	}
	if err := strict.Decode(b, &w); err != nil {
		return w, fmt.Errorf("the decision is not of the contract's shape: %w", err)
	}
	return w, nil
}

// program is the bundle in a directory, compiled.
func program(dir string) (*policy.Program, error) {
	files, err := policyFiles(dir)
	if err != nil {
		return nil, err
	}
	return compiled(files)
}

func compiled(files []policy.File) (*policy.Program, error) {
	p, problems := policy.Compile(files)
	if policy.Failed(problems) {
		return nil, &policy.Failure{List: problems}
	}
	return p, nil
}

// policyFiles are the YAML files of a directory, those in directories below it included.
func policyFiles(dir string) ([]policy.File, error) {
	var files []policy.File
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.New(fault.NotFound, "policy.directory", "the policy directory cannot be read").Because(plainReason(err)).On("--policy").Cause(err)
		case e.IsDir() && path != dir && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) || strings.HasPrefix(e.Name(), "."):
			return nil
		case len(files) == policy.MaxFiles:
			return fault.New(fault.TooLarge, "policy.too-many-files", fmt.Sprintf("the directory holds more than %d files", policy.MaxFiles))
		}
		data, err := readFile(path, policy.MaxFile)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, policy.File{Name: filepath.ToSlash(name), Data: data})
		return err
	})
	if err == nil && len(files) == 0 {
		err = fault.New(fault.NotFound, "policy.empty", "the directory "+dir+" holds no policy").Because("there is no .yaml file in it").
			Remedy("signalbox policy init DIR writes the starter policy")
	}
	return files, err
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "file.exists", path+" exists already").Remedy("choose another directory, or move it away")
	}
	if err != nil {
		return unwritable(path, err)
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return unwritable(path, err)
	}
	return nil
}
