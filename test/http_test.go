package test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

// request sends one raw request to $URL, as nobody's client library would: it
// follows no redirect, keeps no cookie and adds no header but what it is given.
// The status line and the headers go to stderr, the body to stdout.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [-token FILE] [-header K:V] [-body FILE] [-data TEXT] [-size BYTES]")
	}
	method, path := args[0], args[1]
	var body io.Reader = http.NoBody
	header := http.Header{}
	if method == http.MethodPost {
		header.Set("Content-Type", "application/json")
	}
	for rest := args[2:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) < 2 {
			ts.Fatalf("http: %s needs a value", rest[0])
		}
		switch value := rest[1]; rest[0] {
		case "-token":
			header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(value)))
		case "-header":
			name, text, _ := strings.Cut(value, ":")
			header.Set(name, strings.TrimSpace(text))
		case "-body":
			body = strings.NewReader(ts.ReadFile(value))
		case "-data":
			body = strings.NewReader(value)
		case "-size":
			var n int64
			_, err := fmt.Sscan(value, &n)
			ts.Check(err)
			body = io.LimitReader(spaces{}, n)
		default:
			ts.Fatalf("http: there is no %s", rest[0])
		}
	}
	r, err := http.NewRequest(method, ts.Getenv("URL")+path, body)
	ts.Check(err)
	r.Header = header
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	ts.Check(err)
	printHead(ts.Stderr(), answer)
	_, err = ts.Stdout().Write(text)
	ts.Check(err)
}

func printHead(w io.Writer, answer *http.Response) {
	fmt.Fprintln(w, answer.StatusCode, http.StatusText(answer.StatusCode))
	var lines []string
	for name, values := range answer.Header {
		for _, v := range values {
			lines = append(lines, name+": "+v)
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}

// spaces is a body of spaces without an end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
