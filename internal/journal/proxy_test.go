package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// proxy stands before a PostgreSQL server and can cut a connection at the next commit.
type proxy struct {
	target string
	listen net.Listener
	cut    atomic.Int32 // what to do at the next commit
}

const (
	pass      int32 = iota
	cutBefore       // the server never sees it
	cutAfter        // the server commits, its answer is lost
)

// through is the URL of db by way of a new proxy.
func through(t *testing.T, db string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host}
	if p.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.listen.Close() })
	go p.serve()
	u.Host = p.listen.Addr().String()
	return p, u.String()
}

func (p *proxy) serve() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		go p.join(client)
	}
}

func (p *proxy) join(client net.Conn) {
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
		if named.runs(b[:n]) {
			switch p.cut.Swap(pass) {
			case cutBefore:
				return
			case cutAfter:
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

// A commit whose answer was lost is looked up, and told as it is.
func TestUncertainCommit(t *testing.T) {
	p, u := through(t, storetest.PostgresURL(t))
	db, err := store.Open(t.Context(), store.Options{Database: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	for round := range 3 {
		n, err := k.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.cut.Store(cutAfter)
		r, err := k.Append(context.Background(), keyed(string(rune('a'+round))))
		if err != nil || r.First != n || p.cut.Load() != pass {
			t.Fatalf("the answer was lost: %+v, %v", r, err)
		}
		p.cut.Store(cutBefore)
		c := keyed(string(rune('A' + round)))
		if _, err := k.Append(context.Background(), c); fault.KindOf(err) != fault.Unavailable || p.cut.Load() != pass {
			t.Fatalf("the commit was lost: %v", err)
		}
		if r := k.must(t, c); r.Repeated || r.First != n+1 {
			t.Errorf("sent again: %+v", r)
		}
		if n := k.verify(t); n != uint64(2*round)+3 {
			t.Errorf("%d facts", n)
		}
	}
}

// Connections are cut at commits at random while several append; each command,
// sent again for as long as the answer is "unavailable", is recorded once.
func TestRandomCuts(t *testing.T) {
	const writers, each = 6, 12
	p, u := through(t, storetest.PostgresURL(t))
	db, err := store.Open(t.Context(), store.Options{Database: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	var all sync.WaitGroup
	var again, cuts atomic.Int64
	for w := range writers {
		all.Go(func() {
			for i := range each {
				n, err := insist(k, fmt.Sprintf("%d-%d", w, i))
				again.Add(n)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	var cutter sync.WaitGroup
	cutter.Go(func() {
		random := rand.New(rand.NewPCG(5, 6))
		for ctx.Err() == nil {
			p.cut.Store(1 + random.Int32N(2))
			cuts.Add(1)
			time.Sleep(time.Duration(50+random.IntN(200)) * time.Millisecond) // long enough that some commits get through
		}
	})
	all.Wait()
	stop()
	cutter.Wait()
	p.cut.Store(pass)
	if again.Load() == 0 {
		t.Errorf("of %d cuts none was felt", cuts.Load())
	}
	if v, c := k.load(t, counterStream("k")); v != writers*each || c.Sum != writers*each {
		t.Errorf("version %d, sum %d for %d commands", v, c.Sum, writers*each)
	}
	k.verify(t)
}

// insist appends a command until it is acknowledged, and counts the refusals.
func insist(k *kit, id string) (again int64, err error) {
	for {
		_, err := k.Append(context.Background(), keyed(id))
		if fault.KindOf(err) != fault.Unavailable {
			return again, err
		}
		again++
	}
}
