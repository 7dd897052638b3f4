package pebble

// limits are where a search changes from one way to another. Tests make them
// so small that a handful of documents meets all of them.
type limits struct {
	// gather is how many postings are gathered and sorted: half a MiB. A
	// range with more is dense and never drives a search.
	gather int
	// probe is how many postings of each part of an And are read to find the
	// rarest.
	probe int
	// turn is after how many checks of a walk gathering has its first turn.
	turn int
	// worth is how many documents a driver must have for leaping to be worth
	// an iterator, and a key for its density to be remembered.
	worth int
	// leaps is how many keys of an Or are walked side by side, an iterator
	// each. More of them are gathered.
	leaps int
	// few is up to how many documents are gathered and sorted at once.
	few int
	// walk is how many documents a sort walk looks at before it gives way to
	// gathering, when nobody knows how many the clauses select. So a query
	// whose matches are at the far end of the sort range costs at most this
	// much more than it would have.
	walk int
	// estimate is how much is looked at for an estimated count.
	estimate int
	// chain is how many documents of an inner query become a set.
	chain int
	// remembered is how many documents a chain that is checked document by
	// document keeps its findings of.
	remembered int
}

var usualLimits = limits{
	gather: 1 << 16, probe: 4096, turn: 256, worth: 32, leaps: 8, few: 256, walk: 1 << 14, estimate: 10000, chain: 1024, remembered: 1 << 14,
}
