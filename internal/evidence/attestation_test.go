package evidence

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// attested is an attestation by a builder about some digests, as it is sent.
func attested(artifact, builder string, subjects ...string) Added {
	a := &Attestation{PredicateType: "https://slsa.dev/provenance/v1", Builder: builder, SubjectCount: len(subjects), Signatures: 1}
	for _, s := range subjects {
		a.Subjects = append(a.Subjects, Subject{Name: "x", Digest: s})
	}
	return Added{
		Service: "payments", Version: "1.4.0", Digest: artifact, Provenance: "pipeline", File: "sha256:" + builder,
		Claim: Claim{Kind: AttestationKind, Format: "in-toto", Tool: Tool{Name: builder}, Attestation: a},
	}
}

// An attestation stands about the artifact that it names, and about no other.
func TestAttestationOfSomethingElse(t *testing.T) {
	now := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	this, other := "sha256:"+strings.Repeat("5e", 32), "sha256:"+strings.Repeat("00", 32)
	for what, c := range map[string]struct {
		subjects []string
		stands   bool
	}{
		"it": {[]string{this}, true}, "it among others": {[]string{other, "", this}, true},
		"another": {[]string{other}, false}, "nothing by SHA-256": {[]string{""}, false}, "nothing": {nil, false},
		"it without the algorithm": {[]string{strings.TrimPrefix(this, "sha256:")}, false}, "its beginning": {[]string{this[:40]}, false},
	} {
		drafts, err := Add(Artifact{}, attested(this, "b", c.subjects...), now)
		var f *fault.Error
		switch {
		case c.stands && (err != nil || len(drafts) != 1):
			t.Errorf("%s: %v", what, err)
		case !c.stands && (!errors.As(err, &f) || f.Code != "evidence.other-subject" || f.Kind != fault.Invalid):
			t.Errorf("%s: %v", what, err)
		}
		if c.stands {
			if kept := drafts[0].Body.(Added).Claim.Attestation; kept.Subjects != nil || kept.SubjectCount != len(c.subjects) {
				t.Errorf("%s: a fact holds %+v", what, kept)
			}
		}
	}
}

// A builder's newer attestation takes the place of its older one; there is an end
// to how many stand.
func TestAttestationsAreBounded(t *testing.T) {
	now := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	this := "sha256:" + strings.Repeat("5e", 32)
	a := Artifact{}
	for i := range MaxAttestations {
		c := attested(this, fmt.Sprintf("builder-%d", i), this)
		if _, err := Add(a, c, now); err != nil {
			t.Fatal(err)
		}
		a = a.With(c)
	}
	again := attested(this, "builder-3", this)
	again.File = "sha256:newer"
	if drafts, err := Add(a, again, now); err != nil || len(drafts) != 1 || len(a.With(again).Claims) != MaxAttestations {
		t.Errorf("the newer one: %v", err)
	}
	if _, err := Add(a, attested(this, "one-more", this), now); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("one more: %v", err)
	}
	tests := Added{Service: "payments", Version: "1.4.0", Digest: this, Provenance: "pipeline", File: "sha256:t", Claim: Claim{Kind: TestsKind, Format: "junit", Tests: &Tests{Total: 1, Passed: 1}}}
	if _, err := Add(a, tests, now); err != nil {
		t.Errorf("another kind of claim: %v", err)
	}
	if (Attestation{}).Names(this) {
		t.Error("a summary names something")
	}
}
