package vault

import (
	"context"
	"errors"
	"hash"
	"io"

	"signalbox.dev/signalbox/internal/fault"
)

// proven gives out the bytes of an entry a second time, and the last of them
// only if all are those that were measured: a source that changed in between is
// never placed whole.
type proven struct {
	ctx   context.Context
	from  io.ReadSeeker
	entry Entry
	hash  hash.Hash
	given int64
}

// Read is io.Reader.
func (p *proven) Read(b []byte) (int, error) {
	left := p.entry.Size - p.given
	if p.given == 0 {
		if _, err := p.from.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
	}
	if left == 0 {
		return 0, p.end()
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := ending{p.ctx, p.from}.Read(b[:min(int64(len(b)), max(1, left-1))])
	p.hash.Write(b[:n])
	p.given += int64(n)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case p.given == p.entry.Size:
		if err := p.end(); !errors.Is(err, io.EOF) {
			return 0, err
		}
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, changed()
	}
	return n, nil
}

// end is io.EOF where source and digest agree that this is the end.
func (p *proven) end() error {
	var one [1]byte
	n, err := p.from.Read(one[:])
	switch {
	case n == 0 && err != nil && !errors.Is(err, io.EOF):
		return err
	case n > 0 || digestOf(p.hash) != p.entry.Digest:
		return changed()
	}
	return io.EOF
}

func changed() error {
	return fault.Invalidf("vault.changed", "the bytes changed while they were put").Remedy("put them again")
}

// Seek goes back to the start, for another try; no other move is known.
func (p *proven) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("only the start can be sought")
	}
	p.hash.Reset()
	p.given = 0
	return 0, nil
}

// chunk is how much a checked reader holds back.
const chunk = 32 << 10

// checked gives out bytes, and the last chunk of them only if all were the
// right ones: of what is no longer than a chunk, nothing is seen unproven.
type checked struct {
	from   io.ReadCloser
	digest string
	hash   hash.Hash
	rotten func()

	held, more []byte // chunks that are read and not given out
	buffers    [2][]byte
	end        error // of from
}

// Read is io.Reader; the end of rotten bytes is a fault.
func (c *checked) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.held) == 0 {
		if len(c.more) == 0 && c.end != nil {
			return 0, c.end
		}
		c.held, c.more = c.more, nil
		if c.end == nil {
			c.more = c.next()
		}
		if c.end != nil && !errors.Is(c.end, io.EOF) {
			c.held, c.more = nil, nil
			return 0, c.end
		}
	}
	n := copy(p, c.held)
	c.held = c.held[n:]
	return n, nil
}

// next reads a chunk, and judges the whole at its end.
func (c *checked) next() []byte {
	if c.buffers[0] == nil {
		c.buffers = [2][]byte{make([]byte, chunk), make([]byte, chunk)}
	}
	c.buffers[0], c.buffers[1] = c.buffers[1], c.buffers[0]
	b, n := c.buffers[0], 0
	var err error
	for n < len(b) && err == nil {
		var some int
		some, err = c.from.Read(b[n:])
		n += some
	}
	c.hash.Write(b[:n])
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		c.end = err
	case digestOf(c.hash) != c.digest:
		c.rotten()
		c.end = fault.New(fault.Unverified, "vault.rotten", "the bytes kept as "+c.digest+" have changed").
			Because("their digest is " + digestOf(c.hash)).Remedy("put the original file again, or restore it from a backup")
	default:
		c.end = io.EOF
	}
	return b[:n]
}

// Close is io.Closer.
func (c *checked) Close() error { return c.from.Close() }

// Entries is the first n entries of the books after a digest, in the order of digests.
func (v *Vault) Entries(ctx context.Context, after string, n int) ([]Entry, error) {
	return v.booked(ctx, after, n)
}

// Prove reads an entry to its end, which proves its bytes, and returns their
// number. Errors: fault NotFound where it is gone, Unverified where it has changed.
func (v *Vault) Prove(ctx context.Context, digest string) (int64, error) {
	from, err := v.Open(ctx, digest)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, ending{ctx, from})
	return n, errors.Join(err, from.Close())
}
