//go:build !failpoint

package failpoint

// Enabled reports whether this build has kill points.
const Enabled = false

// Hit marks a place that the process passes.
func Hit(Point) {}
