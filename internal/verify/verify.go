// Package verify checks what Signalbox has signed: checkpoints, proofs, whole
// exports of the journal, receipts, envelopes and deployment permits.
//
// It needs the bytes and the public keys, nothing else: no store, no secret,
// no network and no clock. Signing is left to seal, keeping to the journal.
// The invariant: no function here returns without an error unless all that
// its comment names was checked.
//
// What an export alone cannot show: that facts after the newest checkpoint in
// it have existed (a journal cut back to an earlier checkpoint is a whole
// journal), and that whoever holds the signing key has not written and signed
// another history. For both, keep receipts, keep checkpoints elsewhere
// (Published) and have witnesses cosign them.
package verify

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// DigestPrefix stands before the 64 lower-case hexadecimal digits of a SHA-256 wherever a digest is text.
const DigestPrefix = "sha256:"

func unverified(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Unverified, code, fmt.Sprintf(format, args...))
}

// isDigest is nil for "sha256:" and 64 lower-case hexadecimal digits.
func isDigest(digest string) error {
	digits, found := strings.CutPrefix(digest, DigestPrefix)
	if !found || len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "" {
		return fmt.Errorf("%.80q is not sha256: and 64 lower-case hexadecimal digits", digest)
	}
	return nil
}
