package hsm

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/miekg/pkcs11"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

// errAway is met where a module may find a token once it has begun anew.
var errAway = errors.New("no token of that name")

// rest is how long a module goes on as it is before it may begin anew: that ends every
// session with all of its tokens.
const rest = 2 * time.Second

// What a session is for. One that writes is not kept.
const (
	reading = pkcs11.CKF_SERIAL_SESSION
	writing = pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION
)

// module is a library that is loaded, once in a process whatever tokens it has.
type module struct {
	file string

	mu     sync.RWMutex // held for reading by every call, for writing while it begins anew
	ctx    *pkcs11.Ctx
	begins uint64 // how often it has begun: sessions from before are gone
	began  time.Time
}

// moduleFile is what is loaded: a path, or a name that the system looks for.
func moduleFile(at seal.URI) string {
	if at.ModulePath != "" {
		return at.ModulePath
	}
	switch runtime.GOOS {
	case "darwin":
		return "lib" + at.ModuleName + ".dylib"
	case "windows":
		return at.ModuleName + ".dll"
	}
	return "lib" + at.ModuleName + ".so"
}

// begin loads the module, or has it look for its tokens anew where it has begun
// as often as the caller knows: one that was taken out and put back shows only then.
func (m *module) begin(known uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.begins != known || time.Since(m.began) < rest {
		return nil // another has, or it was a moment ago
	}
	if m.ctx == nil {
		if m.ctx = pkcs11.New(m.file); m.ctx == nil {
			return fault.New(fault.Unavailable, "hsm.module", "the PKCS#11 module "+filepath.Base(m.file)+" cannot be loaded").
				Because("it is not there, not for this machine, or not a PKCS#11 module").Remedy("correct module-path or module-name in the key's URI").
				At(fault.Position{File: m.file})
		}
	} else if err := m.ctx.Finalize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		return err
	}
	if err := m.ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return err
	}
	m.begins, m.began = m.begins+1, time.Now()
	return nil
}

// token is one token, and the sessions with it.
type token struct {
	at     seal.URI // without a key
	module *module

	patience time.Duration
	turns    chan struct{} // as many as there may be sessions

	mu      sync.Mutex
	begins  uint64 // of the module, when slot and idle were found
	slot    uint
	idle    []pkcs11.SessionHandle // logged in
	keys    map[seal.URI]pkcs11.ObjectHandle
	refused string // a PIN that the token did not take
}

// session is a session whose user is logged in, and how it is given back; before that the
// module does not begin anew. Locks are taken in the order module, token.
func (t *token) session(mode uint) (session, func(well bool), error) {
	for again := false; ; again = true {
		t.module.mu.RLock()
		known := t.module.begins
		s, err := t.take(mode)
		if err == nil {
			return s, func(well bool) { t.release(s, mode, well) }, nil
		}
		t.module.mu.RUnlock()
		if again || !errors.Is(err, errAway) {
			return session{}, nil, err
		}
		if err := t.module.begin(known); err != nil {
			return session{}, nil, err
		}
	}
}

func (t *token) take(mode uint) (s session, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.begins == 0 || t.begins != t.module.begins {
		t.forget()
		if err := t.look(); err != nil {
			return s, err
		}
	}
	s.token, s.ctx = t, t.module.ctx
	if last := len(t.idle) - 1; last >= 0 && mode == reading {
		s.handle, t.idle = t.idle[last], t.idle[:last]
		return s, nil
	}
	if s.handle, err = t.open(s.ctx, mode); err != nil {
		t.drop(s.ctx)
	}
	return s, err
}

// release gives a session back. What one has met that ended badly, the others will:
// then those that nobody uses are closed with it.
func (t *token) release(s session, mode uint, well bool) {
	defer t.module.mu.RUnlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if well && mode == reading && t.begins == t.module.begins {
		t.idle = append(t.idle, s.handle)
		return
	}
	_ = s.ctx.CloseSession(s.handle)
	if !well {
		t.drop(s.ctx)
	}
}

func (t *token) drop(ctx *pkcs11.Ctx) {
	for _, h := range t.idle {
		_ = ctx.CloseSession(h)
	}
	t.forget()
}

// forget drops what holds only for as long as the token is there.
func (t *token) forget() { t.idle, t.keys, t.begins = nil, map[seal.URI]pkcs11.ObjectHandle{}, 0 }

// key is the handle of a key that was looked up before.
func (t *token) key(at seal.URI) (pkcs11.ObjectHandle, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	handle, known := t.keys[at]
	return handle, known
}

// learn keeps a handle, unless the token was found gone meanwhile.
func (t *token) learn(at seal.URI, handle pkcs11.ObjectHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.begins == t.module.begins {
		t.keys[at] = handle
	}
}

// look looks for the token in the slots of the module.
func (t *token) look() error {
	ctx := t.module.ctx
	if ctx == nil {
		return errAway
	}
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return errors.Join(errAway, err)
	}
	var here []uint
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		if err == nil && info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 && t.is(info) {
			here = append(here, slot)
		}
	}
	switch len(here) {
	case 0:
		return fault.New(fault.Unavailable, "hsm.no-token", t.at.Place()+" is not there").
			Because("no slot of the module has a token of that label and serial number").
			Remedy("plug it in, or see that this machine may reach it; it is looked for anew each time").Cause(errAway)
	case 1:
		t.slot, t.begins = here[0], t.module.begins
		return nil
	}
	return fault.New(fault.Conflict, "hsm.two-tokens", "there are several tokens that could be "+t.at.Place()).
		Because("which of them is meant cannot be told").Remedy("name one of them by its serial number: serial=…")
}

func (t *token) is(info pkcs11.TokenInfo) bool {
	for _, said := range [][2]string{{t.at.Token, info.Label}, {t.at.Serial, info.SerialNumber}, {t.at.Manufacturer, info.ManufacturerID}, {t.at.Model, info.Model}} {
		if said[0] != "" && said[0] != said[1] {
			return false
		}
	}
	return true
}

// open opens a session and logs in where no other session has.
func (t *token) open(ctx *pkcs11.Ctx, mode uint) (pkcs11.SessionHandle, error) {
	h, err := ctx.OpenSession(t.slot, mode)
	if err != nil {
		return 0, err
	}
	info, err := ctx.GetSessionInfo(h)
	if err == nil && !slices.Contains([]uint{pkcs11.CKS_RO_USER_FUNCTIONS, pkcs11.CKS_RW_USER_FUNCTIONS}, info.State) {
		err = t.login(ctx, h)
	}
	if err != nil {
		_ = ctx.CloseSession(h)
		return 0, err
	}
	return h, nil
}

// login gives the token the PIN. One that it has refused is not given again, nor
// is any where the next mistake would lock the token: a server that is started again and
// again must not.
func (t *token) login(ctx *pkcs11.Ctx, h pkcs11.SessionHandle) error {
	info, err := ctx.GetTokenInfo(t.slot)
	if err != nil {
		return err
	}
	if err := t.endangered(info.Flags); err != nil {
		return err
	}
	pin, err := t.at.PIN()
	if err != nil {
		return err
	}
	if pin == t.refused {
		return t.wrongPIN(nil)
	}
	err = ctx.Login(h, pkcs11.CKU_USER, pin)
	var code pkcs11.Error
	switch errors.As(err, &code); code {
	case pkcs11.CKR_OK, pkcs11.CKR_USER_ALREADY_LOGGED_IN:
		t.refused = ""
		return nil
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
		t.refused = pin
		return t.wrongPIN(err)
	case pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
		t.refused = pin
		return t.noPIN(err)
	}
	return err
}

func (t *token) wrongPIN(cause error) error {
	return fault.New(fault.Unavailable, "hsm.pin", t.at.Place()+" does not take the PIN").Because("it was tried once, and is not tried again").
		At(fault.Position{File: t.at.PINFile}).Remedy("correct the file").Cause(cause)
}

func (t *token) noPIN(cause error) error {
	return fault.New(fault.Unavailable, "hsm.locked", t.at.Place()+" takes no PIN").Because("it is locked, has expired or was never set").
		Remedy("set it anew with the token's own tool, as its security officer").Cause(cause)
}

// endangered refuses to try a PIN by what the token says of the tries before.
func (t *token) endangered(flags uint) error {
	if flags&pkcs11.CKF_USER_PIN_LOCKED != 0 {
		return t.noPIN(nil)
	}
	if flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0 {
		return fault.New(fault.Unavailable, "hsm.last-try", t.at.Place()+" would be locked by one more wrong PIN").Because("wrong ones were tried before").
			Remedy("log in once with the token's own tool and the right PIN, which forgives them")
	}
	return nil
}

// lost reports whether a session, or what was known of the token, is no more.
func lost(err error) bool {
	var code pkcs11.Error
	return errors.As(err, &code) && slices.Contains([]pkcs11.Error{
		pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED,
	}, code)
}

// explain makes a fault of what a token answers.
func (t *token) explain(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	f := fault.New(fault.Unavailable, "hsm.failed", t.at.Place()+" has failed").Because(err.Error()).
		Remedy("see that the token is there and well; nothing was signed, and it is asked again").Cause(err)
	var code pkcs11.Error
	if errors.As(err, &code) && slices.Contains([]pkcs11.Error{pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_CURVE_NOT_SUPPORTED, pkcs11.CKR_KEY_TYPE_INCONSISTENT}, code) {
		f.Code, f.Why, f.Fix = "hsm.no-ed25519", "it does not sign by Ed25519 (CKM_EDDSA)", "use a token that does, with a firmware that follows PKCS#11 3.0"
	}
	return f
}
