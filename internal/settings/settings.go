package settings

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// ProjectFile is the name of a project's own settings.
const ProjectFile = ".signalbox.yaml"

const (
	systemFile    = "/etc/signalbox/config.yaml"
	maxConfigFile = 64 << 10
)

// file is one configuration file, read.
type file struct {
	path   string
	values map[string]string // by key
}

// Value is that of an option, and where it comes from.
type Value struct{ Text, Origin string }

// Source is where values come from: the environment and the files, each read
// once, when first asked for.
type Source struct {
	Env func(name string) (value string, set bool)

	files []file
	read  bool
}

// Resolve is an option's value: flag, then environment, then files, then default.
func (s *Source) Resolve(o Option, flags *pflag.FlagSet) (Value, error) {
	if flags != nil && o.Name != "" {
		if f := flags.Lookup(o.Name); f != nil && f.Changed {
			return Value{f.Value.String(), "flag --" + o.Name}, nil
		}
	}
	if v, set := s.Env(o.Env); set && v != "" {
		return Value{v, "environment variable " + o.Env}, nil
	}
	files, err := s.settled()
	if err != nil {
		return Value{}, err
	}
	for _, f := range files {
		if v, set := f.values[o.Key]; set && o.Key != "" {
			return Value{v, f.path}, nil
		}
	}
	return Value{o.Fallback, "default"}, nil
}

// settled are the files that exist, the strongest first.
func (s *Source) settled() ([]file, error) {
	if s.read {
		return s.files, nil
	}
	for i, path := range []string{projectPath(), s.userPath(), systemFile} {
		if path == "" {
			continue
		}
		b, err := ReadFile(path, maxConfigFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := parse(path, b, i == 0)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	s.read = true
	return s.files, nil
}

// projectPath is the .signalbox.yaml nearest above the working directory, not
// beyond the root of the repository; "" where there is none.
func projectPath() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		path := filepath.Join(dir, ProjectFile)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || filepath.Dir(dir) == dir {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

// userPath follows the XDG base directories where the environment names them.
func (s *Source) userPath() string {
	if dir, set := s.Env("XDG_CONFIG_HOME"); set && filepath.IsAbs(dir) {
		return filepath.Join(dir, "signalbox", "config.yaml")
	}
	if home, set := s.Env("HOME"); set && home != "" {
		return filepath.Join(home, ".config", "signalbox", "config.yaml")
	}
	if dir, set := s.Env("AppData"); set && dir != "" {
		return filepath.Join(dir, "signalbox", "config.yaml")
	}
	return ""
}

func parse(path string, b []byte, project bool) (file, error) {
	f := file{path: path, values: map[string]string{}}
	docs, err := strict.YAML(path, b)
	if err != nil || len(docs) == 0 {
		return f, err
	}
	if len(docs) > 1 {
		return f, fault.Invalidf("config.documents", "a configuration file is one document").At(docs[1].At())
	}
	var content map[string]any
	if err := docs[0].Into(&content); err != nil {
		return f, err
	}
	nodes := docs[0].Node.Content
	for i := 0; i+1 < len(nodes); i += 2 {
		key, at := nodes[i].Value, fault.Position{File: path, Line: nodes[i].Line, Column: nodes[i].Column}
		o := Of(key)
		switch _, plain := content[key].([]any); {
		case key == "" || o.Key != key:
			return f, Unknown(key).At(at)
		case project && !o.Project:
			return f, fault.Invalidf("config.project", "a project's file may not set %s", key).At(at).
				Because("it comes with the repository, and whoever can change that must not choose this").
				Remedy("set it in your own configuration, or by " + o.Env)
		case plain || nodes[i+1].Value == "" && len(nodes[i+1].Content) > 0:
			return f, fault.Invalidf("config.value", "%s takes one value", key).At(at)
		}
		f.values[key] = nodes[i+1].Value
	}
	return f, nil
}

// Unknown is the fault of a key that names no setting.
func Unknown(key string) *fault.Error {
	var keys []string
	for _, o := range options {
		if o.Key != "" {
			keys = append(keys, o.Key)
		}
	}
	err := fault.Invalidf("config.unknown-key", "there is no setting %q", key)
	if near := catalog.Nearest(key, keys); near != "" {
		return err.Remedy("did you mean " + near + "?")
	}
	return err.Remedy("signalbox config list shows those there are")
}

// ReadFile reads a whole file of at most limit bytes. Of an ordinary file no
// second copy is held while it is read.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		kind := fault.Invalid
		if errors.Is(err, fs.ErrNotExist) {
			kind = fault.NotFound
		}
		return nil, fault.New(kind, "file.unreadable", "the file "+path+" cannot be read").Because(Reason(err)).Cause(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return ReadAll(f, path, limit)
	}
	b := make([]byte, info.Size()+1) // one more, to meet its end
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return b[:n], nil
	}
	return ReadAll(io.MultiReader(bytes.NewReader(b[:n]), f), path, limit) // it grew, or cannot be read
}

// ReadAll reads to the end of r, at most limit bytes; name is for messages.
func ReadAll(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fault.Invalidf("file.unreadable", "%s cannot be read", name).Because(Reason(err)).Cause(err)
	}
	if int64(len(b)) > limit {
		return nil, fault.New(fault.TooLarge, "file.too-large", name+" is longer than "+strconv.FormatInt(limit, 10)+" bytes")
	}
	return b, nil
}

// Reason is the operating system's own word, without path and operation.
func Reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
