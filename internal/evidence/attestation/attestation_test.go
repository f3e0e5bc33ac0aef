package attestation

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

var (
	artifact = strings.Repeat("5e", 32)
	commit   = strings.Repeat("c0ffee", 6) + "c0de"
	recorded = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
)

// signer is a key that tests sign with, always the same for a name.
func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func key(t testing.TB, name string) Key {
	t.Helper()
	k, err := dsse.ParseKey(base64.StdEncoding.EncodeToString(signer(name).Public().(ed25519.PublicKey)), "")
	if err != nil {
		t.Fatal(err)
	}
	return Key{Key: k, Name: name}
}

// seal puts a payload into an envelope, signed by some keys under their names as ids.
func seal(t testing.TB, payloadType, payload string, by ...string) []byte {
	t.Helper()
	list := []map[string]string{}
	for _, name := range by {
		sig := ed25519.Sign(signer(name), dsse.PAE(payloadType, []byte(payload)))
		list = append(list, map[string]string{"keyid": name, "sig": base64.StdEncoding.EncodeToString(sig)})
	}
	b, err := json.Marshal(map[string]any{"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(payload)), "signatures": list})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func envelope(t testing.TB, payload string, by ...string) dsse.Envelope {
	t.Helper()
	e, err := dsse.Read(seal(t, PayloadType, payload, by...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// statementOf is a statement of version 1 about the artifact.
func statementOf(predicateType, predicate string) string {
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"payments","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`, artifact, predicateType, predicate)
}

var hosted = fmt.Sprintf(`{
 "buildDefinition": {
  "buildType": "https://actions.github.io/buildtypes/workflow/v1",
  "externalParameters": {"workflow": {"ref": "refs/tags/v1.4.0", "repository": "https://github.com/acme/payments", "path": ".github/workflows/release.yml"}},
  "internalParameters": {"github": {"event_name": "push"}},
  "resolvedDependencies": [
   {"uri": "git+https://github.com/acme/payments@refs/tags/v1.4.0", "digest": {"gitCommit": %q}},
   {"uri": "git+https://github.com/acme/workflows@refs/heads/main", "digest": {"gitCommit": "0123456789012345678901234567890123456789"}}
  ]
 },
 "runDetails": {
  "builder": {"id": "https://github.com/acme/workflows/.github/workflows/build.yml@refs/heads/main"},
  "metadata": {"invocationId": "https://github.com/acme/payments/actions/runs/7/attempts/1", "startedOn": "2027-03-01T08:00:00Z", "finishedOn": "2027-03-01T09:05:00.5+01:00"}
 }
}`, commit)

var generated = fmt.Sprintf(`{
 "builder": {"id": "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@refs/tags/v2.0.0"},
 "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
 "invocation": {"configSource": {"uri": "git+https://github.com/acme/payments@refs/tags/v1.4.0", "digest": {"sha1": %q}, "entryPoint": ".github/workflows/release.yml"}, "parameters": {}, "environment": {"github_run_id": "7"}},
 "metadata": {"buildInvocationID": "7-1", "buildStartedOn": "2027-03-01T08:00:00Z", "completeness": {"parameters": true}, "reproducible": false},
 "materials": [{"uri": "git+https://github.com/acme/payments@refs/tags/v1.4.0", "digest": {"sha1": %q}}]
}`, commit, commit)

func read(t *testing.T, payload string) evidence.Attestation {
	t.Helper()
	c, err := Read(seal(t, PayloadType, payload, "builder"))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Kind.Valid() || c.Kind != evidence.AttestationKind || !c.Whole() || c.Format != Format {
		t.Fatalf("%+v", c)
	}
	return *c.Attestation
}

func TestProvenance1(t *testing.T) {
	want := evidence.Attestation{
		PredicateType: ProvenanceV1, Subjects: []evidence.Subject{{Name: "payments", Digest: "sha256:" + artifact}}, SubjectCount: 1, Signatures: 1,
		Builder: "https://github.com/acme/workflows/.github/workflows/build.yml@refs/heads/main", BuildType: "https://actions.github.io/buildtypes/workflow/v1",
		Source: "https://github.com/acme/payments", Ref: "refs/tags/v1.4.0", Commit: commit, Invocation: "https://github.com/acme/payments/actions/runs/7/attempts/1",
		Started: time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC), Finished: time.Date(2027, 3, 1, 8, 5, 0, 5e8, time.UTC), Materials: 2,
	}
	if diff := cmp.Diff(want, read(t, statementOf(ProvenanceV1, hosted))); diff != "" {
		t.Error(diff)
	}
}

func TestProvenance02(t *testing.T) {
	payload := strings.Replace(statementOf(ProvenanceV02, generated), "Statement/v1", "Statement/v0.1", 1)
	c, err := Read(seal(t, PayloadType, payload, "builder"))
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Attestation{
		PredicateType: ProvenanceV02, Subjects: []evidence.Subject{{Name: "payments", Digest: "sha256:" + artifact}}, SubjectCount: 1, Signatures: 1,
		Builder:   "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@refs/tags/v2.0.0",
		BuildType: "https://github.com/slsa-framework/slsa-github-generator/generic@v1", Source: "https://github.com/acme/payments", Ref: "refs/tags/v1.4.0",
		Commit: commit, Invocation: "7-1", Started: time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC), Materials: 1,
	}
	if diff := cmp.Diff(&want, c.Attestation); diff != "" || c.Version != "0.1" || c.Tool.Name != want.Builder {
		t.Error(diff, c.Version, c.Tool)
	}
}

func TestSummary(t *testing.T) {
	a := read(t, statementOf(SummaryV1, `{"verifier":{"id":"https://example.com/verifier"},"timeVerified":"2027-03-01T08:00:00Z","resourceUri":"x","verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_3","FEDRAMP_LOW"]}`))
	if a.Builder != "https://example.com/verifier" || a.Result != "PASSED" || len(a.Levels) != 2 || a.Finished.IsZero() {
		t.Errorf("%+v", a)
	}
	old := read(t, statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"FAILED","policyLevel":"FAILED"}`))
	if old.Result != "FAILED" || len(old.Levels) != 1 {
		t.Errorf("%+v", old)
	}
}

// Of a predicate that is not known the subjects alone are read, whatever it holds.
func TestOtherPredicate(t *testing.T) {
	a := read(t, statementOf("https://example.com/review/v1", `{"builder":{"id":7},"anything":[null]}`))
	if a.PredicateType != "https://example.com/review/v1" || a.Builder != "" || a.SubjectCount != 1 {
		t.Errorf("%+v", a)
	}
	bare := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha512":"ab","sha256":%q}},{"digest":{"gitCommit":"anything"}}],"predicateType":"x"}`, artifact)
	if a := read(t, bare); a.SubjectCount != 2 || !a.Names("sha256:"+artifact) || a.Names("") || a.Names("sha256:") {
		t.Errorf("%+v", a)
	}
}

// The source is one that the build names, or the only one there is; never a guess.
func TestSource(t *testing.T) {
	other := strings.Repeat("1", 40)
	git := func(repo, sha string) string { return fmt.Sprintf(`{"uri":%q,"digest":{"gitCommit":%q}}`, repo, sha) }
	for what, c := range map[string]struct{ parameters, used, source, ref, commit string }{
		"named":                {`{"workflow":{"repository":"https://github.com/a/b"}}`, git("git+https://github.com/a/b@refs/heads/m", commit) + "," + git("git+https://github.com/c/d", other), "https://github.com/a/b", "refs/heads/m", commit},
		"named, .git or not":   {`{"source":"https://gitlab.com/a/b"}`, git("https://gitlab.com/a/b.git", commit), "https://gitlab.com/a/b", "", commit},
		"named with its ref":   {`{"source":{"uri":"git+https://github.com/a/b@refs/tags/v1"}}`, git("git+https://github.com/a/b@refs/tags/v1", commit), "https://github.com/a/b", "refs/tags/v1", commit},
		"named, not used":      {`{"source":"https://gitlab.com/a/b"}`, git("git+https://github.com/c/d", other), "https://gitlab.com/a/b", "", ""},
		"named, two commits":   {`{"source":"https://gitlab.com/a/b"}`, git("https://gitlab.com/a/b", commit) + "," + git("https://gitlab.com/a/b", other), "https://gitlab.com/a/b", "", ""},
		"BuildKit":             {`{"configSource":{"uri":"https://github.com/a/b.git#refs/tags/v1:sub","digest":{"sha1":"` + commit + `"},"path":"Dockerfile"}}`, "", "https://github.com/a/b", "refs/tags/v1", commit},
		"the only one":         {`{}`, `{"uri":"pkg:docker/alpine@3","digest":{"sha256":"` + artifact + `"}},` + git("git+ssh://git@Example.COM/a/b.git@main", commit), "ssh://example.com/a/b", "main", commit},
		"two":                  {`{}`, git("git+https://github.com/a/b", commit) + "," + git("git+https://github.com/c/d", other), "", "", ""},
		"none":                 {`{}`, `{"uri":"pkg:docker/alpine@3","digest":{"sha256":"` + artifact + `"}}`, "", "", ""},
		"a file":               {`{}`, `{"uri":"https://example.com/a.tar.gz","digest":{"sha1":"` + commit + `"}}`, "", "", ""},
		"parameters of others": {`{"source":7,"workflow":[],"configSource":"x"}`, git("git+https://github.com/a/b", commit), "https://github.com/a/b", "", commit},
		"a user is left out":   {`{"source":"https://user:secret@github.com/a/b"}`, "", "https://github.com/a/b", "", ""},
		"a query is no name":   {`{"source":"https://github.com/a/b?token=secret"}`, "", "", "", ""},
	} {
		p := fmt.Sprintf(`{"buildDefinition":{"buildType":"t","externalParameters":%s,"resolvedDependencies":[%s]},"runDetails":{"builder":{"id":"b"}}}`, c.parameters, c.used)
		a := read(t, statementOf(ProvenanceV1, p))
		if a.Source != c.source || a.Ref != c.ref || a.Commit != c.commit {
			t.Errorf("%s: %q %q %q", what, a.Source, a.Ref, a.Commit)
		}
	}
}

func TestWhatIsNoAttestation(t *testing.T) {
	good := statementOf(ProvenanceV1, hosted)
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not there", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for what, payload := range map[string]string{
		"nothing": "", "no JSON": "statement", "null": "null", "a list": "[]", "a text": `"x"`, "cut": good[:200], "two": good + good,
		"no type":                 change(`"_type"`, `"type"`),
		"a type to come":          change(`Statement/v1`, `Statement/v2`),
		"a type in capitals":      change(`https://in-toto.io/Statement/v1`, `HTTPS://in-toto.io/Statement/v1`),
		"type twice":              change(`{"_type":`, `{"_type":"https://in-toto.io/Statement/v1","_type":`),
		"subject twice":           change(`"subject":`, `"subject":[],"subject":`),
		"subject in capitals":     change(`"subject":`, `"Subject":[],"subject":`),
		"no subject":              change(`"subject":`, `"subjects":`),
		"empty subject":           `{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x"}`,
		"subject null":            `{"_type":"https://in-toto.io/Statement/v1","subject":[null],"predicateType":"x"}`,
		"subject without digest":  change(`"digest":{"sha256":"`+artifact+`"}`, `"uri":"x"`),
		"empty digest":            change(`{"sha256":"`+artifact+`"}`, `{}`),
		"digest no text":          change(`"`+artifact+`"`, `7`),
		"digest empty text":       change(artifact, ``),
		"digest in capitals":      change(artifact, strings.ToUpper(artifact)),
		"digest of another width": change(artifact, strings.Repeat("５e", 32)),
		"digest with a prefix":    change(`"`+artifact, `"sha256:`+artifact),
		"digest short":            change(artifact, artifact[2:]),
		"digest by another case":  change(`{"sha256":`, `{"SHA256":"00","sha256":`),
		"digest twice":            change(`{"sha256":`, `{"sha256":"`+strings.Repeat("0", 64)+`","sha256":`),
		"too many subjects":       change(`"subject":[`, `"subject":[`+strings.Repeat(`{"digest":{"x":"y"}},`, 1024)),
		"no predicate type":       change(`"predicateType":`, `"predicateTypes":`),
		"predicate no object":     statementOf(ProvenanceV1, `[]`),
		"no predicate":            statementOf(ProvenanceV1, `null`),
		"no builder":              change(`"builder"`, `"builders"`),
		"builder no object":       change(`"builder": {`, `"builder": 7, "x": {`),
		"builder id no text":      statementOf(ProvenanceV1, `{"buildDefinition":{"buildType":"t"},"runDetails":{"builder":{"id":7}}}`),
		"builder in capitals":     change(`"builder"`, `"Builder": {"id":"trusted"}, "builder"`),
		"builder id too long":     change(`https://github.com/acme/workflows/.github`, strings.Repeat("b", 1000)),
		"builder id that rings":   change(`https://github.com/acme/workflows/.github`, `\u0007`),
		"no build type":           change(`"buildType"`, `"buildtypes"`),
		"a time that is none":     change(`2027-03-01T08:00:00Z`, `yesterday`),
		"a time without zone":     change(`2027-03-01T08:00:00Z`, `2027-03-01T08:00:00`),
		"a commit in capitals":    change(commit, strings.ToUpper(commit)),
		"a commit cut short":      change(commit, commit[:12]),
		"materials no list":       change(`"resolvedDependencies": [`, `"resolvedDependencies": 7, "x": [`),
		"a material no object":    change(`"resolvedDependencies": [`, `"resolvedDependencies": [7,`),
		"0.2 without builder":     statementOf(ProvenanceV02, `{"buildType":"t"}`),
		"0.2 without build type":  statementOf(ProvenanceV02, `{"builder":{"id":"b"}}`),
		"summary without result":  statementOf(SummaryV1, `{"verifier":{"id":"v"}}`),
		"summary half passed":     statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"passed"}`),
		"summary without who":     statementOf(SummaryV1, `{"verificationResult":"PASSED"}`),
		"summary of a level 7":    statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"PASSED","verifiedLevels":[7]}`),
		"summary of many levels":  statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"PASSED","verifiedLevels":["x"`+strings.Repeat(`,"x"`, 20)+`]}`),
		"nested without end":      statementOf("x", strings.Repeat(`{"a":`, 300)+"1"+strings.Repeat("}", 300)),
	} {
		if c, err := Read(seal(t, PayloadType, payload, "builder")); err == nil {
			t.Errorf("%s: read as %+v", what, c.Attestation)
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWhatIsSentInstead(t *testing.T) {
	good := statementOf(ProvenanceV1, hosted)
	line := string(seal(t, PayloadType, good, "builder"))
	for what, c := range map[string]struct{ file, code string }{
		"a Sigstore bundle":  {`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},"dsseEnvelope":{}}`, "evidence.sigstore"},
		"an older bundle":    {`{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.2","dsseEnvelope":{}}`, "evidence.sigstore"},
		"a statement alone":  {good, "evidence.unsigned"},
		"two lines":          {line + "\n" + line + "\n", "evidence.several"},
		"another payload":    {string(seal(t, "application/json", good, "builder")), "evidence.payload-type"},
		"a type in capitals": {string(seal(t, "Application/vnd.in-toto+json", good, "builder")), "evidence.payload-type"},
		"nobody's signature": {string(seal(t, PayloadType, good)), "dsse.malformed"},
	} {
		_, err := Read([]byte(c.file))
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != c.code || f.Kind != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Read([]byte(line + "\n\n")); err != nil {
		t.Errorf("one line: %v", err)
	}
}

func TestRecognise(t *testing.T) {
	for file, want := range map[string]bool{
		string(seal(t, PayloadType, "{}", "builder")):                            true,
		`{"payloadType":"x","signatures":[]}`:                                    true,
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`:          true,
		statementOf("x", "{}"):                                                   true,
		`{"version":"2.1.0","runs":[]}`:                                          false,
		`{"payload":{},"event":"push"}`:                                          false,
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}`: false,
	} {
		top, err := evidence.TopOf([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if Recognise(top) != want {
			t.Errorf("%s: not %v", file, want)
		}
	}
}

// The word of an attestor is what enough of its keys signed, about this artifact,
// of a type and by a builder that it speaks for.
func TestWeigh(t *testing.T) {
	good := statementOf(ProvenanceV1, hosted)
	builder := "https://github.com/acme/workflows/.github/workflows/build.yml@refs/heads/main"
	one := Attestor{Name: "release-builder", Keys: []Key{key(t, "a")}, Threshold: 1, Level: 3}
	two := Attestor{Name: "both", Keys: []Key{key(t, "a"), key(t, "b"), key(t, "c")}, Threshold: 2}
	with := func(a Attestor, change func(*Attestor)) Attestor {
		change(&a)
		return a
	}
	same := key(t, "a")
	same.Name = "the same again"
	for what, c := range map[string]struct {
		by      Attestor
		payload string
		signers []string
		why     string // "" is his word
		keys    string
	}{
		"his key":                  {one, good, []string{"a"}, "", "a"},
		"another key":              {one, good, []string{"b"}, "0 of its keys signed, and it takes 1", ""},
		"his among others":         {one, good, []string{"x", "y", "a"}, "", "a"},
		"two of three":             {two, good, []string{"c", "a"}, "", "a c"},
		"one of three":             {two, good, []string{"b"}, "1 of its keys signed, and it takes 2", ""},
		"one of three, twice":      {two, good, []string{"b", "b"}, "1 of its keys signed, and it takes 2", ""},
		"one key under two names":  {with(two, func(a *Attestor) { a.Keys = []Key{key(t, "a"), same} }), good, []string{"a", "a"}, "1 of its keys signed, and it takes 2", ""},
		"no keys":                  {Attestor{Name: "nobody"}, good, []string{"a"}, "0 of its keys signed, and it takes 1", ""},
		"threshold below one":      {with(one, func(a *Attestor) { a.Threshold = 0 }), good, []string{"b"}, "takes 1", ""},
		"another artifact":         {one, strings.Replace(good, artifact, strings.Repeat("00", 32), 1), []string{"a"}, "about something else", ""},
		"no statement":             {one, `{"a":1}`, []string{"a"}, "cannot be read", ""},
		"his type":                 {with(one, func(a *Attestor) { a.PredicateTypes = []string{ProvenanceV02, ProvenanceV1} }), good, []string{"a"}, "", "a"},
		"not his type":             {with(one, func(a *Attestor) { a.PredicateTypes = []string{SummaryV1} }), good, []string{"a"}, "not believed about", ""},
		"his builder":              {with(one, func(a *Attestor) { a.Builders = []string{"x", builder} }), good, []string{"a"}, "", "a"},
		"his builder at any ref":   {with(one, func(a *Attestor) { a.Builders = []string{strings.TrimSuffix(builder, "main") + "*"} }), good, []string{"a"}, "", "a"},
		"not his builder":          {with(one, func(a *Attestor) { a.Builders = []string{builder + "/other"} }), good, []string{"a"}, "does not speak for", ""},
		"a builder as a beginning": {with(one, func(a *Attestor) { a.Builders = []string{strings.TrimSuffix(builder, "main")} }), good, []string{"a"}, "does not speak for", ""},
		"no builder where asked":   {with(one, func(a *Attestor) { a.Builders = []string{builder} }), statementOf("https://example.com/review", `{}`), []string{"a"}, "does not speak for", ""},
	} {
		w, why := c.by.Weigh(envelope(t, c.payload, c.signers...), "sha256:"+artifact, recorded)
		if (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %q, want %q", what, why, c.why)
			continue
		}
		if got := strings.Join(w.Keys, " "); got != c.keys || why == "" && (w.Attestor != c.by.Name || w.Commit != commit) {
			t.Errorf("%s: %+v", what, w)
		}
		if why != "" && (w.Attestor != "" || w.Builder != "" || w.Subjects != nil) {
			t.Errorf("%s: says %+v and is nobody's word", what, w)
		}
	}
}

// A payload of another type is not read, though the key of the attestor signed it.
func TestTypeConfusion(t *testing.T) {
	e, err := dsse.Read(seal(t, "application/vnd.example.report+json", statementOf(ProvenanceV1, hosted), "a"))
	if err != nil {
		t.Fatal(err)
	}
	a := Attestor{Name: "a", Keys: []Key{key(t, "a")}}
	if _, why := a.Weigh(e, "sha256:"+artifact, recorded); !strings.Contains(why, "cannot be read") || !strings.Contains(why, "vnd.example.report") {
		t.Errorf("%q", why)
	}
	e.PayloadType = PayloadType // nor does it help to say another type than was signed
	if _, why := a.Weigh(e, "sha256:"+artifact, recorded); !strings.Contains(why, "0 of its keys signed") {
		t.Errorf("%q", why)
	}
}

// What is not signed is not read: a payload that no reader takes says so only to
// those whose key signed it.
func TestSignatureBeforeContent(t *testing.T) {
	e := envelope(t, "not JSON at all", "a")
	if _, why := (Attestor{Keys: []Key{key(t, "b")}}).Weigh(e, "sha256:"+artifact, recorded); strings.Contains(why, "read") {
		t.Errorf("%q", why)
	}
	if _, why := (Attestor{Keys: []Key{key(t, "a")}}).Weigh(e, "sha256:"+artifact, recorded); !strings.Contains(why, "cannot be read") {
		t.Errorf("%q", why)
	}
}

func TestKeysHoldForATime(t *testing.T) {
	e := envelope(t, statementOf(ProvenanceV1, hosted), "a")
	for what, c := range map[string]struct {
		from, until time.Duration // from when it was recorded; 0 is none
		holds       bool
	}{
		"always": {0, 0, true}, "already": {-time.Hour, 0, true}, "not yet": {time.Second, 0, false},
		"still": {0, time.Second, true}, "no more": {0, -time.Second, false}, "within": {-time.Hour, time.Hour, true},
	} {
		k := key(t, "a")
		if c.from != 0 {
			k.From = recorded.Add(c.from)
		}
		if c.until != 0 {
			k.Until = recorded.Add(c.until)
		}
		_, why := Attestor{Keys: []Key{k}}.Weigh(e, "sha256:"+artifact, recorded)
		if (why == "") != c.holds || !c.holds && !strings.Contains(why, "1 of its 1 keys did not hold when it was recorded") {
			t.Errorf("%s: %q", what, why)
		}
	}
	k := key(t, "a")
	k.Until = recorded
	if _, why := (Attestor{Keys: []Key{k}}).Weigh(e, "sha256:"+artifact, recorded); why == "" {
		t.Error("until is too late by itself")
	}
}

func TestLevels(t *testing.T) {
	a := Attestor{Level: 3, Keys: []Key{key(t, "a")}}
	for payload, want := range map[string]int{
		statementOf(ProvenanceV1, hosted):               3,
		statementOf(ProvenanceV02, generated):           3,
		statementOf("https://example.com/review", "{}"): 0,
		statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_2"]}`):          2,
		statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"PASSED","verifiedLevels":["x","SLSA_LEVEL_1"]}`):            1,
		statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"PASSED","verifiedLevels":["SLSA_SOURCE_LEVEL_3"]}`):         0,
		statementOf(SummaryV1, `{"verifier":{"id":"v"},"verificationResult":"FAILED","verifiedLevels":["SLSA_BUILD_LEVEL_2","FAILED"]}`): 0,
	} {
		w, why := a.Weigh(envelope(t, payload, "a"), "sha256:"+artifact, recorded)
		if why != "" || w.Level != want {
			t.Errorf("%s: level %d, %s", payload, w.Level, why)
		}
	}
}

// FuzzRead reads any payload as a statement: what is read names subjects, and what
// is not is its sender's fault; and it is nobody's word whose key did not sign.
func FuzzRead(f *testing.F) {
	// Short ones: the longer a seed, the longer each find is made shorter.
	const head = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"x":""}}],"predicateType":"https://slsa.dev/`
	f.Add(head + `provenance/v1","predicate":{"buildDefinition":{"buildType":"t","externalParameters":{"source":"https://h/a"},"resolvedDependencies":[{}]},"runDetails":{"builder":{"id":"b"}}}}`)
	f.Add(head + `provenance/v0.2","predicate":{"builder":{"id":"b"},"buildType":"t","materials":[{"uri":"git+https://h/a","digest":{"sha1":""}}]}}`)
	f.Add(head + `verification_summary/v1","predicate":{"verifier":{"id":"v"},"verificationResult":"PASSED","verifiedLevels":["l"]}}`)
	stranger := Attestor{Name: "stranger", Keys: []Key{key(f, "stranger")}}
	f.Fuzz(func(t *testing.T, payload string) {
		b := seal(t, PayloadType, payload, "builder")
		c, err := Read(b)
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatal(err)
			}
			return
		}
		if c.Attestation.SubjectCount == 0 || c.Attestation.PredicateType == "" || c.Summary().Attestation.Subjects != nil {
			t.Fatalf("%+v", c.Attestation)
		}
		if _, why := stranger.Weigh(envelope(t, payload, "builder"), "sha256:"+artifact, recorded); why == "" {
			t.Fatal("a stranger's word")
		}
	})
}

// FuzzRepository finds the repository of any URI: what is found is found again.
func FuzzRepository(f *testing.F) {
	for _, s := range []string{"git+https://github.com/a/b.git@refs/heads/main", "ssh://git@h/a#v1:x", "https://user:secret@h/a?q", "git+https://h/%2F@x@y", "https://h/a.git/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		repo, _ := repository(uri)
		if repo == "" {
			return
		}
		again, ref := repository(repo)
		if strings.Contains(repo, "@") && strings.Contains(repo, "//") && strings.Contains(strings.SplitN(repo, "/", 4)[2], "@") {
			t.Fatalf("%q has a user: %q", uri, repo)
		}
		if !strings.HasPrefix(repo, again) && again != "" {
			t.Fatalf("%q is %q, then %q at %q", uri, repo, again, ref)
		}
	})
}

// bundle is a Sigstore bundle of an envelope, of which nothing is verified here.
func bundle(t testing.TB, payload string) string {
	t.Helper()
	return `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"AA=="},"tlogEntries":[{"logIndex":"1"}]},"dsseEnvelope":` + string(seal(t, PayloadType, payload, "builder")) + `}`
}

func TestReadBundle(t *testing.T) {
	good := bundle(t, statementOf(ProvenanceV1, hosted))
	c, err := ReadBundle([]byte(good))
	if err != nil || c.Format != BundleFormat || c.Version != "0.3" || c.Attestation.Commit != commit || !c.Attestation.Names("sha256:"+artifact) || !Bundled([]byte(good)) {
		t.Fatalf("%+v %v", c, err)
	}
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not there", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for what, text := range map[string]string{
		"nothing": "", "no JSON": "bundle", "null": "null", "a list": "[]", "cut": good[:100], "two": good + good,
		"an older version":                change("bundle.v0.3+json", "bundle+json;version=0.2"),
		"a version to come":               change("v0.3", "v0.4"),
		"no type":                         change(`"mediaType"`, `"type"`),
		"type in capitals":                change(`"mediaType"`, `"MediaType":"x","mediaType"`),
		"a signature of a file":           change(`"dsseEnvelope"`, `"messageSignature"`),
		"an envelope as text":             change(`"dsseEnvelope":`, `"dsseEnvelope":"x","y":`),
		"an envelope twice":               change(`"dsseEnvelope":`, `"dsseEnvelope":{},"dsseEnvelope":`),
		"an envelope and one in capitals": change(`"dsseEnvelope":`, `"DsseEnvelope":{},"dsseEnvelope":`),
		"no signature":                    change(`"signatures"`, `"signature"`),
		"no statement":                    bundle(t, "{}"),
		"too long":                        good + strings.Repeat(" ", dsse.MaxEnvelope),
	} {
		if c, err := ReadBundle([]byte(text)); err == nil {
			t.Errorf("%s: read as %+v", what, c.Attestation)
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
			t.Errorf("%s: %v", what, err)
		}
	}
	if Bundled(seal(t, PayloadType, "{}", "builder")) || Bundled([]byte("x")) {
		t.Error("what is no bundle is taken for one")
	}
}

// Whoever a certificate names must be one of the attestor's identities; keys count for nothing.
func TestWeighCertified(t *testing.T) {
	right := Certified{PayloadType: PayloadType, Payload: []byte(statementOf(ProvenanceV1, hosted)), Issuer: "https://issuer.example", Subject: "https://example.com/ci"}
	a := Attestor{Name: "hosted", Identities: []Identity{{"https://issuer.example", "https://example.com/ci"}}, Keys: []Key{key(t, "a")}}
	for what, c := range map[string]struct {
		change func(*Certified)
		why    string
	}{
		"as it should be": {func(*Certified) {}, ""},
		"nothing proven":  {func(c *Certified) { c.Why = "the log does not know it" }, "the log does not know it"},
		"another subject": {func(c *Certified) { c.Subject += "/fork" }, "it was signed as"},
		"another issuer":  {func(c *Certified) { c.Issuer = "https://other.example" }, "vouches"},
		"no identity":     {func(c *Certified) { c.Issuer, c.Subject = "", "" }, "it was signed as"},
		"another type":    {func(c *Certified) { c.PayloadType = "text/plain" }, "cannot be read"},
		"about another thing": {func(c *Certified) {
			c.Payload = []byte(strings.ReplaceAll(string(c.Payload), artifact, strings.Repeat("0", 64)))
		}, "about something else"},
	} {
		x := right
		c.change(&x)
		w, why := a.WeighCertified(x, "sha256:"+artifact)
		if (why == "") != (c.why == "") || !strings.Contains(why, c.why) || why == "" && w.Keys[0] != right.Subject {
			t.Errorf("%s: %+v %q", what, w, why)
		}
	}
	if _, why := a.Weigh(envelope(t, string(right.Payload), "b"), "sha256:"+artifact, recorded); why == "" {
		t.Error("an identity makes a key one of the attestor's")
	}
}

// FuzzReadBundle reads any bytes as a bundle.
func FuzzReadBundle(f *testing.F) {
	const short = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"x":""}}],"predicateType":"p"}`
	f.Add(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":` + string(seal(f, PayloadType, short)) + `}`)
	f.Add(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadBundle([]byte(text))
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatal(err)
			}
			return
		}
		if !Bundled([]byte(text)) || !c.Whole() || c.Attestation.SubjectCount == 0 {
			t.Fatalf("%+v", c)
		}
	})
}
