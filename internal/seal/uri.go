package seal

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/fault"
)

const (
	uriScheme = "pkcs11:"
	maxURI    = 2 << 10 // bytes
	maxPIN    = 255     // bytes; tokens take far fewer
)

// URI names a token, or one key in it, as RFC 7512 writes it, and says how it is
// reached. It holds no secret: the PIN is in a file that it names.
type URI struct {
	Token, Manufacturer, Serial, Model string // of the token; what is empty may be anything
	Object                             string // label of the key
	ID                                 string // CKA_ID of the key, the bytes themselves
	ModulePath, ModuleName             string // one of them: the module's file, or what stands between lib and .so
	PINFile                            string // absolute path
}

// attribute is one attribute of a URI that is known here.
type attribute struct {
	name  string
	value *string
	max   int // bytes, once decoded
}

// path is the attributes before the question mark, in the order in which they
// are written; the bounds of the first four are those of CK_TOKEN_INFO.
func (u *URI) path() []attribute {
	return []attribute{
		{"token", &u.Token, 32},
		{"manufacturer", &u.Manufacturer, 32},
		{"serial", &u.Serial, 16},
		{"model", &u.Model, 16},
		{"object", &u.Object, 128},
		{"id", &u.ID, 64},
	}
}

// query is the attributes after it.
func (u *URI) query() []attribute {
	return []attribute{{"module-path", &u.ModulePath, 512}, {"module-name", &u.ModuleName, 64}, {"pin-source", &u.PINFile, 512}}
}

// ParseURI reads a PKCS#11 URI strictly: it must name a token, a module and the
// file of the PIN; each attribute stands once. What is not known is refused, for
// it would have narrowed what is meant. No error repeats a value: it may be a PIN.
func ParseURI(text string) (URI, error) {
	var u URI
	rest, ours := strings.CutPrefix(text, uriScheme)
	if !ours || len(text) > maxURI {
		return URI{}, wrongURI("it does not begin with %s, or has more than %d bytes", uriScheme, maxURI)
	}
	path, query, asks := strings.Cut(rest, "?")
	if err := readAttributes(path, ";", "&", u.path()); err != nil {
		return URI{}, err
	}
	if asks {
		if err := readAttributes(query, "&", "/?|", u.query()); err != nil {
			return URI{}, err
		}
	}
	return u, u.complete()
}

func wrongURI(format string, args ...any) *fault.Error {
	return fault.Invalidf("seal.uri", "this is not the URI of a token").Because(fmt.Sprintf(format, args...)).
		Remedy("write it as pkcs11:token=LABEL?module-path=/…/module.so&pin-source=file:/…/pin, what is not a letter, digit or one of -._~ as %XX")
}

// readAttributes reads name=value between separators; more may stand in a value
// besides what RFC 7512 lets stand everywhere.
func readAttributes(text, separator, more string, known []attribute) error {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, separator) {
		name, encoded, _ := strings.Cut(part, "=")
		if seen[name] {
			return wrongURI("%.40q stands there twice", name)
		}
		seen[name] = true
		if name == "pin-value" {
			return wrongURI("a PIN does not belong into settings: they are read and shown by many").
				Remedy("put it into a file of mode 0600 and name that: pin-source=file:/…/pin")
		}
		if name == "type" && encoded == "private" {
			continue // said or not, it is the private key that signs
		}
		i := 0
		for i < len(known) && known[i].name != name {
			i++
		}
		if i == len(known) {
			return wrongURI("%.40q is not known here, and would narrow what is meant", name)
		}
		value, err := decodeValue(encoded, more)
		if err != nil || value == "" || len(value) > known[i].max {
			return wrongURI("the value of %s is empty, has more than %d bytes, or characters that must be written as %%XX", name, known[i].max)
		}
		if name != "id" && !printable(value) {
			return wrongURI("the value of %s is not printable text in UTF-8", name)
		}
		*known[i].value = value
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

func decodeValue(text, more string) (string, error) {
	for _, c := range []byte(text) {
		if c != '%' && !unreserved(c) && !strings.ContainsRune(":[]@!$'()*+,="+more, rune(c)) {
			return "", errors.New("a character that must be encoded")
		}
	}
	return url.PathUnescape(text)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// complete refuses a URI that says too little, and reads the path of the PIN's file.
func (u *URI) complete() error {
	if u.Token == "" && u.Serial == "" {
		return wrongURI("it names no token: neither token nor serial stands there")
	}
	if (u.ModulePath == "") == (u.ModuleName == "") {
		return wrongURI("it names no module, or two: one of module-path and module-name must stand there")
	}
	if u.ModulePath != "" && !plainPath(u.ModulePath) {
		return wrongURI("module-path is not an absolute path")
	}
	if strings.Trim(u.ModuleName, "-_+.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return wrongURI("module-name is not what stands between lib and .so in a file's name")
	}
	file, found := strings.CutPrefix(u.PINFile, "file:")
	if host, local := strings.CutPrefix(file, "//"); local {
		file = host
	}
	if !found || !plainPath(file) || strings.Contains(file, "%") {
		return wrongURI("pin-source is not file: and an absolute path")
	}
	u.PINFile = file
	return nil
}

func plainPath(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }

// String is the URI as ParseURI reads it.
func (u URI) String() string {
	u.PINFile = "file:" + u.PINFile
	var b strings.Builder
	b.WriteString(uriScheme)
	for _, list := range []struct {
		all              []attribute
		first, next, raw string
	}{{u.path(), "", ";", ""}, {u.query(), "?", "&", "/:"}} {
		before := list.first
		for _, a := range list.all {
			if *a.value != "" {
				b.WriteString(before + a.name + "=")
				encodeValue(&b, *a.value, list.raw, a.name == "id")
				before = list.next
			}
		}
	}
	return b.String()
}

func encodeValue(b *strings.Builder, value, raw string, all bool) {
	for i := range len(value) {
		if c := value[i]; !all && (unreserved(c) || strings.IndexByte(raw, c) >= 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}

// Holder is the token alone, without a key.
func (u URI) Holder() URI {
	u.Object, u.ID = "", ""
	return u
}

// Place says in a few words where a key is.
func (u URI) Place() string {
	text := "the token"
	for _, name := range []string{u.Token, u.Serial} {
		if name != "" {
			text += " " + name
		}
	}
	switch {
	case u.Object != "":
		text += ", object " + u.Object
	case u.ID != "":
		text += fmt.Sprintf(", id %x", u.ID)
	}
	return text
}

// PIN reads the PIN from its file, which its owner alone may read.
func (u URI) PIN() (string, error) {
	f, err := os.Open(u.PINFile)
	if err != nil {
		return "", fault.New(fault.Unavailable, "seal.pin-file", "the file of the PIN cannot be read").At(fault.Position{File: u.PINFile}).
			Because("there is none, or it is another's").Remedy("write the PIN into it, in one line, with mode 0600, owned by whoever runs the server").Cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("look at the file of the PIN: %w", err)
	}
	if err := private(u.PINFile, info, "chmod 600 "); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPIN+2))
	if err != nil {
		return "", fmt.Errorf("read the file of the PIN: %w", err)
	}
	pin := strings.TrimSuffix(string(b), "\n")
	if pin == "" || len(pin) > maxPIN || !printable(pin) {
		return "", fault.Invalidf("seal.pin-file", "the file of the PIN holds none").At(fault.Position{File: u.PINFile}).
			Because(fmt.Sprintf("it is not one line of 1 to %d printable bytes", maxPIN)).Remedy("write the PIN into it, in one line")
	}
	return pin, nil
}
