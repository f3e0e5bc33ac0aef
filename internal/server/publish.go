package server

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/anchor"
	"signalbox.dev/signalbox/internal/connect"
	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/publish"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
	"signalbox.dev/signalbox/internal/witness"
)

// PublishOptions say who holds the journal to its checkpoints; each is a setting as it is written.
type PublishOptions struct {
	Witnesses          []string // address, space, public key
	Quorum             string   // of them; "" is 1
	Every              string   // from one published checkpoint to the next; "" is a minute
	CA                 string   // file of certificates for witnesses
	Private            bool     // witnesses may be in private networks
	Folder, Repository string
}

// witnessTime bounds a request to a witness.
const witnessTime = 10 * time.Second

// quorum is how many witnesses are demanded; none where there are none.
func (o PublishOptions) quorum() (int, error) {
	n, err := strconv.Atoi(orElse(o.Quorum, "1"))
	if len(o.Witnesses) == 0 && (err == nil && n == 1) {
		return 0, nil
	}
	if err != nil || n < 1 || n > len(o.Witnesses) {
		return 0, fault.Invalidf("server.witness-quorum", "%q of %d witnesses cannot be demanded", o.Quorum, len(o.Witnesses)).On("--witness-quorum").
			Remedy("write a number from 1 to that of --witnesses")
	}
	return n, nil
}

// publisher opens what publishes checkpoints, and compares the journal with
// what witnesses and places have before anything can be appended.
func (s *Server) publisher(ctx context.Context, quorum int) error {
	o := s.options.Publish
	every, err := time.ParseDuration(orElse(o.Every, "1m"))
	if err != nil || every < 0 {
		return fault.Invalidf("server.checkpoint-every", "%q is not a time", o.Every).On("--checkpoint-every").Remedy("write it as 30s, 1m or 1h")
	}
	keys := func(ctx context.Context) (verify.Keys, error) {
		public, err := s.Control.PublicKeys(ctx)
		if err != nil {
			return verify.Keys{}, err
		}
		return verify.ParseKeys(public)
	}
	witnesses, err := o.witnesses(s.Control.PublicKeys)
	if err != nil {
		return err
	}
	places, err := s.places()
	if err != nil || len(witnesses)+len(places) == 0 {
		return err
	}
	s.Publish = publish.New(publish.Options{
		Journal: s.Journal, DB: s.DB, Keys: keys, Witnesses: witnesses, Quorum: quorum, Places: places, Every: every, Log: s.options.Log,
	})
	return s.Publish.Ask(ctx)
}

func (o PublishOptions) witnesses(keys witness.LogKeys) ([]publish.Witness, error) {
	if len(o.Witnesses) == 0 {
		return nil, nil
	}
	client, err := connect.Client(connect.Outbound{Private: o.Private, CA: o.CA, Timeout: witnessTime})
	if err != nil {
		return nil, err
	}
	var all []publish.Witness
	names := map[string]bool{}
	for _, text := range o.Witnesses {
		address, key, _ := strings.Cut(text, " ")
		w, err := witness.NewClient(address, strings.TrimSpace(key), keys, client)
		if err != nil {
			return nil, err
		}
		if host, clear := strings.CutPrefix(address, "http://"); clear && !(o.Private && loopback(hostname(host))) {
			return nil, fault.Invalidf("server.witness-clear", "the witness %s would be asked in the clear", w.Name()).On("--witnesses").
				Because("whoever changes its answers on the way can stop every append").Remedy("write https://, or http:// with --witness-private for this machine alone")
		}
		if names[w.Name()] {
			return nil, fault.Invalidf("server.witness-twice", "the witness %s stands there twice", w.Name()).On("--witnesses")
		}
		names[w.Name()] = true
		all = append(all, w)
	}
	return all, nil
}

// hostname is the host of what follows the scheme of an address.
func hostname(rest string) string {
	host, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, ":"); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

func (s *Server) places() (map[string]publish.Place, error) {
	o := s.options.Publish
	places := map[string]publish.Place{}
	if o.Folder != "" {
		if info, err := os.Stat(o.Folder); err != nil || !info.IsDir() {
			return nil, fault.Invalidf("server.checkpoint-folder", "there is no directory %s", o.Folder).On("--checkpoint-folder").
				Because("one that is made here would hide that the right one is not mounted").Remedy("make it, or mount it")
		}
		places["folder"] = anchor.Folder{Dir: o.Folder}
	}
	if o.Repository != "" {
		m := s.options.Mirrors
		r, err := anchor.NewRepository(git.ShelfOptions{
			Dir: filepath.Join(s.options.Data, "checkpoints"), Repository: o.Repository,
			Credentials: git.MirrorOptions{CA: m.CA, Netrc: m.Netrc, SSHKey: m.SSHKey, KnownHosts: m.KnownHosts},
		})
		if err != nil {
			return nil, err
		}
		places["repository"] = r
	}
	return places, nil
}

// published is how publishing stands, as readiness tells it.
func (s *Server) published(ctx context.Context) ([]wire.Check, error) {
	if s.Publish == nil {
		return nil, nil
	}
	checks, err := s.Publish.Checks(ctx)
	var all []wire.Check
	for _, c := range checks {
		one := wire.Check{Name: c.Name, OK: c.Err == nil, Detail: c.Detail}
		if c.Err != nil {
			one.Detail = c.Err.Error()
		}
		all = append(all, one)
	}
	return all, err
}
