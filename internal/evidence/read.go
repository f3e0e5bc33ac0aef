package evidence

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/fault"
)

// Bounds on a report.
const (
	MaxSize  = 200 << 20 // bytes, also after decompression
	MaxRatio = 100       // of a compressed report to its file
	maxDepth = 100       // of elements in XML
	maxNest  = 200       // of objects and arrays in JSON
)

const supported = "SARIF 2.1.0, JUnit XML and Cobertura are read"

// Read makes a claim of a report, whose format is recognised by its content.
// It may be compressed with gzip. Errors are *fault.Error, of kind Invalid or
// TooLarge, and say where in the (decompressed) report the trouble is.
func Read(b []byte) (Claim, error) {
	b, err := unpack(b)
	if err != nil {
		return Claim{}, err
	}
	body := bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if err := plain(body); err != nil {
		return Claim{}, err
	}
	switch first := bytes.TrimLeft(body, " \t\r\n"); {
	case len(first) == 0:
		return Claim{}, fault.Invalidf("evidence.empty", "the report is empty").Because("an empty file says nothing, not that all is well")
	case first[0] == '{' || first[0] == '[':
		return readJSON(body)
	case first[0] == '<':
		return readXML(body)
	default:
		return Claim{}, unknown("it is neither JSON nor XML")
	}
}

func unknown(why string) *fault.Error {
	return fault.Invalidf("evidence.unknown-format", "this is not a report that is known").Because(why).Remedy(supported)
}

// unpack decompresses b where it is gzip: once to measure, so that neither a
// bomb nor growing buffers take memory, and once to keep.
func unpack(b []byte) ([]byte, error) {
	if len(b) > MaxSize {
		return nil, tooLarge("evidence.too-large", "the report is longer than %d bytes", MaxSize)
	}
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	limit := min(int64(len(b))*MaxRatio, MaxSize)
	n, err := inflate(io.Discard, b, limit+1)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, tooLarge("evidence.bomb", "the compressed report grows more than %d times, or beyond %d bytes", MaxRatio, MaxSize)
	}
	out := bytes.NewBuffer(make([]byte, 0, n+1))
	_, err = inflate(out, b, limit)
	return out.Bytes(), err
}

func inflate(w io.Writer, b []byte, limit int64) (int64, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err == nil {
		var n int64
		if n, err = io.CopyN(w, z, limit); err == nil || errors.Is(err, io.EOF) {
			return n, nil
		}
	}
	return 0, fault.Invalidf("evidence.gzip", "the compressed report cannot be decompressed").Because(err.Error()).
		Remedy("it is cut short or damaged: send it again").Cause(err)
}

// plain refuses what no text holds, and says where it stands.
func plain(b []byte) error {
	if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return fault.Invalidf("evidence.encoding", "the report is in UTF-16").Remedy("write it in UTF-8")
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return fault.Invalidf("evidence.nul", "the report holds a NUL byte").Because("no text does").At(place(b, i))
	}
	return nil
}

func place(b []byte, offset int) fault.Position {
	before := b[:min(max(offset, 0), len(b))]
	return fault.Position{Line: 1 + bytes.Count(before, []byte("\n")), Column: len(before) - bytes.LastIndexByte(before, '\n')}
}

func tooLarge(code, format string, args ...any) *fault.Error {
	return fault.New(fault.TooLarge, code, fmt.Sprintf(format, args...))
}
