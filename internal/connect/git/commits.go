package git

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// Bounds of what is read: of a commit object, and of all of a range together.
const (
	maxCommit    = 4 << 20
	maxHistory   = 1 << 30
	maxSignature = 64 << 10 // of one commit; what is longer is not verified
)

func (r *room) commits(ctx context.Context, ids []byte, n int, keys *Keys) ([]change.Commit, error) {
	if n == 0 {
		return nil, nil
	}
	var out []change.Commit
	err := r.stream(ctx, bytes.NewReader(ids), func(stdout io.Reader) error {
		var err error
		out, err = readBatch(bufio.NewReaderSize(stdout, 1<<20), n, keys)
		return err
	}, "cat-file", "--batch", "--buffer")
	return out, err
}

// readBatch reads n commits as git cat-file --batch writes them: a line of id,
// type and size, then the object and a line feed. An object that its id is not
// the hash of is refused: ids stand for people and messages.
func readBatch(in *bufio.Reader, n int, keys *Keys) ([]change.Commit, error) {
	out := make([]change.Commit, 0, min(n, 1<<16))
	total := 0
	for range n {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, fmt.Errorf("header of a commit: %w", err)
		}
		f := strings.Fields(string(line))
		if len(f) != 3 || f[1] != "commit" {
			return nil, missing(string(line))
		}
		size, err := strconv.Atoi(f[2])
		if err != nil || size < 0 || size > maxCommit {
			return nil, fault.New(fault.TooLarge, "git.commit-too-large", fmt.Sprintf("commit %s is longer than %d bytes", f[0], maxCommit))
		}
		if total += size; total > maxHistory {
			return nil, fault.New(fault.TooLarge, "git.history-too-large", fmt.Sprintf("the commits between the two versions are longer than %d bytes together", maxHistory)).
				On("from").Remedy("name a version nearer to this one")
		}
		object := make([]byte, size+1)
		if _, err := io.ReadFull(in, object); err != nil {
			return nil, fmt.Errorf("commit %s: %w", f[0], err)
		}
		if object = object[:size]; hashOf(object, len(f[0])) != f[0] {
			return nil, fault.Invalidf("git.unreadable", "the repository cannot be read").Because(fmt.Sprintf("the object %s is not what its id says", f[0])).
				On("repo").Remedy("run git fsck there")
		}
		c := parseCommit(f[0], object)
		if c.Signed && keys != nil {
			payload, signature := signedPart(object, len(f[0]))
			keys.check(&c, payload, signature)
		}
		out = append(out, c)
	}
	return out, nil
}

// hashOf is the id of a commit object, in as many hexadecimal digits as asked for.
func hashOf(object []byte, digits int) string {
	var h hash.Hash
	switch digits {
	case 40:
		h = sha1.New() // git's choice: an id that was made to collide is not detected
	case 64:
		h = sha256.New()
	default:
		return ""
	}
	fmt.Fprintf(h, "commit %d\x00", len(object))
	h.Write(object)
	return hex.EncodeToString(h.Sum(nil))
}

func missing(line string) error {
	return fault.Invalidf("git.unreadable", "the repository cannot be read").Because(fmt.Sprintf("git says %q of a commit", strings.TrimSpace(line))).
		On("repo").Remedy("run git fsck there; a partial clone needs all of its objects")
}

// parseCommit reads a commit object: headers, an empty line, the message.
// Lines that continue a header begin with a space.
func parseCommit(id string, object []byte) change.Commit {
	c := change.Commit{ID: id}
	head, message, _ := bytes.Cut(object, []byte("\n\n"))
	encoding, seen := "", map[string]bool{}
	var author, committer []byte
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		name, value, _ := bytes.Cut(line, []byte(" "))
		switch first := !seen[string(name)]; {
		case len(name) == 0:
		case string(name) == "parent":
			c.Parents++
		case string(name) == "author" && first:
			author = value
		case string(name) == "committer" && first:
			committer = value
		case string(name) == "encoding" && first:
			encoding = string(value)
		case bytes.HasPrefix(name, []byte("gpgsig")):
			c.Signed = true
		}
		seen[string(name)] = true
	}
	c.Author, c.AuthorTime = parseIdentity(text(author, encoding))
	c.Committer, c.CommitTime = parseIdentity(text(committer, encoding))
	setMessage(&c, text(message, encoding))
	return c
}

// signedPart takes a commit object apart: what was signed, and the signature,
// which stands in a header whose name depends on the kind of ids. That of the
// other kind is part of neither.
func signedPart(object []byte, digits int) (payload, signature []byte) {
	own := "gpgsig"
	if digits == 64 {
		own = "gpgsig-sha256"
	}
	const (
		plain = iota
		ours
		other
	)
	head, message := object, []byte(nil)
	if end := bytes.Index(object, []byte("\n\n")); end >= 0 {
		head, message = object[:end+1], object[end+1:]
	}
	where := plain
	for line := range bytes.Lines(head) {
		rest, follows := bytes.CutPrefix(line, []byte(" "))
		if name, value, _ := bytes.Cut(line, []byte(" ")); !follows {
			switch {
			case string(name) == own:
				where, rest = ours, value
			case bytes.HasPrefix(line, []byte("gpgsig")):
				where = other
			default:
				where = plain
			}
		}
		switch where {
		case ours:
			signature = append(signature, rest...)
		case plain:
			payload = append(payload, line...)
		}
	}
	return append(payload, message...), signature
}

// setMessage splits subject and body: the subject is the first paragraph on
// one line. Of the body only what says something of the change is kept.
func setMessage(c *change.Commit, m string) {
	m = strings.TrimLeft(strings.ReplaceAll(m, "\r\n", "\n"), "\n")
	subject, body, _ := strings.Cut(m, "\n\n")
	c.Subject = strings.ToValidUTF8(cut(strings.Join(strings.Fields(subject), " "), 1000), "")
	c.CoAuthors = change.CoAuthors(m)
	c.Body = change.Telling(body)
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// parseIdentity reads "Name <e-mail> seconds zone" as git does: the name ends
// at the first <, the address at the first > after it, and the time follows the
// last one. What is malformed is kept as far as it goes: an identity is never
// empty where the line was not.
func parseIdentity(s string) (change.Identity, time.Time) {
	name, rest, opened := strings.Cut(s, "<")
	email, _, closed := strings.Cut(rest, ">")
	if !opened || !closed {
		return change.Identity{Name: strings.TrimSpace(s)}, time.Time{}
	}
	i := change.Identity{Name: strings.TrimSpace(name), Email: strings.TrimSpace(email)}
	f := strings.Fields(s[strings.LastIndex(s, ">")+1:])
	if len(f) == 0 {
		return i, time.Time{}
	}
	seconds, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return i, time.Time{}
	}
	return i, time.Unix(seconds, 0).UTC()
}

// text is b as UTF-8. Bytes that are not are read as the encoding that the
// commit states or else as ISO 8859-1, in which every byte is a letter of its
// own: two identities never become one.
func text(b []byte, stated string) string {
	code, ok := encodingOf(stated)
	if !ok && utf8.Valid(b) {
		return string(b)
	}
	if ok {
		if s, err := code.NewDecoder().Bytes(b); err == nil && !bytes.ContainsRune(s, utf8.RuneError) {
			return string(s)
		}
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// encodingOf is the encoding of a name, other than UTF-8. The first of ISO 8859
// stands for itself: for the web, whose list is used, it is Windows-1252.
func encodingOf(name string) (encoding.Encoding, bool) {
	switch strings.ToUpper(name) {
	case "ISO-8859-1", "ISO8859-1", "LATIN1", "LATIN-1":
		return charmap.ISO8859_1, true
	}
	code, err := htmlindex.Get(name)
	if err != nil {
		return nil, false
	}
	if canonical, err := htmlindex.Name(code); err != nil || canonical == "utf-8" || canonical == "replacement" {
		return nil, false
	}
	return code, true
}
