package api

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/wire"
)

// operation is one thing that can be asked of the API.
type operation struct {
	id, path string // path below wire.Prefix, or from the root where at is set
	about    string // one sentence
	need     access.Right
	params   []param
	limit    int64  // of the body in bytes; 0 is jsonBytes
	takes    string // media type of the body, where it is not JSON
	gives    string // media type of the answer, where it is not JSON
	root     bool   // the path begins at the root, not below wire.Prefix
	lasting  bool   // may last longer than a call: uploads, exports, subscriptions

	method  string
	in, out reflect.Type
	run     func(c *call) error
}

// param is a parameter of the query; those of the path stand in it.
type param struct {
	name, about string
	kind        string // string, integer, boolean
	required    bool
}

func (p operation) full() string {
	if p.root {
		return p.path
	}
	return wire.Prefix + p.path
}

// act is an operation that changes something: a POST with a JSON body.
func act[In, Out any](p operation, fn func(c *call, in In) (Out, error)) operation {
	p.method, p.in, p.out = http.MethodPost, reflect.TypeFor[In](), reflect.TypeFor[Out]()
	p.run = func(c *call) error {
		var in In
		if err := c.decode(&in); err != nil {
			return err
		}
		out, err := fn(c, in)
		return c.answer(out, err)
	}
	return p
}

// send is an act whose body is not JSON, or that has none.
func send[Out any](p operation, fn func(c *call) (Out, error)) operation {
	p.method, p.out = http.MethodPost, reflect.TypeFor[Out]()
	p.run = func(c *call) error {
		out, err := fn(c)
		return c.answer(out, err)
	}
	return p
}

// ask is an operation that reads.
func ask[Out any](p operation, fn func(c *call) (Out, error)) operation {
	p = send(p, fn)
	p.method = http.MethodGet
	return p
}

// serve is an operation that reads and writes its answer itself, of the media type gives.
func serve(p operation, fn func(c *call) error) operation {
	p.method, p.run = http.MethodGet, fn
	return p
}

// register describes an operation and routes it.
func (a *api) register(h huma.API, p operation) error {
	if p.need == "" || p.need != public && p.need != signedIn && !slices.Contains(access.Rights(), p.need) {
		return fmt.Errorf("operation %s declares no right", p.id)
	}
	o := p.describe(h.OpenAPI().Components.Schemas)
	h.OpenAPI().AddOperation(o)
	h.Adapter().Handle(o, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		a.serve(w, r, p)
	})
	return nil
}

// describe is the operation as OpenAPI has it.
func (p operation) describe(schemas huma.Registry) *huma.Operation {
	o := &huma.Operation{
		OperationID: p.id, Method: p.method, Path: p.full(), Summary: p.about, Description: p.needs(),
		Responses: map[string]*huma.Response{}, Security: []map[string][]string{},
	}
	if p.need != public {
		o.Security = []map[string][]string{{"token": {}}}
	}
	o.Parameters = p.parameters()
	if p.in != nil {
		o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(p.in, true, p.id)}}}
	} else if p.takes != "" {
		o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{p.takes: {Schema: &huma.Schema{Type: "string"}}}}
	}
	good := &huma.Response{Description: "The answer", Content: map[string]*huma.MediaType{}}
	if p.out != nil {
		good.Content["application/json"] = &huma.MediaType{Schema: schemas.Schema(p.out, true, p.id)}
	}
	if p.method == http.MethodPost {
		good.Headers = map[string]*huma.Param{wire.ReceiptHeader: {
			Schema:      &huma.Schema{Type: "string"},
			Description: "For each command that has recorded something, its signed receipt in base64: keep it",
		}}
	}
	if p.gives != "" {
		good.Content[p.gives] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	o.Responses["200"] = good
	o.Responses["default"] = &huma.Response{Description: "Why not", Content: map[string]*huma.MediaType{
		wire.ProblemType: {Schema: schemas.Schema(reflect.TypeFor[wire.Problem](), true, "Problem")},
	}}
	return o
}

func (p operation) needs() string {
	switch p.need {
	case public:
		return "Takes no token."
	case signedIn:
		return "Takes a token; what else it takes depends on what is asked."
	}
	return fmt.Sprintf("Takes the right %q.", string(p.need))
}

// places is the names of what stands in the path.
func (p operation) places() []string {
	var all []string
	for part := range strings.SplitSeq(p.path, "/") {
		if name, is := strings.CutPrefix(part, "{"); is {
			all = append(all, strings.TrimSuffix(name, "}"))
		}
	}
	return all
}

func (p operation) parameters() []*huma.Param {
	var all []*huma.Param
	for _, name := range p.places() {
		all = append(all, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: "string"}})
	}
	for _, q := range p.params {
		all = append(all, &huma.Param{Name: q.name, In: "query", Description: q.about, Required: q.required, Schema: &huma.Schema{Type: q.kind}})
	}
	if p.method == http.MethodPost && p.need != public {
		all = append(all, &huma.Param{
			Name: wire.KeyHeader, In: "header", Schema: &huma.Schema{Type: "string"},
			Description: "Of the caller's choice, at most 255 bytes: the same key with the same request acts once and answers the same",
		})
	}
	return all
}

// Parameters that several operations take.
func paging() []param {
	return []param{{name: "cursor", kind: "string", about: "Next of an earlier page"}, {name: "limit", kind: "integer", about: "1 to 200; 50 where absent"}}
}

func text(names ...string) []param {
	var all []param
	for _, n := range names {
		all = append(all, param{name: n, kind: "string"})
	}
	return all
}

func needed(names ...string) []param {
	all := text(names...)
	for i := range all {
		all[i].required = true
	}
	return all
}
