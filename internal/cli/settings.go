package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

const (
	projectFile   = ".signalbox.yaml"
	systemFile    = "/etc/signalbox/config.yaml"
	maxConfigFile = 64 << 10
	maxSecret     = 4 << 10
)

// settingsFile is one configuration file, read.
type settingsFile struct {
	path   string
	values map[string]string // by key
}

// setting is the value of an option and where it comes from.
type setting struct {
	value, origin string
}

// resolve is an option's value: flag, then environment, then files, then default.
func (a *app) resolve(o option, flags *pflag.FlagSet) (setting, error) {
	if flags != nil {
		if f := flags.Lookup(o.name); f != nil && f.Changed {
			return setting{f.Value.String(), "flag --" + o.name}, nil
		}
	}
	if v, set := a.Env(o.env); set && v != "" {
		return setting{v, "environment variable " + o.env}, nil
	}
	files, err := a.settingsFiles()
	if err != nil {
		return setting{}, err
	}
	for _, f := range files {
		if v, set := f.values[o.key]; set {
			return setting{v, f.path}, nil
		}
	}
	return setting{o.fallback, "default"}, nil
}

// settingsFiles are the files that exist, the strongest first.
func (a *app) settingsFiles() ([]settingsFile, error) {
	if a.read {
		return a.files, nil
	}
	for i, path := range []string{projectPath(), a.userPath(), systemFile} {
		if path == "" {
			continue
		}
		b, err := readFile(path, maxConfigFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := parseSettings(path, b, i == 0)
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, f)
	}
	a.read = true
	return a.files, nil
}

// projectPath is the .signalbox.yaml nearest above the working directory, not
// beyond the root of the repository; "" where there is none.
func projectPath() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		path := filepath.Join(dir, projectFile)
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
func (a *app) userPath() string {
	if dir, set := a.Env("XDG_CONFIG_HOME"); set && filepath.IsAbs(dir) {
		return filepath.Join(dir, "signalbox", "config.yaml")
	}
	if home, set := a.Env("HOME"); set && home != "" {
		return filepath.Join(home, ".config", "signalbox", "config.yaml")
	}
	if dir, set := a.Env("AppData"); set && dir != "" {
		return filepath.Join(dir, "signalbox", "config.yaml")
	}
	return ""
}

func parseSettings(path string, b []byte, project bool) (settingsFile, error) {
	f := settingsFile{path: path, values: map[string]string{}}
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
		o := optionOf(key)
		switch _, plain := content[key].([]any); {
		case o.key != key:
			return f, unknownKey(key).At(at)
		case project && !o.project:
			return f, fault.Invalidf("config.project", "a project's file may not set %s", key).At(at).
				Because("it comes with the repository, and whoever can change that must not choose this").
				Remedy("set it in your own configuration, or by " + o.env)
		case plain || nodes[i+1].Value == "" && len(nodes[i+1].Content) > 0:
			return f, fault.Invalidf("config.value", "%s takes one value", key).At(at)
		}
		f.values[key] = nodes[i+1].Value
	}
	return f, nil
}

func unknownKey(key string) *fault.Error {
	var keys []string
	for _, o := range options {
		keys = append(keys, o.key)
	}
	err := fault.Invalidf("config.unknown-key", "there is no setting %q", key)
	if near := catalog.Nearest(key, keys); near != "" {
		return err.Remedy("did you mean " + near + "?")
	}
	return err.Remedy("signalbox config list shows those there are")
}

// readFile reads a whole file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		kind := fault.Invalid
		if errors.Is(err, fs.ErrNotExist) {
			kind = fault.NotFound
		}
		return nil, fault.New(kind, "file.unreadable", "the file "+path+" cannot be read").Because(plainReason(err)).Cause(err)
	}
	defer func() { _ = f.Close() }()
	return readAll(f, path, limit)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fault.Invalidf("file.unreadable", "%s cannot be read", name).Because(plainReason(err)).Cause(err)
	}
	if int64(len(b)) > limit {
		return nil, fault.New(fault.TooLarge, "file.too-large", name+" is longer than "+strconv.FormatInt(limit, 10)+" bytes")
	}
	return b, nil
}

// plainReason is the operating system's own word, without path and operation.
func plainReason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// secretFile reads a secret: a file, or "-" for standard input. Space around it is dropped.
func (a *app) secretFile(option, path string) (string, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = readAll(a.In, "standard input", maxSecret)
	} else {
		b, err = readFile(path, maxSecret)
	}
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" || strings.ContainsAny(text, "\n\r") {
		return "", fault.Invalidf("config.secret", "--%s does not hold one line of text", option).On("--" + option)
	}
	return text, nil
}
