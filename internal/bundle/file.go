package bundle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// Limits of a bundle, in bytes and in documents.
const (
	MaxFile      = 1 << 20
	MaxBundle    = 4 << 20
	MaxFiles     = 500
	MaxDocuments = 2000
)

// APIVersion is what every document of a bundle declares.
const APIVersion = "signalbox/v1"

// File is one YAML file of a bundle. Name is relative, with slashes.
type File struct {
	Name string
	Data []byte
}

// Digest identifies a bundle: "sha256:" and the hexadecimal SHA-256 of a header
// line and, for each file by name, the length of the name (eight bytes, big
// endian), the name, the length of the content and the content.
func Digest(files []File) string {
	h := sha256.New()
	h.Write([]byte("signalbox policy bundle v1\n"))
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, f := range byName(files) {
		part([]byte(f.Name))
		part(f.Data)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// byName is a copy of files, ordered; the contents are shared.
func byName(files []File) []File {
	return slices.SortedStableFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
}

// Clone is a copy of files, ordered by name, that shares nothing with them.
func Clone(files []File) []File {
	all := byName(files)
	for i := range all {
		all[i].Data = bytes.Clone(all[i].Data)
	}
	return all
}
