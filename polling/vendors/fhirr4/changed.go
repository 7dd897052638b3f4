package fhirr4

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/url"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
)

// Bounds of one reading.
const (
	maxRows     = 5_000  // of a batch, where there is an order to go on in
	maxSweep    = 20_000 // of a reading without an order
	maxReadings = 4      // of the same pages in one run
	// overlap is for resources that show later than their time of change says.
	overlap = 2 * time.Minute
	// skew is how far a vendor's clock may be behind ours.
	skew = time.Hour
)

// at is the cursor: where to go on.
type at struct {
	// From is the time of change that everything before is delivered.
	From time.Time `json:"from,omitzero"`
	// Exact says that a reading goes on from From, without an overlap.
	Exact bool `json:"exact,omitempty"`
	// Baseline says that what is read is noted and not told.
	Baseline bool `json:"baseline,omitempty"`
	// Window says that a window has been read before.
	Window bool `json:"window,omitempty"`
}

func (a at) String() string {
	text, err := json.Marshal(a)
	if err != nil {
		return "" // cannot happen: a time and a truth
	}
	return string(text)
}

// Changed implements polling.Connector.
func (c *Connector) Changed(ctx context.Context, action polling.ActionConfig, cursor string) (polling.Batch, error) {
	var from at
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return polling.Batch{}, errors.New("fhir: the cursor is none of this connector's")
		}
	}
	query, err := url.ParseQuery(action.Query)
	if err != nil {
		return polling.Batch{}, errors.New("fhir: the action's query is none")
	}
	size := c.preset.pageSize
	if action.PageSize > 0 {
		size = min(size, action.PageSize)
	}
	query.Set("_count", strconv.Itoa(size))
	if c.preset.updated != nil && !c.preset.updated[action.Name] {
		return c.compare(ctx, action, query, from)
	}
	if from.From.IsZero() {
		from.From = c.env.Now().UTC().Add(-action.Backfill)
		if action.Backfill == 0 {
			// What is there now is noted as far back as clocks may differ.
			from.From, from.Baseline = from.From.Add(-skew), true
		}
	}
	back := action.Overlap
	if back == 0 {
		back = overlap
	}
	low := from.From.Add(-back)
	if from.Exact {
		low = from.From
	}
	if c.preset.sorted {
		return c.follow(ctx, action.Name, query, from, low)
	}
	return c.sweep(ctx, action.Name, query, from, low)
}

// bound writes a time for _lastUpdated. Milliseconds are cut off: a server may
// keep fewer digits than it shows.
func bound(prefix string, t time.Time) string {
	return prefix + t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05Z")
}

// follow reads changes in their order, each page from where the last ended.
func (c *Connector) follow(ctx context.Context, typ string, query url.Values, from at, low time.Time) (polling.Batch, error) {
	query.Set("_sort", "_lastUpdated")
	query.Set("_lastUpdated", bound("ge", low))
	var g gathered
	link, rows, of := "", 0, (*int)(nil)
	for {
		p, err := c.search(ctx, typ, query, link)
		if err != nil {
			return polling.Batch{}, err
		}
		if link == "" {
			rows, of = 0, p.total
		}
		rows += len(p.rows)
		if err := g.add(p.rows); err != nil {
			return polling.Batch{}, err
		}
		if p.next == "" {
			if c.preset.exactTotal && of != nil && *of > rows {
				return polling.Batch{}, endsEarly(typ)
			}
			return g.batch(c.advance(from, g.high), from, false), nil
		}
		to := bound("ge", g.high)
		switch {
		case g.high.IsZero() || to == query.Get("_lastUpdated"):
			link = p.next // a second with more than a page
		case len(g.changes) >= maxRows:
			return g.batch(c.advance(from, g.high).exact(from), from, true), nil
		default:
			query.Set("_lastUpdated", to)
			link = ""
		}
	}
}

// advance moves a cursor to the latest change seen, but not beyond now: what
// claims to be from the future must not hide what is.
func (c *Connector) advance(from at, high time.Time) at {
	if now := c.env.Now(); high.After(now) {
		high = now.Truncate(time.Second)
	}
	if high.After(from.From) {
		from.From = high.UTC()
	}
	from.Exact, from.Baseline = false, false
	return from
}

// exact is a cursor within a reading that began with another.
func (a at) exact(from at) at {
	a.Exact, a.Baseline = true, from.Baseline
	return a
}

func endsEarly(typ string) error {
	return &polling.CallError{Kind: polling.ErrMalformed, Call: "GET " + typ, Reason: "the pages end before their total"}
}

// sweep reads changes of a server that cannot sort.
func (c *Connector) sweep(ctx context.Context, typ string, query url.Values, from at, low time.Time) (polling.Batch, error) {
	high := time.Time{} // no upper bound
	for {
		query["_lastUpdated"] = []string{bound("ge", low)}
		if !high.IsZero() {
			query.Add("_lastUpdated", bound("lt", high))
		}
		g, err := c.settled(ctx, typ, query)
		if errors.Is(err, errTooMany) {
			if high.IsZero() {
				high = c.env.Now()
			}
			if high = low.Add(high.Sub(low) / 2); high.Sub(low) >= time.Second {
				continue
			}
			return polling.Batch{}, &polling.CallError{Kind: polling.ErrMalformed, Call: "GET " + typ, Reason: "more changes in a second than can be read"}
		}
		if err != nil {
			return polling.Batch{}, err
		}
		if high.IsZero() {
			return g.batch(c.advance(from, g.high), from, false), nil
		}
		// The bound leaves out what changed while this was read, so the next
		// reading begins there.
		return g.batch(c.advance(from, high.Truncate(time.Second)).exact(from), from, true), nil
	}
}

// compare reads a window whole. What differs from what is known is found
// behind it, by the stamps.
func (c *Connector) compare(ctx context.Context, action polling.ActionConfig, query url.Values, from at) (polling.Batch, error) {
	w, dated := windows[action.Name]
	if action.WindowBack > 0 || action.WindowAhead > 0 {
		w.back, w.ahead = action.WindowBack, action.WindowAhead
	}
	if dated {
		today := c.env.Now().In(c.zone)
		query.Add(w.parameter, "ge"+today.Add(-w.back).Format(time.DateOnly))
		query.Add(w.parameter, "lt"+today.Add(w.ahead).AddDate(0, 0, 1).Format(time.DateOnly))
	}
	g, err := c.settled(ctx, action.Name, query)
	if errors.Is(err, errTooMany) {
		return polling.Batch{}, &polling.CallError{Kind: polling.ErrRefused, Call: "GET " + action.Name, Reason: "the window has more than 20000 resources: narrow it by query, windowBack and windowAhead"}
	}
	if err != nil {
		return polling.Batch{}, err
	}
	batch := g.batch(at{Window: true}, from, false)
	batch.Baseline = !from.Window && action.Backfill == 0
	return batch, nil
}

// errTooMany: a reading has more rows than are kept in memory.
var errTooMany = errors.New("too many rows")

// settled follows the next links. Pages may shift while they are read, so
// several are read again until two readings are the same.
func (c *Connector) settled(ctx context.Context, typ string, query url.Values) (*gathered, error) {
	var last *gathered
	for range maxReadings {
		g, pages, err := c.reading(ctx, typ, query)
		if err != nil {
			return nil, err
		}
		if pages == 1 || last != nil && last.sum == g.sum && len(last.changes) == len(g.changes) {
			return g, nil
		}
		last = g
	}
	return nil, &polling.CallError{Kind: polling.ErrTemporary, Call: "GET " + typ, Reason: "the pages changed each time they were read"}
}

func (c *Connector) reading(ctx context.Context, typ string, query url.Values) (*gathered, int, error) {
	g := &gathered{}
	links := map[string]bool{}
	link, rows, of := "", 0, (*int)(nil)
	for pages := 1; ; pages++ {
		p, err := c.search(ctx, typ, query, link)
		if err != nil {
			return nil, 0, err
		}
		if link == "" {
			of = p.total
		}
		rows += len(p.rows)
		if err := g.add(p.rows); err != nil {
			return nil, 0, err
		}
		if len(g.changes) > maxSweep {
			return nil, 0, errTooMany
		}
		if p.next == "" {
			if c.preset.exactTotal && of != nil && *of > rows {
				return nil, 0, endsEarly(typ)
			}
			return g, pages, nil
		}
		if link = p.next; links[link] {
			return nil, 0, &polling.CallError{Kind: polling.ErrMalformed, Call: "GET " + typ, Reason: "the next links go in a circle"}
		}
		links[link] = true
	}
}

// gathered are the rows of a reading, each resource once, in its latest state.
type gathered struct {
	changes []polling.Change
	rows    []row
	index   map[string]int
	high    time.Time
	sum     uint64 // of the states, in any order
}

func (g *gathered) add(rows []row) error {
	if g.index == nil {
		g.index = map[string]int{}
	}
	for _, r := range rows {
		if r.updated.After(g.high) {
			g.high = r.updated
		}
		stamp, err := r.stamp()
		if err != nil {
			return err
		}
		change := polling.Change{ID: r.id, Stamp: stamp, Row: r.raw}
		i, known := g.index[r.id]
		if !known {
			g.index[r.id] = len(g.changes)
			g.changes, g.rows = append(g.changes, change), append(g.rows, r)
			g.sum += digest(change)
			continue
		}
		if !r.updated.Before(g.rows[i].updated) {
			g.sum += digest(change) - digest(g.changes[i])
			g.changes[i], g.rows[i] = change, r
		}
	}
	return nil
}

func digest(c polling.Change) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.LittleEndian.AppendUint32([]byte(c.ID), uint32(len(c.ID))))
	_, _ = h.Write([]byte(c.Stamp))
	return h.Sum64()
}

func (g *gathered) batch(to, from at, more bool) polling.Batch {
	return polling.Batch{Changes: g.changes, Cursor: to.String(), More: more, Baseline: from.Baseline}
}
