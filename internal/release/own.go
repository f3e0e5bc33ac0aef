package release

import (
	"slices"

	"signalbox.dev/signalbox/internal/evidence"
)

// own takes out of the facts what is about something else than the release and the
// environment that were asked for. Loaders find by name and digest, so there is
// nothing of the kind; where there is, it is unknown and never a go.
func (f *Facts) own() {
	if f.Service != nil && f.Service.Name != f.Release.Service {
		f.Service = nil
	}
	if f.Place != nil && f.Place.Name != f.Environment {
		f.Place = nil
	}
	for i := range f.Artifact.Claims {
		if f.Artifact.Claims[i].Digest != f.Release.Digest {
			f.Artifact.Claims = slices.DeleteFunc(slices.Clone(f.Artifact.Claims), func(c evidence.Added) bool { return c.Digest != f.Release.Digest })
			return
		}
	}
}
