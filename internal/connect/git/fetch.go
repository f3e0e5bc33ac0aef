package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// update brings a mirror up to date with its origin. A first fetch that fails
// leaves nothing behind; a later one leaves what was there, which is not read
// until one succeeds. First is whether there was none.
func (m *Mirrors) update(ctx context.Context, a address, one *mirror) (first bool, err error) {
	dir := filepath.Join(m.o.Dir, a.name())
	_, err = os.Stat(filepath.Join(dir, originFile))
	if first = errors.Is(err, os.ErrNotExist); first {
		if err := m.begin(ctx, a, dir, "sha1"); err != nil {
			return first, err
		}
	}
	litter(dir)
	err = m.fetch(ctx, a, dir, true)
	if failed, ok := errors.AsType[*failure](err); ok {
		first = first || damaged.MatchString(failed.text)
		err = m.again(ctx, a, dir, failed, first)
	}
	if err == nil {
		err = m.pack(ctx, a, dir, one)
	}
	if err != nil {
		litter(dir)
		if first {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		return first, unfetched(a, err)
	}
	if err := os.WriteFile(filepath.Join(dir, originFile), []byte(a.String()+"\n"), 0o600); err != nil {
		return first, fmt.Errorf("mirror %s: %w", a, err)
	}
	return first, nil
}

// begin makes an empty mirror. Its HEAD is what the origin's is.
func (m *Mirrors) begin(ctx context.Context, a address, dir, format string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("mirror %s: %w", a, err)
	}
	r := repository{dir: m.o.Dir, env: append(environment(), "GIT_CONFIG_GLOBAL="+os.DevNull)}
	if _, err := r.line(ctx, "init", "--quiet", "--bare", "--template=", "--object-format="+format, dir); err != nil {
		return fmt.Errorf("mirror %s: %w", a, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/signalbox/head\n"), 0o600); err != nil {
		return fmt.Errorf("mirror %s: %w", a, err)
	}
	return nil
}

// damaged is what git says of a mirror that is not whole any more.
var damaged = regexp.MustCompile(`not a git repository|corrupt|bad object|unable to read|did not send all necessary objects`)

// again tries once more where git's answer says how.
func (m *Mirrors) again(ctx context.Context, a address, dir string, f *failure, first bool) error {
	switch {
	case damaged.MatchString(f.text):
		if err := m.begin(ctx, a, dir, "sha1"); err != nil {
			return err
		}
		err := m.fetch(ctx, a, dir, true)
		if f, ok := errors.AsType[*failure](err); ok && !damaged.MatchString(f.text) {
			return m.again(ctx, a, dir, f, first)
		}
		return err
	case first && strings.Contains(f.text, "mismatched algorithms"):
		if err := m.begin(ctx, a, dir, "sha256"); err != nil {
			return err
		}
		return m.fetch(ctx, a, dir, true)
	case strings.Contains(f.text, "find remote ref HEAD"): // its HEAD names a branch that is not there
		r := repository{dir: dir, env: inside(dir)}
		if _, err := r.line(ctx, "update-ref", "-d", "refs/signalbox/head"); err != nil {
			return err
		}
		return m.fetch(ctx, a, dir, false)
	}
	return f
}

// transfer is how git fetches: by the one scheme, to the one host, from nowhere
// that host points to, with nothing but what the administrator gave.
func (m *Mirrors) transfer(a address) []string {
	all := []string{
		"protocol.allow=never", "protocol." + a.scheme + ".allow=always", "protocol.version=2",
		"http.followRedirects=false", "http.sslVerify=true", "http.saveCookies=false", "http.cookieFile=",
		"http.lowSpeedLimit=1000", "http.lowSpeedTime=30",
		"credential.helper=", "core.askPass=", "core.hooksPath=" + os.DevNull, "core.fsmonitor=false",
		"gc.auto=0", "maintenance.auto=false", "fetch.unpackLimit=1", "fetch.recurseSubmodules=false", "fetch.writeCommitGraph=false",
		"transfer.bundleURI=false", "pack.threads=1", "pack.windowMemory=256m",
	}
	if m.o.CA != "" {
		all = append(all, "http.sslCAInfo="+m.o.CA)
	}
	if a.scheme == "ssh" {
		all = append(all, "ssh.variant=ssh", "core.sshCommand="+strings.Join([]string{
			"ssh", "-F", "none", "-i", quoted(m.o.SSHKey), "-o", "UserKnownHostsFile=" + quoted(`"`+m.o.KnownHosts+`"`),
			"-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
			"-o", "IdentityAgent=none", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes", "-o", "ProxyCommand=none",
			"-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3",
		}, " "))
	}
	return all
}

// inside is the environment of git in a mirror, and never in a repository that
// the mirror's directory lies in.
func inside(dir string) []string {
	return append(environment(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_DIR="+dir)
}

// quoted is s as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// proxies are the variables of an environment that say how to reach the outside.
var proxies = []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"}

// fetch fetches branches and tags, and HEAD where it is to be had.
func (m *Mirrors) fetch(ctx context.Context, a address, dir string, head bool) error {
	home, err := m.home()
	if err != nil {
		return err
	}
	env := append(inside(dir), "HOME="+home, "GIT_ALLOW_PROTOCOL="+a.scheme)
	for _, name := range proxies {
		if v, set := os.LookupEnv(name); set {
			env = append(env, name+"="+v)
		}
	}
	refs := []string{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	if head {
		refs = append(refs, "+HEAD:refs/signalbox/head")
	}
	args := append([]string{
		"fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-auto-maintenance", "--no-write-fetch-head", "--no-recurse-submodules",
		"--update-head-ok", "--no-show-forced-updates", "--end-of-options", a.String(),
	}, refs...)
	limited, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watched := make(chan struct{})
	go func() { m.watch(limited, dir, stop); close(watched) }()
	r := repository{dir: dir, env: env, settings: m.transfer(a), group: true}
	err = r.stream(limited, nil, func(out io.Reader) error { _, err := io.Copy(io.Discard, out); return err }, args...)
	cause := context.Cause(limited)
	stop(nil)
	<-watched
	if err != nil && fault.KindOf(cause) == fault.TooLarge {
		return cause
	}
	return err
}

// home is the home directory that a fetch sees: nothing, or the file of names
// and passwords, which neither arguments nor variables carry.
func (m *Mirrors) home() (string, error) {
	home := filepath.Join(m.o.Dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", fmt.Errorf("directory of mirrors: %w", err)
	}
	netrc := filepath.Join(home, ".netrc")
	if there, err := os.Readlink(netrc); m.o.Netrc != "" && err == nil && there == m.o.Netrc {
		return home, nil
	}
	if err := os.RemoveAll(netrc); err != nil || m.o.Netrc == "" {
		return home, err
	}
	return home, os.Symlink(m.o.Netrc, netrc)
}

// watch stops a fetch that makes the mirror larger than it may be.
func (m *Mirrors) watch(ctx context.Context, dir string, stop context.CancelCauseFunc) {
	for {
		if weight(dir) > m.o.Size {
			stop(m.tooLarge())
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (m *Mirrors) tooLarge() error {
	return fault.New(fault.TooLarge, "change.mirror-size", fmt.Sprintf("the repository is larger than %d bytes", m.o.Size)).
		Remedy("an administrator can raise --mirror-size; or send the change from the pipeline: --repo PATH --from A --to B")
}

// pack makes many packs one, without what nothing refers to any more, and
// refuses a mirror that is too large all the same.
func (m *Mirrors) pack(ctx context.Context, a address, dir string, one *mirror) error {
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil {
		return fmt.Errorf("mirror %s: %w", a, err)
	}
	if len(packs) > m.packs || weight(dir) > m.o.Size {
		one.Lock()
		defer one.Unlock()
		r := repository{dir: dir, env: inside(dir), settings: m.transfer(a), group: true}
		if _, err := r.line(ctx, "repack", "-a", "-d", "-q", "--no-write-bitmap-index"); err != nil {
			return err
		}
	}
	if weight(dir) > m.o.Size {
		return m.tooLarge()
	}
	return nil
}

// litter removes what a fetch that was killed left. The lease is held.
func litter(dir string) {
	for _, pattern := range []string{"objects/pack/tmp_*", "objects/tmp_*", "*.lock", "refs/*/*.lock", "shallow.lock"} {
		all, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			continue
		}
		for _, path := range all {
			_ = os.RemoveAll(path) // what stays is in the way of the next fetch, which says so
		}
	}
}

// secret is a name and password in an address, such as a proxy's.
var secret = regexp.MustCompile(`//[^/@\s]*@`)

// unfetched says why a repository was not fetched, without what is secret.
func unfetched(a address, err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	why := said(secret.ReplaceAllString(f.text, "//…@"))
	e := fault.New(fault.Unavailable, "change.unfetched", "the repository "+a.String()+" cannot be fetched").Because(why).Cause(errors.New(why))
	switch {
	case strings.Contains(why, "redirect") || strings.Contains(why, "error: 30"):
		return e.Remedy("redirects are not followed: write the address that it leads to")
	case strings.Contains(why, "terminal prompts disabled") || strings.Contains(why, "Authentication failed") || strings.Contains(why, "Permission denied"):
		return e.Remedy("give the server a name and password for the host with --mirror-netrc, or a key with --mirror-ssh-key")
	}
	return e.Remedy("see that the server reaches it, or send the change from the pipeline: --repo PATH --from A --to B")
}
