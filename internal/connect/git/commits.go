package git

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// A commit object longer than maxCommit is refused; of a message, the first
// maxBody bytes are kept once its trailers have been read.
const (
	maxCommit = 4 << 20
	maxBody   = 16 << 10
)

func (r repository) commits(ctx context.Context, ids []byte, n int) ([]change.Commit, error) {
	if n == 0 {
		return nil, nil
	}
	var out []change.Commit
	err := r.stream(ctx, bytes.NewReader(ids), func(stdout io.Reader) error {
		var err error
		out, err = readBatch(bufio.NewReaderSize(stdout, 1<<20), n)
		return err
	}, "cat-file", "--batch", "--buffer")
	return out, err
}

// readBatch reads n commits as git cat-file --batch writes them: a line of id,
// type and size, then the object and a line feed.
func readBatch(in *bufio.Reader, n int) ([]change.Commit, error) {
	out := make([]change.Commit, 0, min(n, 1<<16))
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
		object := make([]byte, size+1)
		if _, err := io.ReadFull(in, object); err != nil {
			return nil, fmt.Errorf("commit %s: %w", f[0], err)
		}
		out = append(out, parseCommit(f[0], object[:size]))
	}
	return out, nil
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

// setMessage splits subject and body: the subject is the first paragraph on one line.
func setMessage(c *change.Commit, m string) {
	m = strings.TrimLeft(strings.ReplaceAll(m, "\r\n", "\n"), "\n")
	subject, body, _ := strings.Cut(m, "\n\n")
	c.Subject = strings.ToValidUTF8(cut(strings.Join(strings.Fields(subject), " "), 1000), "")
	c.CoAuthors = change.CoAuthors(m)
	c.Body = strings.ToValidUTF8(cut(body, maxBody), "")
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// parseIdentity reads "Name <e-mail> seconds zone". What is malformed is kept
// as far as it goes: an identity is never empty where the line was not.
func parseIdentity(s string) (change.Identity, time.Time) {
	open, end := strings.Index(s, "<"), strings.LastIndex(s, ">")
	if open < 0 || end < open {
		return change.Identity{Name: strings.TrimSpace(s)}, time.Time{}
	}
	i := change.Identity{Name: strings.TrimSpace(s[:open]), Email: strings.TrimSpace(s[open+1 : end])}
	f := strings.Fields(s[end+1:])
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
func text(b []byte, encoding string) string {
	known := map[string]*charmap.Charmap{
		"ISO-8859-1": charmap.ISO8859_1, "LATIN1": charmap.ISO8859_1, "ISO-8859-15": charmap.ISO8859_15,
		"ISO-8859-2": charmap.ISO8859_2, "WINDOWS-1252": charmap.Windows1252, "CP1252": charmap.Windows1252,
		"WINDOWS-1251": charmap.Windows1251, "CP1251": charmap.Windows1251, "KOI8-R": charmap.KOI8R,
	}
	stated, ok := known[strings.ToUpper(encoding)]
	if utf8.Valid(b) && !ok {
		return string(b)
	}
	if ok {
		if s, err := stated.NewDecoder().Bytes(b); err == nil && !bytes.ContainsRune(s, utf8.RuneError) {
			return string(s)
		}
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}
