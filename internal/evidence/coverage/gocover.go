package coverage

import (
	"bytes"
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

// goBlock is the place of a block in the sources.
type goBlock struct {
	file                                    uint32
	startLine, startColumn, line, endColumn uint32
}

type goRun struct {
	statements uint32
	ran        bool
}

// goCover counts statements as go tool cover -func totals them: a block that
// stands several times, as with -coverpkg, is one that ran where any of them did.
type goCover struct {
	files  map[string]uint32
	blocks map[goBlock]goRun
	last   string // file of the line before
	lastID uint32
}

// ReadGoCover makes a claim of a profile.
func ReadGoCover(b []byte) (evidence.Claim, error) {
	g := goCover{files: map[string]uint32{}, blocks: map[goBlock]goRun{}}
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
	for _, r := range g.blocks {
		own := counts{valid: int(r.statements)}
		if r.ran {
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
	wrong := func() *fault.Error {
		return broken("the line is no block of a profile: %q", evidence.Cut(string(line), 120)).
			Because("a block is FILE:LINE.COLUMN,LINE.COLUMN STATEMENTS COUNT").Remedy("send what go test -coverprofile writes; profiles are joined without their modes")
	}
	colon := bytes.LastIndexByte(line, ':')
	if colon <= 0 {
		return wrong()
	}
	block, run := goBlock{}, goRun{}
	var hits uint64
	rest := line[colon+1:]
	for _, x := range []struct {
		end   byte
		to    *uint32
		count *uint64
	}{
		{'.', &block.startLine, nil},
		{',', &block.startColumn, nil},
		{'.', &block.line, nil},
		{' ', &block.endColumn, nil},
		{' ', &run.statements, nil},
		{0, nil, &hits},
	} {
		word := rest
		if x.end != 0 {
			i := bytes.IndexByte(rest, x.end)
			if i < 0 {
				return wrong()
			}
			word, rest = rest[:i], rest[i+1:]
		}
		n, ok := digits(word)
		if !ok || x.to != nil && n > 1<<31 {
			return wrong()
		}
		if x.to != nil {
			*x.to = uint32(n)
		} else {
			*x.count = n
		}
	}
	run.ran = hits > 0
	block.file = g.file(line[:colon])
	return g.add(block, run)
}

func (g *goCover) file(name []byte) uint32 {
	if string(name) == g.last {
		return g.lastID
	}
	id, known := g.files[string(name)]
	if !known {
		id = uint32(len(g.files))
		g.files[string(name)] = id
	}
	g.last, g.lastID = string(name), id
	return id
}

func (g *goCover) add(b goBlock, r goRun) *fault.Error {
	before, twice := g.blocks[b]
	switch {
	case twice && before.statements != r.statements:
		return broken("a block has %d statements here and %d elsewhere", r.statements, before.statements).
			Because("the profile joins those of different sources")
	case !twice && len(g.blocks) >= maxBlocks:
		return evidence.TooLarge("evidence.too-many", "there are more than %d blocks", maxBlocks)
	}
	r.ran = r.ran || before.ran
	g.blocks[b] = r
	return nil
}
