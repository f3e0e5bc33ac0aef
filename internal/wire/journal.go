package wire

import (
	"encoding/json"
	"time"
)

// Proof shows that a fact stands in the tree of a size. Hashes are base64.
type Proof struct {
	Origin   string   `json:"origin"`
	Position uint64   `json:"position"`
	Size     uint64   `json:"size"`
	Leaf     string   `json:"leaf"`
	Hashes   []string `json:"hashes"`
}

// Consistency shows that the tree of size To continues the one of size From.
type Consistency struct {
	Origin string   `json:"origin"`
	From   uint64   `json:"from"`
	To     uint64   `json:"to"`
	Hashes []string `json:"hashes"`
}

// Fact is one line of the audit trail. Private holds names, addresses and free
// text, for those with the right to export.
type Fact struct {
	Position uint64            `json:"position"`
	Stream   string            `json:"stream"`
	Version  uint64            `json:"version"`
	Kind     string            `json:"kind"`
	Time     time.Time         `json:"time"`
	Actor    string            `json:"actor"`
	Auth     string            `json:"auth"`
	Source   string            `json:"source"`
	Command  string            `json:"command"`
	Touches  []string          `json:"touches,omitempty"`
	Body     json.RawMessage   `json:"body"`
	Private  map[string]string `json:"private,omitempty"`
}

// Facts is a page of the audit trail, oldest first. Next is the position to go on from.
type Facts struct {
	Items []Fact `json:"items"`
	Next  uint64 `json:"next"`
	Size  uint64 `json:"size" doc:"Facts in the journal"`
}

// News says which facts are new and which streams they concern; it has no bodies.
type News struct {
	From    uint64   `json:"from"`
	Next    uint64   `json:"next" doc:"Subscribe after this to go on"`
	Streams []string `json:"streams" doc:"Written or touched"`
}
