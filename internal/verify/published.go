package verify

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/cosign"
)

// Cosignature says that a witness has seen the journal grow, and nothing else, up to a checkpoint.
type Cosignature struct {
	Witness string    `json:"witness"` // name of its key
	Time    time.Time `json:"time"`    // by its clock, to the second
}

// Cosigned is Checkpoint and the cosignatures by witnesses among keys.
func Cosigned(text []byte, keys Keys) (Head, []Cosignature, error) {
	head, signatures, err := openCheckpoint(text, keys)
	var all []Cosignature
	for _, s := range signatures {
		if at, is := cosign.Time(s); is {
			all = append(all, Cosignature{s.Name, at})
		}
	}
	return head, all, err
}

// Published is a checkpoint that was kept out of the reach of who holds the database.
type Published struct {
	Name string // of its file or commit
	Note []byte
}

// Witnessed is how far a witness has cosigned. What follows it has not seen.
type Witnessed struct {
	Witness string    `json:"witness"`
	Size    uint64    `json:"size"` // of the newest checkpoint that it cosigned, and when; zero for none
	Time    time.Time `json:"time"`
}

type published struct {
	name     string
	root     tlog.Hash
	cosigned []Cosignature
}

// expect reads what was published, to compare it when the tree reaches its size.
func (e *export) expect(all []Published) error {
	for _, key := range e.keys.Of(ForWitness) {
		if !slices.ContainsFunc(e.report.Witnesses, func(w Witnessed) bool { return w.Witness == key.Name }) {
			e.report.Witnesses = append(e.report.Witnesses, Witnessed{Witness: key.Name})
		}
	}
	for _, p := range all {
		head, cosigned, err := Cosigned(p.Note, e.keys)
		switch {
		case err != nil:
			return wrongf("export.published", nowhere, "%s is not a checkpoint of this journal: %s", p.Name, err)
		case head.Origin != e.report.Origin:
			return wrongf("export.published", nowhere, "%s is not a checkpoint of this journal: it is of %q", p.Name, head.Origin)
		case head.Size == 0:
			return wrongf("export.published", nowhere, "%s is a checkpoint of no facts", p.Name)
		}
		e.kept[head.Size] = append(e.kept[head.Size], published{p.Name, head.Root, cosigned})
		e.furthest = max(e.furthest, head.Size)
	}
	return nil
}

// compare holds the tree against what was published of its size.
func (e *export) compare() error {
	facts, from := e.report.Facts, e.report.Head.Size
	for _, p := range e.kept[facts] {
		if p.root != e.tree.root() {
			return wrongf("export.published", from, "%s, of %d facts, has another root: a fact between %d and %d was changed", p.name, facts, from, facts-1)
		}
		e.report.Published++
		e.known(facts, true)
		e.witnessed(facts, p.cosigned)
	}
	return nil
}

func (e *export) witnessed(size uint64, cosigned []Cosignature) {
	e.known(size, len(cosigned) > 0)
	for _, c := range cosigned {
		i := slices.IndexFunc(e.report.Witnesses, func(w Witnessed) bool { return w.Witness == c.Witness })
		e.report.Witnesses[i].Size, e.report.Witnesses[i].Time = size, c.Time
	}
}

// outside refuses an end before what was published, and facts that fewer witnesses than demanded have seen.
func (e *export) outside(demanded int) error {
	facts := e.report.Facts
	if e.furthest > facts {
		return wrongf("export.published", facts, "the export ends after %d facts, and %s is of %d: its end was cut off, or it is older", facts, e.kept[e.furthest][0].name, e.furthest)
	}
	sizes := make([]uint64, demanded) // as if so many more had seen nothing
	for _, w := range e.report.Witnesses {
		sizes = append(sizes, w.Size)
	}
	slices.SortFunc(sizes, func(a, b uint64) int { return cmp.Compare(b, a) })
	if demanded > 0 && sizes[demanded-1] < facts {
		return wrongf("export.witnesses", sizes[demanded-1], "%d of %d facts are cosigned by as many witnesses as are demanded, %d (the file of keys names %d)", sizes[demanded-1], facts, demanded, len(sizes)-demanded)
	}
	return nil
}
