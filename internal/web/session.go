package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// How long a session lasts: unused, and at all (NIST SP 800-63B 7.2).
const (
	idleLife     = time.Hour
	absoluteLife = 8 * time.Hour
	seenEvery    = time.Minute      // how exactly the last use is kept
	clockSlack   = 30 * time.Second // how far the clocks of replicas may be apart
)

// sessions are the browser sessions. The cookie's value is 256 random bits, of
// which the table keeps only the hash; each stands on a token, whose end is
// the session's end. A lost table signs everybody out and harms nothing else.
type sessions struct {
	db     *store.DB
	now    func(context.Context) (time.Time, error) // never goes back
	secure bool
}

// cookie is the name; the prefix binds it to this host and to TLS (RFC 6265bis 4.1.3.2).
func (s sessions) cookie() string {
	if s.secure {
		return "__Host-signalbox"
	}
	return "signalbox"
}

// begin ends the session that the request carries, if any, and opens a new one
// under a new secret, so that nobody can plant one before sign-in.
func (s sessions) begin(w http.ResponseWriter, r *http.Request, tokenID string) error {
	if err := s.end(r); err != nil {
		return err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: see crypto/rand
	secret := base64.RawURLEncoding.EncodeToString(random[:])
	ctx := r.Context()
	now, err := s.now(ctx)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	err = s.db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM sessions WHERE expires <= $1 OR seen <= $2", now.UnixMicro(), now.Add(-idleLife).UnixMicro()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO sessions (hash, token, created, seen, expires) VALUES ($1, $2, $3, $4, $5)",
			hashed(secret), tokenID, now.UnixMicro(), now.UnixMicro(), now.Add(absoluteLife).UnixMicro())
		return err
	})
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	http.SetCookie(w, s.with(secret, int(absoluteLife.Seconds())))
	return nil
}

func (s sessions) with(value string, age int) *http.Cookie {
	return &http.Cookie{Name: s.cookie(), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode}
}

// token is the id of the token that the request's session stands on, or false.
func (s sessions) token(r *http.Request) (tokenID string, known bool, err error) {
	hash, carried := s.carried(r)
	if !carried {
		return "", false, nil
	}
	now, err := s.now(r.Context())
	if err != nil {
		return "", false, fmt.Errorf("find session: %w", err)
	}
	var stale bool
	err = s.db.ReadTx(r.Context(), func(tx *store.Tx) error {
		var seen, expires int64
		row := tx.QueryRow(r.Context(), "SELECT token, seen, expires FROM sessions WHERE hash = $1", hash)
		if err := row.Scan(&tokenID, &seen, &expires); err != nil {
			return err
		}
		// A last use that is still to come was noted by a clock that has gone back.
		known = !time.UnixMicro(seen).After(now.Add(clockSlack)) && now.UnixMicro() < expires && now.UnixMicro() < time.UnixMicro(seen).Add(idleLife).UnixMicro()
		stale = known && now.Sub(time.UnixMicro(seen)) >= seenEvery
		return nil
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("find session: %w", err)
	case stale:
		err = s.touch(r.Context(), hash, now)
	}
	return tokenID, known, err
}

func (s sessions) touch(ctx context.Context, hash string, now time.Time) error {
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE sessions SET seen = $1 WHERE hash = $2", now.UnixMicro(), hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// end forgets the session that the request carries.
func (s sessions) end(r *http.Request) error {
	hash, carried := s.carried(r)
	if !carried {
		return nil
	}
	err := s.db.InTx(r.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(r.Context(), "DELETE FROM sessions WHERE hash = $1", hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func (s sessions) carried(r *http.Request) (hash string, carried bool) {
	c, err := r.Cookie(s.cookie())
	if err != nil || c.Value == "" || len(c.Value) > 128 {
		return "", false
	}
	return hashed(c.Value), true
}

// hashed is how a secret is kept. It is looked up, never compared, so that no
// answer's time tells how much of one was right.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// visitor is who is signed in, with the rights of this moment.
func (s *site) visitor(r *http.Request) (visitor, bool, error) {
	tokenID, known, err := s.sessions.token(r)
	if err != nil || !known {
		return visitor{}, false, err
	}
	actor, err := s.control.Refresh(r.Context(), tokenID)
	if fault.KindOf(err) == fault.Unauthorised {
		return visitor{}, false, s.sessions.end(r)
	}
	if err != nil {
		return visitor{}, false, err
	}
	names, err := s.views.Names(r.Context(), actor.Person())
	return visitor{actor: actor, name: names[actor.Person()].Name}, err == nil, err
}
