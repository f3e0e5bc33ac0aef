package report

import (
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/fault"
)

// Signers are those of some files of public keys that have signed an attestation,
// which may be compressed as any report. read opens a file; none that signed is an
// Unverified fault.
func Signers(b []byte, files []string, read func(string) ([]byte, error)) ([]string, error) {
	claim, err := Read(b)
	if err != nil {
		return nil, err
	}
	if claim.Attestation == nil {
		return nil, fault.Invalidf("evidence.no-signature", "the report is no attestation, so no key has signed it").On("--key").Remedy("leave out --key")
	}
	var keys []attestation.KeyText
	for _, file := range files {
		text, err := read(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, attestation.KeyText{Name: file, Text: string(text)})
	}
	if b, err = Unpacked(b); err != nil {
		return nil, err
	}
	return attestation.Signers(b, keys)
}
