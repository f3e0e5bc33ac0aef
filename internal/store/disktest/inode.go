package disktest

import "math/rand/v2"

// inode is a file: as it is seen, as it was last synced, and what was done to
// it in between.
type inode struct {
	data    []byte
	synced  []byte
	pending []change
	locks   locks
	shared  *memory
}

// change is a write of bytes at an offset, or, without bytes, a truncation to it.
type change struct {
	at    int
	bytes []byte
}

func newInode(data []byte) *inode {
	return &inode{data: append([]byte(nil), data...), synced: append([]byte(nil), data...)}
}

// apply is data after c.
func (c change) apply(data []byte) []byte {
	if c.bytes == nil {
		return grown(data, c.at)[:c.at]
	}
	data = grown(data, c.at+len(c.bytes))
	copy(data[c.at:], c.bytes)
	return data
}

// grown is data of at least size bytes, zeros at its end.
func grown(data []byte, size int) []byte {
	if size <= len(data) {
		return data
	}
	return append(data, make([]byte, size-len(data))...)
}

func (n *inode) do(c change) {
	n.data = c.apply(n.data)
	n.pending = append(n.pending, c)
}

func (n *inode) sync() {
	for _, c := range n.pending {
		n.synced = c.apply(n.synced)
	}
	n.pending = nil
}

// fate is how a disk treats what was not synced when the power goes.
type fate int

const (
	drop    fate = iota // nothing came through
	keep                // everything did
	prefix              // what came first did, the last of it torn
	scatter             // each sector holds any of what it was given, in any order
	garbage             // as scatter, and some sectors hold rubbish
)

var fates = [...]fate{drop, keep, prefix, scatter, scatter, garbage}

// survive is what the disk holds of the file after a loss of power.
func (n *inode) survive(f fate, random *rand.Rand) []byte {
	held := append([]byte(nil), n.synced...)
	switch f {
	case drop:
		return held
	case keep:
		for _, c := range n.pending {
			held = c.apply(held)
		}
		return held
	case prefix:
		return n.prefix(held, random)
	}
	return n.scatter(held, f, random)
}

// prefix applies the first of the changes, and of one more some sectors.
func (n *inode) prefix(held []byte, random *rand.Rand) []byte {
	if len(n.pending) == 0 {
		return held
	}
	whole := random.IntN(len(n.pending))
	for _, c := range n.pending[:whole] {
		held = c.apply(held)
	}
	if torn := n.pending[whole]; torn.bytes != nil {
		for _, part := range torn.sectors() {
			if random.IntN(2) == 0 {
				held = part.apply(held)
			}
		}
	}
	return held
}

// sectors is a write cut at the borders of sectors.
func (c change) sectors() []change {
	var parts []change
	for rest := c; len(rest.bytes) > 0; {
		size := min(SectorBytes-rest.at%SectorBytes, len(rest.bytes))
		parts = append(parts, change{rest.at, rest.bytes[:size]})
		rest = change{rest.at + size, rest.bytes[size:]}
	}
	return parts
}

// scatter gives each sector one of the contents that it had since the last
// sync, and the file one of its sizes. Rubbish stands only where something was
// written: SQLite, as it is built, counts on a write leaving its neighbours alone.
func (n *inode) scatter(held []byte, f fate, random *rand.Rand) []byte {
	now, size := append([]byte(nil), held...), len(held)
	offered := map[int][]change{} // by sector: what it held after each change of it
	var order []int
	chosen := random.IntN(len(n.pending) + 1)
	for i, c := range n.pending {
		now = c.apply(now)
		for _, part := range c.sectors() {
			sector := part.at / SectorBytes
			if offered[sector] == nil {
				order = append(order, sector)
			}
			begin := sector * SectorBytes
			after := append([]byte(nil), now[begin:min(begin+SectorBytes, len(now))]...)
			if f == garbage && random.IntN(8) == 0 {
				for j := range part.bytes {
					after[part.at-begin+j] = byte(random.Uint32())
				}
			}
			offered[sector] = append(offered[sector], change{begin, after})
		}
		if i < chosen {
			size = len(now)
		}
	}
	for _, sector := range order {
		if choice := random.IntN(len(offered[sector]) + 1); choice > 0 {
			held = offered[sector][choice-1].apply(held)
		}
	}
	return change{at: size}.apply(held)
}
