package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/fault"
)

// Tokens reaches Ed25519 keys that never leave a PKCS#11 token. It speaks C, so
// the build that has it is a module of its own. Errors are faults: NotFound where
// a token has no such key, Unavailable where it cannot be reached or does not sign.
type Tokens interface {
	// Find is the public half of the one key that a URI names, and the URI that names no other.
	Find(at URI) (ed25519.PublicKey, URI, error)
	// Make generates a key that cannot be taken out of the token. It is called as
	// the URI says, and gets an id of its own where that says none.
	Make(at URI) (ed25519.PublicKey, URI, error)
	// Sign is whatever the token answers: whoever asks checks it.
	Sign(at URI, message []byte) ([]byte, error)
	// Remove destroys a key, in both halves.
	Remove(at URI) error
}

// probed is how long what a token last answered stands for whether it signs:
// readiness is asked by anybody, as often as they like.
const probed = 5 * time.Second

// heldPrefix begins the file of a key that a token holds: its public half, and
// in the second line where it is.
const heldPrefix = "PKCS11+KEY+"

// held is a key in a token, and what of it is known without the token: the
// file in the directory of keys says which key it must be.
type held struct {
	tokens Tokens // nil: this build reaches none
	at     URI
	name   string
	hash   uint32
	public ed25519.PublicKey

	probing sync.Mutex // held while the token is asked whether it signs

	mu   sync.Mutex
	seen time.Time // when it last signed or failed to
	why  error     // why it failed
}

// Name and KeyHash are those of a C2SP signed note.
func (h *held) Name() string    { return h.name }
func (h *held) KeyHash() uint32 { return h.hash }

// Sign lets the token sign, and holds what it made against the key that is meant:
// one of the same label, a fault of the device or another mechanism shows here.
func (h *held) Sign(message []byte) ([]byte, error) {
	sig, err := h.ask(message)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen, h.why = time.Now(), err
	return sig, err
}

// lately is what came of asking the token a moment ago, if it was.
func (h *held) lately() (why error, asked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why, !h.seen.IsZero() && time.Since(h.seen) < probed
}

func (h *held) ask(message []byte) ([]byte, error) {
	if h.tokens == nil {
		return nil, noTokens(fault.Unavailable, "the key "+h.id()+" is in "+h.at.Place())
	}
	sig, err := h.tokens.Sign(h.at, message)
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.Unavailable, "seal.token-key", "the key "+h.id()+" is not in "+h.at.Place()).Because("no other key continues what it signed").
			Remedy("restore it into the token, or name the token that has it in the key's file").Cause(err)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if len(sig) != ed25519.SignatureSize || !ed25519.Verify(h.public, message, sig) {
		return nil, fault.New(fault.Unavailable, "seal.token-signature", h.at.Place()+" did not sign as the key "+h.id()+" would").
			Because("another key stands there under its name, or the device is faulty; the signature was thrown away").
			Remedy("name in the key's file where the key is, by id; if it is there, have the device examined")
	}
	return sig, nil
}

// unavailable is an error of a token as whoever asked for something else is to read it:
// that the key is unfit or its PIN is open to others is not the caller's mistake.
func unavailable(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	ours := *f
	ours.Kind = fault.Unavailable
	return &ours
}

// destroy removes the key from its token, if it is there.
func (h *held) destroy() error {
	if h.tokens == nil {
		return noTokens(fault.Unavailable, "the key "+h.id()+" cannot be deleted in "+h.at.Place())
	}
	if err := h.tokens.Remove(h.at); fault.KindOf(err) != fault.NotFound {
		return err
	}
	return nil
}

func (h *held) id() string { return fmt.Sprintf("%08x", h.hash) }

// check reports why the key cannot sign. The token is asked at most once in a while,
// to sign words that are nothing's: no note, envelope or rotation begins like them.
func (h *held) check() error {
	h.probing.Lock() // whoever asks meanwhile gets the same answer
	defer h.probing.Unlock()
	if why, asked := h.lately(); asked {
		return why
	}
	_, err := h.Sign([]byte("signalbox-key-check/v1\n" + h.id() + "\n" + rand.Text() + "\n"))
	return err
}

func noTokens(kind fault.Kind, what string) *fault.Error {
	return fault.New(kind, "seal.no-pkcs11", what).Because("this build reaches no PKCS#11 tokens: it has no C in it").
		Remedy("run the build that does: make build-hsm")
}

// vkey is a public key under the directory's name, as name+hash+base64.
func (d directory) vkey(public ed25519.PublicKey) (string, error) {
	vkey, err := note.NewEd25519VerifierKey(d.Name, public)
	if err == nil {
		_, err = note.NewVerifier(vkey) // refuses what the other lets pass: a bad name
	}
	return vkey, err
}

// parseHeld reads the file of a key in a token.
func (o Options) parseHeld(text string) (signing, error) {
	vkey, where, found := strings.Cut(strings.TrimPrefix(text, heldPrefix), "\n")
	at, err := ParseURI(where)
	if !found || err != nil {
		return signing{}, fmt.Errorf("where the key is: %w", err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return signing{}, fmt.Errorf("public key: %w", err)
	}
	public, err := publicOf(vkey)
	if err != nil {
		return signing{}, err
	}
	if at.Object == "" && at.ID == "" {
		return signing{}, fmt.Errorf("it names a token and no key in it")
	}
	h := &held{tokens: o.Tokens, at: at, name: verifier.Name(), hash: verifier.KeyHash(), public: public}
	return signing{signer: h, public: vkey, held: h}, nil
}

// inToken takes the key that new keys of a purpose are to be, or makes one, and
// returns the text of its file. A key is taken only where the URI names it.
func (d directory) inToken(at URI, p Purpose) (text string, made bool, err error) {
	var public ed25519.PublicKey
	named := at.Object != "" || at.ID != ""
	where := at
	if named {
		public, where, err = d.Tokens.Find(at)
		made = fault.KindOf(err) == fault.NotFound
	}
	if !named || made {
		if at.Object == "" {
			at.Object = "signalbox-" + string(p)
		}
		public, where, err = d.Tokens.Make(at)
		made = true
	}
	if err != nil {
		return "", false, err
	}
	if _, err := ParseURI(where.String()); err != nil {
		return "", false, fmt.Errorf("the key's label or id: %w", err)
	}
	vkey, err := d.vkey(public)
	if err != nil {
		return "", false, err
	}
	return heldPrefix + vkey + "\n" + where.String(), made, nil
}
