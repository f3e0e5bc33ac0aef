package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) proofs() []operation {
	count := func(names ...string) []param {
		var all []param
		for _, n := range names {
			all = append(all, param{name: n, kind: "integer"})
		}
		return all
	}
	return []operation{
		serve(operation{id: "show-keys", path: "/keys", need: access.Read, gives: "text/plain", about: "The public keys, for verification offline"},
			func(c *call) error {
				text, err := c.Control.PublicKeys(c.ctx)
				if err != nil {
					return err
				}
				return c.plain(text)
			}),
		act(operation{id: "rotate-key", path: "/keys/rotate", need: access.Operate, about: "End the key of a purpose and begin another, by a fact that both have signed"},
			func(c *call, q wire.RotateRequest) (wire.Rotation, error) {
				done, err := c.Control.RotateKey(c.ctx, c.request(), control.Rotation{Purpose: q.Purpose, Reason: q.Reason, Compromised: q.Compromised, Forget: q.DeleteOld})
				return wire.Rotation{Purpose: string(done.Purpose), Old: done.Old, New: done.New, At: done.At.Time(), Compromised: done.Compromised}, err
			}),
		serve(operation{id: "show-checkpoint", path: "/journal/checkpoint", need: access.Read, gives: "text/plain", about: "The newest signed checkpoint of the journal"},
			func(c *call) error {
				text, err := c.Journal.Checkpoint(c.ctx)
				if err != nil {
					return err
				}
				return c.plain([]byte(text))
			}),
		serve(operation{
			id: "show-receipt", path: "/journal/receipt", need: access.Read, params: needed("position"), gives: "text/plain",
			about: "The signed receipt of the command that recorded a fact",
		}, showReceipt),
		ask(operation{
			id: "prove-inclusion", path: "/journal/proof", need: access.Read, params: append(needed("position"), count("size")...),
			about: "Prove that a fact stands in the tree of a size, or of the newest checkpoint",
		}, proveInclusion),
		ask(operation{
			id: "prove-consistency", path: "/journal/consistency", need: access.Read, params: needed("from", "to"),
			about: "Prove that a tree continues a smaller one",
		}, proveConsistency),
		serve(operation{id: "export-journal", path: "/journal/export", need: access.Export, gives: "application/jsonl", lasting: true, about: "The whole journal, for verification offline"}, export),
		ask(operation{id: "list-facts", path: "/facts", need: access.Read, params: count("from", "limit"), about: "The audit trail from a position on; names and texts take the right to export"}, listFacts),
	}
}

func (c *call) plain(b []byte) error {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.w.Write(b)
	return nil
}

func hashes(list []tlog.Hash) []string {
	all := []string{}
	for _, h := range list {
		all = append(all, base64.StdEncoding.EncodeToString(h[:]))
	}
	return all
}

func proveInclusion(c *call) (w wire.Proof, err error) {
	position, err := c.number("position", 0)
	if err != nil {
		return w, err
	}
	size, err := c.number("size", 0)
	if err != nil {
		return w, err
	}
	if size == 0 {
		if size, err = c.signed(c.ctx); err != nil {
			return w, err
		}
		if position >= size {
			return w, fault.New(fault.NotFound, "journal.not-signed-yet", "no checkpoint covers this position yet").Remedy("ask again in ten seconds")
		}
	}
	r, err := c.receipt(c.ctx, position)
	if err != nil {
		return w, err
	}
	proof, err := c.Journal.Prove(c.ctx, position, size)
	return wire.Proof{Origin: r.Origin, Position: position, Size: size, Leaf: r.Leaf, Hashes: hashes(proof)}, err
}

// signed is the size that the newest checkpoint covers.
func (a *api) signed(ctx context.Context) (uint64, error) {
	text, err := a.Journal.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	lines := strings.SplitN(text, "\n", 3)
	if len(lines) < 3 {
		return 0, errors.New("the newest checkpoint has no size")
	}
	return strconv.ParseUint(lines[1], 10, 64)
}

func proveConsistency(c *call) (wire.Consistency, error) {
	from, err := c.number("from", 0)
	if err != nil {
		return wire.Consistency{}, err
	}
	to, err := c.number("to", 0)
	if err != nil {
		return wire.Consistency{}, err
	}
	proof, err := c.Journal.ProveGrowth(c.ctx, from, to)
	return wire.Consistency{Origin: c.Journal.Origin(), From: from, To: to, Hashes: hashes(proof)}, err
}

// begun remembers whether an answer's first byte is out: from then on an error
// can only cut the line.
type begun struct {
	http.ResponseWriter
	yes bool
}

// Write passes on.
func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

func export(c *call) error {
	done, err := c.heavy()
	if err != nil {
		return err
	}
	defer done()
	c.w.Header().Set("Content-Type", "application/jsonl")
	out := &begun{ResponseWriter: c.w}
	err = c.Journal.Export(c.ctx, out)
	if err != nil && out.yes {
		c.Log.Error("an export was cut off", "reference", idOf(c.ctx), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

func listFacts(c *call) (w wire.Facts, err error) {
	from, err := c.number("from", 0)
	if err != nil {
		return w, err
	}
	p, err := c.paging()
	if err != nil {
		return w, err
	}
	if p.Limit == 0 {
		p.Limit = view.LimitUsual
	}
	if w.Size, err = c.Journal.Size(c.ctx); err != nil {
		return w, err
	}
	facts, err := c.Journal.Facts(c.ctx, from, p.Limit)
	private := slices.Contains(c.actor.Rights, access.Export)
	w.Items, w.Next = []wire.Fact{}, from
	for _, f := range facts {
		one, err := wireFact(f, private)
		if err != nil {
			return w, err
		}
		w.Items, w.Next = append(w.Items, one), f.Position+1
	}
	return w, err
}

func (a *api) subscriptions() []operation {
	return []operation{
		serve(operation{
			id: "follow-changes", path: "/changes", need: access.Read, gives: "text/event-stream", lasting: true,
			params: []param{{name: "after", kind: "integer", about: "Facts already known; from now on where absent"}},
			about:  "Server-sent events: which streams have new facts. A line is said every 15 seconds at least",
		}, follow),
	}
}

// Times of a subscription.
const (
	heartbeat = 15 * time.Second
	gather    = 100 * time.Millisecond // for facts that come close together
	writeTime = 10 * time.Second
)

// newsFacts is the most facts that one piece of news is about.
const newsFacts = 200

// follow sends news until the caller goes, the server stops, or the token ends.
func follow(c *call) error {
	if c.r.Method != http.MethodGet {
		return nil // a HEAD has had its answer
	}
	size, err := c.Journal.Size(c.ctx)
	if err != nil {
		return err
	}
	after, err := c.number("after", size)
	if err != nil {
		return err
	}
	if after > size {
		return fault.Invalidf("changes.after", "there are %d facts, not %d", size, after).On("after")
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return tooOften("too many subscriptions are open", heartbeat)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	go func() {
		select {
		case <-c.Closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	c.w.Header().Set("Content-Type", "text/event-stream")
	if err := c.news(wire.News{From: after, Next: after, Streams: []string{}}); err != nil {
		return nil
	}
	c.feed(ctx, after)
	return nil
}

func (c *call) feed(ctx context.Context, after uint64) {
	for {
		short, cancel := context.WithTimeout(ctx, heartbeat)
		_, err := c.Journal.WaitBeyond(short, after)
		cancel()
		if err == nil {
			wait(ctx, gather)
		}
		if ctx.Err() != nil || !c.still(ctx) {
			return
		}
		if err != nil {
			if c.event(": still here\n\n") != nil {
				return
			}
			continue
		}
		n, err := c.since(ctx, after)
		if err != nil {
			c.Log.Warn("a subscription ended", "reference", idOf(c.ctx), "error", err)
			return
		}
		if c.news(n) != nil {
			return
		}
		after = n.Next
	}
}

// still reports whether the token still reads.
func (c *call) still(ctx context.Context) bool {
	actor, err := c.Control.Authenticate(ctx, c.secret)
	return err == nil && actor.May(access.Read) == nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// since is the news of the facts after a position.
func (c *call) since(ctx context.Context, after uint64) (wire.News, error) {
	n := wire.News{From: after, Next: after, Streams: []string{}}
	facts, err := c.Journal.Facts(ctx, after, newsFacts)
	if err != nil {
		return n, err
	}
	seen := map[string]bool{}
	for _, f := range facts {
		seen[string(f.Stream)] = true
		for _, t := range f.Touches {
			seen[string(t.Stream)] = true
		}
		n.Next = f.Position + 1
	}
	for s := range seen {
		n.Streams = append(n.Streams, s)
	}
	slices.Sort(n.Streams)
	return n, nil
}

func (c *call) news(n wire.News) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return c.event(fmt.Sprintf("id: %d\nevent: news\ndata: %s\n\n", n.Next, b))
}

func (c *call) event(text string) error {
	out := http.NewResponseController(c.w)
	_ = out.SetWriteDeadline(time.Now().Add(writeTime)) // where the connection knows deadlines
	if _, err := c.w.Write([]byte(text)); err != nil {
		return err
	}
	return out.Flush()
}
