package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/fault"
)

// maxLogs is how many logs a witness is of: their checkpoints stand in one file.
const maxLogs = 64

// shutdownGrace is how long requests under way may take when the witness stops.
const shutdownGrace = 10 * time.Second

// Options say which witness runs, and for whom.
type Options struct {
	Dir     string   // key and state
	Name    string   // of the key, for a new witness
	Logs    []string // public keys, name+hash+base64; the name is the log's origin, and may have several keys
	Listen  string   // host:port
	TLSCert string   // files; both or neither
	TLSKey  string
	Proxied bool // a proxy in front provides TLS
	Log     *slog.Logger
	Now     func() time.Time // nil is the machine's clock
}

// Witness is a witness that is open.
type Witness struct {
	logs map[string]note.Verifiers
	log  *slog.Logger
	now  func() time.Time

	mu     sync.Mutex // held from the comparison until what was seen is durable
	memory *memory
	broken error // why nothing is cosigned any more
}

// Open opens the witness in a directory, or begins one there. It must be closed.
func Open(o Options) (*Witness, error) {
	w := &Witness{logs: map[string]note.Verifiers{}, log: o.Log, now: o.Now}
	if w.now == nil {
		w.now = time.Now
	}
	keys := map[string][]note.Verifier{}
	for _, text := range o.Logs {
		v, err := note.NewVerifier(text)
		if err != nil {
			return nil, fault.Invalidf("witness.log", "%.200q is not the public key of a log", text).On("--log").
				Remedy("give the line of the purpose journal that signalbox keys show prints, without that word")
		}
		keys[v.Name()] = append(keys[v.Name()], v)
	}
	if len(keys) == 0 || len(keys) > maxLogs {
		return nil, fault.Invalidf("witness.log", "a witness is of 1 to %d logs, not %d", maxLogs, len(keys)).On("--log").Remedy("give --log with the public key of each log")
	}
	for origin, list := range keys {
		w.logs[origin] = note.VerifierList(list...)
	}
	var err error
	w.memory, err = remember(o.Dir, o.Name)
	return w, err
}

// Close gives the directory back.
func (w *Witness) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = errors.New("the witness is closed")
	return w.memory.close()
}

// Public is the witness's public key, name+hash+base64 of the type for cosignatures.
func (w *Witness) Public() string { return w.memory.key.public() }

// add answers one request with a signature line. The state is compared and
// replaced under one lock; the answer leaves after it is durable.
func (w *Witness) add(body []byte) (string, error) {
	s, no := open(body, w.logs)
	if no != nil {
		return "", no
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return "", w.broken
	}
	newest, err := w.memory.of(s.head.Origin)
	if err != nil {
		return "", err
	}
	if no := s.judge(newest); no != nil {
		return "", no
	}
	at := w.now().Unix()
	if at < 0 {
		return "", fmt.Errorf("the clock says %d seconds", at)
	}
	if newest.Size != s.head.Size || newest.Size == 0 {
		if err := w.memory.keep(s.head, s.checkpoint); err != nil {
			w.broken = err
			return "", err
		}
	}
	return w.memory.key.cosign(s.text, uint64(at)), nil
}

// Handler speaks the protocol: POST /add-checkpoint, and /livez.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.serve)
	mux.HandleFunc("GET /livez", func(out http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		broken := w.broken
		w.mu.Unlock()
		if broken != nil {
			answer(out, http.StatusServiceUnavailable, "text/plain; charset=utf-8", "nothing is cosigned until a restart: see the log\n")
			return
		}
		answer(out, http.StatusOK, "text/plain; charset=utf-8", "alive\n")
	})
	return mux
}

func (w *Witness) serve(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxRequest))
	if err != nil {
		answer(out, http.StatusBadRequest, "text/plain; charset=utf-8", fmt.Sprintf("the request is cut off, or longer than %d bytes\n", maxRequest))
		return
	}
	line, err := w.add(body)
	var no *refusal
	switch {
	case err == nil:
		answer(out, http.StatusOK, "text/plain; charset=utf-8", line)
	case !errors.As(err, &no):
		w.log.Error("nothing was cosigned", "error", err)
		answer(out, http.StatusInternalServerError, "text/plain; charset=utf-8", "the witness has failed: its log says why\n")
	default:
		w.tell(no)
		if no.size != nil {
			answer(out, no.status, sizeType, strconv.FormatUint(*no.size, 10)+"\n")
			return
		}
		answer(out, no.status, "text/plain; charset=utf-8", no.why+"\n")
	}
}

// tell logs a refusal. One that its log has signed is kept whole: it may prove
// that the log has two histories. A client that only asks for the size is no news.
func (w *Witness) tell(no *refusal) {
	switch {
	case no.signed == nil:
		w.log.Info("refused", "status", no.status, "why", no.why)
	case no.status == http.StatusConflict && no.signed.old == 0:
		w.log.Info("asked for the size", "origin", no.signed.head.Origin)
	default:
		w.log.Warn("refused what its log has signed", "status", no.status, "why", no.why, "old", no.signed.old, "checkpoint", string(no.signed.checkpoint))
	}
}

func answer(out http.ResponseWriter, status int, kind, text string) {
	out.Header().Set("Content-Type", kind)
	out.Header().Set("X-Content-Type-Options", "nosniff")
	out.WriteHeader(status)
	_, _ = io.WriteString(out, text)
}

// Serve runs the witness until ctx ends, and says on out how to reach and trust it.
func Serve(ctx context.Context, o Options, out io.Writer) error {
	w, err := Open(o)
	if err != nil {
		return err
	}
	return errors.Join(w.listen(ctx, o, out), w.Close())
}

// guarded refuses to answer other machines in the clear: whoever can change an
// answer on its way can make a log believe that it has lost its end.
func (o Options) guarded() error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fault.Invalidf("witness.listen", "%q is not an address to listen on", o.Listen).On("--listen").Remedy("write host:port, such as 127.0.0.1:8421")
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return fault.Invalidf("witness.tls", "TLS needs both a certificate and a key").On("--tls-cert").Remedy("give --tls-cert and --tls-key")
	}
	at, err := netip.ParseAddr(host)
	if o.TLSCert != "" || o.Proxied || host == "localhost" || err == nil && at.IsLoopback() {
		return nil
	}
	return fault.Invalidf("witness.exposed", "listening on %s would answer other machines in the clear", o.Listen).On("--listen").
		Remedy("give --tls-cert and --tls-key, or --behind-proxy where a proxy provides TLS, or listen on 127.0.0.1")
}

func (w *Witness) listen(ctx context.Context, o Options, out io.Writer) error {
	if err := o.guarded(); err != nil {
		return err
	}
	scheme := "http://"
	if o.TLSCert != "" {
		scheme = "https://"
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fault.New(fault.Conflict, "witness.listen", "cannot listen on "+o.Listen).Because(err.Error()).On("--listen").Cause(err)
	}
	fmt.Fprintf(out, "Witness %s serves %s%s\n  its public key, a line for the file of keys of those who verify:\nwitness %s\n", w.memory.key.name, scheme, l.Addr(), w.Public())
	h := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() {
		if o.TLSCert != "" {
			done <- h.ServeTLS(l, o.TLSCert, o.TLSKey)
		} else {
			done <- h.Serve(l)
		}
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	return h.Shutdown(ctx)
}

// Forget lets the witness in dir begin a log anew, as after a restore that has
// lost facts. Whoever runs the witness decides that, not who runs the log; what
// was cosigned is kept with the reason.
func Forget(dir, origin, reason string, now time.Time) (size uint64, err error) {
	m, err := remember(dir, "")
	if err != nil {
		return 0, err
	}
	old, err := m.forget(origin, reason, now)
	return old.Size, errors.Join(err, m.close())
}
