package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// loosen makes the schemas say what is true: requests are closed, answers may
// grow, and a list is never null.
func loosen(d *huma.OpenAPI) {
	schemas := d.Components.Schemas.Map()
	closed := map[string]bool{}
	for _, item := range d.Paths {
		if item.Post == nil || item.Post.RequestBody == nil {
			continue
		}
		for _, m := range item.Post.RequestBody.Content {
			reach(schemas, m.Schema, closed)
		}
	}
	for name, s := range schemas {
		walk(s, func(s *huma.Schema) {
			s.Nullable = s.Nullable && s.Type != huma.TypeArray
			if shut, is := s.AdditionalProperties.(bool); is && !shut && !closed[name] {
				s.AdditionalProperties = nil
			}
		})
	}
}

// reach marks every named schema that s leads to.
func reach(schemas map[string]*huma.Schema, s *huma.Schema, marked map[string]bool) {
	walk(s, func(s *huma.Schema) {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if name != "" && !marked[name] {
			marked[name] = true
			reach(schemas, schemas[name], marked)
		}
	})
}

// walk visits a schema and those that stand in it.
func walk(s *huma.Schema, visit func(*huma.Schema)) {
	if s == nil {
		return
	}
	visit(s)
	walk(s.Items, visit)
	for _, p := range s.Properties {
		walk(p, visit)
	}
	if more, is := s.AdditionalProperties.(*huma.Schema); is {
		walk(more, visit)
	}
}
