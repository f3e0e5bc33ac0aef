package server

import "signalbox.dev/signalbox/internal/seal"

// keys opens the installation's keys.
func (s *Server) keys(origin string, create bool) (*seal.Keys, error) {
	return seal.Options{Dir: s.options.Keys, Name: origin, Create: create}.Open()
}
