// Package report recognises what a report is by its content and has the reader
// of its format make a claim of it.
//
// It leaves what a format says to the rooms below evidence. Its invariant: a
// report that no row of its tables knows, or that more than one knows, is
// refused, as is one that is empty, encoded otherwise or a bomb.
package report

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/fault"
)

// Bounds on a report.
const (
	MaxSize  = 200 << 20 // bytes, also after decompression
	MaxRatio = 100       // of a compressed report to its file
)

// Read makes a claim of a report, whose format is recognised by its content.
// It may be compressed with gzip. Errors are *fault.Error, of kind Invalid or
// TooLarge, and say where in the (decompressed) report the trouble is.
func Read(b []byte) (evidence.Claim, error) { return Reader{}.Read(b) }

// Reader reads reports as Read does. Bundles says that Sigstore bundles are read as
// well, by a build that can verify them.
type Reader struct{ Bundles bool }

// Read makes a claim of a report.
func (r Reader) Read(b []byte) (evidence.Claim, error) {
	body, err := Unpacked(b)
	if err != nil {
		return evidence.Claim{}, err
	}
	if err := plain(body); err != nil {
		return evidence.Claim{}, err
	}
	first := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(first) == 0:
		return evidence.Claim{}, fault.Invalidf("evidence.empty", "the report is empty").Because("an empty file says nothing, not that all is well")
	case bytes.Equal(bytes.TrimRight(first, " \t\r\n"), []byte("null")):
		return evidence.Claim{}, fault.Invalidf("evidence.empty", "the report is null").
			Because("it does not say that anything was looked at").Remedy("use a newer version of the scanner, which writes a report where it finds nothing")
	case r.Bundles && first[0] == '{' && attestation.Bundled(body):
		return attestation.ReadBundle(body)
	case first[0] == '{' || first[0] == '[':
		return readJSON(body)
	case first[0] == '<':
		return evidence.ReadXML(body, pickXML(body))
	}
	for _, f := range texts {
		if f.is(first) {
			return f.read(body)
		}
	}
	return evidence.Claim{}, unknown("it is neither JSON nor XML, and begins like no other report")
}

// Unpacked is the text of a report: decompressed, without the mark of its encoding.
func Unpacked(b []byte) ([]byte, error) {
	b, err := unpack(b)
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), err
}

func readJSON(b []byte) (evidence.Claim, error) {
	if err := evidence.Bounded(b); err != nil {
		return evidence.Claim{}, err
	}
	top, err := evidence.TopOf(b)
	if err != nil {
		return evidence.Claim{}, err
	}
	var found []jsonFormat
	for _, f := range jsons {
		if f.is(top) {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return evidence.Claim{}, unknown("it is JSON, but opens like no report that is read")
	case 1:
		return found[0].read(b)
	}
	return evidence.Claim{}, unknown(fmt.Sprintf("it opens like %s and like %s", found[0].name, found[1].name))
}

// pickXML picks the reader of a document by its root element.
func pickXML(b []byte) func(root xml.StartElement, doctype string) (evidence.XMLReader, error) {
	return func(root xml.StartElement, doctype string) (evidence.XMLReader, error) {
		for _, f := range xmls {
			switch {
			case !f.is(root):
			case f.again != nil:
				return f.again(b), nil
			default:
				return f.reader(doctype), nil
			}
		}
		return nil, unknown(fmt.Sprintf("it is XML, and its element is %q", evidence.Cut(root.Name.Local, 40)))
	}
}

func unknown(why string) *fault.Error {
	return fault.Invalidf("evidence.unknown-format", "this is not a report that is known").Because(why).
		Remedy("these are read: " + strings.Join(Names(), ", "))
}

// unpack decompresses b where it is gzip: once to measure, so that neither a
// bomb nor growing buffers take memory, and once to keep.
func unpack(b []byte) ([]byte, error) {
	if len(b) > MaxSize {
		return nil, evidence.TooLarge("evidence.too-large", "the report is longer than %d bytes", MaxSize)
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
		return nil, evidence.TooLarge("evidence.bomb", "the compressed report grows more than %d times, or beyond %d bytes", MaxRatio, MaxSize)
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
		return fault.Invalidf("evidence.nul", "the report holds a NUL byte").Because("no text does").At(evidence.Place(b, i))
	}
	return nil
}
