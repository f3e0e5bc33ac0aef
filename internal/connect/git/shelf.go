package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// maxShelved is the longest content of a shelf's file, in bytes.
const maxShelved = 64 << 10

// ShelfOptions say where one file is kept, a commit for each version of it.
type ShelfOptions struct {
	Dir         string        // a directory of ours, the shelf's alone; made where it is absent
	Repository  string        // a directory, or a URL, https:// or ssh://
	Credentials MirrorOptions // CA, Netrc, SSHKey and KnownHosts, for a URL
	Branch      string        // of the shelf's alone
	File        string        // its name, without a directory
}

// Shelf adds to a branch of a repository elsewhere, and never rewrites it. It is
// for one at a time; whoever comes second is refused by the repository.
type Shelf struct {
	o   ShelfOptions
	to  address
	git *Mirrors // how to reach it
}

// NewShelf checks the options. Nothing is reached yet.
func NewShelf(o ShelfOptions) (*Shelf, error) {
	s := &Shelf{o: o}
	info, err := os.Stat(o.Repository)
	if err == nil && info.IsDir() {
		path, err := filepath.Abs(o.Repository)
		if err != nil {
			return nil, fmt.Errorf("the repository %s: %w", o.Repository, err)
		}
		s.to = address{scheme: "file", path: path}
	} else if s.to, err = parseAddress(o.Repository); err != nil {
		return nil, unshelved(o.Repository, err)
	}
	c := o.Credentials
	c.Dir, c.Hosts, c.Size, c.Total, c.Idle = o.Dir, nil, 1, 1, 1 // it mirrors nothing
	s.git, err = NewMirrors(c)
	return s, err
}

// unshelved says what is wrong with where a shelf is to be. It repeats no address
// that may hold a password.
func unshelved(repository string, err error) error {
	why := "there is no directory of that name"
	if f, ok := errors.AsType[*fault.Error](err); ok && strings.Contains(repository, ":") {
		why = f.Why
	}
	return fault.Invalidf("shelf.repository", "the repository is neither a directory nor an address that can be used").Because(why).
		Remedy("make it with git init --bare, or write https://host/path or ssh://user@host/path; names and passwords go into a file of their own").
		On("--checkpoint-repository").Cause(err)
}

// Newest is the file's content at the end of the branch; nil where there is no branch.
func (s *Shelf) Newest(ctx context.Context) ([]byte, error) {
	tip, err := s.fetch(ctx)
	if err != nil || tip == "" {
		return nil, err
	}
	b, err := s.local().output(ctx, maxShelved, "cat-file", "blob", tip+":"+s.o.File)
	if f, ok := errors.AsType[*failure](err); ok {
		return nil, fault.New(fault.Conflict, "shelf.foreign", "the branch "+s.o.Branch+" holds something else").Because(said(f.text)).
			Remedy("give the repository a branch of that name for this alone")
	}
	return b, err
}

// Add puts a version of the file on the branch, as a commit after the newest.
func (s *Shelf) Add(ctx context.Context, content []byte, message string) error {
	tip, err := s.fetch(ctx)
	if err != nil {
		return err
	}
	r := s.local()
	blob, err := r.fed(ctx, content, "hash-object", "-w", "--stdin")
	if err != nil {
		return err
	}
	tree, err := r.fed(ctx, fmt.Appendf(nil, "100644 blob %s\t%s\n", blob, s.o.File), "mktree")
	if err != nil {
		return err
	}
	args := []string{"commit-tree", "-m", message}
	if tip != "" {
		args = append(args, "-p", tip)
	}
	r.env = append(r.env, "GIT_AUTHOR_NAME=Signalbox", "GIT_AUTHOR_EMAIL=", "GIT_COMMITTER_NAME=Signalbox", "GIT_COMMITTER_EMAIL=")
	commit, err := r.line(ctx, append(args, tree)...)
	if err != nil {
		return err
	}
	return s.reach(ctx, "push", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no", "--end-of-options", s.to.String(), commit+":refs/heads/"+s.o.Branch)
}

// fed is one short answer of git to what it reads.
func (r repository) fed(ctx context.Context, in []byte, args ...string) (string, error) {
	out, err := r.answer(ctx, in, args...)
	return strings.TrimRight(string(out), "\n"), err
}

func (s *Shelf) dir() string { return filepath.Join(s.git.o.Dir, "shelf.git") }

// local runs git in the directory of ours, which believes nothing of others.
func (s *Shelf) local() repository { return repository{dir: s.dir(), env: inside(s.dir())} }

var noBranch = regexp.MustCompile(`couldn't find remote ref`)

// fetch brings the end of the branch here, without its history, and names it;
// "" where there is none. What is here of before is made anew, as it may be damaged.
func (s *Shelf) fetch(ctx context.Context) (tip string, err error) {
	if err := s.git.begin(ctx, s.to, s.dir(), "sha1"); err != nil {
		return "", err
	}
	err = s.reach(ctx, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head", "--no-recurse-submodules",
		"--end-of-options", s.to.String(), "+refs/heads/"+s.o.Branch+":refs/signalbox/tip")
	var f *fault.Error
	if errors.As(err, &f) && noBranch.MatchString(f.Why) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.local().line(ctx, "rev-parse", "--verify", "refs/signalbox/tip^{commit}")
}

// reach runs git against the repository elsewhere, with nothing but what the administrator gave.
func (s *Shelf) reach(ctx context.Context, args ...string) error {
	home, err := s.git.home()
	if err != nil {
		return err
	}
	env := append(inside(s.dir()), "HOME="+home, "GIT_ALLOW_PROTOCOL="+s.to.scheme)
	for _, name := range proxies {
		if v, set := os.LookupEnv(name); set {
			env = append(env, name+"="+v)
		}
	}
	r := repository{dir: s.dir(), env: env, settings: s.git.transfer(s.to), group: true}
	err = r.stream(ctx, nil, func(out io.Reader) error { _, err := io.Copy(io.Discard, out); return err }, args...)
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	why := said(secret.ReplaceAllString(f.text, "//…@"))
	return fault.New(fault.Unavailable, "shelf.unreachable", "git "+args[0]+" does not reach the repository of checkpoints").Because(why).Cause(errors.New(why)).
		Remedy("see that the server reaches it and may write the branch " + s.o.Branch)
}

// Version is a file as one commit has it.
type Version struct {
	Commit  string
	Content []byte
}

// Bounds of reading a branch.
const (
	maxVersions   = 5_000_000
	versionsAtOne = 500
)

// Versions is a file at every commit of a branch of a repository on this
// machine, or of the branch as it was fetched from origin; the newest first.
func Versions(ctx context.Context, dir, branch, file string) (all []Version, err error) {
	r, err := enter(ctx, Options{Repository: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.leave()) }()
	tip := ""
	for _, name := range []string{"refs/heads/", "refs/remotes/origin/"} {
		if tip, err = r.source.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+branch+"^{commit}"); err == nil {
			break
		}
	}
	if f, ok := errors.AsType[*failure](err); ok && f.code == 1 {
		return nil, fault.New(fault.NotFound, "git.no-branch", fmt.Sprintf("the repository %q has no branch %s", dir, branch)).Remedy("clone it with that branch")
	}
	if err != nil {
		return nil, err
	}
	if !isID(tip) {
		return nil, errors.New("git rev-parse: not the id of a commit")
	}
	list, err := r.output(ctx, 65*maxVersions, "rev-list", tip)
	if err != nil {
		return nil, unreadable(err)
	}
	commits := strings.Fields(string(list))
	for len(commits) > 0 {
		some := commits[:min(len(commits), versionsAtOne)]
		commits = commits[len(some):]
		read, err := r.contents(ctx, some, file)
		if err != nil {
			return nil, err
		}
		all = append(all, read...)
	}
	return all, nil
}

// contents reads a file at some commits.
func (r *room) contents(ctx context.Context, commits []string, file string) ([]Version, error) {
	var question bytes.Buffer
	for _, commit := range commits {
		question.WriteString(commit + ":" + file + "\n")
	}
	out, err := r.answer(ctx, question.Bytes(), "cat-file", "--batch")
	if err != nil {
		return nil, unreadable(err)
	}
	var all []Version
	for _, commit := range commits {
		content, rest, err := shelved(out)
		if err != nil {
			return nil, fault.Invalidf("git.unreadable", "the commit %s has no such file as %s", commit, file).Because(err.Error()).On("repo")
		}
		all, out = append(all, Version{commit, content}), rest
	}
	return all, nil
}

// shelved is the first object of what git cat-file --batch says: "id blob SIZE",
// the content, and a line's end.
func shelved(b []byte) (content, rest []byte, err error) {
	line, rest, found := bytes.Cut(b, []byte("\n"))
	fields := strings.Fields(string(line))
	if !found || len(fields) != 3 || !isID(fields[0]) || fields[1] != "blob" {
		return nil, nil, errors.New("it is no file there")
	}
	size, err := strconv.Atoi(fields[2])
	if err != nil || size < 0 || size > maxShelved || len(rest) <= size {
		return nil, nil, fmt.Errorf("it is longer than %d bytes", maxShelved)
	}
	return bytes.Clone(rest[:size]), rest[size+1:], nil
}
