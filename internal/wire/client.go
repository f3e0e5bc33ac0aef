package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// MaxAnswer bounds what the client reads of one answer, in bytes; an export has no bound.
const MaxAnswer = 16 << 20

// KeyHeader names the idempotency key of a command: asking twice acts once.
const KeyHeader = "Idempotency-Key"

// ReceiptHeader names the receipts in an answer: for each command that has recorded
// something, a signed note in base64 (see verify.Receipt).
const ReceiptHeader = "Signalbox-Receipt"

const (
	callTime   = 60 * time.Second // of one try
	uploadTime = 15 * time.Minute
	callTries  = 4
	longestNap = 10 * time.Second
)

// Options say which server is called, and as whom.
type Options struct {
	Server string            // base URL, such as https://signalbox.example.com
	Token  string            // "" for what needs none
	CA     string            // file of PEM certificates that are trusted besides the system's
	Agent  string            // names the program and its version
	Over   http.RoundTripper // nil: the network

	Receipts func(note []byte) // is handed each receipt as it came; nil: nobody keeps them
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
	keep  func(receipt []byte)
}

// New is a client. A token is never sent in the clear beyond the machine
// itself. Errors: fault Invalid for a URL or file that cannot be used.
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(o.Server, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return nil, fault.Invalidf("client.server", "the server's URL cannot be used").On("--server").
			Because("it is not http:// or https://, a host, and at most a path").Remedy("write it as in https://signalbox.example.com")
	}
	if o.Token != "" && u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fault.Invalidf("client.clear-text", "the token would travel in the clear").On("--server").
			Because(u.Host + " is not this machine and the URL is not https").Remedy("use https")
	}
	over := o.Over
	if over == nil {
		if over, err = transport(o.CA); err != nil {
			return nil, err
		}
	}
	if o.Agent == "" {
		o.Agent = "signalbox"
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: u, token: strings.TrimSpace(o.Token), agent: o.Agent, http: &http.Client{Transport: over, CheckRedirect: stay}, keep: o.Receipts}, nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.") && strings.Trim(host, "0123456789.") == ""
}

func transport(ca string) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = callTime
	t.TLSHandshakeTimeout = 10 * time.Second
	if ca == "" {
		return t, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fault.Invalidf("client.ca", "the file of trusted certificates cannot be read").On("--ca").Because(err.Error())
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.Invalidf("client.ca", "%s holds no certificate", ca).On("--ca").Remedy("give a file of PEM certificates")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// Server is the base URL.
func (c *Client) Server() string { return c.base.String() }

// call is one request, as often as it is tried.
type call struct {
	method, path string
	query        url.Values
	body         []byte        // JSON, or Type's bytes
	from         io.ReadSeeker // streamed instead of body; read again for each try
	mime         string        // of the body, JSON where empty
	accept       string        // of the answer, JSON where empty
	key          string        // idempotency key
	limit        time.Duration // of one try; 0 is callTime
}

// post is a call that changes something: it carries a key of its own, the same over all tries.
func post(path string, body any) (call, error) {
	c := call{method: http.MethodPost, path: Prefix + path, key: uuid.Must(uuid.NewV7()).String()}
	if body == nil {
		return c, nil
	}
	var err error
	if c.body, err = json.Marshal(body); err != nil {
		return c, fmt.Errorf("encode the request: %w", err)
	}
	return c, nil
}

func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: Prefix + path, query: query}
}

// send posts a body and reads the answer.
func send[R any](ctx context.Context, c *Client, path string, body any) (R, error) {
	q, err := post(path, body)
	if err != nil {
		var none R
		return none, err
	}
	return ask[R](ctx, c, q)
}

// ask makes a call and decodes the answer.
func ask[R any](ctx context.Context, c *Client, q call) (R, error) {
	var r R
	b, err := c.bytes(ctx, q)
	if err == nil && len(b) > 0 {
		if err = strict.DecodeOpen(b, &r); err != nil {
			err = fault.New(fault.Unavailable, "client.answer", "the server's answer cannot be read").
				Because("it is not what this version of the contract says").Remedy("compare: signalbox version, and the server's /version").Cause(err)
		}
	}
	return r, err
}

func (c *Client) bytes(ctx context.Context, q call) ([]byte, error) {
	var b []byte
	err := c.do(ctx, q, func(r io.Reader) (err error) {
		if b, err = io.ReadAll(io.LimitReader(r, MaxAnswer+1)); err == nil && len(b) > MaxAnswer {
			err = fault.New(fault.TooLarge, "client.answer-size", "the server's answer is larger than 16 MiB")
		}
		return err
	})
	return b, err
}

// do makes a call, again where the server was not reached, asked for time, or was
// too busy with others to come to it,
// and hands the body of a success to read.
func (c *Client) do(ctx context.Context, q call, read func(io.Reader) error) error {
	for try := 1; ; try++ {
		nap, err := c.once(ctx, q, read)
		if err == nil || nap < 0 || try == callTries {
			return err
		}
		if nap == 0 {
			nap = time.Duration(100+rand.IntN(100)) * time.Millisecond << try
		}
		select {
		case <-ctx.Done():
			return interrupted(ctx)
		case <-time.After(min(nap, longestNap)):
		}
	}
}

// never is the nap after a failure that another try does not mend.
const never = -1

func (c *Client) once(ctx context.Context, q call, read func(io.Reader) error) (nap time.Duration, err error) {
	limit := q.limit
	if limit == 0 {
		limit = callTime
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	response, err := c.request(short, q)
	if err != nil {
		return c.unreached(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	c.receipts(response.Header)
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		if err := read(response.Body); err != nil {
			if fault.KindOf(err) != fault.Internal {
				return never, err
			}
			return c.unreached(ctx, err)
		}
		return never, nil
	}
	return refusal(response)
}

// bring copies an answer to w. Where w fails, that is no matter of the server's.
func bring(w io.Writer, r io.Reader) error {
	here := &local{w: w}
	_, err := io.Copy(here, r)
	if here.err != nil && fault.KindOf(here.err) == fault.Internal {
		return fault.Invalidf("client.unwritable", "what the server answers cannot be written here").Because(here.err.Error()).
			Remedy("make room, or write it elsewhere").Cause(here.err)
	}
	return err
}

// local remembers why it could not write.
type local struct {
	w   io.Writer
	err error
}

func (l *local) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	if err != nil {
		l.err = err
	}
	return n, err
}

// maxReceipts bounds the receipts that are taken from one answer.
const maxReceipts = 16

// receipts hands on what an answer's header holds; a refusal may have some as well.
func (c *Client) receipts(h http.Header) {
	if c.keep == nil {
		return
	}
	for _, text := range h.Values(ReceiptHeader)[:min(len(h.Values(ReceiptHeader)), maxReceipts)] {
		if note, err := base64.StdEncoding.DecodeString(text); err == nil {
			c.keep(note)
		}
	}
}

func (c *Client) request(ctx context.Context, q call) (*http.Response, error) {
	var body io.Reader
	switch {
	case q.from != nil:
		if _, err := q.from.Seek(0, io.SeekStart); err != nil {
			return nil, fault.Invalidf("client.file", "the file cannot be read").Because(err.Error())
		}
		body = io.NopCloser(q.from)
	case q.body != nil:
		body = bytes.NewReader(q.body)
	}
	u := *c.base
	u.Path, u.RawPath = c.base.Path+unescaped(q.path), c.base.EscapedPath()+q.path
	u.RawQuery = q.query.Encode()
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	c.header(r, q)
	return c.http.Do(r)
}

func (c *Client) header(r *http.Request, q call) {
	r.Header.Set("User-Agent", c.agent)
	r.Header.Set("Accept", "application/json, application/problem+json")
	if q.accept != "" {
		r.Header.Set("Accept", q.accept+", application/problem+json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if q.key != "" {
		r.Header.Set(KeyHeader, q.key)
	}
	if r.Body != nil {
		mime := q.mime
		if mime == "" {
			mime = "application/json"
		}
		r.Header.Set("Content-Type", mime)
	}
}

func unescaped(path string) string {
	if p, err := url.PathUnescape(path); err == nil {
		return p
	}
	return path
}

// unreached says why no answer came.
func (c *Client) unreached(ctx context.Context, err error) (time.Duration, error) {
	var known *fault.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &known):
		return never, err
	case ctx.Err() != nil:
		return never, interrupted(ctx)
	case errors.As(err, &certificate):
		return never, fault.New(fault.Unavailable, "client.certificate", "the server's certificate is not trusted").
			Because(certificate.Err.Error()).Remedy("name the authority that signed it with --ca FILE").Cause(err)
	}
	return 0, fault.New(fault.Unavailable, "client.unreachable", "the server at "+c.base.Host+" cannot be reached").
		Because(cause(err)).Remedy("check the URL, and that the server runs: signalbox doctor").Cause(err)
}

func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return "it did not answer in time"
		}
		return u.Err.Error()
	}
	return err.Error()
}

func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "client.time", "the time for this was up").Cause(ctx.Err())
	}
	return fault.New(fault.Interrupted, "client.interrupted", "interrupted").Cause(ctx.Err())
}

// contended is the code of a command that was recorded nowhere since others kept
// changing what it rests on.
const contended = "request.contended"

// refusal is the fault that an answer other than success tells of, and when to try again.
func refusal(r *http.Response) (time.Duration, error) {
	p := Problem{Status: r.StatusCode, Title: http.StatusText(r.StatusCode), Code: "client.status-" + strconv.Itoa(r.StatusCode)}
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), ProblemType) {
		told := p
		if strict.DecodeOpen(b, &told) == nil && told.Code != "" {
			told.Status, p = r.StatusCode, told
		}
	}
	if r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusServiceUnavailable && p.Code != contended {
		return never, problem(p)
	}
	after, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || after < 0 {
		after = 0
	}
	return time.Duration(after) * time.Second, problem(p)
}

// Several is a fault that stands for several problems; Unwrap is the first of them.
type Several struct {
	First *fault.Error
	All   []Detail
}

// Error lists all problems, one a line.
func (s *Several) Error() string {
	var b strings.Builder
	for i, d := range s.All {
		if i > 0 {
			b.WriteByte('\n')
		}
		f := fault.Error{What: d.Detail, Why: d.Why, Fix: d.Fix, Where: fault.Position(d.Where)}
		b.WriteString(f.Error())
	}
	return b.String()
}

// Unwrap is the fault itself.
func (s *Several) Unwrap() error { return s.First }

func problem(p Problem) error {
	if len(p.Errors) > 1 {
		return &Several{First: p.Fault(), All: p.Errors}
	}
	return p.Fault()
}
