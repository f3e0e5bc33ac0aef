package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/fault"
)

func permitKeys(t testing.TB) (Keys, string) {
	t.Helper()
	_, public := signer(t, "signalbox.example", "permit")
	_, other := signer(t, "signalbox.example", "journal")
	keys := keysOf(t, "permit "+public, "journal "+other)
	return keys, keys.Of(ForPermits)[0].ID
}

func encoded(t testing.TB, p Permit) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func expectation(p Permit) Expect {
	return Expect{
		Digest: p.Digest, Environment: p.Environment, Service: p.Service, Version: p.Version,
		Now: p.NotBefore.Add(time.Minute), Skew: DefaultSkew,
	}
}

func TestPAE(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, payload := rapid.String().Draw(t, "type"), rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		if !bytes.Equal(PAE(kind, payload), dsse.PAE(kind, payload)) {
			t.Error("other bytes are signed elsewhere")
		}
	})
}

// The statement's members, by name: in-toto Statement v1, SLSA verification summary v1.
func TestStatementGolden(t *testing.T) {
	const want = `{"_type":"https://in-toto.io/Statement/v1",` +
		`"subject":[{"name":"api@1.2.3","digest":{"sha256":"ARTIFACT"}}],` +
		`"predicateType":"https://slsa.dev/verification_summary/v1",` +
		`"predicate":{"verifier":{"id":"signalbox:ORIGIN","version":{"signalbox":"0.1.0"}},` +
		`"timeVerified":"2026-05-04T12:00:00Z","resourceUri":"signalbox:ORIGIN/environment/production",` +
		`"policy":{"uri":"signalbox:ORIGIN/policy/sha256:POLICY","digest":{"sha256":"POLICY"}},` +
		`"inputAttestations":[{"uri":"signalbox:ORIGIN/change/sha256:CHANGE","digest":{"sha256":"CHANGE"}},` +
		`{"uri":"signalbox:ORIGIN/evidence/sha256:EVIDENCE","digest":{"sha256":"EVIDENCE"}},` +
		`{"uri":"signalbox:ORIGIN/basis/sha256:BASIS","digest":{"sha256":"BASIS"}}],` +
		`"verificationResult":"PASSED","verifiedLevels":["SIGNALBOX_GO"],"slsaVersion":"1.1",` +
		`"signalbox":{"permit":"01990000-0000-7000-8000-0000000000aa","release":"01990000-0000-7000-8000-0000000000bb",` +
		`"release_type":"normal","service":"api","version":"1.2.3","environment":"production","origin":"ORIGIN","position":41,` +
		`"not_before":"2026-05-04T12:00:00Z","not_after":"2026-05-04T12:15:00Z","kid":"0badcafe"}}}`
	named := strings.NewReplacer("ORIGIN", origin, "ARTIFACT", digest("artifact")[7:], "POLICY", digest("policy")[7:],
		"CHANGE", digest("change")[7:], "EVIDENCE", digest("evidence")[7:], "BASIS", digest("basis")[7:])
	if diff := cmp.Diff(named.Replace(want), string(encoded(t, permitOf("0badcafe")))); diff != "" {
		t.Error(diff)
	}
}

// A permit comes back from its payload as it was, and the payload is always the same.
func TestPermitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ -~äß/%?#]{1,40}`)
		p := permitOf("0badcafe")
		p.Service, p.Version, p.Environment = name.Draw(t, "service"), name.Draw(t, "version"), name.Draw(t, "environment")
		p.Position = rapid.Uint64().Draw(t, "position")
		p.Levels = rapid.SliceOfN(name, 0, 3).Draw(t, "levels")
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePermit(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, back); diff != "" {
			t.Error(diff)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("encoded again: %s: %v", again, err)
		}
	})
}

// The end never moves later: what is below a second is cut off.
func TestPermitEndsNoLater(t *testing.T) {
	p := permitOf("0badcafe")
	p.NotAfter = p.NotAfter.Add(999 * time.Millisecond).In(time.FixedZone("east", 7200))
	back, err := ParsePermit(encoded(t, p))
	if err != nil || back.NotAfter.After(p.NotAfter) || !back.NotAfter.Equal(p.NotAfter.Truncate(time.Second)) {
		t.Errorf("%s became %s: %v", p.NotAfter, back.NotAfter, err)
	}
}

func TestParsePermitRefuses(t *testing.T) {
	good := string(encoded(t, permitOf("0badcafe")))
	if _, err := ParsePermit([]byte(good)); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	for name, change := range map[string][2]string{
		"another statement type":    {"Statement/v1", "Statement/v0.1"},
		"another predicate type":    {"verification_summary/v1", "verification_summary/v2"},
		"a failed verification":     {"PASSED", "FAILED"},
		"another subject's name":    {"api@1.2.3", "api@1.2.4"},
		"another service inside":    {`"service":"api"`, `"service":"web"`},
		"another environment":       {`"environment":"production"`, `"environment":"staging"`},
		"another resource":          {"/environment/production", "/environment/staging"},
		"another origin":            {`"origin":"signalbox`, `"origin":"signalbux`},
		"a digest in capitals":      {digest("artifact")[7:15], strings.ToUpper(digest("artifact")[7:15]) + "A"},
		"no policy digest":          {`"digest":{"sha256":"` + digest("policy")[7:] + `"}`, `"digest":{"sha256":""}`},
		"an end before the begin":   {`"not_after":"2026-05-04T12:15:00Z"`, `"not_after":"2026-05-04T12:00:00Z"`},
		"an end with a zone":        {`"not_after":"2026-05-04T12:15:00Z"`, `"not_after":"2026-05-04T12:15:00+00:00"`},
		"an end with a fraction":    {`"not_after":"2026-05-04T12:15:00Z"`, `"not_after":"2026-05-04T12:15:00.5Z"`},
		"no end":                    {`"not_after":"2026-05-04T12:15:00Z"`, `"not_after":""`},
		"no key":                    {`"kid":"0badcafe"`, `"kid":""`},
		"a key's member in another": {`"kid"`, `"KID"`},
		"an unknown member":         {`"kid":`, `"more":1,"kid":`},
		"a member twice":            {`"kid":`, `"kid":"x","kid":`},
		"two subjects":              {`"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"` + strings.Repeat("0", 64) + `"}},`},
		"no subject":                {`"subject":[{"name":"api@1.2.3","digest":{"sha256":"` + digest("artifact")[7:] + `"}}]`, `"subject":[]`},
		"no levels":                 {`"verifiedLevels":["SIGNALBOX_GO"]`, `"verifiedLevels":null`},
		"too many levels":           {`"SIGNALBOX_GO"`, `"SIGNALBOX_GO"` + strings.Repeat(`,"x"`, maxLevels)},
		"another digest algorithm":  {`"digest":{"sha256"`, `"digest":{"sha512"`},
		"a long name":               {`"release_type":"normal"`, `"release_type":"` + strings.Repeat("x", maxText+1) + `"`},
		"a negative position":       {`"position":41`, `"position":-41`},
		"something after it":        {`"0badcafe"}}}`, `"0badcafe"}}}{}`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := ParsePermit([]byte(bad)); fault.KindOf(err) != fault.Unverified || code(err) != "permit.malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, inputs := range []int{0, 2, 4} {
		statement := permitOf("0badcafe").Statement()
		statement.Predicate.InputAttestations = append(statement.Predicate.InputAttestations, statement.Predicate.Policy)[:inputs]
		b, err := json.Marshal(statement)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePermit(b); code(err) != "permit.malformed" {
			t.Errorf("%d input attestations: %v", inputs, err)
		}
	}
	if _, err := ParsePermit(make([]byte, maxEnvelope+1)); code(err) != "permit.malformed" {
		t.Errorf("too long: %v", err)
	}
}

func TestEncodeRefusesAPermitThatNobodyWouldTake(t *testing.T) {
	p := permitOf("0badcafe")
	p.Digest = strings.TrimPrefix(p.Digest, DigestPrefix)[:63]
	if b, err := p.Encode(); err == nil {
		t.Errorf("encoded as %s", b)
	}
}

func TestCheckPermit(t *testing.T) {
	keys, id := permitKeys(t)
	p := permitOf(id)
	good := envelope(t, encoded(t, p), "permit")
	for name, c := range map[string]struct {
		change func(*Expect)
		code   string
	}{
		"as it is":                 {func(*Expect) {}, ""},
		"any service":              {func(e *Expect) { e.Service, e.Version = "", "" }, ""},
		"another artifact":         {func(e *Expect) { e.Digest = digest("other") }, "permit.other-digest"},
		"another environment":      {func(e *Expect) { e.Environment = "staging" }, "permit.other-environment"},
		"an environment by case":   {func(e *Expect) { e.Environment = "Production" }, "permit.other-environment"},
		"another service":          {func(e *Expect) { e.Service = "web" }, "permit.other-service"},
		"another version":          {func(e *Expect) { e.Version = "1.2.4" }, "permit.other-version"},
		"at the first instant":     {func(e *Expect) { e.Now, e.Skew = p.NotBefore, 0 }, ""},
		"just before":              {func(e *Expect) { e.Now, e.Skew = p.NotBefore.Add(-time.Nanosecond), 0 }, "permit.not-yet"},
		"by a slow clock":          {func(e *Expect) { e.Now = p.NotBefore.Add(-DefaultSkew) }, ""},
		"by a clock too slow":      {func(e *Expect) { e.Now = p.NotBefore.Add(-DefaultSkew - time.Nanosecond) }, "permit.not-yet"},
		"at the last instant":      {func(e *Expect) { e.Now = p.NotAfter.Add(-time.Nanosecond) }, ""},
		"at the end, skew or not":  {func(e *Expect) { e.Now = p.NotAfter }, "permit.expired"},
		"for no artifact":          {func(e *Expect) { e.Digest = "" }, "permit.digest"},
		"for an artifact's digits": {func(e *Expect) { e.Digest = e.Digest[7:] }, "permit.digest"},
		"for no environment":       {func(e *Expect) { e.Environment = "" }, "permit.expectation"},
		"at no time":               {func(e *Expect) { e.Now = time.Time{} }, "permit.expectation"},
	} {
		e := expectation(p)
		c.change(&e)
		got, err := CheckPermit(good, keys, e)
		if c.code == "" {
			if err != nil || !cmp.Equal(got, p) {
				t.Errorf("%s: %v", name, err)
			}
		} else if code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestCheckPermitRefusesSignatures(t *testing.T) {
	keys, id := permitKeys(t)
	p := permitOf(id)
	payload := encoded(t, p)
	text := string(envelope(t, payload, "permit"))
	web := p
	web.Service = "web"
	swapped := strings.Replace(text, base64.StdEncoding.EncodeToString(payload), base64.StdEncoding.EncodeToString(encoded(t, web)), 1)
	bare := `{"payloadType":"` + PayloadType + `","payload":"","signatures":[]}`
	for name, c := range map[string]struct {
		envelope, code string
	}{
		"another key":             {string(envelope(t, payload, "forger")), "permit.signature"},
		"a journal key":           {string(envelope(t, payload, "journal")), "permit.signature"},
		"another payload":         {swapped, "permit.signature"},
		"a key it does not name":  {string(envelope(t, encoded(t, permitOf("00000000")), "permit")), "permit.signature"},
		"another payload type":    {strings.Replace(text, "vnd.in-toto+json", "json", 1), "permit.malformed"},
		"no signature":            {bare, "permit.malformed"},
		"signatures without end":  {string(envelope(t, payload, strings.Split(strings.Repeat("forger ", 9)[:62], " ")...)), "permit.malformed"},
		"a short signature":       {regexp.MustCompile(`"sig":"[^"]*"`).ReplaceAllString(text, `"sig":"AAAA"`), "permit.malformed"},
		"more than a signature":   {strings.Replace(text, `"sig":"`, `"sig":"!`, 1), "permit.malformed"},
		"more after a signature":  {regexp.MustCompile(`"sig":"([^"]*)"`).ReplaceAllString(text, `"sig":"$1!"`), "permit.malformed"},
		"the other alphabet":      {strings.Replace(text, `"payload":"`, `"payload":"-_`, 1), "permit.malformed"},
		"a payload twice":         {strings.Replace(text, `"payload":`, `"payload":"","payload":`, 1), "permit.malformed"},
		"a member more":           {strings.Replace(text, `{`, `{"more":1,`, 1), "permit.malformed"},
		"not JSON":                {"permit", "permit.malformed"},
		"nothing":                 {"", "permit.malformed"},
		"too long":                {strings.Repeat(" ", maxEnvelope+1), "permit.malformed"},
		"something else signed":   {string(envelope(t, []byte(`{}`), "permit")), "permit.malformed"},
		"a payload line by line":  {strings.Replace(text, `"payload":"`, `"payload":"\n`, 1), "permit.malformed"},
		"something after the end": {text + "{}", "permit.malformed"},
	} {
		if c.envelope == text {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := CheckPermit([]byte(c.envelope), keys, expectation(p)); fault.KindOf(err) != fault.Unverified || code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if _, err := CheckPermit([]byte(text), keysOf(t, "journal "+keys.Of(ForJournal)[0].Text), expectation(p)); code(err) != "keys.none" {
		t.Errorf("without a permit key: %v", err)
	}
	if _, err := CheckPermit(envelope(t, payload, "forger", "permit"), keys, expectation(p)); err != nil {
		t.Errorf("a stranger's signature beside the true one: %v", err)
	}
}

// A permit signed by the earlier of two keys still verifies.
func TestPermitAfterRotation(t *testing.T) {
	old, id := permitKeys(t)
	_, next := signer(t, "signalbox.example", "next")
	keys := keysOf(t, "permit "+next, "permit "+old.Of(ForPermits)[0].Text)
	p := permitOf(id)
	if _, err := CheckPermit(envelope(t, encoded(t, p), "permit"), keys, expectation(p)); err != nil {
		t.Error(err)
	}
	_, keyID, err := Envelope(envelope(t, []byte("any"), "next"), ForPermits, keys)
	if err != nil || keyID != keys.Of(ForPermits)[0].ID {
		t.Errorf("the key is %s: %v", keyID, err)
	}
}

func TestReportIsJSON(t *testing.T) {
	r, err := journal(t, 3, 2).verify()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil || !bytes.Contains(b, []byte(`"facts":3`)) || bytes.Contains(b, []byte("first_wrong")) {
		t.Errorf("%s: %v", b, err)
	}
}
