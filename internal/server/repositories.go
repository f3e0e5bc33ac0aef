package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
)

// MirrorOptions say which repositories elsewhere the server may mirror; each is
// a setting as it is written. Without hosts it mirrors none.
type MirrorOptions struct {
	Hosts      []string // host, or host:port
	CA         string   // file of certificates that are trusted instead of the system's
	Netrc      string   // file of names and passwords, by host
	SSHKey     string   // file of a private key
	KnownHosts string   // file of the keys of hosts
	Size       string   // most bytes of one mirror, such as 2GiB; "" is 2GiB
	Total      string   // most bytes of all; "" is 20GiB
}

const (
	mirrorSize  = 2 << 30
	mirrorTotal = 20 << 30
	mirrorIdle  = 30 * 24 * time.Hour
	leaseTime   = time.Minute
	maxReadings = 4 // changes that are read at once
)

// repositories reads changes from Git repositories: under some directories, and
// from mirrors of repositories elsewhere.
type repositories struct {
	roots   []string
	mirrors *git.Mirrors // nil: none
	keys    *git.Keys    // that signatures are held against; nil: they are not
	places  chan struct{}
}

// repositories is what the server may read changes from.
func (s *Server) repositories() (r repositories, err error) {
	o := s.options
	r.roots, r.places = o.Repositories, make(chan struct{}, maxReadings)
	if r.keys, err = commitKeys(o.CommitKeys); err == nil && len(o.Mirrors.Hosts) > 0 {
		r.mirrors, err = s.mirrors()
	}
	return r, err
}

// reader is nil where nothing is allowed: then the server reads nothing.
func (r repositories) reader() control.ChangeReader {
	if len(r.roots) == 0 && r.mirrors == nil {
		return nil
	}
	return r
}

func commitKeys(paths []string) (*git.Keys, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	keys := &git.Keys{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.Invalidf("server.commit-keys", "the keys %s cannot be read", path).On("--commit-keys").Because(err.Error())
		}
		if err := keys.Add(path, b); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func (s *Server) mirrors() (*git.Mirrors, error) {
	o := s.options.Mirrors
	size, err := bytesOf(o.Size, "--mirror-size")
	if err != nil {
		return nil, err
	}
	total, err := bytesOf(o.Total, "--mirror-total")
	if err != nil {
		return nil, err
	}
	if size == 0 {
		size = mirrorSize
	}
	if total == 0 {
		total = max(mirrorTotal, size)
	}
	dir := filepath.Join(s.options.Data, "mirrors")
	lease, err := s.lease(dir)
	if err != nil {
		return nil, err
	}
	return git.NewMirrors(git.MirrorOptions{
		Dir: dir, Hosts: o.Hosts, CA: o.CA, Netrc: o.Netrc, SSHKey: o.SSHKey, KnownHosts: o.KnownHosts,
		Size: size, Total: total, Idle: mirrorIdle, Lease: lease,
	})
}

// lease gives leases on what lies in a directory to one at a time of those who
// share it and the database. Which directory it is stands in the directory.
func (s *Server) lease(dir string) (git.Lease, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of mirrors: %w", err)
	}
	path := filepath.Join(dir, "id")
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		_, err = file.WriteString(control.NewID())
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("directory of mirrors: %w", errors.Join(err, os.Remove(path)))
		}
	}
	id, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("directory of mirrors: %w", err)
	}
	return func(ctx context.Context, name string) (func(), bool, error) {
		name, holder := string(id)+"/"+name, control.NewID()
		held, err := s.DB.Acquire(ctx, name, holder, leaseTime)
		if err != nil || !held {
			return nil, false, err
		}
		ended := make(chan struct{})
		s.running.Go(func() { s.renew(context.WithoutCancel(ctx), name, holder, ended) })
		return func() { close(ended) }, true, nil
	}, nil
}

// renew keeps a lease until it is given back.
func (s *Server) renew(ctx context.Context, name, holder string, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			if err := s.DB.Release(ctx, name, holder); err != nil {
				s.options.Log.Warn("a lease was not given back and runs out by itself", "lease", name, "error", err)
			}
			return
		case <-time.After(leaseTime / 3):
			if held, err := s.DB.Acquire(ctx, name, holder, leaseTime); err != nil || !held {
				s.options.Log.Warn("a lease was not renewed", "lease", name, "error", err)
			}
		}
	}
}

// ReadChange reads a change from a repository under an allowed directory, or
// from the mirror of one at a URL.
func (r repositories) ReadChange(ctx context.Context, repository, from, to string) (change.Raw, error) {
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return change.Raw{}, fault.New(fault.Busy, "change.many", "too many changes are being read").Remedy("ask again in a minute").Cause(ctx.Err())
	}
	o := git.Options{From: from, To: to, Keys: r.keys}
	if !strings.Contains(repository, "://") {
		return r.local(ctx, repository, o)
	}
	if r.mirrors == nil {
		return change.Raw{}, fault.Invalidf("change.repository", "the server mirrors no repositories").Because("it was started without --mirror-hosts").
			Remedy("an administrator can name the host with --mirror-hosts; or send the change from the pipeline: --repo PATH --from A --to B")
	}
	return r.mirrors.Inspect(ctx, repository, o)
}

// local reads from a directory. Symbolic links are resolved first, so that none leads out.
func (r repositories) local(ctx context.Context, repository string, o git.Options) (change.Raw, error) {
	path, err := filepath.EvalSymlinks(repository)
	if err != nil {
		return change.Raw{}, fault.Invalidf("change.repository", "the server finds no repository at %s", repository).
			Remedy("correct repository: in the catalog; elsewhere it is a URL, https:// or ssh://")
	}
	for _, root := range r.roots {
		root, err := filepath.EvalSymlinks(root)
		if err != nil {
			continue
		}
		if within, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(within) {
			o.Repository, o.Within = path, r.roots
			return git.Inspect(ctx, o)
		}
	}
	return change.Raw{}, fault.New(fault.Forbidden, "change.outside", "the server may not read "+repository).
		Because("it lies outside the directories that --repositories names").Remedy("start the server with --repositories naming a directory above it")
}
