package appends

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// size of a record that is appended raw, in bytes: about that of a fact.
const size = 1024

// raw is a file to which records are appended in groups: whoever waits when a
// write begins is in it, as in the journal. It is what a disk can do with records
// that nobody looks into.
type raw struct {
	file   *os.File
	queue  chan chan error
	ended  chan struct{}
	offset int64
	limit  int64 // of a preallocated file: where it ends, writing begins anew
}

// openRaw makes a file; with a limit its blocks are written beforehand, so that
// no flush has to write where the file now ends.
func openRaw(dir, name string, limit int64) (*raw, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for block := make([]byte, 1<<20); limit > 0; {
		at, err := f.Seek(0, 2)
		if err != nil || at >= limit {
			if err = errors.Join(err, f.Sync()); err != nil {
				return nil, err
			}
			break
		}
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
	}
	r := &raw{file: f, queue: make(chan chan error, 1024), ended: make(chan struct{}), limit: limit}
	go r.work()
	return r, nil
}

func (r *raw) work() {
	defer close(r.ended)
	records := make([]byte, size*cap(r.queue))
	for first := range r.queue {
		waiting := []chan error{first}
		for more := true; more && len(waiting) < cap(r.queue); {
			select {
			case next, open := <-r.queue:
				if more = open; open {
					waiting = append(waiting, next)
				}
			default:
				more = false
			}
		}
		err := r.write(records[:size*len(waiting)])
		for _, w := range waiting {
			w <- err
		}
	}
}

func (r *raw) write(b []byte) error {
	if r.limit > 0 && r.offset+int64(len(b)) > r.limit {
		r.offset = 0
	}
	if _, err := r.file.WriteAt(b, r.offset); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	r.offset += int64(len(b))
	return syscall.Fdatasync(int(r.file.Fd()))
}

// rawSubmitter appends one record at a time.
type rawSubmitter struct {
	to   *raw
	done chan error
}

// Append returns when a record is durable.
func (s rawSubmitter) Append(context.Context) error {
	s.to.queue <- s.done
	return <-s.done
}

func (r *raw) submitters(n int) []submitter {
	all := make([]submitter, n)
	for i := range all {
		all[i] = rawSubmitter{r, make(chan error, 1)}
	}
	return all
}

// Close ends the file.
func (r *raw) Close() error {
	close(r.queue)
	<-r.ended
	return errors.Join(r.file.Close(), os.Remove(r.file.Name()))
}

// closers are closed in the opposite order.
type closers struct {
	mu  sync.Mutex
	all []func() error
}

func (c *closers) add(fn func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, fn)
}

// Close closes all.
func (c *closers) Close() (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.all) > 0 {
		last := len(c.all) - 1
		err = errors.Join(err, c.all[last]())
		c.all = c.all[:last]
	}
	return err
}
