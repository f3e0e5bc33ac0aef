package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/witness"
)

func TestPublishSettings(t *testing.T) {
	_, public, err := note.GenerateKey(rand.Reader, "signalbox.local/x")
	if err != nil {
		t.Fatal(err)
	}
	key := func(name string) string {
		w, err := witness.Open(witness.Options{Dir: t.TempDir(), Name: name, Logs: []string{public}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		return w.Public()
	}
	one, two := key("one.example"), key("two.example")
	for name, c := range map[string]struct {
		options PublishOptions
		quorum  int // -1: refused
	}{
		"nothing":                   {PublishOptions{}, 0},
		"the default":               {PublishOptions{Quorum: "1"}, 0},
		"one":                       {PublishOptions{Witnesses: []string{"https://one.example " + one}}, 1},
		"two of two":                {PublishOptions{Witnesses: []string{"https://one.example/w/ " + one, "https://two.example  " + two}, Quorum: "2"}, 2},
		"on this machine":           {PublishOptions{Witnesses: []string{"http://127.0.0.1:8421 " + one, "http://localhost:1 " + two}, Private: true}, 1},
		"on this machine, IPv6":     {PublishOptions{Witnesses: []string{"http://[::1]:8421/w " + one}, Private: true}, 1},
		"on this machine, unsaid":   {PublishOptions{Witnesses: []string{"http://127.0.0.1:8421 " + one}}, -1},
		"in the clear":              {PublishOptions{Witnesses: []string{"http://one.example " + one}, Private: true}, -1},
		"in the clear, in disguise": {PublishOptions{Witnesses: []string{"http://localhost@one.example/ " + one}, Private: true}, -1},
		"in a private network":      {PublishOptions{Witnesses: []string{"http://10.0.0.5 " + one}, Private: true}, -1},
		"demanding more than all":   {PublishOptions{Witnesses: []string{"https://one.example " + one}, Quorum: "2"}, -1},
		"demanding without any":     {PublishOptions{Quorum: "2"}, -1},
		"demanding none":            {PublishOptions{Witnesses: []string{"https://one.example " + one}, Quorum: "0"}, -1},
		"no key":                    {PublishOptions{Witnesses: []string{"https://one.example"}}, -1},
		"a log's key":               {PublishOptions{Witnesses: []string{"https://one.example " + public}}, -1},
		"no address":                {PublishOptions{Witnesses: []string{one}}, -1},
		"another scheme":            {PublishOptions{Witnesses: []string{"file:///x " + one}}, -1},
		"the same twice":            {PublishOptions{Witnesses: []string{"https://one.example " + one, "https://two.example " + one}}, -1},
		"certificates that are not": {PublishOptions{Witnesses: []string{"https://one.example " + one}, CA: "absent.pem"}, -1},
	} {
		n, err := c.options.quorum()
		if err == nil {
			_, err = c.options.witnesses(func(context.Context) ([]byte, error) { return []byte("journal " + public), nil })
		}
		if (err != nil) != (c.quorum < 0) || err == nil && n != c.quorum || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	for address, o := range map[string]PublishOptions{
		"of a witness":           {Witnesses: []string{"https://ada:s3cret@one.example " + one}},
		"that is none":           {Witnesses: []string{"https://ada:s3cret%zz@one.example " + one}},
		"of a repository":        {Repository: "https://ada:s3cret@git.example/x"},
		"of none":                {Repository: "ada:s3cret@git.example/x"},
		"that cannot be escaped": {Repository: "https://ada:s3cret%zz@git.example/x"},
	} {
		s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Publish: o}))
		if err == nil {
			_ = s.Close()
		}
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Invalid || strings.Contains(f.What+f.Why+f.Fix, "s3cret") {
			t.Errorf("an address %s with a password: %v", address, err)
		}
	}
	for setting, o := range map[string]PublishOptions{
		"checkpoint-folder": {Folder: "absent"}, "shelf.repository": {Repository: "absent"}, "checkpoint-every": {Every: "soon"}, "witness-quorum": {Quorum: "all"},
	} {
		s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Publish: o}))
		if err == nil {
			_ = s.Close()
		}
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Invalid || !strings.Contains(f.Code+f.Field, setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
