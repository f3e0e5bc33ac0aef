package wire

import (
	"signalbox.dev/signalbox/internal/fault"
)

// ProblemType is the media type of problem documents (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is an error as it goes over the line (RFC 9457): detail says what
// happened, why and fix what to do about it. Instance names the request, as in the log.
type Problem struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail,omitempty"`
	Instance string   `json:"instance,omitempty"`
	Kind     string   `json:"kind" doc:"Whose mistake it is: invalid, unauthorised, forbidden, not-found, conflict, too-large, busy, unavailable, unverified, internal"`
	Code     string   `json:"code" doc:"Stable and dotted"`
	Why      string   `json:"why,omitempty"`
	Fix      string   `json:"fix,omitempty"`
	Field    string   `json:"field,omitempty" doc:"JSON pointer or parameter"`
	Where    Place    `json:"where,omitzero"`
	Errors   []Detail `json:"errors,omitempty" doc:"All problems, where there are several"`
}

// Detail is one of several problems.
type Detail struct {
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail"`
	Why    string `json:"why,omitempty"`
	Fix    string `json:"fix,omitempty"`
	Field  string `json:"field,omitempty"`
	Where  Place  `json:"where,omitzero"`
}

// ProblemOf is the problem document of a fault.
func ProblemOf(f *fault.Error) Problem {
	status := fault.Status(f.Kind)
	return Problem{
		Type: "about:blank", Title: titles[f.Kind], Status: status, Detail: f.What, Kind: f.Kind.String(), Code: f.Code,
		Why: f.Why, Fix: f.Fix, Field: f.Field, Where: Place(f.Where),
	}
}

var titles = map[fault.Kind]string{
	fault.Internal: "Internal error", fault.Invalid: "Invalid request", fault.Unauthorised: "Not signed in",
	fault.Forbidden: "Not allowed", fault.NotFound: "Not found", fault.Conflict: "Conflict", fault.TooLarge: "Too large",
	fault.Busy: "Too much at once", fault.Unavailable: "Unavailable", fault.Unverified: "Not verified", fault.Interrupted: "Interrupted",
}

// Fault is the fault that the problem was made of, for its reader on this side.
func (p Problem) Fault() *fault.Error {
	f := fault.New(p.kind(), p.Code, p.Detail).Because(p.Why).Remedy(p.Fix).On(p.Field).At(fault.Position(p.Where))
	if f.What == "" {
		f.What = "the server answered: " + p.Title
	}
	if f.Kind == fault.Internal && p.Instance != "" && f.Fix == "" {
		f.Fix = "quote the reference " + p.Instance + " to whoever runs the server"
	}
	return f
}

func (p Problem) kind() fault.Kind {
	for k := range titles {
		if k.String() == p.Kind {
			return k
		}
	}
	return kindOfStatus(p.Status)
}

// kindOfStatus is for answers of proxies, which know no kinds.
func kindOfStatus(status int) fault.Kind {
	switch status {
	case 400, 405, 406, 415, 422:
		return fault.Invalid
	case 401:
		return fault.Unauthorised
	case 403:
		return fault.Forbidden
	case 404, 410:
		return fault.NotFound
	case 409, 412:
		return fault.Conflict
	case 413, 414, 431:
		return fault.TooLarge
	case 429:
		return fault.Busy
	case 408, 502, 503, 504:
		return fault.Unavailable
	}
	return fault.Internal
}
