package cli

import (
	"io"
	"strings"

	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
)

// maxSecret bounds a file that holds a secret, in bytes.
const maxSecret = 4 << 10

func bind(flags *pflag.FlagSet, names ...string) { settings.Bind(flags, names...) }

func readFile(path string, limit int64) ([]byte, error) { return settings.ReadFile(path, limit) }

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	return settings.ReadAll(r, name, limit)
}

func plainReason(err error) string { return settings.Reason(err) }

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
