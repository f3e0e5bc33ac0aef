// Package witness is both ends of the C2SP tlog-witness protocol: a witness
// that cosigns the checkpoints of logs which only grow, and the client that
// asks one.
//
// It knows requests, proofs, cosignatures and the witness's own small state; it
// leaves what a log records to its readers, and which checkpoints are submitted
// when to publish. Its invariant: a cosignature leaves the witness only after
// the checkpoint that it is for is durable as the newest of its log, and that
// continues, by a proof, the one that stood there before.
package witness

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/verify"
)

const (
	maxRequest = 64 << 10
	maxProof   = 63 // hashes: enough for any two sizes below 2^63
	sizeType   = "text/x.tlog.size"
)

// request is the body of add-checkpoint: the size that the witness is believed
// to know, the proof from there, and the new checkpoint.
type request struct {
	old        uint64
	proof      []tlog.Hash
	checkpoint []byte
}

func (r request) encode() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.old)
	for _, h := range r.proof {
		b = fmt.Appendf(b, "%s\n", h)
	}
	return append(append(b, '\n'), r.checkpoint...)
}

func parseRequest(b []byte) (request, error) {
	var r request
	head, checkpoint, found := bytes.Cut(b, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	size, old := strings.CutPrefix(lines[0], "old ")
	if !found || !old {
		return r, errors.New("it does not begin with an old size, a proof and an empty line")
	}
	r.checkpoint = checkpoint
	var err error
	if r.old, err = parseSize(size); err != nil {
		return r, fmt.Errorf("the old size: %w", err)
	}
	if len(lines)-1 > maxProof {
		return r, fmt.Errorf("the proof has more than %d lines", maxProof)
	}
	for i, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return r, fmt.Errorf("line %d of the proof: %w", i+1, err)
		}
		r.proof = append(r.proof, h)
	}
	return r, nil
}

func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("it is not a decimal number below 2^63 in its one spelling")
	}
	return n, nil
}

func parseHash(s string) (tlog.Hash, error) {
	h, err := tlog.ParseHash(s)
	if err != nil || h.String() != s {
		return h, errors.New("it is not base64 of 32 bytes")
	}
	return h, nil
}

// parseHead reads the text of a checkpoint (C2SP tlog-checkpoint). Extension
// lines are let through: the witness says nothing of them, but signs them.
func parseHead(text string) (verify.Head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return verify.Head{}, errors.New("it is not at least the lines origin, size and root")
	}
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			return verify.Head{}, errors.New("it has an empty line")
		}
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return verify.Head{}, fmt.Errorf("its size: %w", err)
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return verify.Head{}, fmt.Errorf("its root: %w", err)
	}
	return verify.Head{Origin: lines[0], Size: size, Root: root}, nil
}

// refusal is an answer that is not a cosignature.
type refusal struct {
	status int
	size   *uint64 // of the newest checkpoint, where the old size is not that
	why    string
	signed *submission // what was refused, where its log has signed it
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, why: fmt.Sprintf(format, args...)}
}

// submission is a checkpoint that its log has signed, with what is to make it acceptable.
type submission struct {
	request
	head verify.Head
	text string // what is signed
}

// open reads a request and checks the checkpoint's signature against the keys
// of its log, which are listed by origin. It never looks at what was seen before.
func open(b []byte, logs map[string]note.Verifiers) (submission, *refusal) {
	if len(b) > maxRequest {
		return submission{}, refuse(http.StatusBadRequest, "the request is longer than %d bytes", maxRequest)
	}
	r, err := parseRequest(b)
	if err != nil {
		return submission{}, refuse(http.StatusBadRequest, "the request cannot be read: %s", err)
	}
	var unknown *note.UnverifiedNoteError
	if _, err := note.Open(r.checkpoint, note.VerifierList()); !errors.As(err, &unknown) {
		return submission{}, refuse(http.StatusBadRequest, "the checkpoint is not a signed note")
	}
	s := submission{request: r, text: unknown.Note.Text}
	if s.head, err = parseHead(s.text); err != nil {
		return submission{}, refuse(http.StatusBadRequest, "the checkpoint cannot be read: %s", err)
	}
	keys, known := logs[s.head.Origin]
	if !known {
		return submission{}, refuse(http.StatusNotFound, "this witness does not know the log %.200q", s.head.Origin)
	}
	if _, err := note.Open(r.checkpoint, keys); err != nil {
		return submission{}, refuse(http.StatusForbidden, "no key of the log has signed the checkpoint")
	}
	return s, nil
}

// judge decides whether the submission continues what was seen of its log; the
// zero Head is nothing.
func (s submission) judge(seen verify.Head) *refusal {
	no := func(status int, format string, args ...any) *refusal {
		r := refuse(status, format, args...)
		r.signed = &s
		return r
	}
	empty := tlog.Hash(sha256.Sum256(nil))
	switch {
	case s.old > s.head.Size:
		return no(http.StatusBadRequest, "the old size %d is greater than the checkpoint's, %d", s.old, s.head.Size)
	case s.old != seen.Size:
		r := no(http.StatusConflict, "the newest checkpoint of the log has %d leaves, not %d", seen.Size, s.old)
		r.size = &seen.Size
		return r
	case s.old == s.head.Size && s.old > 0 && s.head.Root != seen.Root:
		return no(http.StatusConflict, "another root of %d leaves was cosigned", s.old)
	case s.head.Size == 0 && s.head.Root != empty:
		return no(http.StatusUnprocessableEntity, "the empty tree has another root")
	}
	if seen.Size == 0 {
		seen = verify.Head{Root: empty}
	}
	seen.Origin = s.head.Origin
	if err := verify.Consistency(seen, s.head, s.proof); err != nil {
		return no(http.StatusUnprocessableEntity, "the proof does not show that the log of %d leaves continues that of %d", s.head.Size, s.old)
	}
	return nil
}

// cosigned is what a cosignature/v1 signs (C2SP tlog-cosignature); at is in seconds.
func cosigned(at uint64, text string) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text)
}
