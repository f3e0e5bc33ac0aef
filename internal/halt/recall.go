package halt

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// RecallNoun is the noun of recall orders' streams, one for each Basis.
const RecallNoun = "recall"

// Basis is something that a permit rested on, as "<of>/<which>": the digest of
// a policy, a subject or attestor whose word was taken, a person who approved.
type Basis string

// What a Basis may be of.
const (
	OfPolicy   = "policy"   // policy/sha256:…
	OfIssuer   = "issuer"   // issuer/machine/<id>, issuer/person/<id> or issuer/attestor/<name>
	OfApprover = "approver" // approver/<id of a person>
)

// BasisOf is the basis of a kind, such as OfPolicy.
func BasisOf(kind, which string) Basis { return Basis(kind + "/" + which) }

// unnamed stands for what permits issued before bases were kept rested on: any.
func (b Basis) unnamed() Basis {
	kind, _, _ := strings.Cut(string(b), "/")
	return BasisOf(kind, "")
}

// Stream is where orders about a basis stand.
func (b Basis) Stream() event.Stream {
	sum := sha256.Sum256([]byte(b))
	return event.StreamOf(RecallNoun, hex.EncodeToString(sum[:16]))
}

// Order is the state of a recall stream: the newest order about a basis.
type Order struct {
	Basis    Basis        `json:"basis"`
	At       event.Micros `json:"at"`       // set by the fold
	Position uint64       `json:"position"` // of its fact; set by the fold: every permit issued before it is recalled
}

// RecallShape is the fold of recall orders' streams.
func RecallShape() event.Shape {
	return event.ShapeOf(RecallNoun, 1, func(o *Order, f event.Recorded) error {
		if f.Kind != event.PermitsRecalled {
			return event.Unknown(f)
		}
		if err := f.Body(o); err != nil {
			return err
		}
		o.At, o.Position = f.Time, f.Position
		return nil
	}, nil)
}

// recall is the body of PermitsRecalled.
type recall struct {
	Basis Basis `json:"basis"`
}

// Recall is the order that takes back every permit which rests on a basis.
// Permits of before bases were kept might rest on any issuer or approver, so
// they are taken back as well.
func Recall(b Basis, reason string) ([]event.Draft, error) {
	kind, which, _ := strings.Cut(string(b), "/")
	switch {
	case !slices.Contains([]string{OfPolicy, OfIssuer, OfApprover}, kind) || which == "":
		return nil, fault.Invalidf("recall.basis", "permits are recalled by a policy, an issuer or an approver").Remedy("name one of the three")
	case strings.TrimSpace(reason) == "":
		return nil, fault.Invalidf("recall.reason", "recalling permits needs a reason").On("reason")
	}
	private := map[string]string{"reason": reason}
	drafts := []event.Draft{{Stream: b.Stream(), Kind: event.PermitsRecalled, Body: recall{b}, Private: private}}
	if kind != OfPolicy {
		drafts = append(drafts, event.Draft{Stream: b.unnamed().Stream(), Kind: event.PermitsRecalled, Body: recall{b.unnamed()}})
	}
	return drafts, nil
}

// Bases is what a permit rests on. approvers and issuers are nil where they
// were not kept, which is not the same as none.
func Bases(policy string, approvers, issuers []string) []Basis {
	all := []Basis{BasisOf(OfPolicy, policy)}
	for kind, names := range map[string][]string{OfApprover: approvers, OfIssuer: issuers} {
		if names == nil {
			all = append(all, BasisOf(kind, ""))
		}
		for _, n := range names {
			all = append(all, BasisOf(kind, n))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
