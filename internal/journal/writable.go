package journal

// Writable is nil while facts can be appended, and otherwise why none is taken
// any more: an Unverified or Unavailable fault.
func (j *Journal) Writable() error { return j.Stopped() }
