package journal

// Writable is nil while facts can be appended, and otherwise why none is taken
// any more: an Unverified or Unavailable fault, also while a restore waits for
// the two persons who record it.
func (j *Journal) Writable() error {
	if why := j.stopped.Load(); why != nil {
		return why
	}
	if r := j.awaits.Load(); r != nil {
		return r.refusal()
	}
	return nil
}

// Ready is Writable, and nil only if there was room when something was last written.
func (j *Journal) Ready() error {
	if err := j.Writable(); err != nil {
		return err
	}
	return j.db.Room()
}
