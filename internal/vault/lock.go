package vault

import (
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// Modes of a retention lock (S3 Object Lock): whether one with a special right
// may end it early, or nobody may.
const (
	Governance = "governance"
	Compliance = "compliance"
)

// LockRule is the lock that each entry gets when it is put; the zero rule is none.
type LockRule struct {
	Mode string        // Governance, Compliance, or "" for no retention
	For  time.Duration // of the retention, from the newest put; whole days
	Hold bool          // a legal hold as well, until somebody lifts it in the store
}

// IsZero reports whether nothing is to be locked.
func (r LockRule) IsZero() bool { return r == LockRule{} }

// Lock is an entry's retention lock as the store told it when it was read back.
type Lock struct {
	Mode  string // Governance, Compliance, or "" where there is none
	Until time.Time
	Hold  bool
}

func (l Lock) until() int64 {
	if l.Until.IsZero() {
		return 0
	}
	return l.Until.UnixMicro()
}

func (l Lock) held() int64 {
	if l.Hold {
		return 1
	}
	return 0
}

// String is the lock in words.
func (l Lock) String() string {
	said := "no lock"
	if l.Mode != "" {
		said = l.Mode + " until " + l.Until.UTC().Format(time.RFC3339)
	}
	if l.Hold {
		said += ", legal hold"
	}
	return said
}

// slack is how much shorter than its rule a retention may be: an entry that is
// put again within a day is not locked anew.
const slack = 24 * time.Hour

// meets reports whether a lock is what the rule wants at an instant.
func (r LockRule) meets(l Lock, now time.Time) bool {
	if r.Hold && !l.Hold {
		return false
	}
	if r.Mode == "" {
		return true
	}
	strong := l.Mode == r.Mode || l.Mode == Compliance
	return strong && !l.Until.Before(now.Add(r.For-slack))
}

// Locked is the error of removing an entry that its store keeps locked.
type Locked struct {
	Digest string
	Lock   Lock
}

// Error says which, and until when.
func (l *Locked) Error() string { return fmt.Sprintf("%s is locked: %s", l.Digest, l.Lock) }

// unproven is the fault of a lock that was asked for and does not stand.
func unproven(digest string, l Lock, r LockRule) error {
	want := Lock{Mode: r.Mode, Until: time.Now().Add(r.For), Hold: r.Hold}
	return fault.New(fault.Unverified, "vault.unlocked", "the lock of "+digest+" does not stand").
		Because(fmt.Sprintf("the store says %s, and was told %s", l, want)).
		Remedy("whoever runs the server sees to it that bucket and account allow the lock of --vault-lock")
}
