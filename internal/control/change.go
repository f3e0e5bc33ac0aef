package control

import (
	"context"
	"fmt"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// ChangeReader reads what a version contains from a repository that the
// server can reach.
type ChangeReader interface {
	ReadChange(ctx context.Context, repository, from, to string) (change.Raw, error)
}

// ReadChange has the server itself read what a release contains, from the
// repository that the catalog names for the service: the strongest provenance.
func (c *Control) ReadChange(ctx context.Context, r Request, id, from, to string) (change.Change, error) {
	ch, err := c.read(ctx, r, from, to, func(l *Load) (string, error) {
		s, err := known(l, id)
		return s.Service, err
	})
	if err != nil {
		return change.Change{}, err
	}
	return ch, c.attach(ctx, r, id, ch, policy.ByServer)
}

// InspectChange has the server read a change of a service, from the repository
// that the catalog names for it. Nothing is recorded.
func (c *Control) InspectChange(ctx context.Context, r Request, service, from, to string) (change.Change, error) {
	return c.read(ctx, r, from, to, func(*Load) (string, error) { return service, release.CheckName("service", service) })
}

// read reads a change of the service that find names.
func (c *Control) read(ctx context.Context, r Request, from, to string, find func(*Load) (string, error)) (change.Change, error) {
	var none change.Change
	if err := r.Actor.May(access.Open); err != nil {
		return none, err
	}
	service, err := view(ctx, c, func(l *Load) (catalog.Service, error) {
		var none catalog.Service
		name, err := find(l)
		if err != nil {
			return none, err
		}
		if err := r.Actor.MaySpeakFor(name); err != nil {
			return none, err
		}
		s, known, err := readOne[catalog.Service](l, catalog.ServiceName, name)
		if err == nil && !known {
			err = fault.New(fault.NotFound, "catalog.unknown-service", fmt.Sprintf("the catalog describes no service %q", name)).On("service").
				Because("the server reads the repositories that the catalog names").Remedy("describe it, with its repository")
		}
		return s, err
	})
	if err != nil {
		return none, err
	}
	if service.Repository == "" || c.Changes == nil {
		return none, fault.Invalidf("change.no-repository", "the server cannot read this service's repository").
			Because("the catalog names none for it, or the server was started without --repositories and --mirror-hosts").
			Remedy("send the change from the pipeline instead: --repo PATH --from A --to B")
	}
	raw, err := c.Changes.ReadChange(ctx, service.Repository, from, to)
	if err != nil {
		return none, err
	}
	raw.Components = service.Locate()
	return change.Describe(raw), nil
}
