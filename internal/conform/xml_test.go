package conform

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

const xmlSchema = `{"namespace":"urn:a","elements":{"doc":"doc"},"distinct":["id"],
"complex":{
 "doc":{"attributes":{"v":{"type":"xs:integer","required":true}},"others":"##other","content":{"sequence":[{"element":"name","type":"xs:string"},{"element":"item","type":"item","optional":true,"many":true},{"choice":[{"element":"one","type":"word","default":"a"},{"element":"two","type":"xs:anyType"}],"optional":true},{"any":true,"optional":true,"many":true}]}},
 "item":{"attributes":{"id":{"type":"xs:string"},"k":{"type":"word"}},"others":"##any","text":"xs:token"},
 "none":{"attributes":{"id":{"type":"xs:string"}}},
 "mixed":{"mixed":true,"content":{"sequence":[{"element":"name","type":"xs:string","optional":true}]}}},
"simple":{"word":{"base":"xs:token","enum":["a","b"]}}}`

const otherSchema = `{"namespace":"urn:b","elements":{"known":"known"},"complex":{"known":{"content":{"sequence":[{"element":"x","type":"xs:boolean"}]}}}}`

func compiledXML(t testing.TB) *XML {
	t.Helper()
	x, err := CompileXML([]byte(xmlSchema), nil, []byte(otherSchema))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// walkThrough walks through a document as a reader of it does.
func walkThrough(x *XML, doc []byte) error {
	d, w := xml.NewDecoder(bytes.NewReader(doc)), x.Walk()
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		switch v := token.(type) {
		case xml.StartElement:
			if depth++; depth == 1 && w.Path() != "" {
				return fmt.Errorf("a second element at the root")
			}
			err = w.Open(v)
		case xml.EndElement:
			depth--
			err = w.Shut()
		case xml.CharData:
			if depth > 0 {
				err = w.Text(v)
			}
		}
		if err != nil {
			return err
		}
	}
}

func TestXMLRules(t *testing.T) {
	x := compiledXML(t)
	in := func(inner string) string { return `<doc xmlns="urn:a" v="1">` + inner + `</doc>` }
	for _, doc := range []string{
		in(`<name/>`), in(" <name>x<!-- y -->z</name>\n<item/><item k=' a '> t </item>"), in(`<name/><one/>`), in(`<name/><one> b </one>`), in(`<name/><two a="1">any<doc xmlns="">thing</doc></two>`),
		in(`<name/><item foo="1" id="1"/><item id="2"/>`), in(`<name/><f xmlns="urn:f" id="1"><name/></f><f xmlns="urn:f" id="1"/>`), in(`<name/><k:known xmlns:k="urn:b"><k:x>true</k:x></k:known>`),
		`<a:doc xmlns:a="urn:a" v="+7" xml:lang="de" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a a.xsd" f:g="1" xmlns:f="urn:f"><a:name/></a:doc>`,
	} {
		if err := walkThrough(x, []byte(doc)); err != nil {
			t.Errorf("%s is refused: %v", doc, err)
		}
	}
	for doc, want := range map[string]string{
		`<doc xmlns="urn:x" v="1"/>`:                         `the document's element is "doc" of "urn:x": the schema has another`,
		`<known xmlns="urn:b"/>`:                             `the document's element is "known" of "urn:b": the schema has another`,
		`<doc xmlns="urn:a"><name/></doc>`:                   `doc has no attribute "v": it is required`,
		`<doc xmlns="urn:a" v="x"/>`:                         `doc has the attribute "v" "x": it is not a whole number`,
		`<doc xmlns="urn:a" v="1" w="1"/>`:                   `doc has an attribute "w": no such attribute stands there in this version of the format`,
		`<doc xmlns="urn:a" v="1" a:w="1" xmlns:a="urn:a"/>`: `doc has an attribute "w": no such attribute stands there in this version of the format`,
		in(``):                                    `doc lacks an element: what must come: name`,
		in(`<item/>`):                             `doc holds "item": it stands too late, or once too often; what may come there: name`,
		in(`<name/><name/>`):                      `doc holds "name": it stands too late, or once too often; what may come there: item, one, two`,
		in(`<name/><odd/>`):                       `doc holds "odd": no such element stands there in this version of the format; what may come there: item, one, two`,
		in(`<name/><one>a</one><two/>`):           `doc holds "two": it stands too late, or once too often`,
		in(`<f xmlns="urn:f"/>`):                  `doc holds "f" of the namespace "urn:f": elements of other namespaces may not stand there`,
		in(`<name/><f xmlns=""/>`):                `doc holds "f" of the namespace "": elements of other namespaces may not stand there`,
		in(`<name><name/></name>`):                `doc/name holds an element "name": no element may stand there`,
		in(`<name a="1"/>`):                       `doc/name has an attribute "a": no such attribute stands there in this version of the format`,
		in(`<name/>text`):                         `doc holds the text "text": only elements may stand there`,
		in(`<name/><item/><item k="c"/>`):         `doc/item[2] has the attribute "k" "c": it may be one of "a", "b"`,
		in(`<name/><one>c</one>`):                 `doc/one is "c": it may be one of "a", "b"`,
		in(`<name/><one> </one>`):                 `doc/one is " ": it may be one of "a", "b"`,
		in(`<name/><item id="1"/><item id="1"/>`): `doc/item[2] has the attribute "id" "1": it stands in the document before, and must be unique`,
		in(`<name/><k:known xmlns:k="urn:b"><k:x>maybe</k:x></k:known>`): `doc/known/x is "maybe": it is not true or false`,
		in(`<name/><f xmlns="urn:f"><known xmlns="urn:b"/></f>`):         `doc/f/known lacks an element: what must come: x`,
		in(`<p:name/>`):     `doc holds "name" of the namespace "p": elements of other namespaces may not stand there`,
		in(`<name/><p:f/>`): `doc/f has the prefix "p": no namespace is declared for it`,
		in(`<name/><f xmlns:p="urn:f" xmlns="urn:f"/><p:f/>`): `doc/f[2] has the prefix "p": no namespace is declared for it`,
		in(`<name p:a="1"/>`): `doc/name has an attribute with the prefix "p": no namespace is declared for it`,
		in(`<name xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>`): `doc/name has the attribute xsi:"nil": types are not changed within a document`,
	} {
		err := walkThrough(x, []byte(doc))
		if err == nil || err.Error() != want || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s\n got %v\nwant %s", doc, err, want)
		}
	}
}

// An element without content holds no blanks either, a mixed one text.
func TestXMLContent(t *testing.T) {
	schema := strings.Replace(xmlSchema, `"element":"name","type":"xs:string"}`, `"element":"none","type":"none"},{"element":"mixed","type":"mixed"}`, 1)
	x, err := CompileXML([]byte(schema), nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := `<doc xmlns="urn:a" v="1"><none>%s</none><mixed>%s</mixed></doc>`
	for inner, fine := range map[[2]string]bool{{"", ""}: true, {"<!-- x -->", "a<name>b</name>c"}: true, {" ", ""}: false, {"", "<item/>"}: false, {"<name/>", ""}: false} {
		if err := walkThrough(x, fmt.Appendf(nil, doc, inner[0], inner[1])); (err == nil) != fine {
			t.Errorf("%q: %v", inner, err)
		}
	}
}

func TestXMLSchemaRefused(t *testing.T) {
	for _, change := range [][2]string{
		{`"xs:integer"`, `"xs:int"`},
		{`"type":"item"`, `"type":"other"`},
		{`"default":"a"`, `"fixed":"a"`},
		{`"elements":{"doc":"doc"}`, `"elements":{}`},
		{`"xs:string"},{"element":"item"`, `"xs:string","optional":true},{"element":"name"`},
		{`"element":"two"`, `"element":"one"`},
		{`"base":"xs:token"`, `"base":"word"`},
		{`"text":"xs:token"`, `"text":"xs:token","content":{"any":true}`},
		{`"enum":["a","b"]`, `"patterns":["["]`},
		{`"enum":["a","b"]`, `"minimum":"x"`},
	} {
		if !strings.Contains(xmlSchema, change[0]) {
			t.Fatalf("the schema has no %s", change[0])
		}
		if _, err := CompileXML([]byte(strings.Replace(xmlSchema, change[0], change[1], 1)), nil); err == nil {
			t.Errorf("%s is compiled", change[1])
		}
	}
}

func FuzzXML(f *testing.F) {
	x := compiledXML(f)
	f.Add([]byte(`<doc xmlns="urn:a" v="1"><name>x</name><item id="1">t</item><one/><f xmlns="urn:f" a="b"/></doc>`))
	f.Add([]byte(`<a:doc xmlns:a="urn:a" v="1"><a:name/><k:known xmlns:k="urn:b"><k:x>1</k:x></k:known></a:doc>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := walkThrough(x, b)
		if err != nil && fault.KindOf(err) == fault.Internal && !strings.Contains(err.Error(), "XML syntax") && !strings.Contains(err.Error(), "second element") && !strings.Contains(err.Error(), "encoding") {
			t.Errorf("%v", err)
		}
	})
}
