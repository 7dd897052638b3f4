package pebble

// DiskUsage is how many bytes each space takes on disk, for measurements.
func (e *Engine) DiskUsage() (map[string]uint64, error) {
	out := map[string]uint64{}
	for _, space := range []byte{spaceName, spaceDocument, spaceVersion, spaceKeySet, spaceKey, spaceHistory, spaceLog} {
		n, err := e.db.EstimateDiskUsage([]byte{space}, []byte{space + 1})
		if err != nil {
			return nil, err
		}
		out[string(space)] = n
	}
	return out, nil
}

// TightLimits lets searches on a handful of documents go every way.
func (e *Engine) TightLimits() {
	e.limits = limits{gather: 2, probe: 2, turn: 1, worth: 1, leaps: 1, few: 1, walk: 4, estimate: 3, chain: 1, remembered: 1}
}

// SetEstimate sets how much is looked at for an estimated count.
func (e *Engine) SetEstimate(n int) { e.limits.estimate = n }

// Metrics is pebble's own account of itself.
func (e *Engine) Metrics() string { return e.db.Metrics().String() }
