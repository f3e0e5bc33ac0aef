package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

const (
	jsonBytes   = 1 << 20
	bundleBytes = 16 << 20 // of bundles, catalogs and changes
	callTime    = 60 * time.Second
	lastingTime = 15 * time.Minute // of an upload
)

// call is one request to an operation.
type call struct {
	*api
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	op     operation
	query  url.Values
	actor  access.Actor
	secret string // of the token
}

type idKey struct{}

func withID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

func idOf(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// serve runs an operation: who asks and may he, then what is asked, then the command.
func (a *api) serve(w http.ResponseWriter, r *http.Request, p operation) {
	c := &call{api: a, ctx: r.Context(), w: w, r: r, op: p}
	if !p.lasting {
		ctx, cancel := context.WithTimeout(c.ctx, callTime)
		defer cancel()
		c.ctx = ctx
	}
	for _, step := range []func() error{c.crossSite, c.authenticate, c.parameters, c.texts, c.body} {
		if err := step(); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	defer c.unhurried()
	if err := p.run(c); err != nil {
		a.fail(w, r, err)
	}
}

// crossSite refuses what a page of another site could have a browser send:
// cookies are never accepted here.
func (c *call) crossSite() error {
	if c.op.method == http.MethodGet || c.r.Header.Get("Authorization") != "" {
		return nil
	}
	refused := fault.New(fault.Forbidden, "api.cross-site", "a browser's session cannot call the API").Remedy("send a token: Authorization: Bearer …")
	if c.r.Header.Get("Cookie") != "" {
		return refused.Because("the request has cookies and no token")
	}
	if err := http.NewCrossOriginProtection().Check(c.r); err != nil {
		return refused.Because("the request comes from another origin")
	}
	return nil
}

// authenticate says who asks, and that he or she may.
func (c *call) authenticate() error {
	if c.op.need == public {
		return nil
	}
	scheme, secret, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return fault.New(fault.Unauthorised, "api.no-token", "this needs a token").Remedy("send one: Authorization: Bearer …")
	}
	actor, err := c.Control.Authenticate(c.ctx, strings.TrimSpace(secret))
	if fault.KindOf(err) == fault.Unauthorised {
		if wait := c.failures.take(c.address()); wait > 0 {
			return tooOften("too many tokens from this address were refused", wait)
		}
	}
	if err != nil {
		return err
	}
	c.actor, c.secret = actor, secret
	if c.op.need == signedIn {
		return nil
	}
	return actor.May(c.op.need)
}

// address is who the connection comes from.
func (c *call) address() string {
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		return c.r.RemoteAddr
	}
	return host
}

// parameters checks that the query names only what the operation takes, each once.
func (c *call) parameters() error {
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return fault.Invalidf("request.query", "the query cannot be read").Because(err.Error())
	}
	c.query = q
	known := map[string]bool{}
	for _, p := range c.op.params {
		known[p.name] = true
		if p.required && q.Get(p.name) == "" {
			return fault.Invalidf("request.parameter", "the parameter %s is missing", p.name).On(p.name)
		}
	}
	for name, values := range q {
		if !known[name] {
			return fault.Invalidf("request.unknown-parameter", "%q is not a parameter here", clip(name)).On(clip(name)).Remedy("leave it out, or correct its name")
		}
		if len(values) > 1 {
			return fault.Invalidf("request.parameter-twice", "the parameter %s stands twice", name).On(name)
		}
	}
	return nil
}

// texts checks that what is looked for can be looked for: PostgreSQL has no
// text with a zero byte, and keys are for logs as well.
func (c *call) texts() error {
	for _, name := range c.op.places() {
		if !lookable(c.r.PathValue(name)) {
			return fault.New(fault.NotFound, "request.path", "there is nothing at this path").On(name)
		}
	}
	for name := range c.query {
		if !lookable(c.query.Get(name)) {
			return fault.Invalidf("request.text", "%s is not text", name).On(name)
		}
	}
	key := c.r.Header.Get(wire.KeyHeader)
	if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
		return fault.Invalidf("request.key", "the idempotency key cannot be used").On(wire.KeyHeader).Remedy("use at most 255 visible ASCII characters, such as a UUID")
	}
	return nil
}

func lookable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// body bounds the body in bytes and time, and checks its media type.
func (c *call) body() error {
	limit, within := c.op.limit, callTime
	if limit == 0 {
		limit = jsonBytes
	}
	if c.op.lasting {
		within = lastingTime
	}
	if c.r.ContentLength > limit {
		return tooLarge(limit)
	}
	line := http.NewResponseController(c.w)
	if c.op.method == http.MethodPost {
		_ = line.SetReadDeadline(time.Now().Add(within)) // where the connection knows deadlines
	}
	if !c.op.lasting {
		_ = line.SetWriteDeadline(time.Now().Add(2 * callTime))
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, limit)
	if c.op.in == nil {
		return nil
	}
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &status{fault.Invalidf("request.media-type", "the body must be application/json").Remedy("send Content-Type: application/json"), http.StatusUnsupportedMediaType}
	}
	return nil
}

// unhurried takes the deadlines off: the connection serves other requests after this one.
func (c *call) unhurried() {
	line := http.NewResponseController(c.w)
	_ = line.SetReadDeadline(time.Time{})
	_ = line.SetWriteDeadline(time.Time{})
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "request.too-large", "the body is larger than "+strconv.FormatInt(limit, 10)+" bytes")
}

// bytes is the whole body.
func (c *call) bytes() ([]byte, error) {
	b, err := io.ReadAll(c.r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, tooLarge(large.Limit)
	}
	if err != nil {
		return nil, fault.Invalidf("request.interrupted", "the body did not arrive whole").Cause(err)
	}
	return b, nil
}

func (c *call) decode(v any) error {
	b, err := c.bytes()
	if err != nil {
		return err
	}
	if zeroByte(b) {
		return fault.Invalidf("json.invalid", "the JSON cannot be used").Because("a text holds a zero byte").Remedy(`leave \u0000 out`)
	}
	return strict.Decode(b, v)
}

// zeroByte reports whether a text of the JSON holds the escape of a zero byte.
func zeroByte(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return false
		}
		if bytes.HasPrefix(b[i+1:], []byte("u0000")) {
			return true
		}
		b = b[i+2:]
	}
}

// answer writes an operation's result.
func (c *call) answer(v any, err error) error {
	if err != nil {
		return err
	}
	write(c.w, http.StatusOK, "application/json", v)
	return nil
}

// file answers with a file to keep.
func (c *call) file(media, name string, data []byte) error {
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	c.w.Header().Set("Content-Type", media)
	_, _ = c.w.Write(data) // once the status is out, nothing can be told about a broken line
	return nil
}

// write encodes an answer. Once the status is out, nothing can be told about a broken line.
func write(w http.ResponseWriter, code int, media string, v any) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

// request is the caller and his or her idempotency key.
func (c *call) request() control.Request {
	return control.Request{Actor: c.actor, Key: c.r.Header.Get(wire.KeyHeader), Recorded: c.acknowledge}
}

// heavy takes one of the few places of what needs much memory, a processor or a long read,
// until the returned function gives it back.
func (c *call) heavy() (done func(), err error) {
	select {
	case c.heavies <- struct{}{}:
		return func() { <-c.heavies }, nil
	default:
		return nil, tooOften("too many uploads, exports and looks at policies are under way", 5*time.Second)
	}
}

func (c *call) path(name string) string { return c.r.PathValue(name) }

func (c *call) text(name string) string { return c.query.Get(name) }

// number is a parameter that counts from 0, or what stands for its absence.
func (c *call) number(name string, absent uint64) (uint64, error) {
	s := c.query.Get(name)
	if s == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fault.Invalidf("request.number", "%s is not a whole number of 0 or more", name).On(name)
	}
	return n, nil
}

func (c *call) flag(name string) (bool, error) {
	switch c.query.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, fault.Invalidf("request.flag", "%s is neither true nor false", name).On(name)
}

func (c *call) paging() (view.Paging, error) {
	n, err := c.number("limit", 0)
	if err == nil && (n > view.LimitMax || n == 0 && c.text("limit") != "") {
		err = fault.Invalidf("page.limit", "a page has 1 to %d entries", view.LimitMax).On("limit")
	}
	return view.Paging{Cursor: c.text("cursor"), Limit: int(n)}, err
}
