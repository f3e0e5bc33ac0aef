package git

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

const unsignedCommit = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Ada Example <ada@example.com> 1700000000 +0000\ncommitter Ada Example <ada@example.com> 1700000000 +0000\n\nsubject\n\nbody\n"

var signedAt = time.Unix(1_700_000_000, 0)

// withSignature puts a signature into a header of a commit, as git does.
func withSignature(object, header, signature string) string {
	head, message, _ := strings.Cut(object, "\n\n")
	return head + "\n" + header + " " + strings.ReplaceAll(strings.TrimSuffix(signature, "\n"), "\n", "\n ") + "\n\n" + message
}

func newSSHKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// sshSigned signs as ssh-keygen -Y sign does, in a namespace.
func sshSigned(t testing.TB, signer ssh.Signer, space, message, algorithm string) string {
	t.Helper()
	frame := func(parts ...[]byte) []byte {
		out := []byte(sshMagic)
		for _, p := range parts {
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...)
		}
		return out
	}
	s := sshSignature{hash: "sha512"}
	signed := bytes.Replace(s.signed([]byte(message)), []byte("\x00\x00\x00\x03git"), binary.BigEndian.AppendUint32(nil, uint32(len(space))), 1)
	if space != namespace {
		signed = bytes.Replace(signed, binary.BigEndian.AppendUint32(nil, uint32(len(space))), append(binary.BigEndian.AppendUint32(nil, uint32(len(space))), space...), 1)
	} else {
		signed = s.signed([]byte(message))
	}
	signature, err := signer.Sign(rand.Reader, signed)
	if a, is := signer.(ssh.AlgorithmSigner); is && algorithm != "" {
		signature, err = a.SignWithAlgorithm(rand.Reader, signed, algorithm)
	}
	if err != nil {
		t.Fatal(err)
	}
	blob := frame(signer.PublicKey().Marshal(), []byte(space), nil, []byte("sha512"), ssh.Marshal(signature))
	blob = append([]byte(sshMagic+"\x00\x00\x00\x01"), blob[len(sshMagic):]...)
	return "-----BEGIN SSH SIGNATURE-----\n" + base64.StdEncoding.EncodeToString(blob) + "\n-----END SSH SIGNATURE-----\n"
}

func allowed(signer ssh.Signer, names string) string {
	return names + " " + string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}

func keysOf(t testing.TB, files ...string) *Keys {
	t.Helper()
	k := &Keys{}
	for i, f := range files {
		if err := k.Add(fmt.Sprintf("keys-%d", i), []byte(f)); err != nil {
			t.Fatalf("%v\n%s", err, f)
		}
	}
	return k
}

// checked is the commit in an object, held against keys.
func checked(object string, k *Keys) change.Commit {
	c := parseCommit(strings.Repeat("0", 40), []byte(object))
	if c.Signed {
		payload, signature := signedPart([]byte(object), 40)
		k.check(&c, payload, signature)
	}
	return c
}

func TestSSHSignatures(t *testing.T) {
	ada, eve := newSSHKey(t), newSSHKey(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short, err := ssh.NewSignerFromKey(weak)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := ssh.NewSignerFromKey(long)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(s ssh.Signer, algorithm string) string {
		return withSignature(unsignedCommit, "gpgsig", sshSigned(t, s, namespace, unsignedCommit, algorithm))
	}
	known := allowed(ada, "ada@example.com,ada@work.example")
	good := sign(ada, "")
	for name, c := range map[string]struct {
		object string
		keys   string
		want   string
	}{
		"its key is there":        {good, known, change.Verified},
		"and others too":          {good, allowed(eve, "eve") + "# a remark\n\n" + known, change.Verified},
		"another's key":           {good, allowed(eve, "eve"), change.Unverifiable},
		"a stranger's signature":  {sign(eve, ""), known, change.Unverifiable},
		"an altered author":       {strings.Replace(good, "author Ada", "author Eve", 1), known, change.Bad},
		"an altered message":      {good + "more", known, change.Bad},
		"a header more":           {strings.Replace(good, "\ngpgsig", "\nencoding UTF-8\ngpgsig", 1), known, change.Bad},
		"for files":               {withSignature(unsignedCommit, "gpgsig", sshSigned(t, ada, "file", unsignedCommit, "")), known, change.Unverifiable},
		"of the other kind of id": {withSignature(unsignedCommit, "gpgsig-sha256", sshSigned(t, ada, namespace, unsignedCommit, "")), known, change.Unverifiable},
		"no armour":               {withSignature(unsignedCommit, "gpgsig", "x"), known, change.Unverifiable},
		"cut short":               {withSignature(unsignedCommit, "gpgsig", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----"), known, change.Unverifiable},
		"X.509":                   {withSignature(unsignedCommit, "gpgsig", "-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----"), known, change.Unverifiable},
		"not signed":              {unsignedCommit, known, ""},
		"a short RSA key":         {sign(short, ssh.KeyAlgoRSASHA512), allowed(short, "x"), change.Unverifiable},
		"RSA with SHA-1":          {sign(whole, ssh.KeyAlgoRSA), allowed(whole, "x"), change.Unverifiable},
		"RSA with SHA-512":        {sign(whole, ssh.KeyAlgoRSASHA512), allowed(whole, "x"), change.Verified},
		"a key for files":         {good, strings.Replace(known, " ssh-", ` namespaces="file" ssh-`, 1), change.Unverifiable},
		"a key for git and files": {good, strings.Replace(known, " ssh-", ` namespaces="file,g*" ssh-`, 1), change.Verified},
		"a key not yet valid":     {good, strings.Replace(known, " ssh-", ` valid-after="20240101Z" ssh-`, 1), change.Unverifiable},
		"a key no longer valid":   {good, strings.Replace(known, " ssh-", ` valid-before="20230101" ssh-`, 1), change.Unverifiable},
		"a key valid then":        {good, strings.Replace(known, " ssh-", ` valid-after="202311140000Z",valid-before="20231115000000Z" ssh-`, 1), change.Verified},
	} {
		got := checked(c.object, keysOf(t, c.keys))
		if got.Signature != c.want || (got.Key != "") != (c.want == change.Verified) {
			t.Errorf("%s: %q under %q", name, got.Signature, got.Key)
		}
	}
	if got := checked(good, keysOf(t, known)); strings.Join(got.KeyNames, " ") != "ada@example.com ada@work.example" || !strings.HasPrefix(got.Key, "SHA256:") {
		t.Errorf("%+v", got)
	}
	if got := checked(good, &Keys{}); got.Signature != change.Unverifiable {
		t.Errorf("without keys: %q", got.Signature)
	}
}

func newEntity(t testing.TB, name string, config *packet.Config) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func exported(t testing.TB, list ...*openpgp.Entity) string {
	t.Helper()
	var b bytes.Buffer
	for _, e := range list {
		w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Serialize(w); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func at(when time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return when }, Algorithm: packet.PubKeyAlgoEdDSA}
}

func pgpSigned(t testing.TB, e *openpgp.Entity, message string, config *packet.Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&b, e, strings.NewReader(message), config); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// backdated signs at any time, whatever the key says of it.
func backdated(t testing.TB, e *openpgp.Entity, message string, when time.Time) string {
	t.Helper()
	s := &packet.Signature{Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: e.PrimaryKey.PubKeyAlgo, Hash: crypto.SHA256, CreationTime: when, IssuerKeyId: &e.PrimaryKey.KeyId}
	h := crypto.SHA256.New()
	h.Write([]byte(message))
	if err := s.Sign(h, e.PrivateKey, at(when)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.SignatureType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func TestOpenPGPSignatures(t *testing.T) {
	before := signedAt.AddDate(-1, 0, 0)
	ada, eve := newEntity(t, "ada", at(before)), newEntity(t, "eve", at(before))
	brief := at(before)
	brief.KeyLifetimeSecs = uint32((30 * 24 * time.Hour).Seconds())
	expired := newEntity(t, "expired", brief)
	lasting := at(before)
	lasting.KeyLifetimeSecs = uint32((400 * 24 * time.Hour).Seconds())
	expires := newEntity(t, "expires", lasting)
	stolen := newEntity(t, "stolen", at(before))
	sign := func(e *openpgp.Entity, c *packet.Config) string {
		return withSignature(unsignedCommit, "gpgsig", pgpSigned(t, e, unsignedCommit, c))
	}
	good := sign(ada, at(signedAt))
	late := sign(expires, at(signedAt))
	signedStolen := sign(stolen, at(signedAt))
	if err := stolen.RevokeKey(packet.KeyCompromised, "", at(signedAt.AddDate(1, 0, 0))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		object, keys, want string
	}{
		"its key is there":             {good, exported(t, eve, ada), change.Verified},
		"another's key":                {good, exported(t, eve), change.Unverifiable},
		"altered":                      {good + "x", exported(t, ada), change.Bad},
		"expired since":                {late, exported(t, expires), change.Verified},
		"signed while it was valid":    {withSignature(unsignedCommit, "gpgsig", backdated(t, expired, unsignedCommit, before.AddDate(0, 0, 20))), exported(t, expired), change.Verified},
		"signed when it had expired":   {withSignature(unsignedCommit, "gpgsig", backdated(t, expired, unsignedCommit, signedAt)), exported(t, expired), change.Unverifiable},
		"revoked as stolen":            {signedStolen, exported(t, stolen), change.Unverifiable},
		"signed before it was made":    {withSignature(unsignedCommit, "gpgsig", backdated(t, ada, unsignedCommit, before.AddDate(-1, 0, 0))), exported(t, ada), change.Unverifiable},
		"two signatures in one armour": {withSignature(unsignedCommit, "gpgsig", pgpSigned(t, ada, unsignedCommit, at(signedAt))+pgpSigned(t, ada, unsignedCommit, at(signedAt))), exported(t, ada), change.Verified},
		"an SSH key alone":             {good, allowed(newSSHKey(t), "x"), change.Unverifiable},
		"cut short":                    {withSignature(unsignedCommit, "gpgsig", "-----BEGIN PGP SIGNATURE-----\n\nAAAA"), exported(t, ada), change.Unverifiable},
	} {
		got := checked(c.object, keysOf(t, c.keys))
		if got.Signature != c.want || (got.Key != "") != (c.want == change.Verified) {
			t.Errorf("%s: %q under %q", name, got.Signature, got.Key)
		}
	}
	if got := checked(good, keysOf(t, exported(t, ada), allowed(newSSHKey(t), "x"))); len(got.Key) != 40 || strings.Join(got.KeyNames, "") != "ada <ada@example.com>" {
		t.Errorf("%+v", got)
	}
	weak := at(signedAt)
	weak.DefaultHash = crypto.SHA1
	var b bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&b, ada, strings.NewReader(unsignedCommit), weak); err == nil {
		if got := checked(withSignature(unsignedCommit, "gpgsig", b.String()), keysOf(t, exported(t, ada))); got.Signature != change.Unverifiable {
			t.Errorf("with SHA-1: %q", got.Signature)
		}
	}
}

func TestKeyFilesAreRefused(t *testing.T) {
	ada := newSSHKey(t)
	line := allowed(ada, "ada")
	var private bytes.Buffer
	w, err := armor.Encode(&private, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := newEntity(t, "ada", nil).SerializePrivate(w, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	block := exported(t, newEntity(t, "eve", nil))
	for name, file := range map[string]string{
		"empty": "", "a remark": "# nothing\n", "words": "these are no keys\n", "no key": "ada@example.com\n",
		"an unknown option": strings.Replace(line, " ssh-", ` cert-authority ssh-`, 1), "a time": strings.Replace(line, " ssh-", ` valid-after="soon" ssh-`, 1),
		"one good line and one bad": line + "x\n", "a private key": private.String(), "an SSH private key": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
		"a block cut short": block[:len(block)/2], "a block and more": block + "more\n", "not base 64": strings.Replace(block, "\n\n", "\n\n!!!!", 1),
		"many": strings.Repeat(line, maxKeys+1),
	} {
		k := &Keys{}
		if err := k.Add("file", []byte(file)); fault.Exit(fault.KindOf(err)) != 2 || !strings.Contains(err.Error(), "file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Inspect says what came of it, in a real repository.
func TestInspectVerifies(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		w := newWorkshop(t, "--object-format="+format)
		w.write("a.txt", "1\n")
		w.commit("first")
		ada := newSSHKey(t)
		header := map[string]string{"sha1": "gpgsig", "sha256": "gpgsig-sha256"}[format]
		object := w.git("cat-file", "commit", "HEAD") + "\n"
		w.write("object", withSignature(object, header, sshSigned(t, ada, namespace, object, "")))
		id := w.git("hash-object", "-t", "commit", "-w", "object")
		for _, c := range []struct {
			keys *Keys
			want string
		}{{nil, ""}, {keysOf(t, allowed(ada, "ada")), change.Verified}, {keysOf(t, allowed(newSSHKey(t), "eve")), change.Unverifiable}} {
			raw, err := Inspect(t.Context(), Options{Repository: w.dir, To: id, Keys: c.keys})
			if err != nil || raw.Commits[0].Signature != c.want || raw.Checked != (c.keys != nil) || !raw.Commits[0].Signed {
				t.Errorf("%s: %+v %v", format, raw.Commits, err)
			}
		}
	}
}

func FuzzSignedPart(f *testing.F) {
	f.Add([]byte(withSignature(unsignedCommit, "gpgsig", "a\nb\n")), 40)
	f.Fuzz(func(t *testing.T, object []byte, digits int) {
		payload, signature := signedPart(object, digits)
		if len(signature) == 0 && !bytes.Contains(object, []byte("gpgsig")) && !bytes.Equal(payload, object) {
			t.Errorf("%q was signed as %q", object, payload)
		}
	})
}

func FuzzCheck(f *testing.F) {
	ada, eve := newSSHKey(f), newEntity(f, "eve", at(signedAt.AddDate(-1, 0, 0)))
	k := keysOf(f, allowed(ada, "ada"), exported(f, eve))
	f.Add([]byte(sshSigned(f, ada, namespace, unsignedCommit, "")))
	f.Add([]byte(pgpSigned(f, eve, unsignedCommit, at(signedAt))))
	f.Fuzz(func(t *testing.T, signature []byte) {
		c := change.Commit{CommitTime: signedAt}
		if k.check(&c, []byte("another payload"), signature); c.Signature == change.Verified {
			t.Errorf("%q verifies what was never signed", signature)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(allowed(newSSHKey(f), "ada")))
	f.Add([]byte(exported(f, newEntity(f, "eve", nil))))
	f.Fuzz(func(t *testing.T, b []byte) {
		k := &Keys{}
		if err := k.Add("file", b); err == nil && k.count == 0 {
			t.Error("a file without a key is accepted")
		}
	})
}
