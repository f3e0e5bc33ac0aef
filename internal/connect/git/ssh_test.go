package git

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/crypto/ssh"

	"signalbox.dev/signalbox/internal/fault"
)

// sshHost serves the repositories in a directory by ssh to the holder of one key.
type sshHost struct {
	dir      string
	listener net.Listener
	config   *ssh.ServerConfig
	key      ssh.PublicKey // of the host
}

func newSSHHost(t *testing.T, admitted ssh.PublicKey) *sshHost {
	t.Helper()
	own := newSSHKey(t)
	h := &sshHost{dir: t.TempDir(), key: own.PublicKey(), config: &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !bytes.Equal(key.Marshal(), admitted.Marshal()) {
				return nil, errors.New("a stranger")
			}
			return &ssh.Permissions{}, nil
		},
	}}
	h.config.AddHostKey(own)
	var err error
	if h.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.listener.Close() })
	go func() {
		for {
			line, err := h.listener.Accept()
			if err != nil {
				return
			}
			go h.serve(line)
		}
	}()
	return h
}

var uploadPack = regexp.MustCompile(`^git-upload-pack '(/[a-z.]+)'$`)

func (h *sshHost) serve(line net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(line, h.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, asked, err := c.Accept()
		if err != nil {
			return
		}
		for r := range asked {
			if r.Type != "exec" {
				_ = r.Reply(r.Type == "env", nil)
				continue
			}
			var command struct{ Line string }
			m := []string(nil)
			if ssh.Unmarshal(r.Payload, &command) == nil {
				m = uploadPack.FindStringSubmatch(command.Line)
			}
			_ = r.Reply(m != nil, nil)
			code := uint32(1)
			if m != nil {
				cmd := exec.Command("git", "upload-pack", filepath.Join(h.dir, m[1]))
				cmd.Stdin, cmd.Stdout, cmd.Stderr = channel, channel, channel.Stderr()
				if cmd.Run() == nil {
					code = 0
				}
			}
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
			_ = channel.Close()
			break
		}
	}
}

// keyFile is a private key as ssh reads it.
func keyFile(t *testing.T) (path string, public ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "it's a key")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return path, signer.PublicKey()
}

func TestMirrorBySSH(t *testing.T) {
	key, public := keyFile(t)
	other, _ := keyFile(t)
	h := newSSHHost(t, public)
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("feat: begin")
	w.git("clone", "-q", "--bare", w.dir, filepath.Join(h.dir, "shop.git"))
	_, port, err := net.SplitHostPort(h.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	known := func(key ssh.PublicKey) string {
		path := filepath.Join(t.TempDir(), "known hosts")
		if err := os.WriteFile(path, fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, ssh.MarshalAuthorizedKey(key)), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	options := func(key, known string) MirrorOptions {
		return MirrorOptions{Dir: t.TempDir(), Hosts: []string{"127.0.0.1:" + port}, SSHKey: key, KnownHosts: known, Size: 1 << 20, Total: 1 << 20, Idle: 1 << 40}
	}
	url := "ssh://git@127.0.0.1:" + port + "/shop.git"
	if raw, err := mirrors(t, options(key, known(h.key))).Inspect(t.Context(), url, Options{}); err != nil || len(raw.Commits) != 1 {
		t.Errorf("%+v %v", raw, err)
	}
	refused(t, mirrors(t, options(other, known(h.key))), url, fault.Unavailable, "--mirror-ssh-key")
	refused(t, mirrors(t, options(key, known(newSSHKey(t).PublicKey()))), url, fault.Unavailable, "cannot be fetched") // another machine answers
	refused(t, mirrors(t, options(key, filepath.Join(h.dir, "shop.git", "HEAD"))), url, fault.Unavailable, "cannot be fetched")
}
