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
// has signed. Refusals are Unverified, with the code receipt.signature or
// receipt.malformed.
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
	return r, nil
}

// parseReceipt accepts exactly what Text writes.
func parseReceipt(text string) (Receipt, error) {
	var r Receipt
	var at, leaves, tree string
	_, err := fmt.Sscanf(text, receiptLines, &r.Origin, &r.Command, &at, &r.First, &r.Next, &leaves, &tree)
	if err != nil {
		return r, errors.New("it is not the seven lines of a receipt")
	}
	given, err1 := time.Parse(time.RFC3339, at)
	of, err2 := tlog.ParseHash(leaves)
	whole, err3 := tlog.ParseHash(tree)
	r.Time, r.Leaves, r.Tree = event.MicrosOf(given), of, whole
	if errors.Join(err1, err2, err3) != nil || r.First >= r.Next || r.Text() != text {
		return r, errors.New("it names no facts, or something in it is not in its one spelling")
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
	waiting []Receipt // in the order of their first facts
	open    []opened  // whose facts are going by
	good    uint64
	broken  []Broken
}

type opened struct {
	Receipt
	leaves frontier
}

func hold(receipts []Receipt) held {
	list := slices.Clone(receipts)
	slices.SortStableFunc(list, func(a, b Receipt) int { return cmp.Compare(a.First, b.First) })
	return held{waiting: list}
}

// fact holds the receipts against the newest fact of a journal, whose tree is with it.
func (h *held) fact(origin string, leaf tlog.Hash, tree *frontier) {
	for len(h.waiting) > 0 && h.waiting[0].First < tree.size {
		h.open = append(h.open, opened{Receipt: h.waiting[0]})
		h.waiting = h.waiting[1:]
	}
	left := h.open[:0]
	for _, o := range h.open {
		o.leaves.add(leaf)
		if o.Next > tree.size {
			left = append(left, o)
			continue
		}
		h.judge(o, Head{Origin: origin, Size: tree.size, Root: tree.root()})
	}
	h.open = left
}

func (h *held) judge(o opened, head Head) {
	switch {
	case o.Origin != head.Origin:
		h.fail(o.Receipt, "it is of the journal "+o.Origin)
	case o.Leaves != o.leaves.root():
		h.fail(o.Receipt, "what stands at its positions is not what was acknowledged")
	case o.Tree != head.Root:
		h.fail(o.Receipt, "its own facts stand, and something before them is not what it was then")
	default:
		h.good++
	}
}

// end fails every receipt whose facts the export does not hold.
func (h *held) end() {
	for _, o := range h.open {
		h.waiting = append(h.waiting, o.Receipt)
	}
	for _, r := range h.waiting {
		h.fail(r, "the export ends before its facts do")
	}
}

func (h *held) fail(r Receipt, problem string) {
	h.broken = append(h.broken, Broken{Receipt: r, Given: r.Time.Time(), Problem: problem})
}
