package control

import (
	"slices"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/release"
)

// Shapes are the folds of every noun.
func Shapes() []event.Shape {
	return slices.Concat(catalog.Shapes(), access.Shapes(), []event.Shape{
		activation.Shape(), calendar.Shape(), evidence.Shape(), release.Shape(), release.PermitShape(), release.DeploymentShape(),
		halt.SwitchShape(), halt.RecallShape(),
	})
}
