// Package wire is the REST contract: what goes over the line, as plain Go
// structs, the problem documents that errors become, and the typed client.
//
// It knows names, JSON shapes and how to call; it leaves every rule to the
// server. It shares no struct with the nouns on purpose: a noun may change,
// the contract only grows. Its invariant: what the client returns without an
// error was read whole, from an answer of the expected shape.
//
// Instants are RFC 3339 in UTC. Digests are "sha256:" and 64 hexadecimal
// digits in lower case. Persons appear as ids, with their names beside them.
package wire

import "time"

// Prefix is where all but health, version and the description of the API stands.
const Prefix = "/api/v1"

// Verdicts, as the API writes them. People read the last as "cannot tell".
const (
	Go            = "go"
	Wait          = "wait"
	NoGo          = "no-go"
	Indeterminate = "indeterminate"
)

// Page is one page of a list, newest first where things have a time. Next is
// the cursor of the following page, "" on the last.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
	Stale string `json:"stale,omitempty" doc:"Why the list does not follow the journal just now"`
}

// Paging asks for a page. Limit is 1 to 200; 0 is 50.
type Paging struct {
	Cursor string
	Limit  int
}

// Done answers commands that have nothing more to say than that they were carried out.
type Done struct {
	ID string `json:"id,omitempty" doc:"Of the thing concerned"`
}

// Reasoned gives the reason of a command.
type Reasoned struct {
	Reason string `json:"reason" doc:"Why; kept as a private field of the fact"`
}

// Place is a rule's place in its bundle. Lines and columns count from 1.
type Place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Version says which build answers.
type Version struct {
	Version string `json:"version"`
	API     string `json:"api" doc:"Of this contract"`
}

// Readiness says whether the server can do its work now.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

// Check is one thing that readiness rests on.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Me is who the token speaks for.
type Me struct {
	Subject  string    `json:"subject" doc:"person/<id> or machine/<id>"`
	Handle   string    `json:"handle,omitempty"`
	Name     string    `json:"name,omitempty"`
	Roles    []string  `json:"roles"`
	Rights   []string  `json:"rights"`
	Groups   []string  `json:"groups,omitempty"`
	Services []string  `json:"services,omitempty" doc:"That a machine may speak for; none is all"`
	Token    string    `json:"token" doc:"Id of the token"`
	Expires  time.Time `json:"expires,omitzero" doc:"When the token ends"`
}
