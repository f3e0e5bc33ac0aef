package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/cosign"
	"signalbox.dev/signalbox/internal/event"
)

// Head is what a checkpoint says: the root over the first Size facts of the journal Origin.
type Head struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
}

// Text is the body of the signed note, as C2SP tlog-checkpoint lays it out.
func (h Head) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// Checkpoint reads a signed note and returns its head if a journal key among
// keys has signed it. Signatures by unknown keys are passed over; a false one
// by a known key, a witness's included, is refused.
func Checkpoint(text []byte, keys Keys) (Head, error) {
	head, _, err := openCheckpoint(text, keys)
	return head, err
}

// openCheckpoint is Checkpoint and the signatures by journal and witness keys.
func openCheckpoint(text []byte, keys Keys) (Head, []note.Signature, error) {
	opened, err := openNote("checkpoint", text, keys, ForJournal, ForWitness)
	if err != nil {
		return Head{}, nil, err
	}
	head, err := parseHead(opened.Text)
	if err != nil {
		return Head{}, nil, unverified("checkpoint.malformed", "the checkpoint cannot be read").Because(err.Error())
	}
	return head, opened.Sigs, byItsTime("checkpoint", opened, keys, func(k Key) bool { return !k.Ended(head.Size) && !k.Early(head.Size) })
}

// byItsTime refuses a note that no journal key has signed that may sign it; which those are is for holds to say.
func byItsTime(what string, opened *note.Note, keys Keys, holds func(Key) bool) error {
	why := "no journal key has signed it"
	for _, k := range keys.Of(ForJournal) {
		if !slices.ContainsFunc(opened.Sigs, func(s note.Signature) bool { return s.Name == k.Name && s.Hash == k.Verifier().KeyHash() }) {
			continue
		}
		if holds(k) {
			return nil
		}
		why = fmt.Sprintf("the key %s signs for the facts from %d to %d alone", k.ID, k.Since, k.Until)
		if k.Until == 0 {
			why = fmt.Sprintf("the key %s signs for the facts from %d on alone", k.ID, k.Since)
		}
	}
	return unverified(what+".key", "the %s is not by the key of its place in the journal", what).Because(why)
}

// openNote reads a signed note, what it is named by, that a journal key among keys has signed.
func openNote(what string, text []byte, keys Keys, purposes ...Purpose) (*note.Note, error) {
	if _, err := keys.Trusted(ForJournal); err != nil {
		return nil, err
	}
	var verifiers []note.Verifier
	for _, key := range keys.Of(purposes...) {
		verifiers = append(verifiers, key.Verifier())
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err == nil && !slices.ContainsFunc(opened.Sigs, func(s note.Signature) bool { _, is := cosign.Time(s); return !is }) {
		err = &note.UnverifiedNoteError{Note: opened} // witnesses alone make nothing of ours
	}
	if err != nil {
		return nil, unverified(what+".signature", "the %s does not verify", what).Because(noteProblem(err)).Cause(err)
	}
	return opened, nil
}

func noteProblem(err error) string {
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown):
		return "no trusted journal key has signed it"
	case errors.As(err, &invalid):
		return fmt.Sprintf("the signature of %s+%08x is false", invalid.Name, invalid.Hash)
	}
	return "it is not a signed note"
}

// parseHead accepts exactly what Text writes: no extension lines, one spelling of each number.
func parseHead(text string) (Head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" {
		return Head{}, errors.New("it is not the three lines origin, size and root")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return Head{}, errors.New("the size is not a decimal number below 2^63")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Head{}, errors.New("the root is not base64 of 32 bytes")
	}
	head := Head{Origin: lines[0], Size: size, Root: root}
	if head.Text() != text {
		return Head{}, errors.New("something in it is not in its one spelling")
	}
	return head, nil
}

// Entry is a fact's place in the tree: position, and RecordHash of its bytes.
type Entry struct {
	Position uint64    `json:"position"`
	Leaf     tlog.Hash `json:"leaf"`
}

// RecordHash is the hash of a fact in the tree, from the three stored byte strings.
func RecordHash(header, body, private []byte) (tlog.Hash, error) {
	record, err := event.Leaf(header, body, private)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tlog.RecordHash(record), nil
}

// Inclusion checks that the entry stands in the tree of head (RFC 6962, 2.1.1).
func Inclusion(head Head, entry Entry, proof []tlog.Hash) error {
	if entry.Position >= head.Size {
		return unverified("proof.inclusion", "the fact at %d is not within the first %d", entry.Position, head.Size)
	}
	if err := tlog.CheckRecord(proof, int64(head.Size), head.Root, int64(entry.Position), entry.Leaf); err != nil {
		return unverified("proof.inclusion", "the fact at %d is not in the tree of size %d", entry.Position, head.Size).
			Because("the proof does not lead to the root").Cause(err)
	}
	return nil
}

// Consistency checks that the tree of newer begins with the tree of older
// (RFC 6962, 2.1.2): nothing before older.Size was changed or removed. The
// empty tree begins every tree and has an empty proof.
func Consistency(older, newer Head, proof []tlog.Hash) error {
	if older.Origin != newer.Origin {
		return unverified("proof.origin", "the checkpoints are of two journals, %q and %q", older.Origin, newer.Origin)
	}
	if older.Size > newer.Size || newer.Size > math.MaxInt64 {
		return unverified("proof.consistency", "the journal has shrunk from %d to %d facts", older.Size, newer.Size)
	}
	if older.Size == 0 {
		if older.Root != emptyRoot() || len(proof) != 0 {
			return unverified("proof.consistency", "the empty tree has another root or a proof that is not empty")
		}
		return nil
	}
	if err := tlog.CheckTree(proof, int64(newer.Size), newer.Root, int64(older.Size), older.Root); err != nil {
		return unverified("proof.consistency", "the tree of size %d does not begin with the tree of size %d", newer.Size, older.Size).
			Because("the proof does not lead to both roots").Cause(err)
	}
	return nil
}

// frontier is the roots of the complete subtrees that make up a tree, largest
// first: all that is needed to add a leaf, 64 hashes at most.
type frontier struct {
	size  uint64
	roots []tlog.Hash
}

func (f *frontier) add(leaf tlog.Hash) {
	f.roots = append(f.roots, leaf)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.roots) - 1
		f.roots[last-1] = tlog.NodeHash(f.roots[last-1], f.roots[last])
		f.roots = f.roots[:last]
	}
	f.size++
}

func (f *frontier) root() tlog.Hash {
	if f.size == 0 {
		return emptyRoot()
	}
	last := len(f.roots) - 1
	root := f.roots[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(f.roots[i], root)
	}
	return root
}

// emptyRoot is SHA-256 of nothing, the root of a tree without leaves (RFC 6962, 2.1).
func emptyRoot() tlog.Hash { return sha256.Sum256(nil) }
