package storetest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
)

// Proxy stands before a PostgreSQL server and can cut a connection at the next
// commit, or all of them for as long as that is stored in it.
type Proxy struct {
	atomic.Int32
	target string
	listen net.Listener
}

// What a Proxy does at the next commit, after which it lets pass again, or until
// something else is stored.
const (
	Pass       int32 = iota
	LoseCommit       // the server never sees it
	LoseAnswer       // the server commits, its answer is lost
	Away             // nothing reaches the server
)

// Through is the URL of db by way of a new proxy.
func Through(t testing.TB, db string) (*Proxy, string) {
	t.Helper()
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u.Host}
	if p.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.listen.Close() })
	go p.serve()
	u.Host = p.listen.Addr().String()
	return p, u.String()
}

func (p *Proxy) serve() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		go p.join(client)
	}
}

func (p *Proxy) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	go func() {
		defer client.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := server.Read(b)
			if mute.Load() {
				return
			}
			if _, failed := client.Write(b[:n]); err != nil || failed != nil {
				return
			}
		}
	}()
	b := make([]byte, 1<<16)
	var named commitName
	for {
		n, err := client.Read(b)
		if p.Load() == Away {
			return
		}
		if named.runs(b[:n]) {
			switch p.Swap(Pass) {
			case LoseCommit:
				return
			case LoseAnswer:
				mute.Store(true)
			}
		}
		if _, failed := server.Write(b[:n]); err != nil || failed != nil {
			return
		}
		if mute.Load() {
			_, _ = io.Copy(io.Discard, client)
			return
		}
	}
}

// commitName is what a connection has called its prepared commit.
type commitName []byte

// runs reports whether a message runs a commit: by its text, or by the name
// under which it was prepared.
func (c *commitName) runs(b []byte) bool {
	text := []byte("\x00commit\x00")
	if i := bytes.Index(b, text); i >= 0 {
		// A Parse is 'P', four bytes of length, the name, NUL, the text, NUL.
		start := bytes.LastIndexByte(b[:i], 'P')
		for start >= 0 && start+5 < i && b[start+1] != 0 {
			start = bytes.LastIndexByte(b[:start], 'P')
		}
		if start >= 0 && start+5 < i {
			*c = bytes.Clone(b[start+5 : i])
			return false
		}
	}
	return len(*c) > 0 && bytes.Contains(b, slices.Concat([]byte{0}, *c, []byte{0}))
}
