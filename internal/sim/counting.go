package sim

// counting is the census that follows the first replica.
type counting struct{}

func (c *counting) stop() {}

func (w *world) newCounting() error { return nil }

func (w *world) checkCounts(*model) error { return nil }
