package settings

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// maxSecret bounds a file that holds a secret, in bytes.
const maxSecret = 4 << 10

// Secret reads a secret for an option: from a file, or for "-" from in. Space
// around it is dropped.
func Secret(in io.Reader, option, path string) (string, error) {
	if strings.HasPrefix(path, "sbx_") || strings.Contains(path, "://") { // a token, an address with its password: not repeated
		return "", fault.Invalidf("config.secret", "--%s takes the name of a file, and what was given is what should be in one", option).On("--" + option).
			Because("other processes, logs and shell histories see it now").Remedy("write it to a file that only you can read; if others may have seen it, have another made")
	}
	var b []byte
	var err error
	if path == "-" {
		b, err = ReadAll(in, "standard input", maxSecret)
	} else {
		b, err = ReadFile(path, maxSecret)
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

// KeyPair reads an access key and a secret key, a line each, from a file that
// nobody else can read.
func KeyPair(path string) (access, secret string, err error) {
	wrong := fault.Invalidf("config.keys-file", "the file of the vault's keys cannot be used").On("--vault-keys-file")
	info, err := os.Stat(path)
	if err != nil {
		return "", "", wrong.Because(Reason(err)).Cause(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", "", wrong.Because(fmt.Sprintf("others can read %s (mode %o)", path, info.Mode().Perm())).Remedy("chmod 600 " + path)
	}
	b, err := ReadFile(path, maxSecret)
	if err != nil {
		return "", "", err
	}
	lines := strings.Fields(string(b))
	if len(lines) != 2 || strings.Count(strings.TrimSpace(string(b)), "\n") != 1 {
		return "", "", wrong.Because("it is not two lines").Remedy("write the access key in the first line and the secret key in the second")
	}
	return lines[0], lines[1], nil
}
