package change

import (
	"cmp"
	"slices"
)

// What came of holding a commit's signature against the keys that were given.
const (
	Verified     = "verified"     // it holds under one of them
	Bad          = "bad"          // it does not: commit or signature are not what was signed
	Unverifiable = "unverifiable" // none of them is its own, or its kind cannot be read here: nothing is known
)

// Signatures says of every commit whether it is signed and what the signature
// is worth: the four counts add up to the commits.
type Signatures struct {
	Verified     int          `json:"verified"`
	Bad          int          `json:"bad"`
	Unverifiable int          `json:"unverifiable"`
	Unsigned     int          `json:"unsigned"`
	Keys         []SigningKey `json:"keys"` // under which signatures hold, by fingerprint
}

// SigningKey is a key under which signatures hold. Names are those that the
// list of keys has for it, and not the commits' own.
type SigningKey struct {
	Key     string   `json:"key"` // fingerprint
	Names   []string `json:"names"`
	Commits int      `json:"commits"`
}

func (c *Change) signatures(r Raw) {
	if !r.Checked {
		return
	}
	s := Signatures{Keys: []SigningKey{}}
	keys := map[string]*SigningKey{}
	for _, k := range r.Commits {
		switch {
		case !k.Signed:
			s.Unsigned++
		case k.Signature == Verified:
			s.Verified++
			if keys[k.Key] == nil {
				keys[k.Key] = &SigningKey{Key: k.Key, Names: append([]string{}, k.KeyNames...)}
			}
			keys[k.Key].Commits++
		case k.Signature == Bad:
			s.Bad++
		default:
			s.Unverifiable++
		}
	}
	for _, k := range keys {
		s.Keys = append(s.Keys, *k)
	}
	slices.SortFunc(s.Keys, func(a, b SigningKey) int { return cmp.Compare(a.Key, b.Key) })
	c.Signatures = &s
}
