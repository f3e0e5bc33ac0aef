package view

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/strict"
)

// LimitMax is the most entries of a page; LimitUsual is what a limit of 0 means.
const (
	LimitMax   = 200
	LimitUsual = 50
)

// Paging asks for a page: Cursor is an earlier page's Next, "" for the first.
type Paging struct {
	Cursor string
	Limit  int
}

// Page is one page of a list. Stale says why the view does not follow the
// journal just now, "" while it does.
type Page[T any] struct {
	Items []T
	Next  string
	Stale string
}

// condition is a part of WHERE with one "?", and its value.
type condition struct {
	text  string
	value any
}

// equal is conditions on columns, in turn with values; empty values select all.
func equal(pairs ...string) []condition {
	var all []condition
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, condition{pairs[i] + " = ?", pairs[i+1]})
		}
	}
	return all
}

// cursor is where a page ended, bound to its list.
type cursor struct {
	List string `json:"l"`
	Key  string `json:"k"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(list, text string, byPosition bool) (any, error) {
	wrong := fault.Invalidf("page.cursor", "this is not a cursor of this list").On("cursor").
		Because("a cursor is what an earlier page of the same list ended with").Remedy("begin without one")
	var c cursor
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) > 500 || strict.Decode(b, &c) != nil || c.List != list || c.String() != text {
		return nil, wrong
	}
	if !byPosition {
		return c.Key, nil
	}
	n, err := strconv.ParseInt(c.Key, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != c.Key {
		return nil, wrong
	}
	return n, nil
}

// listing is a query of one page.
type listing struct {
	by     string // unique column of the order: position (newest first), name or id
	where  []condition
	paging Paging
}

func (q listing) limit() (int, error) {
	switch n := q.paging.Limit; {
	case n == 0:
		return LimitUsual, nil
	case n < 1 || n > LimitMax:
		return 0, fault.Invalidf("page.limit", "a page has 1 to %d entries", LimitMax).On("limit")
	default:
		return n, nil
	}
}

// list runs a query: one entry more than the page tells whether there is another page.
func list[S any](ctx context.Context, db *store.DB, s shelf[S], q listing) (page Page[Entry[S]], err error) {
	limit, err := q.limit()
	if err != nil {
		return page, err
	}
	text, args, err := s.query(q)
	if err != nil {
		return page, err
	}
	text += " LIMIT " + strconv.Itoa(limit+1)
	err = db.ReadTx(ctx, func(tx *store.Tx) error {
		var keys []string
		page.Items, keys, err = s.entries(ctx, tx, text, args)
		if err != nil {
			return err
		}
		if len(page.Items) > limit {
			page.Items = page.Items[:limit]
			page.Next = cursor{List: s.name, Key: keys[limit-1]}.String()
		}
		if err := s.annotate(ctx, tx, page.Items); err != nil {
			return err
		}
		page.Stale, err = s.stale(ctx, tx)
		return err
	})
	if err != nil {
		return page, fmt.Errorf("list %s: %w", s.name, err)
	}
	return page, nil
}

func (s shelf[S]) query(q listing) (string, []any, error) {
	order, before := q.by, " > ?"
	if q.by == "position" {
		order, before = "position DESC", " < ?"
	}
	if q.paging.Cursor != "" {
		key, err := parseCursor(s.name, q.paging.Cursor, q.by == "position")
		if err != nil {
			return "", nil, err
		}
		q.where = append(q.where, condition{q.by + before, key})
	}
	text, args := s.selected(q.by), []any{}
	for i, c := range q.where {
		joint := " AND "
		if i == 0 {
			joint = " WHERE "
		}
		args = append(args, c.value)
		text += joint + strings.Replace(c.text, "?", "$"+strconv.Itoa(len(args)), 1)
	}
	return text + " ORDER BY " + order, args, nil
}

// selected is the beginning of a query of entries with what they are ordered by.
func (s shelf[S]) selected(by string) string {
	body := "NULL"
	if s.borrows {
		body = "(SELECT body FROM facts WHERE facts.position = view_" + s.name + ".position)"
	}
	return "SELECT id, " + by + ", entry, " + body + " FROM view_" + s.name
}

func (s shelf[S]) entries(ctx context.Context, tx *store.Tx, text string, args []any) (all []Entry[S], keys []string, err error) {
	all = []Entry[S]{}
	err = tx.Each(ctx, func(r *sql.Rows) error {
		var id, key string
		var b, body []byte
		if err := r.Scan(&id, &key, &b, &body); err != nil {
			return err
		}
		e := Entry[S]{ID: id}
		if err := json.Unmarshal(b, &e); err != nil {
			return err
		}
		if s.borrows {
			if err := json.Unmarshal(body, &e.State); err != nil {
				return fmt.Errorf("the fact of %s: %w", id, err)
			}
		}
		all, keys = append(all, e), append(keys, key)
		return nil
	}, text, args...)
	return all, keys, err
}

// annotate gives entries the notes that the view keeps.
func (s shelf[S]) annotate(ctx context.Context, tx *store.Tx, entries []Entry[S]) error {
	if len(s.notes) == 0 {
		return nil
	}
	at := map[string]int{}
	var ids []any
	for i, e := range entries {
		at[e.ID] = i
		ids = append(ids, e.ID)
	}
	return tx.Among(ctx, func(r *sql.Rows) error {
		var id string
		var n Note
		var b []byte
		if err := r.Scan(&id, &n.Kind, &n.Position, &b); err != nil {
			return err
		}
		if err := json.Unmarshal(b, &n.Fields); err != nil {
			return err
		}
		e := &entries[at[id]]
		e.Notes = append(e.Notes, n)
		return nil
	}, "SELECT id, kind, position, fields FROM view_notes WHERE view = $1 AND id IN (?) ORDER BY position", ids, s.name)
}

func (s shelf[S]) stale(ctx context.Context, tx *store.Tx) (why string, err error) {
	err = tx.QueryRow(ctx, "SELECT stale FROM views WHERE name = $1", s.name).Scan(&why)
	if errors.Is(err, sql.ErrNoRows) {
		return "it has not been folded yet", nil
	}
	return why, err
}

// one is the entry of an id. Errors: fault NotFound.
func one[S any](ctx context.Context, db *store.DB, s shelf[S], id string) (Entry[S], error) {
	var found []Entry[S]
	err := db.ReadTx(ctx, func(tx *store.Tx) (err error) {
		if found, _, err = s.entries(ctx, tx, s.selected("id")+" WHERE id = $1", []any{id}); err != nil {
			return err
		}
		return s.annotate(ctx, tx, found)
	})
	switch {
	case err != nil:
		return Entry[S]{}, fmt.Errorf("find %s %s: %w", s.name, id, err)
	case len(found) == 0:
		return Entry[S]{}, fault.New(fault.NotFound, s.name+".unknown", "there is no such entry among the "+s.name).Remedy("list them to see which there are")
	}
	return found[0], nil
}

// DecisionFilter selects decisions; empty fields select all.
type DecisionFilter struct {
	Release, Service, Environment string
	Verdict                       policy.Verdict
	Paging
}

// Decisions lists decisions, newest first.
func (v *Views) Decisions(ctx context.Context, f DecisionFilter) (Page[Entry[release.Decision]], error) {
	where := equal("release_id", f.Release, "service", f.Service, "environment", f.Environment, "verdict", string(f.Verdict))
	return list(ctx, v.db, v.decisions, listing{"position", where, f.Paging})
}

// Decision is a recorded decision. Errors: fault NotFound.
func (v *Views) Decision(ctx context.Context, id string) (Entry[release.Decision], error) {
	return one(ctx, v.db, v.decisions, id)
}

// Releases lists releases, newest first; service "" is all.
func (v *Views) Releases(ctx context.Context, service string, p Paging) (Page[Entry[release.State]], error) {
	return list(ctx, v.db, v.releases, listing{"position", equal("service", service), p})
}

// DeploymentFilter selects deployments; empty fields select all.
type DeploymentFilter struct {
	Environment, Service string
	Unauthorised         bool
	Paging
}

// Deployments lists deployments, newest first.
func (v *Views) Deployments(ctx context.Context, f DeploymentFilter) (Page[Entry[release.Deployment]], error) {
	where := equal("environment", f.Environment, "service", f.Service)
	if f.Unauthorised {
		where = append(where, condition{"authorised = ?", int64(0)})
	}
	return list(ctx, v.db, v.deployments, listing{"position", where, f.Paging})
}

// Permits lists the permits of a release, newest first; "" is all.
func (v *Views) Permits(ctx context.Context, id string, p Paging) (Page[Entry[release.Permit]], error) {
	return list(ctx, v.db, v.permits, listing{"position", equal("release_id", id), p})
}

// Freezes lists freezes, newest first: those not over at now, or, where now is zero, all.
func (v *Views) Freezes(ctx context.Context, now time.Time, p Paging) (Page[Entry[calendar.Freeze]], error) {
	var where []condition
	if !now.IsZero() {
		where = []condition{{"lifted = ?", int64(0)}, {"(until = 0 OR until > ?)", int64(event.MicrosOf(now))}}
	}
	return list(ctx, v.db, v.freezes, listing{"position", where, p})
}

// Activations lists activations of policy bundles, newest first.
func (v *Views) Activations(ctx context.Context, p Paging) (Page[Entry[activation.Entry]], error) {
	return list(ctx, v.db, v.activations, listing{"position", nil, p})
}

// Tokens lists tokens of a subject, newest first; "" is everybody's.
func (v *Views) Tokens(ctx context.Context, subject string, p Paging) (Page[Entry[access.Token]], error) {
	return list(ctx, v.db, v.tokens, listing{"position", equal("subject", subject), p})
}

// Token is a token without its secret. Errors: fault NotFound.
func (v *Views) Token(ctx context.Context, id string) (Entry[access.Token], error) {
	return one(ctx, v.db, v.tokens, id)
}

// Services lists services by name.
func (v *Views) Services(ctx context.Context, p Paging) (Page[Entry[catalog.Service]], error) {
	return list(ctx, v.db, v.services, listing{"name", nil, p})
}

// Environments lists environments by name.
func (v *Views) Environments(ctx context.Context, p Paging) (Page[Entry[catalog.Environment]], error) {
	return list(ctx, v.db, v.environments, listing{"name", nil, p})
}

// Machines lists machines by name.
func (v *Views) Machines(ctx context.Context, p Paging) (Page[Entry[access.Machine]], error) {
	return list(ctx, v.db, v.machines, listing{"name", nil, p})
}

// People lists persons by id.
func (v *Views) People(ctx context.Context, p Paging) (Page[Entry[access.Person]], error) {
	return list(ctx, v.db, v.people, listing{"id", nil, p})
}
