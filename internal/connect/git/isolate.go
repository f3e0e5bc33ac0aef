package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// source is the repository that was asked for. Nothing is done in it but to
// find its parts and to resolve names of commits.
type source struct {
	repository
	format  string          // of its objects: sha1 or sha256
	objects string          // directory of its objects
	cuts    map[string]bool // commits at which a shallow clone ends
}

// room is a directory of ours in which git runs. It holds a Git directory that
// borrows the objects of a source and nothing else of it: no configuration, no
// attributes of one machine, no replaced objects, no grafts.
type room struct {
	repository
	source source
	dir    string
}

// enter finds the repository in a directory, or one that the directory lies in.
// The room must be left.
func enter(ctx context.Context, o Options) (*room, error) {
	dir := o.Repository
	if dir == "" {
		dir = "."
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("repository %q: %w", dir, err)
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return nil, fault.New(fault.NotFound, "git.no-directory", fmt.Sprintf("there is no directory %q", dir)).On("repo").Cause(err)
	}
	ours, err := os.MkdirTemp("", "signalbox-git-")
	if err == nil {
		ours, err = filepath.Abs(ours) // where temporary files go may be said relative to here
	}
	if err != nil {
		return nil, fmt.Errorf("a directory to run git in: %w", err)
	}
	r := &room{dir: ours}
	if err := r.furnish(ctx, abs, o); err != nil {
		return nil, errors.Join(err, r.leave())
	}
	return r, nil
}

// leave removes the room.
func (r *room) leave() error { return os.RemoveAll(r.dir) }

// config is the configuration in the room: git's defaults, but that no
// transport is allowed and that nothing is believed but objects.
const config = `[core]
	repositoryFormatVersion = 1
	bare = false
	commitGraph = false
	protectHFS = false
	protectNTFS = false
[extensions]
	objectFormat = %s
[protocol]
	allow = never
[gc]
	auto = 0
`

func (r *room) furnish(ctx context.Context, dir string, o Options) error {
	global := filepath.Join(r.dir, "global")
	// The directory is trusted whoever owns it, because none of its programs runs.
	if err := os.WriteFile(global, []byte("[safe]\n\tdirectory = *\n"), 0o600); err != nil {
		return fmt.Errorf("a directory to run git in: %w", err)
	}
	r.source = source{repository: repository{dir: dir, env: append(environment(), "GIT_CONFIG_GLOBAL="+global)}}
	if err := r.source.find(ctx, o); err != nil {
		return err
	}
	git, tree := filepath.Join(r.dir, "git"), filepath.Join(r.dir, "tree")
	var shallow bytes.Buffer
	for id := range r.source.cuts {
		shallow.WriteString(id + "\n")
	}
	err := errors.Join(os.MkdirAll(filepath.Join(git, "refs"), 0o700), os.Mkdir(tree, 0o700),
		os.WriteFile(filepath.Join(git, "HEAD"), []byte("ref: refs/heads/none\n"), 0o600),
		os.WriteFile(filepath.Join(git, "config"), fmt.Appendf(nil, config, r.source.format), 0o600))
	if err == nil && len(r.source.cuts) > 0 {
		err = os.WriteFile(filepath.Join(git, "shallow"), shallow.Bytes(), 0o600)
	}
	if err != nil {
		return fmt.Errorf("a directory to run git in: %w", err)
	}
	r.repository = repository{dir: tree, env: append(environment(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_DIR="+git, "GIT_WORK_TREE="+tree,
		"GIT_INDEX_FILE="+filepath.Join(git, "index"), "GIT_OBJECT_DIRECTORY="+r.source.objects)}
	return nil
}

// find fills in the parts of the repository.
func (s *source) find(ctx context.Context, o Options) error {
	out, err := s.line(ctx, "rev-parse", "--path-format=absolute", "--show-object-format", "--git-path", "objects", "--git-path", "shallow")
	if f, ok := errors.AsType[*failure](err); ok {
		return fault.New(fault.NotFound, "git.no-repository", fmt.Sprintf("%q is not a Git repository", o.Repository)).Because(said(f.text)).
			On("repo").Remedy("name the directory of a clone or of a bare repository").Cause(err)
	}
	if err != nil {
		return err
	}
	parts := strings.Split(out, "\n")
	if len(parts) != 3 || parts[0] != "sha1" && parts[0] != "sha256" || !filepath.IsAbs(parts[1]) || !filepath.IsAbs(parts[2]) {
		return fault.Invalidf("git.layout", "the layout of the repository %q is not one that can be read", o.Repository).On("repo").
			Remedy("it takes git 2.36 or later, and directories whose names hold no line breaks")
	}
	s.format, s.objects = parts[0], parts[1]
	if err := confined(o.Within, s.objects, 0); err != nil {
		return err
	}
	s.cuts, err = cuts(parts[2])
	return err
}

// cuts are the commits at which a shallow clone ends, from the file that lists them.
func cuts(path string) (map[string]bool, error) {
	b, err := readBounded(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of cuts of a shallow clone: %w", err)
	}
	cut := map[string]bool{}
	for _, id := range strings.Fields(string(b)) {
		if !isID(id) {
			return nil, fault.Invalidf("git.unreadable", "the repository cannot be read").Because("its list of cuts holds what is no id of a commit").On("repo")
		}
		cut[id] = true
	}
	return cut, nil
}

// readBounded is the content of a regular file of at most maxFiles bytes.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(io.LimitReader(file, maxFiles+1))
	if err == nil && len(b) > maxFiles {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxFiles)
	}
	return b, err
}

// lenders is how many repositories may lend objects to one another in a row, as in git.
const lenders = 5

// confined refuses objects that lie outside the directories they must lie in,
// lent ones included. Where no directories are given, anything goes.
func confined(within []string, objects string, depth int) error {
	if len(within) == 0 {
		return nil
	}
	real, err := filepath.EvalSymlinks(objects)
	if err != nil || depth > lenders || !below(within, real) {
		return fault.New(fault.Forbidden, "git.outside", "the repository's objects lie outside the directories that may be read").On("repo").Cause(err).
			Remedy("make it a clone that borrows nothing: git clone --dissociate")
	}
	list, err := readBounded(filepath.Join(real, "info", "alternates"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read who lends objects to the repository: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '"':
			return fault.New(fault.Forbidden, "git.outside", "the repository borrows objects from a directory with an unusual name").On("repo").
				Remedy("make it a clone that borrows nothing: git clone --dissociate")
		case !filepath.IsAbs(line):
			line = filepath.Join(real, line)
		}
		if err := confined(within, line, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// below reports whether a path without symbolic links lies in one of the directories.
func below(within []string, path string) bool {
	for _, dir := range within {
		dir, err := filepath.Abs(dir)
		if err != nil {
			continue
		}
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			continue
		}
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// isID reports whether s is the full id of an object.
func isID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
