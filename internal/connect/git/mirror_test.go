package git

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// host serves the repositories in a directory by https, as a forge does.
type host struct {
	*httptest.Server
	dir     string
	fetches atomic.Int32
	user    string       // "user:password" that is asked for; "" asks for none
	before  http.Handler // answers instead where it is not nil
	hold    chan struct{}
}

func newHost(t *testing.T) *host {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{dir: t.TempDir()}
	backend := &cgi.Handler{
		Path:       filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:        []string{"GIT_PROJECT_ROOT=" + h.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		InheritEnv: []string{"PATH"},
	}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info/refs") {
			h.fetches.Add(1)
			if h.hold != nil {
				<-h.hold
			}
		}
		user, password, _ := r.BasicAuth()
		switch {
		case h.before != nil:
			h.before.ServeHTTP(w, r)
		case h.user != "" && user+":"+password != h.user:
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			backend.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) name() string { return strings.TrimPrefix(h.URL, "https://") }

// publish makes a bare repository of the host, and the workshop that pushes to it.
func (h *host) publish(t *testing.T, name string, options ...string) *workshop {
	t.Helper()
	w := newWorkshop(t, options...)
	w.write("a.txt", lines(5))
	w.commit("feat: begin")
	w.git("tag", "v1.0.0")
	w.git(append([]string{"init", "-q", "--bare", "-b", "main", filepath.Join(h.dir, name)}, options...)...)
	w.git("remote", "add", "origin", filepath.Join(h.dir, name))
	w.push()
	return w
}

func (w *workshop) push() {
	w.t.Helper()
	w.git("-c", "protocol.file.allow=always", "push", "-q", "--force", "--prune", "origin", "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*")
}

// options for mirrors of the host.
func (h *host) options(t *testing.T) MirrorOptions {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return MirrorOptions{Dir: filepath.Join(t.TempDir(), "mirrors"), Hosts: []string{h.name()}, CA: ca, Size: 50 << 20, Total: 100 << 20, Idle: time.Hour}
}

func mirrors(t *testing.T, o MirrorOptions) *Mirrors {
	t.Helper()
	m, err := NewMirrors(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// refused checks that nothing is read, of a kind and with words.
func refused(t *testing.T, m *Mirrors, url string, kind fault.Kind, words string) error {
	t.Helper()
	raw, err := m.Inspect(t.Context(), url, Options{})
	if fault.KindOf(err) != kind || !strings.Contains(fmt.Sprint(err), words) || len(raw.Commits) > 0 {
		t.Errorf("%s: %d commits, %v", url, len(raw.Commits), err)
	}
	return err
}

// A mirror stands where its origin stands, whenever it is read.
func TestMirrorFollows(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		h := newHost(t)
		w := h.publish(t, "shop.git", "--object-format="+format)
		m := mirrors(t, h.options(t))
		url := h.URL + "/shop.git"
		read := func(from, to string) change.Raw {
			t.Helper()
			raw, err := m.Inspect(t.Context(), url, Options{From: from, To: to})
			if err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			return raw
		}
		if raw := read("", ""); len(raw.Commits) != 1 || raw.Commits[0].Subject != "feat: begin" || raw.Repository != url {
			t.Errorf("at first: %+v", raw)
		}
		w.write("a.txt", lines(7))
		w.commit("fix: more")
		w.git("tag", "v1.0.1")
		w.push()
		if raw := read("v1.0.0", "v1.0.1"); len(raw.Commits) != 1 || raw.Files[0].Added != 2 {
			t.Errorf("what came later: %+v", raw)
		}
		w.git("reset", "-q", "--hard", "v1.0.0")
		w.write("b.txt", "other\n")
		w.commit("fix: other")
		w.git("tag", "-f", "v1.0.1")
		w.git("tag", "-d", "v1.0.0")
		w.push()
		if raw := read("", "v1.0.1"); len(raw.Commits) != 2 || raw.Commits[0].Subject != "fix: other" {
			t.Errorf("what moved: %+v", raw.Commits)
		}
		if _, err := m.Inspect(t.Context(), url, Options{From: "v1.0.0"}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a tag that is gone: %v", err)
		}
		replaced := w.git("commit-tree", "-m", "innocent", "HEAD^{tree}")
		w.git("replace", "HEAD", replaced)
		w.git("-c", "protocol.file.allow=always", "push", "-q", "origin", "refs/replace/*:refs/replace/*")
		if raw := read("", "main"); raw.Commits[0].Subject != "fix: other" {
			t.Errorf("a replacement came along: %+v", raw.Commits)
		}
		h.Close()
		refused(t, m, url, fault.Unavailable, "cannot be fetched")
	}
}

func TestMirrorWithoutHead(t *testing.T) {
	h := newHost(t)
	w := h.publish(t, "shop.git")
	w.git("--git-dir="+filepath.Join(h.dir, "shop.git"), "symbolic-ref", "HEAD", "refs/heads/absent")
	m := mirrors(t, h.options(t))
	if raw, err := m.Inspect(t.Context(), h.URL+"/shop.git", Options{To: "main"}); err != nil || len(raw.Commits) != 1 {
		t.Errorf("%+v %v", raw, err)
	}
	refused(t, m, h.URL+"/shop.git", fault.NotFound, "knows no commit")
	w.git("init", "-q", "--bare", filepath.Join(h.dir, "empty.git"))
	refused(t, m, h.URL+"/empty.git", fault.NotFound, "no commits yet")
}

func TestAddressesAreRefused(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	m := mirrors(t, h.options(t))
	trap := filepath.Join(t.TempDir(), "ran")
	for _, url := range []string{
		"file://" + h.dir + "/shop.git", h.dir + "/shop.git", "shop.git", "ext::sh -c touch% " + trap, "http://" + h.name() + "/shop.git", "git://" + h.name() + "/shop.git",
		"ftp://" + h.name() + "/x", "https:///shop.git", "https://", "https://" + h.name(), "https://" + h.name() + "/", "git@" + h.name() + ":shop.git", "HTTPS:shop",
		"https://user@" + h.name() + "/shop.git", "https://user:word@" + h.name() + "/shop.git", "ssh://user:word@" + h.name() + "/shop.git", "ssh://-oProxyCommand=x/shop.git",
		"ssh://-l@" + h.name() + "/x", h.URL + "/shop.git?x=y", h.URL + "/shop.git#x", h.URL + "/../shop.git", h.URL + "/a b", h.URL + "/a\nb", h.URL + "/$(touch x)",
		h.URL + "/'x'", "--upload-pack=touch " + trap, "https://[::1]/shop.git", "https://a..b/shop.git", "https://" + strings.Repeat("a", 600) + "/x", "https://host:0/x", "https://host:99999/x", "https://host:08/x", "https::/x",
	} {
		refused(t, m, url, fault.Invalid, "address cannot be used")
	}
	for _, url := range []string{"https://example.com/shop.git", "https://169.254.169.254/latest", "https://127.0.0.1:1/x", "https://127.0.0.1/shop.git", "ssh://git@example.com/x"} {
		refused(t, m, url, fault.Forbidden, "may not fetch from")
	}
	refused(t, m, "ssh://git@"+h.name()+"/shop.git", fault.Invalid, "cannot fetch by ssh")
	if n := h.fetches.Load(); n != 0 {
		t.Errorf("the host was asked %d times", n)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("a program was run")
	}
	if raw, err := m.Inspect(t.Context(), strings.ToUpper(h.URL[:5])+h.URL[5:]+"/shop.git/", Options{}); err != nil || raw.Repository != h.URL+"/shop.git" {
		t.Errorf("control: %v", err)
	}
}

// No answer of the host leads anywhere else.
func TestMirrorIsNotLedElsewhere(t *testing.T) {
	h, other := newHost(t), newHost(t)
	other.publish(t, "shop.git")
	h.publish(t, "shop.git")
	m := mirrors(t, h.options(t))
	for _, code := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect} {
		h.before = http.RedirectHandler(other.URL+"/shop.git/info/refs?service=git-upload-pack", code)
		refused(t, m, h.URL+"/shop.git", fault.Unavailable, "redirects are not followed")
	}
	// The old protocol names further places to fetch from.
	h.before = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/info/refs"):
			fmt.Fprintf(w, "%s\trefs/heads/main\n", strings.Repeat("1", 40))
		case strings.HasSuffix(r.URL.Path, "alternates"):
			fmt.Fprintf(w, "%s/shop.git/objects\n", other.URL)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	refused(t, m, h.URL+"/shop.git", fault.Unavailable, "cannot be fetched")
	if n := other.fetches.Load(); n != 0 {
		t.Errorf("the other host was asked %d times", n)
	}
	h.before = nil
	if _, err := m.Inspect(t.Context(), h.URL+"/shop.git", Options{}); err != nil {
		t.Errorf("control: %v", err)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	o := h.options(t)
	o.CA = ""
	refused(t, mirrors(t, o), h.URL+"/shop.git", fault.Unavailable, "cannot be fetched")
}

func TestNamesAndPasswords(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	h.user = "ada:hunter2"
	o := h.options(t)
	refused(t, mirrors(t, o), h.URL+"/shop.git", fault.Unavailable, "--mirror-netrc")
	o.Netrc = filepath.Join(t.TempDir(), "netrc")
	machine, _, _ := strings.Cut(h.name(), ":")
	write := func(password string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(o.Netrc, []byte("machine "+machine+" login ada password "+password+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(o.Netrc, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2", 0o644)
	if _, err := NewMirrors(o); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a secret that others can read: %v", err)
	}
	write("hunter2", 0o600)
	m := mirrors(t, o)
	if raw, err := m.Inspect(t.Context(), h.URL+"/shop.git", Options{}); err != nil || len(raw.Commits) != 1 {
		t.Errorf("%+v %v", raw, err)
	}
	write("wrongword", 0o600)
	err := refused(t, m, h.URL+"/shop.git", fault.Unavailable, "cannot be fetched")
	for e := err; e != nil; e = unwrapped(e) {
		if strings.Contains(fmt.Sprintf("%+v", e), "wrongword") {
			t.Errorf("the password is told: %v", e)
		}
	}
}

func unwrapped(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

func TestSecretsAreCutOut(t *testing.T) {
	err := unfetched(address{scheme: "https", host: "h", path: "/x"}, &failure{text: "fatal: proxy https://ada:hunter2@proxy:3128/ failed"})
	if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "//…@proxy") {
		t.Error(err)
	}
}

func TestMirrorIsBounded(t *testing.T) {
	h := newHost(t)
	w := h.publish(t, "large.git")
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 3 * 7 >> (i % 5))
	}
	h.publish(t, "small.git")
	w.write("noise", string(bytes.Map(func(r rune) rune { return r }, noise)))
	w.commit("chore: noise")
	w.push()
	o := h.options(t)
	o.Size = 100 << 10
	m := mirrors(t, o)
	refused(t, m, h.URL+"/large.git", fault.TooLarge, "larger than")
	if left, err := filepath.Glob(filepath.Join(o.Dir, "*.git")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := m.Inspect(t.Context(), h.URL+"/small.git", Options{}); err != nil {
		t.Errorf("control: %v", err)
	}
}

func TestSweep(t *testing.T) {
	h := newHost(t)
	o := h.options(t)
	m := mirrors(t, o)
	for _, name := range []string{"a.git", "b.git", "c.git"} {
		h.publish(t, name)
		if _, err := m.Inspect(t.Context(), h.URL+"/"+name, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	dir := func(name string) string {
		a, err := parseAddress(h.URL + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(o.Dir, a.name())
	}
	age := func(name string, by time.Duration) {
		t.Helper()
		when := time.Now().Add(-by)
		if err := os.Chtimes(filepath.Join(dir(name), originFile), when, when); err != nil {
			t.Fatal(err)
		}
	}
	there := func(want string) {
		t.Helper()
		var got string
		for _, name := range []string{"a", "b", "c"} {
			if _, err := os.Stat(dir(name + ".git")); err == nil {
				got += name
			}
		}
		if got != want {
			t.Errorf("%q are there, want %q", got, want)
		}
	}
	there("abc")
	age("a.git", 2*time.Hour)
	if err := m.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	there("bc") // a was not used for longer than Idle
	age("b.git", time.Minute)
	m.o.Total = weight(dir("c.git")) + 100
	if err := m.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	there("c")
	m.o.Hosts = []string{"example.com"}
	if err := m.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	there("")
}

// What is read was fetched after it was asked for; who asks at once shares.
func TestFetchesAreShared(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	m := mirrors(t, h.options(t))
	url := h.URL + "/shop.git"
	if _, err := m.Inspect(t.Context(), url, Options{}); err != nil {
		t.Fatal(err)
	}
	h.fetches.Store(0)
	h.hold = make(chan struct{})
	var all sync.WaitGroup
	ask := func() {
		all.Go(func() {
			if _, err := m.Inspect(t.Context(), url, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	ask()
	for h.fetches.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 10 {
		ask()
	}
	a, err := parseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	for one := m.mirror(a.name()); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		waiting := one.next != nil
		m.mu.Unlock()
		if waiting {
			break
		}
	}
	close(h.hold)
	all.Wait()
	if n := h.fetches.Load(); n < 2 || n > 11 {
		t.Errorf("%d fetches for eleven that asked", n)
	}
}

func TestCallerNeedNotWait(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	h.hold = make(chan struct{})
	m := mirrors(t, h.options(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Inspect(ctx, h.URL+"/shop.git", Options{}); fault.KindOf(err) != fault.Busy {
		t.Errorf("while it is fetched: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := m.Inspect(gone, h.URL+"/shop.git", Options{}); err == nil || fault.KindOf(err) == fault.Busy {
		t.Errorf("who went away: %v", err)
	}
	close(h.hold)
	if _, err := m.Inspect(t.Context(), h.URL+"/shop.git", Options{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestLeaseIsTaken(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	o := h.options(t)
	var asked, released atomic.Int32
	o.Lease = func(_ context.Context, name string) (func(), bool, error) {
		if !strings.HasPrefix(name, "mirror/") {
			t.Errorf("the lease of %q", name)
		}
		return func() { released.Add(1) }, asked.Add(1) > 2, nil
	}
	m := mirrors(t, o)
	if _, err := m.Inspect(t.Context(), h.URL+"/shop.git", Options{}); err != nil {
		t.Fatal(err)
	}
	if asked.Load() < 3 || released.Load() < 1 {
		t.Errorf("asked %d times, given back %d times", asked.Load(), released.Load())
	}
}

// A mirror that is damaged is thrown away, not read, and never taken for a
// repository that it happens to lie in.
func TestDamagedMirror(t *testing.T) {
	h := newHost(t)
	h.publish(t, "shop.git")
	o := h.options(t)
	around := newWorkshop(t)
	around.commit("around")
	o.Dir = filepath.Join(around.dir, "mirrors")
	defer func() {
		if got := around.git("for-each-ref", "--format=%(refname)"); got != "refs/heads/main" || around.git("log", "--format=%s") != "around" {
			t.Errorf("the repository around has %q", got)
		}
	}()
	m := mirrors(t, o)
	url := h.URL + "/shop.git"
	if _, err := m.Inspect(t.Context(), url, Options{}); err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(o.Dir, "*.git", "objects", "pack", "*.idx"))
	if err != nil || len(packs) == 0 {
		t.Fatal(packs, err)
	}
	all, err := filepath.Glob(filepath.Join(o.Dir, "*.git", "HEAD"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := os.WriteFile(all[0], []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if raw, err := m.Inspect(t.Context(), url, Options{}); err != nil || len(raw.Commits) != 1 {
		t.Errorf("fetched anew: %+v %v", raw, err)
	}
	for _, p := range packs { // the objects are lost, and git does not notice while it fetches
		if err := os.RemoveAll(filepath.Dir(p)); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := m.Inspect(t.Context(), url, Options{}); err == nil && len(raw.Commits) != 1 || err != nil && fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without objects: %+v %v", raw, err)
	}
	if raw, err := m.Inspect(t.Context(), url, Options{}); err != nil || len(raw.Commits) != 1 {
		t.Errorf("at last: %+v %v", raw, err)
	}
}

func TestManyPacksBecomeOne(t *testing.T) {
	h := newHost(t)
	w := h.publish(t, "shop.git")
	o := h.options(t)
	m := mirrors(t, o)
	m.packs = 3
	for i := range 6 {
		w.write("a.txt", lines(i))
		w.commit(fmt.Sprint("fix: ", i))
		w.push()
		if raw, err := m.Inspect(t.Context(), h.URL+"/shop.git", Options{}); err != nil || len(raw.Commits) != i+2 {
			t.Fatalf("%d commits of %d, %v", len(raw.Commits), i+2, err)
		}
	}
	packs, err := filepath.Glob(filepath.Join(o.Dir, "*.git", "objects", "pack", "*.pack"))
	if err != nil || len(packs) > 4 {
		t.Errorf("%d packs, %v", len(packs), err)
	}
}

func TestMirrorOptionsAreChecked(t *testing.T) {
	good := MirrorOptions{Dir: t.TempDir(), Hosts: []string{"Git.example.com", "git.example.com:8443"}, Size: 1, Total: 2, Idle: 1}
	m := mirrors(t, good)
	for _, s := range []string{"https://git.example.com/x", "https://git.example.com:443/x", "https://git.example.com:8443/x"} {
		a, err := parseAddress(s)
		if err != nil || m.allowed(a) != nil {
			t.Errorf("%s: %v %v", s, err, m.allowed(a))
		}
	}
	for name, spoil := range map[string]func(*MirrorOptions){
		"a URL as host":   func(o *MirrorOptions) { o.Hosts = []string{"https://git.example.com"} },
		"a pattern":       func(o *MirrorOptions) { o.Hosts = []string{"*.example.com"} },
		"nothing as host": func(o *MirrorOptions) { o.Hosts = []string{""} },
		"an absent file":  func(o *MirrorOptions) { o.CA = "absent" },
		"no size":         func(o *MirrorOptions) { o.Size = 0 },
		"too little":      func(o *MirrorOptions) { o.Total = 0 },
		"no time":         func(o *MirrorOptions) { o.Idle = 0 },
	} {
		o := good
		if spoil(&o); true {
			if _, err := NewMirrors(o); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("https://git.example.com:8443/a/b.git")
	f.Add("ssh://git@git.example.com/~a/b.git")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		again, err := parseAddress(a.String())
		if err != nil || again.String() != a.String() || strings.ContainsAny(a.String(), " '\"`$\\\n;|&<>()") || strings.HasPrefix(a.host, "-") {
			t.Errorf("%q is %q, then %q, %v", s, a, again, err)
		}
	})
}
