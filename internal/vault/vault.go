// Package vault keeps bytes by their SHA-256, on disk or in the database:
// the original files that evidence and decisions name.
//
// It knows nothing of what the bytes mean or who may read them. Its
// invariants: bytes once put never change, and no reader comes to the end of
// bytes that are not those it asked for. Putting the same bytes again is
// harmless and mends what has rotted. Bytes are put before the fact that names
// them; what no fact names is the business of whoever sweeps.
package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// MaxSize is the most bytes that one entry may have: 200 MiB.
const MaxSize = 200 << 20

// prefix stands before the hexadecimal digits of every digest.
const prefix = "sha256:"

// Vault keeps bytes. A digest is "sha256:" and 64 lower-case hexadecimal
// digits; another is Invalid.
type Vault interface {
	// Put keeps all that r gives, at most MaxSize bytes (more is TooLarge), and
	// returns only once it is durable.
	Put(ctx context.Context, r io.Reader) (digest string, size int64, err error)
	// Open reads an entry; one that is not there is NotFound. Bytes that are
	// not those of the digest end in an Unverified error instead of io.EOF:
	// nothing read is proven before the end is reached.
	Open(ctx context.Context, digest string) (io.ReadCloser, error)
	// Has reports whether there is an entry, without reading it.
	Has(ctx context.Context, digest string) (bool, error)
}

func hexOf(digest string) (string, error) {
	digits, found := strings.CutPrefix(digest, prefix)
	if !found || len(digits) != 2*sha256.Size || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fault.Invalidf("vault.digest", "%.80q is not a digest", digest).Remedy("write sha256: and 64 lower-case hexadecimal digits")
	}
	return digits, nil
}

func digestOf(h hash.Hash) string { return prefix + hex.EncodeToString(h.Sum(nil)) }

func absent(digest string) error {
	return fault.New(fault.NotFound, "vault.absent", "there are no bytes with the digest "+digest)
}

// intake reads r to its end within MaxSize and the context, hashing on the way.
func intake(ctx context.Context, w io.Writer, r io.Reader, limit int64) (digest string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(w, h), io.LimitReader(ending{ctx, r}, limit+1))
	if err != nil {
		return "", 0, fmt.Errorf("take in bytes: %w", err)
	}
	if size > limit {
		return "", 0, fault.New(fault.TooLarge, "vault.too-large", fmt.Sprintf("there are more than %d bytes", limit))
	}
	return digestOf(h), size, nil
}

// ending is a reader that ends with its context.
type ending struct {
	ctx context.Context
	r   io.Reader
}

func (e ending) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}

// checked gives out bytes and, at their end, whether they were the right ones.
type checked struct {
	from   io.ReadCloser
	digest string
	hash   hash.Hash
}

func check(from io.ReadCloser, digest string) io.ReadCloser {
	return &checked{from: from, digest: digest, hash: sha256.New()}
}

// Read is io.Reader; the end of rotten bytes is a fault.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && digestOf(c.hash) != c.digest {
		return n, fault.New(fault.Unverified, "vault.rotten", "the bytes kept as "+c.digest+" have changed").
			Because("their digest is " + digestOf(c.hash)).Remedy("put the original file again, or restore it from a backup")
	}
	return n, err
}

// Close is io.Closer.
func (c *checked) Close() error { return c.from.Close() }
