package cli

import (
	"io"

	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/settings"
)

func bind(flags *pflag.FlagSet, names ...string) { settings.Bind(flags, names...) }

func readFile(path string, limit int64) ([]byte, error) { return settings.ReadFile(path, limit) }

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	return settings.ReadAll(r, name, limit)
}

func plainReason(err error) string { return settings.Reason(err) }

// secretFile reads a secret: a file, or "-" for standard input.
func (a *app) secretFile(option, path string) (string, error) {
	return settings.Secret(a.In, option, path)
}
