package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Constraints are kept, words are not, and what is not known ends it.
func TestJSON(t *testing.T) {
	const schema = `{"$schema":"x","$id":"y","title":"A","description":"words","type":"object","properties":{
"description":{"type":"string","description":"words","pattern":"^a$","examples":["b"]},
"a":{"$ref":"#/definitions/d","title":"A","type":"string"},"l":{"$ref":"spdx.SNAPSHOT.schema.json"},"s":{"$ref":"jsf-0.82.SNAPSHOT.schema.json#/definitions/signature"},
"c":{"type":"array","items":{"oneOf":[{"required":["x"]},{"not":{"const":false}}]},"additionalItems":false,"uniqueItems":true}},
"if":{"minLength":1},"then":{"maximum":2},"else":true,"additionalProperties":false,"definitions":{"d":{"enum":["p","q"],"meta:enum":{"p":"words"},"default":"p","deprecated":true}}}`
	got, err := jsonRules(written(t, "a.json", schema))
	want := `{
"additionalProperties":false,
"definitions":{
 "d":{"enum":["p","q"]}},
"if":{"minLength":1},
"properties":{
 "a":{"$ref":"#/definitions/d"},
 "c":{"items":{"oneOf":[{"required":["x"]},{"not":{"const":false}}]},"type":"array","uniqueItems":true},
 "description":{"pattern":"^a$","type":"string"},
 "l":{"$ref":"#/definitions/spdx"},
 "s":{"$ref":"#/definitions/jsf.signature"}},
"then":{"maximum":2},
"type":"object"}
`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	for _, change := range [][2]string{{`"minLength"`, `"contains"`}, {`"#/definitions/d"`, `"#/properties/a"`}, {`"jsf-0.82`, `"jsf-0.83`}, {`"items":{`, `"dependencies":{`}} {
		if got, err := jsonRules(written(t, "a.json", strings.Replace(schema, change[0], change[1], 1))); err == nil {
			t.Errorf("%s is written: %s", change[1], got)
		}
	}
}

const xsdSchema = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:a" elementFormDefault="qualified">
<xs:import namespace="urn:b"/><xs:annotation><xs:documentation>words</xs:documentation></xs:annotation>
<xs:simpleType name="word" final="restriction"><xs:restriction base="xs:string"><xs:enumeration value="p"><xs:annotation><xs:documentation>words</xs:documentation></xs:annotation></xs:enumeration></xs:restriction></xs:simpleType>
<xs:simpleType name="both"><xs:union memberTypes="bom:word xs:boolean"/></xs:simpleType>
<xs:simpleType name="bounded"><xs:restriction base="xs:decimal"><xs:minInclusive value="0"/><xs:maxInclusive value="1"/></xs:restriction></xs:simpleType>
<xs:attributeGroup name="g"><xs:attribute name="ga" type="xs:string" default="x"/></xs:attributeGroup>
<xs:complexType name="text"><xs:simpleContent><xs:extension base="bom:word"><xs:attribute name="a" type="bom:both" use="required"/><xs:attributeGroup ref="bom:g"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:element name="bom"><xs:complexType><xs:sequence><xs:element name="t" type="bom:text" minOccurs="0" maxOccurs="unbounded"/><xs:element name="in"><xs:complexType mixed="true"><xs:choice><xs:element name="x" type="xs:string" default="d"/><xs:element name="y"/></xs:choice></xs:complexType></xs:element>
<xs:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/></xs:sequence><xs:anyAttribute namespace="##any" processContents="lax"/></xs:complexType>
<xs:unique name="u"><xs:selector xpath=".//*"/><xs:field xpath="@id"/></xs:unique></xs:element></xs:schema>`

func TestXML(t *testing.T) {
	got, err := xmlRules(written(t, "a.xsd", xsdSchema))
	want := `{
"complex":{
 "bom":{"content":{"sequence":[{"element":"t","many":true,"optional":true,"type":"text"},{"element":"in","type":"bom/in"},{"any":true,"many":true,"optional":true}]},"others":"##any"},
 "bom/in":{"content":{"choice":[{"default":"d","element":"x","type":"xs:string"},{"element":"y","type":"xs:anyType"}]},"mixed":true},
 "text":{"attributes":{"a":{"required":true,"type":"both"},"ga":{"type":"xs:string"}},"text":"word"}},
"distinct":["id"],
"elements":{"bom":"bom"},
"namespace":"urn:a",
"simple":{
 "both":{"union":["word","xs:boolean"]},
 "bounded":{"base":"xs:decimal","maximum":"1","minimum":"0"},
 "word":{"base":"xs:string","enum":["p"]}}}
`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	for _, change := range [][2]string{
		{`maxOccurs="unbounded"/><xs:element name="in"`, `maxOccurs="2"/><xs:element name="in"`},
		{"minInclusive", "minExclusive"},
		{`xpath=".//*"`, `xpath="*"`},
		{`##other" processContents="lax"`, `##other" processContents="skip"`},
		{"xs:choice", "xs:all"},
		{`use="required"`, `use="prohibited"`},
		{`default="d"`, `fixed="d"`},
		{`elementFormDefault="qualified"`, ""},
		{`ref="bom:g"`, `ref="bom:h"`},
		{"<xs:import", "<xs:include"},
	} {
		if got, err := xmlRules(written(t, "a.xsd", strings.ReplaceAll(xsdSchema, change[0], change[1]))); err == nil {
			t.Errorf("%s is written: %s", change[1], got)
		}
	}
}
