package cyclonedx

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/conform"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// Recognise reports whether the document opens as CycloneDX of any version.
func Recognise(t evidence.Top) bool {
	return !t.Array && (t.Has("bomFormat") || strings.Contains(t.Text("$schema"), "cyclonedx.org/schema/bom"))
}

// Read makes a claim of a document in JSON.
func Read(doc []byte) (evidence.Claim, error) { return readBy(jsonRules, doc) }

func readBy(rules func(version string) (*conform.JSON, error), doc []byte) (evidence.Claim, error) {
	top, err := evidence.TopOf(doc)
	if err != nil {
		return evidence.Claim{}, err
	}
	version := top.Text("specVersion")
	if top.Members["specVersion"].Kind != '"' {
		version = ""
	}
	if err := checkVersion(version, "/specVersion"); err != nil {
		return evidence.Claim{}, err
	}
	schema, err := rules(version)
	if err != nil {
		return evidence.Claim{}, err
	}
	if err := schema.Check(doc); err != nil {
		return evidence.Claim{}, refuse(err, version)
	}
	b := bom{version: version, serial: top.Text("serialNumber"), revision: top.Text("version")}
	if err := b.sections(doc); err != nil {
		return evidence.Claim{}, err
	}
	return b.claim(), nil
}

// sections reads the parts of a document that matter: first what is affected,
// then what that is, wherever in the document each stands.
func (b *bom) sections(doc []byte) error {
	part := map[string][]byte{}
	dec := jsontext.NewDecoder(bytes.NewBuffer(doc))
	err := evidence.EachMember(dec, evidence.MaxMembers, "members", func(name string) error {
		v, err := dec.ReadValue()
		end := dec.InputOffset()
		part[name] = doc[end-int64(len(v)) : end]
		return err
	})
	for _, step := range []struct {
		name string
		read func([]byte) error
	}{{"vulnerabilities", b.references}, {"metadata", b.metadata}, {"components", b.inventory}, {"services", b.inventory}, {"vulnerabilities", b.findings}} {
		if raw := part[step.name]; err == nil && raw != nil {
			err = step.read(raw)
		}
	}
	if f, ours := errors.AsType[*fault.Error](err); ours {
		return f
	}
	return strict.Explain(doc, err)
}

// affectsForm is the list of what a vulnerability affects.
type affectsForm []affected

// UnmarshalJSONFrom reads at most MaxResults of them.
func (l *affectsForm) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxResults, "components that a vulnerability affects", func(int) error {
		var form struct {
			Ref      string `json:"ref"`
			Versions []struct {
				Version string `json:"version"`
				Status  string `json:"status"`
			} `json:"versions"`
		}
		if err := v2.UnmarshalDecode(dec, &form); err != nil {
			return err
		}
		a := affected{ref: form.Ref}
		for _, v := range form.Versions {
			a.version(v.Version, v.Status)
		}
		*l = append(*l, a)
		return nil
	})
}

// references notes what vulnerabilities affect.
func (b *bom) references(raw []byte) error {
	dec := b.walk(raw).dec
	return evidence.Each(dec, evidence.MaxResults, "vulnerabilities", func(int) error {
		var form struct {
			Affects affectsForm `json:"affects"`
		}
		if err := v2.UnmarshalDecode(dec, &form); err != nil {
			return err
		}
		for _, a := range form.Affects {
			if err := b.want([]byte(a.ref)); err != nil {
				return err
			}
		}
		return nil
	})
}

// metadata reads what the document describes, and what wrote it when.
func (b *bom) metadata(raw []byte) error {
	dec := b.walk(raw).dec
	return evidence.EachMember(dec, evidence.MaxMembers, "members", func(name string) error {
		switch name {
		case "timestamp":
			var s string
			err := v2.UnmarshalDecode(dec, &s)
			b.at(s)
			return err
		case "tools":
			return b.toolsOf(dec)
		case "component":
			return b.described(dec)
		}
		return dec.SkipValue()
	})
}

// toolsOf reads tools in both forms: a list of them, or components and services.
func (b *bom) toolsOf(dec *jsontext.Decoder) error {
	list := func(dec *jsontext.Decoder) error {
		return evidence.Each(dec, evidence.MaxResults, "tools", func(int) error {
			var t struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			}
			err := v2.UnmarshalDecode(dec, &t)
			b.tool(t.Name, t.Version)
			return err
		})
	}
	if dec.PeekKind() == '[' {
		return list(dec)
	}
	return evidence.Object(dec, evidence.Member{Name: "components", Into: list}, evidence.Member{Name: "services", Into: list})
}

// described reads the product, which may have parts within it.
func (b *bom) described(dec *jsontext.Decoder) error {
	return evidence.Whole(dec, func(raw jsontext.Value) error {
		var form struct {
			Ref     string `json:"bom-ref"`
			Group   string `json:"group"`
			Name    string `json:"name"`
			Version string `json:"version"`
			PURL    string `json:"purl"`
			Hashes  []struct {
				Algorithm string `json:"alg"`
				Content   string `json:"content"`
			} `json:"hashes"`
		}
		if err := v2.Unmarshal(raw, &form); err != nil {
			return err
		}
		b.product = thing{form.Ref, form.Group, form.Name, form.Version, form.PURL}
		for _, h := range form.Hashes {
			b.digest(h.Algorithm, h.Content)
		}
		parts := b.parts
		err := b.walk(raw).part()
		b.parts = max(b.parts-1, parts) // the product is no part of itself
		return err
	})
}

// walker goes through the parts of a document. There may be millions: nothing
// is kept, nor copied, of one that no vulnerability affects.
type walker struct {
	*bom
	raw []byte
	dec *jsontext.Decoder
}

func (b *bom) walk(raw []byte) walker {
	return walker{b, raw, jsontext.NewDecoder(bytes.NewBuffer(raw))}
}

func (b *bom) inventory(raw []byte) error { return b.walk(raw).list() }

// list goes through components or services, and those within them.
func (w walker) list() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	for w.dec.PeekKind() != ']' {
		if err := w.part(); err != nil {
			return err
		}
	}
	_, err := w.dec.ReadToken()
	return err
}

// part goes through one component or service.
func (w walker) part() error {
	w.parts++
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	var ref, group, name, version, purl []byte
	for w.dec.PeekKind() != '}' {
		member, err := w.text()
		if err != nil {
			return err
		}
		switch string(member) {
		case "bom-ref":
			ref, err = w.text()
		case "group":
			group, err = w.text()
		case "name":
			name, err = w.text()
		case "version":
			version, err = w.text()
		case "purl":
			purl, err = w.text()
		case "components", "services":
			err = w.list()
		default:
			err = w.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	if w.wants(ref) {
		w.found(thing{string(ref), string(group), string(name), string(version), string(purl)})
	}
	return nil
}

// text reads a string; it is a part of the document where it has no escapes.
func (w walker) text() ([]byte, error) {
	v, err := w.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if end := w.dec.InputOffset(); bytes.IndexByte(v, '\\') < 0 {
		return w.raw[end-int64(len(v))+1 : end-1], nil
	}
	return jsontext.AppendUnquote(nil, v)
}

// vulnerabilityForm is a vulnerability as JSON writes it.
type vulnerabilityForm struct {
	Ref        string         `json:"bom-ref"`
	ID         string         `json:"id"`
	References referencesForm `json:"references"`
	Ratings    ratingsForm    `json:"ratings"`
	Weaknesses numbersForm    `json:"cwes"`
	Text       evidence.Text  `json:"description"`
	Detail     evidence.Text  `json:"detail"`
	Rejected   string         `json:"rejected"`
	Analysis   struct {
		State         string `json:"state"`
		Justification string `json:"justification"`
	} `json:"analysis"`
	Affects affectsForm `json:"affects"`
}

type referencesForm []string

// UnmarshalJSONFrom keeps the first ids.
func (l *referencesForm) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "references of a vulnerability", func(int) error {
		var form struct {
			ID string `json:"id"`
		}
		err := v2.UnmarshalDecode(dec, &form)
		if len(*l) < maxAliases {
			*l = append(*l, evidence.Cut(form.ID, evidence.MaxWord))
		}
		return err
	})
}

type ratingsForm []rating

// UnmarshalJSONFrom reads at most MaxInner ratings.
func (l *ratingsForm) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "ratings of a vulnerability", func(int) error {
		var form struct {
			Severity string        `json:"severity"`
			Score    evidence.Word `json:"score"`
			Method   string        `json:"method"`
			Vector   string        `json:"vector"`
		}
		err := v2.UnmarshalDecode(dec, &form)
		*l = append(*l, rating{form.Severity, string(form.Score), form.Method, form.Vector})
		return err
	})
}

type numbersForm []string

// UnmarshalJSONFrom keeps the first numbers as they are written.
func (l *numbersForm) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "weaknesses of a vulnerability", func(int) error {
		var n evidence.Word
		err := v2.UnmarshalDecode(dec, &n)
		if len(*l) < maxAliases {
			*l = append(*l, string(n))
		}
		return err
	})
}

// findings counts the vulnerabilities.
func (b *bom) findings(raw []byte) error {
	dec := b.walk(raw).dec
	return evidence.Each(dec, evidence.MaxResults, "vulnerabilities", func(int) error {
		var form vulnerabilityForm
		if err := v2.UnmarshalDecode(dec, &form); err != nil {
			return err
		}
		return b.add(&vulnerability{
			ref: form.Ref, id: form.ID, aliases: form.References, weaknesses: form.Weaknesses, ratings: form.Ratings,
			description: cmp.Or(form.Text.Head, form.Detail.Head), state: form.Analysis.State, justification: form.Analysis.Justification,
			rejected: form.Rejected != "", affects: form.Affects,
		})
	})
}
