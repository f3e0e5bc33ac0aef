package coverage

import (
	"bytes"
	"hash/fnv"
	"regexp"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// GoCover names a format that is read here.
const GoCover = "go-cover"

// maxBlocks bounds the blocks of a profile, each counted once.
const maxBlocks = 2_000_000

var goCoverStart = regexp.MustCompile(`^mode: (?:set|count|atomic)(?:\r?\n|$)`)

// IsGoCover reports whether text begins like a profile that go test writes.
func IsGoCover(start []byte) bool { return goCoverStart.Match(start[:min(len(start), 20)]) }

// goCover counts statements as go tool cover -func totals them: a block that
// stands several times, as with -coverpkg, is one that ran where any of them did.
type goCover struct {
	blocks map[uint64]uint64 // by a hash of file and place: statements<<1, and 1 where it ran
}

// ReadGoCover makes a claim of a profile.
func ReadGoCover(b []byte) (evidence.Claim, error) {
	g := goCover{blocks: map[uint64]uint64{}}
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return evidence.Claim{}, broken("the last line does not end").Remedy("it is cut short: write it again")
	}
	n := 0
	for line := range bytes.Lines(b) {
		if n++; n == 1 {
			continue // the mode, by which the profile was recognised
		}
		if err := g.read(bytes.TrimRight(line, "\r\n")); err != nil {
			return evidence.Claim{}, err.At(fault.Position{Line: n, Column: 1})
		}
	}
	var statements counts
	for _, block := range g.blocks {
		own := counts{valid: int(block >> 1)}
		if block&1 == 1 {
			own.covered = own.valid
		}
		statements.sum(own)
	}
	return measured(evidence.Claim{Format: GoCover, Tool: evidence.Tool{Name: "go test"}}, statements, counts{},
		"statements are counted, as go tool cover does; a profile knows no lines and no branches")
}

func (g *goCover) read(line []byte) *fault.Error {
	if len(line) == 0 {
		return nil
	}
	colon := bytes.LastIndexByte(line, ':')
	numbers, ok := blockNumbers(line[colon+1:])
	if !ok || colon <= 0 {
		return broken("the line is no block of a profile: %q", evidence.Cut(string(line), 120)).
			Because("a block is FILE:LINE.COLUMN,LINE.COLUMN STATEMENTS COUNT").Remedy("send what go test -coverprofile writes; profiles are joined without their modes")
	}
	place := fnv.New64a()
	_, _ = place.Write(line[:colon+1+bytes.IndexByte(line[colon+1:], ' ')])
	return g.add(place.Sum64(), numbers[4]<<1|min(numbers[5], 1))
}

// blockNumbers are the six numbers after the file: two places, statements, count.
func blockNumbers(b []byte) (n [6]uint64, ok bool) {
	for i, end := range []byte{'.', ',', '.', ' ', ' ', 0} {
		word := b
		if end != 0 {
			at := bytes.IndexByte(b, end)
			if at < 0 {
				return n, false
			}
			word, b = b[:at], b[at+1:]
		}
		if n[i], ok = digits(word); !ok || i < 5 && n[i] > 1<<31 {
			return n, false
		}
	}
	return n, true
}

func (g *goCover) add(place, block uint64) *fault.Error {
	before, twice := g.blocks[place]
	switch {
	case twice && before>>1 != block>>1:
		return broken("a block has %d statements here and %d elsewhere", block>>1, before>>1).
			Because("the profile joins those of different sources")
	case !twice && len(g.blocks) >= maxBlocks:
		return evidence.TooLarge("evidence.too-many", "there are more than %d blocks", maxBlocks)
	}
	g.blocks[place] = before | block
	return nil
}
