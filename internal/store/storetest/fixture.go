package storetest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signalbox.dev/signalbox/internal/strict"
)

// Fixture is an installation as the program of an earlier commit left it, on
// either engine. Its files are in a folder of its own below test/upgrade.
type Fixture struct {
	Program    string          `json:"program"`    // commit
	Schema     int64           `json:"schema"`     // version
	Migrations string          `json:"migrations"` // Migrations of that schema
	Holds      map[string]Held `json:"holds"`      // by engine

	// Unlike is what that program, which was never released, weighed otherwise than
	// today's: gates. Its people are told by their addresses under other pseudonyms.
	Unlike []string `json:"weighed_otherwise,omitempty"`

	Dir string `json:"-"`
}

// Held is what a fixture holds on one engine.
type Held struct {
	Facts    uint64         `json:"facts"`
	Verdicts map[string]int `json:"verdicts"` // of the decisions that were asked for
}

// FixtureName is the file that says what a fixture is.
const FixtureName = "fixture.json"

// Fixtures is every fixture, the oldest schema first.
func Fixtures(t testing.TB) []Fixture {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root(t), "test", "upgrade", "*", FixtureName))
	if err != nil || len(found) == 0 {
		t.Fatalf("no fixture: %v", err)
	}
	var all []Fixture
	for _, path := range found {
		b, err := os.ReadFile(path)
		f := Fixture{Dir: filepath.Dir(path)}
		if err := errors.Join(err, strict.Decode(b, &f)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b Fixture) int { return int(a.Schema - b.Schema) })
	return all
}

// root is the folder of the module that the test stands in.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			err = errors.New("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}

// Lay unpacks a fixture and returns its data directory, which holds the keys as
// well, and for PostgreSQL the URL of a fresh database with what it holds.
func (f Fixture) Lay(t testing.TB, engine string) (data, database string) {
	t.Helper()
	data = t.TempDir()
	if err := unpack(filepath.Join(f.Dir, engine+".tar.gz"), data); err != nil {
		t.Fatalf("unpack %s: %v", f.Dir, err)
	}
	if engine != "postgres" {
		return data, ""
	}
	database = PostgresURL(t)
	dump, err := os.ReadFile(filepath.Join(data, DumpName))
	if err == nil {
		err = load(database, string(dump))
	}
	if err = errors.Join(err, os.Remove(filepath.Join(data, DumpName))); err != nil {
		t.Fatalf("load %s: %v", f.Dir, err)
	}
	return data, database
}

// DumpName is a PostgreSQL database as SQL, within a fixture.
const DumpName = "dump.sql"

func load(database, dump string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	var sql strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, `\`) { // a command of psql
			sql.WriteString(line)
		}
	}
	_, err = c.PgConn().Exec(ctx, sql.String()).ReadAll()
	return errors.Join(err, c.Close(ctx))
}

// fixtureMax bounds a file of a fixture, in bytes.
const fixtureMax = 64 << 20

func unpack(archive, to string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) || h.Size > fixtureMax {
			return fmt.Errorf("%s does not belong there", h.Name)
		}
		path := filepath.Join(to, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o700)
		} else {
			err = place(path, files)
		}
		if err != nil {
			return err
		}
	}
}

func place(path string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(from, fixtureMax))
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// Pack writes a directory as Lay reads it.
func Pack(dir, archive string) (err error) {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	files := tar.NewWriter(z)
	err = files.AddFS(os.DirFS(dir))
	return errors.Join(err, files.Close(), z.Close(), f.Close())
}

// Migrations is a digest of all migrations up to a schema version, on both
// engines, and the newest version there is.
func Migrations(t testing.TB, upTo int64) (digest string, newest int64) {
	t.Helper()
	sum := sha256.New()
	folder := filepath.Join(root(t), "internal", "store", "migrations")
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		number, _, _ := strings.Cut(d.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("%s has no number: %w", path, err)
		}
		newest = max(newest, version)
		if version > upTo {
			return nil
		}
		b, err := os.ReadFile(path)
		name, errName := filepath.Rel(folder, path)
		fmt.Fprintf(sum, "%s %d\n%s", filepath.ToSlash(name), len(b), b)
		return errors.Join(err, errName)
	})
	if err != nil {
		t.Fatal(err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), newest
}
