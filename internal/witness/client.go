package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/verify"
)

const (
	maxAnswer = 16 << 10
	maxLines  = 16
)

// Client asks one witness.
type Client struct {
	name string
	url  string
	http *http.Client
	log  LogKeys
	own  string // the witness's key, as a line of a file of keys
}

// LogKeys is a log's own public keys as they stand, as verify.ParseKeys reads them.
type LogKeys func(context.Context) ([]byte, error)

// Conflict says that the newest checkpoint that the witness has cosigned is not of the old size.
type Conflict struct{ Size uint64 }

// Error says how much the witness has cosigned.
func (c *Conflict) Error() string {
	return fmt.Sprintf("the witness has cosigned %d facts", c.Size)
}

// ErrOtherHistory says that the checkpoint does not continue what the witness
// has cosigned: the proof does not lead there, or the same size had another root.
var ErrOtherHistory = errors.New("the witness has cosigned another history")

// NewClient is a client of the witness with that public key at a URL.
func NewClient(address, vkey string, logKeys LogKeys, client *http.Client) (*Client, error) {
	u, err := url.Parse(address)
	if strings.Contains(address, "@") { // what stands before it may be a secret
		return nil, fault.Invalidf("witness.address", "the address of a witness holds a name or a password").On("--witnesses").Remedy("write it as https://host/prefix")
	}
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.Invalidf("witness.address", "%.200q is not the address of a witness", address).On("--witnesses").Remedy("write it as https://host/prefix")
	}
	keys, err := verify.ParseKeys([]byte("witness " + vkey))
	if err != nil {
		return nil, fault.Invalidf("witness.key", "%.200q is not the public key of a witness", vkey).On("--witnesses").
			Remedy("write its address, a space, and the key that signalbox witness serve prints, name+hash+base64").Cause(err)
	}
	return &Client{name: keys.Of(verify.ForWitness)[0].Name, url: strings.TrimSuffix(address, "/"), http: client, log: logKeys, own: "\nwitness " + vkey + "\n"}, nil
}

// Name is that of the witness's key.
func (c *Client) Name() string { return c.name }

// Add submits a checkpoint that has grown from old leaves, with the proof of
// it, and returns the witness's signature line and its time. Errors: *Conflict
// and ErrOtherHistory; faults Unavailable where the witness cannot be reached
// or fails, Invalid where it does not know the log, Unverified where its answer
// is no cosignature by its key.
func (c *Client) Add(ctx context.Context, old uint64, proof []tlog.Hash, checkpoint []byte) (line string, at time.Time, err error) {
	body := request{old, proof, checkpoint}.encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return "", at, fmt.Errorf("ask the witness %s: %w", c.name, err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return "", at, c.away(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return "", at, c.away(err)
	}
	if len(text) > maxAnswer {
		return "", at, fault.New(fault.Unverified, "witness.answer", "the answer of the witness "+c.name+" is too long")
	}
	if answer.StatusCode == http.StatusOK {
		return c.cosignature(ctx, checkpoint, string(text))
	}
	return "", at, c.refused(answer, string(text))
}

func (c *Client) away(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address is in the settings
	}
	return fault.New(fault.Unavailable, "witness.unreachable", "the witness "+c.name+" cannot be reached").Because(err.Error()).Cause(err).
		Remedy("see that it runs, and that this server reaches its address")
}

func (c *Client) refused(answer *http.Response, text string) error {
	said := strings.ToValidUTF8(strings.TrimSpace(text), "")
	said = fmt.Sprintf("it answered %d: %.200q", answer.StatusCode, said)
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch answer.StatusCode {
	case http.StatusConflict:
		if err != nil || kind != sizeType {
			return ErrOtherHistory
		}
		size, err := parseSize(strings.TrimSuffix(text, "\n"))
		if err != nil {
			return fault.New(fault.Unverified, "witness.answer", "the witness "+c.name+" names no size that it has cosigned").Because(said)
		}
		return &Conflict{size}
	case http.StatusUnprocessableEntity:
		return ErrOtherHistory
	case http.StatusNotFound, http.StatusForbidden, http.StatusBadRequest:
		return fault.Invalidf("witness.refused", "the witness %s does not take this journal's checkpoints", c.name).Because(said).
			Remedy("see the address, and have its operator add this journal's public key: signalbox witness serve --log KEY")
	}
	return fault.New(fault.Unavailable, "witness.failed", "the witness "+c.name+" has failed").Because(said).Remedy("see the witness's log")
}

// cosignature is the one line of an answer that the witness's key has signed;
// lines by other keys are passed over.
func (c *Client) cosignature(ctx context.Context, checkpoint []byte, text string) (string, time.Time, error) {
	no := fault.New(fault.Unverified, "witness.answer", "the answer of the witness "+c.name+" is no cosignature by its key").
		Remedy("compare the key in the settings with the one that the witness prints")
	known, err := c.log(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	keys, err := verify.ParseKeys(append(bytes.Clone(known), c.own...))
	if err != nil {
		return "", time.Time{}, err
	}
	text, whole := strings.CutSuffix(text, "\n")
	lines := strings.Split(text, "\n")
	if !whole || len(lines) > maxLines {
		return "", time.Time{}, no
	}
	bare := checkpoint
	if i := bytes.Index(checkpoint, []byte("\n\n")); i >= 0 {
		bare = ours(checkpoint[:i+2], checkpoint[i+2:])
	}
	for _, line := range lines {
		_, cosigned, err := verify.Cosigned(append(bytes.Clone(bare), line+"\n"...), keys)
		if err == nil && len(cosigned) == 1 {
			return line + "\n", cosigned[0].Time, nil
		}
	}
	return "", time.Time{}, no
}

// ours is a checkpoint with the first of its signatures alone, the log's: an
// earlier cosignature by the same witness would stand in for the new one.
func ours(text, signatures []byte) []byte {
	first, _, _ := bytes.Cut(signatures, []byte("\n"))
	return append(append(bytes.Clone(text), first...), '\n')
}
