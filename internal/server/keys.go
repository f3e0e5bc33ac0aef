package server

import (
	"context"
	"errors"

	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/keyring"
	"signalbox.dev/signalbox/internal/seal"
)

// keys opens the installation's keys.
func (s *Server) keys(origin string, create bool) (*seal.Keys, error) {
	o := seal.Options{Dir: s.options.Keys, Name: origin, Create: create, In: map[seal.Purpose]seal.URI{}, Tokens: s.options.Tokens}
	for p, text := range map[seal.Purpose]string{seal.Journal: s.options.JournalKey, seal.Permit: s.options.PermitKey} {
		if text == "" {
			continue
		}
		at, err := seal.ParseURI(text)
		if err != nil {
			var wrong *fault.Error
			if errors.As(err, &wrong) {
				err = wrong.On("--" + string(p) + "-key")
			}
			return nil, err
		}
		o.In[p] = at
	}
	return o.Open()
}

// signing is where the keys are that sign now; that they can was found out on opening.
func (s *Server) signing(ctx context.Context) doctor.Finding {
	f := doctor.Finding{Check: "keys", OK: true}
	for _, p := range []seal.Purpose{seal.Journal, seal.Permit} {
		vkey, err := keyring.Signing(ctx, s.Journal, s.Control.Keys, p)
		if err != nil {
			return doctor.Finding{Check: "keys", What: "which keys sign cannot be read", Why: err.Error(), Fix: "check the database"}
		}
		if f.What != "" {
			f.What += "; "
		}
		f.What += "the " + string(p) + " key " + seal.ID(vkey) + " signs, " + s.Control.Keys.Where(p, vkey)
	}
	return f
}
