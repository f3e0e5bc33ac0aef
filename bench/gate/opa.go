package gate

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// Module is OPA's side of the rules.
//
//go:embed policy.rego
var Module string

// OPA is a prepared query over Module.
type OPA struct{ query rego.PreparedEvalQuery }

// Prepare compiles the module.
func Prepare(ctx context.Context) (*OPA, error) {
	q, err := rego.New(rego.Query("data.release.deny"), rego.Module("policy.rego", Module)).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare the query: %w", err)
	}
	return &OPA{q}, nil
}

// Parsed is a document as OPA evaluates it: the input that is cheapest for it.
func Parsed(document []byte) (ast.Value, error) {
	t, err := ast.ValueFromReader(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("parse the document: %w", err)
	}
	return t, nil
}

// Deny answers a parsed document.
func (o *OPA) Deny(ctx context.Context, document ast.Value) (map[string]bool, error) {
	return o.answer(o.query.Eval(ctx, rego.EvalParsedInput(document)))
}

// DenyMap answers a document that a host has in Go's own types.
func (o *OPA) DenyMap(ctx context.Context, document any) (map[string]bool, error) {
	return o.answer(o.query.Eval(ctx, rego.EvalInput(document)))
}

// DenyJSON answers a document as JSON.
func (o *OPA) DenyJSON(ctx context.Context, document []byte) (map[string]bool, error) {
	parsed, err := Parsed(document)
	if err != nil {
		return nil, err
	}
	return o.Deny(ctx, parsed)
}

func (o *OPA) answer(set rego.ResultSet, err error) (map[string]bool, error) {
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	if len(set) != 1 || len(set[0].Expressions) != 1 {
		return nil, errors.New("the query has no answer")
	}
	names, ok := set[0].Expressions[0].Value.([]any)
	if !ok {
		return nil, fmt.Errorf("the query answers %T", set[0].Expressions[0].Value)
	}
	deny := make(map[string]bool, len(names))
	for _, n := range names {
		name, ok := n.(string)
		if !ok {
			return nil, fmt.Errorf("the query denies %v", n)
		}
		deny[name] = true
	}
	return deny, nil
}

// Map is a document in Go's own types.
func Map(document []byte) (v any, err error) {
	return v, json.Unmarshal(document, &v)
}
