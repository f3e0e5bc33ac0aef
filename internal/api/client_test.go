package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/wire"
)

// Every method of the client calls an operation that there is, with parameters
// that it takes, and every operation has its method.
func TestClientFitsOperations(t *testing.T) {
	operations := described(t)
	var method, path string
	query := map[string][]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		method, path, query = r.Method, r.URL.EscapedPath(), r.URL.Query()
		w.WriteHeader(http.StatusUnprocessableEntity)
	}))
	defer server.Close()
	c, err := wire.New(wire.Options{Server: server.URL, Token: "x"})
	must(t, err)
	called := map[string]bool{}
	v := reflect.ValueOf(c)
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		if name == "Server" {
			continue
		}
		method, path = "", ""
		invoke(v.Method(i))
		o := match(operations, method, path)
		if o == nil {
			t.Errorf("%s calls %s %s, which is no operation", name, method, path)
			continue
		}
		called[o.id] = true
		for q := range query {
			if !o.params[q] {
				t.Errorf("%s sends the parameter %s, which %s does not take", name, q, o.id)
			}
		}
	}
	for _, o := range operations {
		if !called[o.id] && o.id != "alive" && o.id != "openapi" && o.id != "metrics" {
			t.Errorf("no method of the client calls %s", o.id)
		}
	}
}

// invoke calls a method with something in every argument.
func invoke(m reflect.Value) {
	var args []reflect.Value
	for i := range m.Type().NumIn() {
		in := m.Type().In(i)
		switch {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(context.Background()))
		case in == reflect.TypeFor[io.ReadSeeker]():
			args = append(args, reflect.ValueOf(strings.NewReader("x")))
		case in == reflect.TypeFor[io.Writer]():
			args = append(args, reflect.ValueOf(io.Discard))
		case in.Kind() == reflect.Func:
			args = append(args, reflect.Zero(in))
		default:
			args = append(args, full(in))
		}
	}
	m.Call(args)
}

// full is a value with something in every field that a query could be made of.
func full(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				v.Field(i).Set(full(t.Field(i).Type))
			}
		}
	}
	return v
}

type describedOperation struct {
	id, method string
	path       *regexp.Regexp
	literal    int // parts of the path that are no parameter
	params     map[string]bool
}

func described(t *testing.T) []describedOperation {
	t.Helper()
	b, err := os.ReadFile(reference)
	must(t, err)
	var d struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct {
				Name, In string
			} `json:"parameters"`
		} `json:"paths"`
	}
	must(t, json.Unmarshal(b, &d))
	var all []describedOperation
	for path, methods := range d.Paths {
		for method, o := range methods {
			one := describedOperation{id: o.OperationID, method: strings.ToUpper(method), params: map[string]bool{}}
			one.path = regexp.MustCompile("^" + regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "[^/]+") + "$")
			one.literal = strings.Count(path, "/") - strings.Count(path, "{")
			for _, p := range o.Parameters {
				one.params[p.Name] = p.In == "query"
			}
			all = append(all, one)
		}
	}
	return all
}

// match is the operation that the mux would choose: the one with most literal parts.
func match(all []describedOperation, method, path string) *describedOperation {
	var best *describedOperation
	for i, o := range all {
		if o.method == method && o.path.MatchString(path) && (best == nil || o.literal > best.literal) {
			best = &all[i]
		}
	}
	return best
}
