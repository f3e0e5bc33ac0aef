package view_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/view"
)

func each(t *testing.T, test func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open())
		h.live()
		test(t, h)
	})
}

// dump is every row of every table of the views, as text.
func (h *house) dump(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	names := []string{"notes"}
	for _, f := range h.views.Folders() {
		names = append(names, f.Name())
	}
	must(t, h.db.ReadTx(h.ctx, func(tx *store.Tx) error {
		for _, name := range names {
			rows, err := tx.Query(h.ctx, "SELECT * FROM view_"+name)
			if err != nil {
				return err
			}
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			for rows.Next() {
				values := make([]sql.NullString, len(columns))
				into := make([]any, len(columns))
				for i := range values {
					into[i] = &values[i]
				}
				if err := rows.Scan(into...); err != nil {
					return err
				}
				all[name] = append(all[name], fmt.Sprint(values))
			}
			slices.Sort(all[name])
			if err := rows.Close(); err != nil {
				return err
			}
		}
		return nil
	}))
	return all
}

func (h *house) rebuild(t *testing.T) {
	t.Helper()
	for _, f := range h.views.Folders() {
		must(t, h.Journal.Rebuild(h.ctx, f.Name(), func(string, uint64, uint64) {}))
	}
}

func (h *house) fresh(t *testing.T) {
	t.Helper()
	views, err := h.Journal.Views(h.ctx)
	must(t, err)
	for _, v := range views {
		if v.Stale != "" {
			t.Errorf("view %s is stale: %s", v.Name, v.Stale)
		}
	}
}

// Rebuilt views equal those that followed; and every view has something to show.
func TestRebuildEqualsLive(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.fresh(t)
		live := h.dump(t)
		for _, f := range h.views.Folders() {
			if len(live[f.Name()]) == 0 {
				t.Errorf("nothing in %s: the comparison would prove nothing", f.Name())
			}
		}
		must(t, h.db.InTx(h.ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(h.ctx, "UPDATE view_services SET name = 'forged'")
			return err
		}))
		if cmp.Equal(live, h.dump(t)) {
			t.Fatal("the dump does not see a changed row")
		}
		h.rebuild(t)
		if diff := cmp.Diff(live, h.dump(t)); diff != "" {
			t.Errorf("live (-) and rebuilt (+) differ:\n%s", diff)
		}
	})
}

// What is disposed of leaves the views at once, and a rebuild brings nothing back.
func TestDisposal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		gone := h.described(t, "Ada Example")
		_, err := h.Journal.Append(h.ctx, journal.Command{
			Actor: "system/test", Auth: "local", Source: "test",
			Facts: []event.Draft{{Stream: h.Journal.Stream(), Kind: event.FieldsDisposed, Body: event.Disposed{Positions: []uint64{gone}}}},
		})
		must(t, err)
		h.fresh(t)
		live := h.dump(t)
		if text := fmt.Sprint(live); strings.Contains(text, "Ada Example") || strings.Contains(text, "ada@example.com") {
			t.Error("a name stands after its disposal")
		} else if !strings.Contains(text, "Cid Example") {
			t.Error("another's name went too")
		}
		h.rebuild(t)
		if diff := cmp.Diff(live, h.dump(t)); diff != "" {
			t.Errorf("live (-) and rebuilt (+) differ:\n%s", diff)
		}
	})
}

// described is the position of the fact that describes whoever is called name.
func (h *house) described(t *testing.T, name string) uint64 {
	t.Helper()
	facts, err := h.Journal.Facts(h.ctx, 0, journal.FactsMax)
	must(t, err)
	for _, f := range facts {
		private, err := f.Private()
		must(t, err)
		if f.Kind == event.PersonDescribed && private["name"] == name {
			return f.Position
		}
	}
	t.Fatalf("nobody is called %s", name)
	return 0
}

func TestQueries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		decisions, err := h.views.Decisions(h.ctx, view.DecisionFilter{Service: "shop", Verdict: policy.Go})
		must(t, err)
		if len(decisions.Items) != 1 || decisions.Items[0].State.Permit == "" {
			t.Fatalf("go decisions: %+v", decisions.Items)
		}
		d, err := h.views.Decision(h.ctx, decisions.Items[0].ID)
		must(t, err)
		fact, err := h.Journal.Fact(h.ctx, d.First.Position)
		must(t, err)
		if fact.Kind != event.Decided {
			t.Errorf("the decision is said to stand at a %s", fact.Kind)
		}
		names, err := h.views.Names(h.ctx, append(d.State.Approvals, "nobody", "")...)
		must(t, err)
		if got := names[d.State.Approvals[0]].Name; len(names) != 2 || !strings.HasSuffix(got, " Example") {
			t.Errorf("names of %v: %v", d.State.Approvals, names)
		}
		if none, err := h.views.Names(h.ctx); err != nil || len(none) != 0 {
			t.Errorf("no ids: %v, %v", none, err)
		}
		unauthorised, err := h.views.Deployments(h.ctx, view.DeploymentFilter{Unauthorised: true})
		must(t, err)
		all, err := h.views.Deployments(h.ctx, view.DeploymentFilter{Environment: "production", Service: "shop"})
		must(t, err)
		if len(unauthorised.Items) != 1 || len(all.Items) != 2 || unauthorised.Items[0].State.Authorised {
			t.Errorf("%d of %d deployments are unauthorised", len(unauthorised.Items), len(all.Items))
		}
		for _, m := range []string{h.who["cid"].Subject, ""} {
			tokens, err := h.views.Tokens(h.ctx, m, view.Paging{})
			must(t, err)
			for _, e := range tokens.Items {
				if e.State.Hash != "" {
					t.Error("a view holds the hash of a token")
				}
			}
			if want := map[bool]int{true: 1, false: 5}[m != ""]; len(tokens.Items) != want {
				t.Errorf("%d tokens of %q, want %d", len(tokens.Items), m, want)
			}
		}
	})
}

func TestFreezes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		live, err := h.views.Freezes(h.ctx, time.Now(), view.Paging{})
		must(t, err)
		if len(live.Items) != 1 || live.Items[0].State.Name != "winter" || live.Items[0].Noted(event.FreezeDeclared, "reason") != "holidays of winter" {
			t.Errorf("live: %+v", live.Items)
		}
		if live.Items[0].First.By != h.who["cid"].Subject {
			t.Errorf("declared by %s", live.Items[0].First.By)
		}
		all, err := h.views.Freezes(h.ctx, time.Time{}, view.Paging{})
		must(t, err)
		if len(all.Items) != 2 || all.Items[1].Noted(event.FreezeLifted, "reason") != "over early" || all.Items[0].Noted(event.FreezeLifted, "reason") != "" {
			t.Errorf("all: %+v", all.Items)
		}
	})
}

// Pages of one cover the list once, in order, whatever the order is by.
func TestPaging(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, walk := range map[string]func(p view.Paging) ([]string, string, error){
			"by position": func(p view.Paging) ([]string, string, error) {
				page, err := h.views.Tokens(h.ctx, "", p)
				return ids(page), page.Next, err
			},
			"by id": func(p view.Paging) ([]string, string, error) {
				page, err := h.views.People(h.ctx, p)
				return ids(page), page.Next, err
			},
			"by name": func(p view.Paging) ([]string, string, error) {
				page, err := h.views.Services(h.ctx, p)
				return ids(page), page.Next, err
			},
			"filtered": func(p view.Paging) ([]string, string, error) {
				page, err := h.views.Decisions(h.ctx, view.DecisionFilter{Environment: "production", Paging: p})
				return ids(page), page.Next, err
			},
		} {
			whole, next, err := walk(view.Paging{Limit: view.LimitMax})
			if err != nil || next != "" {
				t.Fatalf("%s: next %q, %v", name, next, err)
			}
			var got []string
			for p := (view.Paging{Limit: 1}); ; {
				part, next, err := walk(p)
				must(t, err)
				got = append(got, part...)
				if p.Cursor = next; next == "" {
					break
				}
			}
			if diff := cmp.Diff(whole, got); diff != "" || len(whole) == 0 {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

func ids[S any](p view.Page[view.Entry[S]]) []string {
	var all []string
	for _, e := range p.Items {
		all = append(all, e.ID)
	}
	return all
}

func TestPagingRefuses(t *testing.T) {
	h := raise(t, sqlite(t))
	h.live()
	page, err := h.views.Tokens(h.ctx, "", view.Paging{Limit: 1})
	must(t, err)
	if _, err := h.views.Tokens(h.ctx, "", view.Paging{Limit: 1, Cursor: page.Next}); err != nil {
		t.Fatalf("the cursor itself: %v", err)
	}
	for name, p := range map[string]view.Paging{
		"not base64":          {Cursor: "%%%"},
		"padded":              {Cursor: page.Next + "="},
		"cut":                 {Cursor: page.Next[:len(page.Next)-2]},
		"of another list":     {Cursor: "eyJsIjoiZGVjaXNpb25zIiwiayI6IjMifQ"},
		"negative":            {Cursor: "eyJsIjoidG9rZW5zIiwiayI6Ii0zIn0"},
		"not a number":        {Cursor: "eyJsIjoidG9rZW5zIiwiayI6IjEgT1IgMSJ9"},
		"another field":       {Cursor: "eyJsIjoidG9rZW5zIiwiayI6IjMiLCJ4IjoxfQ"},
		"very long":           {Cursor: strings.Repeat("a", 1000)},
		"limit too high":      {Limit: 201},
		"limit below nothing": {Limit: -1},
	} {
		_, err := h.views.Tokens(h.ctx, "", p)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownDecision(t *testing.T) {
	h := raise(t, sqlite(t))
	if _, err := h.views.Decision(h.ctx, "no' OR '1'='1"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func sqlite(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// A list says when its view does not follow.
func TestStaleIsShown(t *testing.T) {
	h := raise(t, sqlite(t))
	must(t, h.db.InTx(h.ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(h.ctx, "UPDATE views SET stale = 'broken' WHERE name = 'services'")
		return err
	}))
	services, err := h.views.Services(h.ctx, view.Paging{})
	must(t, err)
	people, err := h.views.People(h.ctx, view.Paging{})
	if err := errors.Join(err); err != nil {
		t.Fatal(err)
	}
	if services.Stale != "broken" || people.Stale != "" {
		t.Errorf("services %q, people %q", services.Stale, people.Stale)
	}
}
