package git

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// address is where a repository is fetched from.
type address struct {
	scheme string // https or ssh
	user   string // of ssh; "" is for ssh to say
	host   string // with the port, where it is not the scheme's own
	path   string // as it is sent, percent-encoding included
}

var (
	hostForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?$`)
	userForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
	pathForm = regexp.MustCompile(`^/[A-Za-z0-9._~/+@:%-]{1,400}$`)
	ports    = map[string]string{"https": "443", "ssh": "22"}
)

// parseAddress reads a URL of a repository. Nothing but https and ssh is one:
// what git itself would make of others reads local files or runs programs.
func parseAddress(s string) (address, error) {
	refused := func(why, fix string) (address, error) {
		return address{}, fault.Invalidf("change.repository", "the repository's address cannot be used").Because(why).Remedy(fix).On("repository")
	}
	const example = "write it as in https://git.example.com/shop.git or ssh://git@git.example.com/shop.git"
	u, err := url.Parse(s)
	if err != nil || len(s) > 500 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return refused("it is no plain URL", example)
	}
	a := address{scheme: u.Scheme, user: u.User.Username(), path: strings.TrimRight(u.EscapedPath(), "/")}
	_, password := u.User.Password()
	switch {
	case ports[a.scheme] == "":
		return refused("it is neither https:// nor ssh://", example)
	case password || a.scheme == "https" && u.User != nil:
		return refused("it holds a name or a password", "leave it out of the address: the server has a file for it, --mirror-netrc")
	case a.user != "" && !userForm.MatchString(a.user):
		return refused("the user's name is not plain", example)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return refused("it has more than a path behind the host", example)
	case !pathForm.MatchString(a.path) || slices.Contains(strings.Split(u.Path, "/"), ".."):
		return refused("its path is not plain", example)
	}
	if a.host, err = hostOf(u.Host, ports[a.scheme]); err != nil {
		return refused("its host is not plain", example)
	}
	return a, nil
}

// hostOf is a host in lower case, with its port where that is another than own.
func hostOf(s, own string) (string, error) {
	host, port := strings.ToLower(s), own
	if strings.Contains(host, ":") {
		var err error
		if host, port, err = net.SplitHostPort(host); err != nil {
			return "", err
		}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if !hostForm.MatchString(host) || strings.Contains(host, "..") || port != own && (err != nil || number == 0 || strconv.FormatUint(number, 10) != port) {
		return "", strconv.ErrSyntax
	}
	if port != own {
		return host + ":" + port, nil
	}
	return host, nil
}

// String is the address as git takes it, the same for all ways to write it.
func (a address) String() string {
	user := ""
	if a.user != "" {
		user = a.user + "@"
	}
	return a.scheme + "://" + user + a.host + a.path
}

// name is that of the mirror's directory.
func (a address) name() string {
	sum := sha256.Sum256([]byte(a.String()))
	return hex.EncodeToString(sum[:16]) + suffix
}

const suffix = ".git"
