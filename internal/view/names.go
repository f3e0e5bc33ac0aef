package view

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// Name is who a person is to people.
type Name struct {
	Name, Handle string
}

// Names is the names of persons by id. Those that nobody knows, and those
// disposed of, are absent.
func (v *Views) Names(ctx context.Context, persons ...string) (map[string]Name, error) {
	var ids []any
	seen := map[string]bool{}
	for _, id := range persons {
		if id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	names := map[string]Name{}
	err := v.db.Glance(ctx, func(tx *store.Tx) error {
		return tx.Among(ctx, func(r *sql.Rows) error {
			var id string
			var b []byte
			if err := r.Scan(&id, &b); err != nil {
				return err
			}
			var fields map[string]string
			if err := json.Unmarshal(b, &fields); err != nil {
				return err
			}
			names[id] = Name{Name: fields["name"], Handle: fields["handle"]}
			return nil
		}, "SELECT id, fields FROM view_notes WHERE view = $1 AND kind = $2 AND id IN (?)", ids, v.people.name, string(event.PersonDescribed))
	})
	if err != nil {
		return nil, fmt.Errorf("look up names: %w", err)
	}
	return names, nil
}
