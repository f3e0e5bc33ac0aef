package measure

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"signalbox.dev/signalbox/internal/store"
)

// Server is a PostgreSQL server that measures are taken on.
type Server struct {
	url        string
	postmaster int // process id where the server runs on this machine, else 0
	Version    string
}

// NewServer asks a server what it is. Processor time of the server is counted
// only where it runs on this machine and in sight.
func NewServer(ctx context.Context, address string) (s *Server, err error) {
	s = &Server{url: address}
	err = s.ask(ctx, func(c *pgx.Conn) error {
		var backend int
		if err := c.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_version')").Scan(&backend, &s.Version); err != nil {
			return err
		}
		s.postmaster, err = Parent(backend)
		return err
	})
	return s, err
}

func (s *Server) ask(ctx context.Context, fn func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return errors.Join(fn(c), c.Close(ctx))
}

// Database makes an empty database; drop removes it with whoever is connected.
func (s *Server) Database(ctx context.Context) (address string, drop func() error, err error) {
	name := "bench_" + uuid.NewString()
	quoted := pgx.Identifier{name}.Sanitize()
	err = s.ask(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE DATABASE "+quoted)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return "", nil, fmt.Errorf("the server's URL: %w", err)
	}
	u.Path = "/" + name
	return u.String(), func() error {
		ctx := context.WithoutCancel(ctx)
		return s.ask(ctx, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, "DROP DATABASE "+quoted+" WITH (FORCE)")
			return err
		})
	}, nil
}

// Family is processor time of the server with all its connections.
func (s *Server) Family() (time.Duration, error) { return Family(s.postmaster) }

// CPU is processor time of this process and of the server with all its connections.
func (s *Server) CPU() (time.Duration, error) {
	theirs, err := Family(s.postmaster)
	return Self() + theirs, err
}

// Store is an engine's name as people write it.
func Store(d store.Dialect) string {
	if d == store.SQLite {
		return "SQLite"
	}
	return "PostgreSQL"
}
