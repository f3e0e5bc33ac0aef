package dsse

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	library "github.com/secure-systems-lab/go-securesystemslib/dsse"

	"signalbox.dev/signalbox/internal/fault"
)

const inToto = "application/vnd.in-toto+json"

// pair is a key of a test, and how it signs.
type pair struct {
	private crypto.Signer
	scheme  Scheme
	text    string // PEM
}

func pairs(t testing.TB) map[string]pair {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2, err3 := rsa.GenerateKey(rand.Reader, 2048)
	for _, err := range []error{err, err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]pair{
		"ed25519":          {ed, Ed25519, pemOf(t, ed.Public())},
		"P-256":            {p256, ECDSASHA256, pemOf(t, p256.Public())},
		"P-384":            {p384, ECDSASHA384, pemOf(t, p384.Public())},
		"P-384 by SHA-256": {p384, ECDSASHA256, pemOf(t, p384.Public())},
		"PSS":              {rsa2, PSSSHA256, pemOf(t, rsa2.Public())},
		"PSS by SHA-512":   {rsa2, PSSSHA512, pemOf(t, rsa2.Public())},
		"PKCS1":            {rsa2, PKCS1SHA256, pemOf(t, rsa2.Public())},
		"PKCS1 by SHA-512": {rsa2, PKCS1SHA512, pemOf(t, rsa2.Public())},
	}
}

func pemOf(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign is the signature of a pair over bytes.
func (p pair) sign(t testing.TB, b []byte) []byte {
	t.Helper()
	s256, s384, s512 := sha256.Sum256(b), sha512.Sum384(b), sha512.Sum512(b)
	digest, opts := b, crypto.SignerOpts(crypto.Hash(0))
	switch p.scheme {
	case ECDSASHA256, PKCS1SHA256:
		digest, opts = s256[:], crypto.SHA256
	case ECDSASHA384:
		digest, opts = s384[:], crypto.SHA384
	case PKCS1SHA512:
		digest, opts = s512[:], crypto.SHA512
	case PSSSHA256:
		digest, opts = s256[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	case PSSSHA512:
		digest, opts = s512[:], &rsa.PSSOptions{SaltLength: 64, Hash: crypto.SHA512}
	}
	sig, err := p.private.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func (p pair) key(t testing.TB) Key {
	t.Helper()
	k, err := ParseKey(p.text, p.scheme)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// envelope is an envelope signed by some pairs, each under the key id of its place in ids.
func envelope(t testing.TB, payload string, ids []string, signers ...pair) []byte {
	t.Helper()
	e := map[string]any{"payloadType": inToto, "payload": base64.StdEncoding.EncodeToString([]byte(payload))}
	var list []map[string]string
	for i, p := range signers {
		s := map[string]string{"sig": base64.StdEncoding.EncodeToString(p.sign(t, PAE(inToto, []byte(payload))))}
		if i < len(ids) {
			s["keyid"] = ids[i]
		}
		list = append(list, s)
	}
	e["signatures"] = list
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, b []byte) Envelope {
	t.Helper()
	e, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func bigInt(t *testing.T, s string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		t.Fatal(s)
	}
	return n
}

// The figures of the protocol's example: its key, its message and its signature,
// which stands there as r and s side by side and here, as keys sign, in ASN.1.
func TestTheProtocolsExample(t *testing.T) {
	const payloadType, body = "http://example.com/HelloWorld", "hello world"
	if got := string(PAE(payloadType, []byte(body))); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Fatalf("PAE %q", got)
	}
	x := bigInt(t, "46950820868899156662930047687818585632848591499744589407958293238635476079160")
	y := bigInt(t, "5640078356564379163099075877009565129882514886557779369047442380624545832820")
	point := append([]byte{4}, append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(pemOf(t, public), "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
	if err != nil {
		t.Fatal(err)
	}
	sig, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err != nil {
		t.Fatal(err)
	}
	e := Envelope{PayloadType: payloadType, Payload: []byte(body), Signatures: []Signature{{Bytes: sig}}}
	if !slices.Equal(e.SignedBy([]Key{key}), []int{0}) {
		t.Error("the example is not verified")
	}
	for what, other := range map[string]Envelope{
		"another type":         {"http://example.com/HelloWorlds", []byte(body), e.Signatures},
		"another body":         {payloadType, []byte("hello world."), e.Signatures},
		"r and s side by side": {payloadType, []byte(body), []Signature{{Bytes: raw}}},
	} {
		if len(other.SignedBy([]Key{key})) > 0 {
			t.Errorf("%s is verified", what)
		}
	}
}

// Length and type are part of what is signed: no other cut of the same bytes is.
func TestPAEHasOneReading(t *testing.T) {
	seen := map[string]string{}
	for _, c := range [][2]string{{"a b", "c"}, {"a", "b c"}, {"a", "1 c"}, {"a 1", "c"}, {"", "a 3 b c"}, {"ü", "c"}, {"a", ""}} {
		pae := string(PAE(c[0], []byte(c[1])))
		if other, twice := seen[pae]; twice {
			t.Errorf("%q is signed alike for %q and %q", pae, other, c)
		}
		seen[pae] = strings.Join(c[:], "|")
	}
	if got := string(PAE("ü", nil)); got != "DSSEv1 2 ü 0 " {
		t.Errorf("lengths are of bytes: %q", got)
	}
}

func TestEveryScheme(t *testing.T) {
	all := pairs(t)
	for name, p := range all {
		t.Run(name, func(t *testing.T) {
			e := open(t, envelope(t, `{"a":1}`, nil, p))
			if string(e.Payload) != `{"a":1}` || e.PayloadType != inToto {
				t.Fatalf("%+v", e)
			}
			k := p.key(t)
			if !slices.Equal(e.SignedBy([]Key{k}), []int{0}) {
				t.Fatal("the signature does not hold")
			}
			for other, q := range all {
				if q.scheme != p.scheme || q.text != p.text {
					if len(e.SignedBy([]Key{q.key(t)})) > 0 {
						t.Errorf("it holds for %s", other)
					}
				}
			}
			for _, tampered := range []Envelope{
				{inToto + "+", e.Payload, e.Signatures},
				{inToto, []byte(`{"a":2}`), e.Signatures},
				{inToto, e.Payload, []Signature{{Bytes: e.Signatures[0].Bytes[1:]}}},
				{inToto, e.Payload, []Signature{{Bytes: append(slices.Clone(e.Signatures[0].Bytes), 0)}}},
			} {
				if len(tampered.SignedBy([]Key{k})) > 0 {
					t.Errorf("%+v is verified", tampered)
				}
			}
		})
	}
}

// Whatever ids say, each key counts once, and none is passed over for its id.
func TestKeyIDsDecideNothing(t *testing.T) {
	all := pairs(t)
	a, b := all["ed25519"], all["P-256"]
	ka, kb := a.key(t), b.key(t)
	for what, c := range map[string]struct {
		ids     []string
		signers []pair
		keys    []Key
		want    []int
	}{
		"two keys":                     {nil, []pair{a, b}, []Key{ka, kb}, []int{0, 1}},
		"ids of each other":            {[]string{kb.Fingerprint, ka.Fingerprint}, []pair{a, b}, []Key{ka, kb}, []int{0, 1}},
		"one key under two ids":        {[]string{"one", "two"}, []pair{a, a}, []Key{ka, kb}, []int{0}},
		"one key named twice":          {[]string{"one", "two"}, []pair{a, a}, []Key{ka, ka}, []int{0}},
		"a stranger under a known id":  {[]string{ka.Fingerprint}, []pair{b}, []Key{ka}, nil},
		"an id of nobody":              {[]string{"nobody"}, []pair{a}, []Key{kb, ka}, []int{1}},
		"an id that is a path":         {[]string{"../../etc/passwd"}, []pair{a}, []Key{ka}, []int{0}},
		"no key":                       {nil, []pair{a}, nil, nil},
		"a key that nobody made":       {nil, []pair{a}, []Key{{Scheme: Ed25519}}, nil},
		"a good one after a bad one":   {nil, []pair{b, a}, []Key{ka}, []int{0}},
		"a scheme that is not the key": {nil, []pair{a}, []Key{{Scheme: PSSSHA256, public: ka.public, Fingerprint: "x"}}, nil},
	} {
		if got := open(t, envelope(t, "{}", c.ids, c.signers...)).SignedBy(c.keys); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// One RSA key by two schemes is one key.
func TestSchemesOfOneKeyCountOnce(t *testing.T) {
	all := pairs(t)
	p, q := all["PSS"], all["PKCS1"]
	keys, err := ParseKeys(p.text)
	if err != nil || len(keys) != 4 {
		t.Fatalf("%v %v", keys, err)
	}
	if got := open(t, envelope(t, "{}", nil, p, q)).SignedBy(keys); len(got) != 1 {
		t.Errorf("counted %v", got)
	}
	if one, err := ParseKeys(all["ed25519"].text); err != nil || len(one) != 1 {
		t.Errorf("%v %v", one, err)
	}
	if _, err := ParseKeys("no key"); err == nil {
		t.Error("no key is taken for one")
	}
}

// signer lets the protocol's Go library sign.
type signer struct{ pair }

func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return s.private.Sign(rand.Reader, data, crypto.Hash(0))
}
func (signer) KeyID() (string, error) { return "anything", nil }

// What another implementation signs is read.
func TestTheLibrarysEnvelopes(t *testing.T) {
	p := pairs(t)["ed25519"]
	by, err := library.NewEnvelopeSigner(signer{p})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := by.SignPayload(t.Context(), inToto, []byte(`{"b":2}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, b).SignedBy([]Key{p.key(t)}); len(got) != 1 {
		t.Errorf("signed by %v", got)
	}
}

func TestBothAlphabets(t *testing.T) {
	p := pairs(t)["ed25519"]
	payload := "\xfb\xff\xfe?>" // + and / in one alphabet, - and _ in the other
	sig := p.sign(t, PAE(inToto, []byte(payload)))
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		text := `{"payloadType":"` + inToto + `","payload":"` + alphabet.EncodeToString([]byte(payload)) + `","signatures":[{"sig":"` + alphabet.EncodeToString(sig) + `"}]}`
		e := open(t, []byte(text))
		if string(e.Payload) != payload || len(e.SignedBy([]Key{p.key(t)})) != 1 {
			t.Errorf("%s: %q", text, e.Payload)
		}
	}
}

func TestWhatIsNoEnvelope(t *testing.T) {
	good := `{"payloadType":"t","payload":"e30=","signatures":[{"keyid":null,"sig":"AA==","cert":"passed over"}],"more":[1]}`
	if e := open(t, []byte(good)); e.Signatures[0].KeyID != "" || string(e.Payload) != "{}" {
		t.Fatalf("%+v", e)
	}
	for what, text := range map[string]string{
		"nothing":                ``,
		"not JSON":               `payload`,
		"null":                   `null`,
		"a list":                 `[]`,
		"an empty object":        `{}`,
		"cut":                    good[:60],
		"two documents":          good + good,
		"no payload":             strings.Replace(good, `"payload":"e30=",`, ``, 1),
		"payload twice":          strings.Replace(good, `"payload":"e30=",`, `"payload":"e30=","payload":"e30=",`, 1),
		"payload in capitals":    strings.Replace(good, `"more"`, `"Payload"`, 1),
		"payload in old S":       strings.Replace(good, `"more"`, `"ſignatures"`, 1),
		"payload no text":        strings.Replace(good, `"e30="`, `{}`, 1),
		"payload null":           strings.Replace(good, `"e30="`, `null`, 1),
		"payload no base64":      strings.Replace(good, `e30=`, `e30*`, 1),
		"payload unpadded":       strings.Replace(good, `e30=`, `e30`, 1),
		"payload with a bit":     strings.Replace(good, `e30=`, `e31=`, 1),
		"payload in lines":       strings.Replace(good, `e30=`, `e30=\n`, 1),
		"payload of both":        strings.Replace(good, `e30=`, `+_++`, 1),
		"no type":                strings.Replace(good, `"payloadType":"t",`, ``, 1),
		"empty type":             strings.Replace(good, `"t"`, `""`, 1),
		"long type":              strings.Replace(good, `"t"`, `"`+strings.Repeat("t", 301)+`"`, 1),
		"no signatures":          strings.Replace(good, `"signatures"`, `"signature"`, 1),
		"empty signatures":       `{"payloadType":"t","payload":"e30=","signatures":[]}`,
		"signature no object":    `{"payloadType":"t","payload":"e30=","signatures":["AA=="]}`,
		"signature null":         `{"payloadType":"t","payload":"e30=","signatures":[null]}`,
		"no sig":                 strings.Replace(good, `"sig":"AA==",`, ``, 1),
		"empty sig":              strings.Replace(good, `"AA=="`, `""`, 1),
		"long sig":               strings.Replace(good, `"AA=="`, `"`+base64.StdEncoding.EncodeToString(make([]byte, 1025))+`"`, 1),
		"sig in capitals":        strings.Replace(good, `"cert"`, `"SIG"`, 1),
		"sig twice":              strings.Replace(good, `"sig":"AA=="`, `"sig":"AA==","sig":"AA=="`, 1),
		"key id no text":         strings.Replace(good, `null`, `7`, 1),
		"key id too long":        strings.Replace(good, `null`, `"`+strings.Repeat("k", 301)+`"`, 1),
		"too many signatures":    `{"payloadType":"t","payload":"e30=","signatures":[` + strings.Repeat(`{"sig":"AA=="},`, 8) + `{"sig":"AA=="}]}`,
		"too large":              good + strings.Repeat(" ", MaxEnvelope),
		"bytes that are no text": strings.Replace(good, `"t"`, "\"\xff\"", 1),
	} {
		if _, err := Read([]byte(text)); err == nil {
			t.Errorf("%s: read", what)
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
			t.Errorf("%s: %v is a fault of ours", what, err)
		}
	}
}

func TestKeysInEveryForm(t *testing.T) {
	all := pairs(t)
	ed := all["ed25519"]
	want := ed.key(t).Fingerprint
	raw := []byte(ed.private.Public().(ed25519.PublicKey))
	der, err := x509.MarshalPKIXPublicKey(ed.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"PEM": ed.text, "PEM with space around": "\n" + ed.text + "\n ", "base64": base64.StdEncoding.EncodeToString(raw),
		"base64 for URLs": base64.URLEncoding.EncodeToString(raw), "hexadecimal": hex.EncodeToString(raw), "DER": base64.StdEncoding.EncodeToString(der),
	} {
		if k, err := ParseKey(text, ""); err != nil || k.Fingerprint != want || k.Scheme != Ed25519 {
			t.Errorf("%s: %+v %v", what, k, err)
		}
	}
	sum := sha256.Sum256(der)
	if want != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("fingerprint %s", want)
	}
	rsaKey := all["PSS"]
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(rsaKey.private.Public().(*rsa.PublicKey))}))
	if k, err := ParseKey(pkcs1, PKCS1SHA256); err != nil || k.Fingerprint != rsaKey.key(t).Fingerprint {
		t.Errorf("one RSA key in two forms: %+v %v", k, err)
	}
}

func TestWhatIsNoKey(t *testing.T) {
	all := pairs(t)
	ed := all["ed25519"]
	private, err := x509.MarshalPKCS8PrivateKey(ed.private)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short := rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(1)), E: 65537}
	long := rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 8192), big.NewInt(1)), E: 65537}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	for what, c := range map[string]struct {
		text   string
		scheme Scheme
		says   string
	}{
		"nothing":               {"", "", "there is no key"},
		"prose":                 {"the key of the builder", "", "neither PEM nor base64"},
		"base64 of nothing":     {"AAAA", "", "cannot be read"},
		"a private key":         {block("PRIVATE KEY", private), "", "private key"},
		"an old private key":    {block("RSA PRIVATE KEY", private), "", "private key"},
		"a certificate":         {block("CERTIFICATE", private), "", "certificate"},
		"a request":             {block("CERTIFICATE REQUEST", private), "", "no public key"},
		"a broken block":        {ed.text[:60], "", "broken"},
		"two keys":              {ed.text + all["P-256"].text, "", "something follows"},
		"PEM of nothing":        {block("PUBLIC KEY", nil), "", "cannot be read"},
		"PKCS1 of nothing":      {block("RSA PUBLIC KEY", nil), PSSSHA256, "cannot be read"},
		"a curve not verified":  {pemOf(t, p224.Public()), "", "P-224"},
		"a short RSA key":       {pemOf(t, &short), PSSSHA256, "1024 bits"},
		"a long RSA key":        {pemOf(t, &long), PSSSHA256, "8193 bits"},
		"RSA without a scheme":  {all["PSS"].text, "", "does not say how it signs"},
		"a scheme of others":    {ed.text, PSSSHA256, "cannot sign by"},
		"a scheme of nobody":    {ed.text, "rot13", "cannot sign by"},
		"P-256 by SHA-384":      {all["P-256"].text, ECDSASHA384, "cannot sign by"},
		"a text without an end": {strings.Repeat("A", 9000), "", "longer than"},
	} {
		k, err := ParseKey(c.text, c.scheme)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v %v, want %q", what, k, err, c.says)
		}
	}
}

// FuzzRead reads any bytes: what is read has one payload and signatures, and what
// is not is a fault of its sender.
func FuzzRead(f *testing.F) {
	p := pairs(f)["ed25519"]
	f.Add(envelope(f, `{"a":1}`, []string{"x"}, p))
	f.Add([]byte(`{"payloadType":"t","payload":"e30=","signatures":[{"sig":"AA=="}]}`))
	f.Add([]byte(`{"payload":"","Payload":""}`))
	k := p.key(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Read(b)
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatal(err)
			}
			return
		}
		if e.PayloadType == "" || len(e.Signatures) == 0 {
			t.Fatalf("%+v", e)
		}
		if len(e.SignedBy([]Key{k})) > 1 {
			t.Fatal("one key counts twice")
		}
	})
}

// FuzzParseKey reads any text: a key has a fingerprint and a scheme that it can sign by.
func FuzzParseKey(f *testing.F) {
	for _, p := range pairs(f) {
		f.Add(p.text, string(p.scheme))
	}
	f.Add(strings.Repeat("0f", 32), "")
	f.Fuzz(func(t *testing.T, text, scheme string) {
		k, err := ParseKey(text, Scheme(scheme))
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatal(err)
			}
			return
		}
		if len(k.Fingerprint) != 71 || !slices.Contains(Schemes(), k.Scheme) || scheme != "" && k.Scheme != Scheme(scheme) {
			t.Fatalf("%+v", k)
		}
		Envelope{PayloadType: "t", Signatures: []Signature{{Bytes: []byte("x")}}}.SignedBy([]Key{k})
	})
}
