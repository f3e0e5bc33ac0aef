package prose

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// values are the documents of a file as JSON has them.
func values(t *testing.T, data []byte) []any {
	t.Helper()
	docs, err := documents(data)
	if err != nil {
		t.Fatal(err)
	}
	var all []any
	for _, d := range docs {
		all = append(all, value(t, d.Content[0]))
	}
	return all
}

func value(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		all := []any{}
		for _, c := range n.Content {
			all = append(all, value(t, c))
		}
		return all
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return json.Number(n.Value)
	case "!!bool":
		return n.Value == "true"
	}
	return n.Value
}

func TestStarterFitsTheSchema(t *testing.T) {
	s := schema(t)
	for _, f := range policy.Starter() {
		for i, v := range values(t, f.Data) {
			if err := s.Validate(v); err != nil {
				t.Errorf("%s, document %d: %v", f.Name, i+1, err)
			}
		}
	}
}

// What the readers refuse for its shape the schema refuses too.
func TestSchemaRefusesWhatReadersRefuse(t *testing.T) {
	s := schema(t)
	const gate = "apiVersion: signalbox/v1\nkind: Gate\nname: a\ntitle: A\ncondition: service.owned\n"
	const typ = "apiVersion: signalbox/v1\nkind: ReleaseType\nname: a\nsize: [major]\nchange_types: [normal]\nchain: none\n"
	for _, doc := range []string{
		"kind: Gate\n", "apiVersion: signalbox/v2\nkind: Gate\nname: a\ntitle: A\ncondition: 'true'\n", "apiVersion: signalbox/v1\nkind: Gaet\nname: a\n",
		strings.Replace(gate, "title: A\n", "", 1), strings.Replace(gate, "condition: service.owned\n", "", 1),
		gate + "severity: fatal\n", gate + "sevrity: warn\n", gate + "controls: soc2/CC8.1\n", gate + "max_age: soon\n", gate + "governance: [some]\n", gate + "title2: 1\n",
		typ + "thresholds: {rate: high}\n", typ + "lead_time: 4\n", strings.Replace(typ, "[major]", "[huge]", 1),
		"apiVersion: signalbox/v1\nkind: ApprovalChain\nname: a\ntiers: [{name: a, groups: [b], quorum: 0}]\n",
		"apiVersion: signalbox/v1\nkind: TestCase\nname: a\ninputs: {findings: {hihg: 1}}\n",
	} {
		var out bundle.Problems
		for _, v := range values(t, []byte(doc)) {
			if err := s.Validate(v); err == nil {
				t.Errorf("the schema takes %q", doc)
			}
		}
		bundle.Read([]bundle.File{{Name: "a.yaml", Data: []byte(doc)}}, &out)
		if _, list := policy.Compile([]bundle.File{{Name: "a.yaml", Data: []byte(doc)}}); !policy.Failed(list) {
			t.Errorf("the readers take %q", doc)
		}
	}
	for _, doc := range []string{gate, gate + "max_age: 1d12h\nseverity: warn\n", typ + "thresholds: {rate: 0.5, any: 3}\nlead_time: 4h\n"} {
		for _, v := range values(t, []byte(doc)) {
			if err := s.Validate(v); err != nil {
				t.Errorf("%q: %v", doc, err)
			}
		}
	}
}

func TestSchemaSaysWhatFieldsMean(t *testing.T) {
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`"description": "condition that must hold"`, `"description": "critical findings"`, `"enum": [`, `"observe"`} {
		if !strings.Contains(string(data), text) {
			t.Errorf("the schema does not say %s", text)
		}
	}
}

func TestSchemaIsTheSameEveryTime(t *testing.T) {
	first, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := Schema(); !bytes.Equal(first, again) {
			t.Fatal("two schemas differ")
		}
	}
}

func TestPacksFitTheSchema(t *testing.T) {
	s := schema(t)
	for _, f := range policy.Regulated() {
		for i, v := range values(t, f.Data) {
			if err := s.Validate(v); err != nil {
				t.Errorf("%s, document %d: %v", f.Name, i+1, err)
			}
		}
	}
}
