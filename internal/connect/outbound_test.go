package connect

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"93.184.216.34:443": "public", "[2606:2800:220:1::1]:443": "public",
		"127.0.0.1:80": "private", "[::1]:80": "private", "10.1.2.3:443": "private", "192.168.0.1:443": "private", "172.16.9.9:1": "private",
		"[fd00::1]:443": "private", "[::ffff:10.0.0.1]:443": "private", "[::ffff:127.0.0.1]:80": "private",
		"169.254.169.254:80": "never", "[fe80::1%eth0]:80": "never", "0.0.0.0:80": "never", "[::]:80": "never", "224.0.0.1:80": "never",
		"100.64.0.1:80": "never", "[64:ff9b::a9fe:a9fe]:80": "never", "[2002:a9fe:a9fe::]:80": "never", "255.255.255.255:80": "never",
		"[::ffff:169.254.169.254]:80": "never", "example.com:443": "never", "": "never",
	} {
		got := "never"
		switch {
		case Outbound{}.admits(address) == nil:
			got = "public"
		case Outbound{Private: true}.admits(address) == nil:
			got = "private"
		}
		if got != want {
			t.Errorf("%q is %s, want %s", address, got, want)
		}
	}
}

// A client reaches this machine only where that is allowed, and follows nobody elsewhere.
func TestClient(t *testing.T) {
	led := false
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		led = led || r.URL.Path == "/elsewhere"
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
		_, _ = io.WriteString(w, "answered")
	}))
	defer h.Close()
	for _, private := range []bool{false, true} {
		c, err := Client(Outbound{Private: private, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{h.URL, strings.Replace(h.URL, "127.0.0.1", "localhost", 1), h.URL + "/redirect"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.Do(r)
			if (err == nil) != private {
				t.Errorf("%s with private %v: %v", url, private, err)
			}
			if err == nil {
				_ = answer.Body.Close()
			}
		}
	}
	if led {
		t.Error("a redirect was followed")
	}
	if _, err := Client(Outbound{CA: filepath.Join(t.TempDir(), "absent")}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no file of certificates: %v", err)
	}
}
