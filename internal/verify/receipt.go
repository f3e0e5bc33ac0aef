package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
)

const (
	maxReceipt   = 4 << 10 // bytes of a whole note
	receiptLines = "signalbox-receipt/v1\norigin %v\ncommand %v\ntime %v\nfacts %d %d\nleaves %v\ntree %v\n"
)

// Receipt is what the server signs when it has recorded a command: that those
// facts stand at those positions. Whoever keeps one can prove a later rewriting
// of them, and of everything before them, against the server.
type Receipt struct {
	Origin  string       `json:"origin"`
	Command string       `json:"command"`
	Time    event.Micros `json:"-"`
	First   uint64       `json:"first"` // positions [First, Next), at least one
	Next    uint64       `json:"next"`
	Leaves  tlog.Hash    `json:"leaves"` // root over the leaves of those facts alone (RFC 6962, 2.1); of one fact its leaf
	Tree    tlog.Hash    `json:"tree"`   // root of the journal as the command left it, of size Next
}

// Text is the body of the signed note. Its first line is no journal's name, and
// its lines are no checkpoint's: a key that signs both never signs one for the other.
func (r Receipt) Text() string {
	return fmt.Sprintf(receiptLines, r.Origin, r.Command, r.Time, r.First, r.Next, r.Leaves, r.Tree)
}

// Head is the tree that the receipt was given for.
func (r Receipt) Head() Head { return Head{Origin: r.Origin, Size: r.Next, Root: r.Tree} }

// LeavesOf is the root over some leaves alone, as in a receipt.
func LeavesOf(leaves []tlog.Hash) tlog.Hash {
	var f frontier
	for _, leaf := range leaves {
		f.add(leaf)
	}
	return f.root()
}

// OpenReceipt reads a receipt of at most 4 KiB that a journal key among keys
// has signed. Refusals are Unverified, with the code receipt.signature,
// receipt.malformed or receipt.key.
func OpenReceipt(text []byte, keys Keys) (Receipt, error) {
	if len(text) > maxReceipt {
		return Receipt{}, unverified("receipt.malformed", "the receipt is longer than %d bytes", maxReceipt)
	}
	opened, err := openNote("receipt", text, keys, ForJournal)
	if err != nil {
		return Receipt{}, err
	}
	r, err := parseReceipt(opened.Text)
	if err != nil {
		return Receipt{}, unverified("receipt.malformed", "the receipt cannot be read").Because(err.Error())
	}
	// A receipt that is asked for again is by the key of then: it may be younger than its facts.
	return r, byItsTime("receipt", opened, keys, func(k Key) bool { return !k.Ended(r.Next) })
}

// parseReceipt accepts exactly what Text writes.
func parseReceipt(text string) (Receipt, error) {
	var r Receipt
	var at, leaves, tree string
	_, err := fmt.Sscanf(text, receiptLines, &r.Origin, &r.Command, &at, &r.First, &r.Next, &leaves, &tree)
	if err != nil {
		return Receipt{}, errors.New("it is not the seven lines of a receipt")
	}
	given, _ := time.Parse(time.RFC3339, at) // what is not one is not written as it stood
	r.Leaves, _ = tlog.ParseHash(leaves)
	r.Tree, _ = tlog.ParseHash(tree)
	if r.Time = event.MicrosOf(given); r.First >= r.Next || r.Text() != text {
		return Receipt{}, errors.New("it names no facts, or something in it is not in its one spelling")
	}
	return r, nil
}

// Broken is a receipt that an export does not keep to.
type Broken struct {
	Receipt
	Given   time.Time `json:"given"`
	Problem string    `json:"problem"`
}

// held is receipts being held against an export as its facts go by.
type held struct {
	due    []dueReceipt // in the order of their first facts
	good   uint64
	broken []Broken
}

type dueReceipt struct {
	Receipt
	leaves frontier // of its facts that have gone by
}

func hold(receipts []Receipt) held {
	var h held
	for _, r := range slices.SortedStableFunc(slices.Values(receipts), func(a, b Receipt) int { return cmp.Compare(a.First, b.First) }) {
		h.due = append(h.due, dueReceipt{Receipt: r})
	}
	return h
}

// fact holds the receipts against the newest fact of a journal, whose tree is with it.
func (h *held) fact(origin string, leaf tlog.Hash, tree *frontier) {
	for i := 0; i < len(h.due) && h.due[i].First < tree.size; {
		if h.due[i].leaves.add(leaf); h.due[i].Next > tree.size {
			i++
			continue
		}
		h.judge(h.due[i], origin, tree.root())
		copy(h.due[1:], h.due[:i]) // those begun before it move up
		h.due = h.due[1:]
	}
}

func (h *held) judge(r dueReceipt, origin string, root tlog.Hash) {
	switch {
	case r.Origin != origin:
		h.fail(r.Receipt, "it is of the journal "+r.Origin)
	case r.Leaves != r.leaves.root():
		h.fail(r.Receipt, "what stands at its positions is not what was acknowledged")
	case r.Tree != root:
		h.fail(r.Receipt, "its own facts stand, and something before them is not what it was then")
	default:
		h.good++
	}
}

// end fails every receipt whose facts the export does not hold.
func (h *held) end() {
	for _, r := range h.due {
		h.fail(r.Receipt, "the export ends before its facts do")
	}
}

func (h *held) fail(r Receipt, problem string) {
	h.broken = append(h.broken, Broken{Receipt: r, Given: r.Time.Time(), Problem: problem})
}
