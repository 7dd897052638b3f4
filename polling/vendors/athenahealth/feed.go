package athenahealth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
)

// maxPage is the most rows that the vendor gives at once.
const maxPage = 5000

// margin is added on both sides of a window of processed changes, for clocks
// that differ and calls that take long.
const margin = 10 * time.Minute

// events are those of the feed that can change what a message tells.
var events = []string{"ScheduleAppointment", "UpdateAppointment", "CancelAppointment", "CheckIn", "CheckOut", "DeleteAppointment"}

// position is what the cursor holds.
type position struct {
	// Settled is when the feed was last consumed, or first read.
	Settled time.Time `json:"settled,omitzero"`
	// Consuming is set while the feed may have handed out, since then, what
	// is not yet delivered or kept.
	Consuming time.Time `json:"consuming,omitzero"`
}

func (p position) String() string {
	if p == (position{}) {
		return ""
	}
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // cannot happen: two times in this century
	}
	return string(raw)
}

func parsePosition(cursor string) (position, error) {
	var p position
	if cursor != "" && json.Unmarshal([]byte(cursor), &p) != nil {
		return p, errors.New("athenahealth: the cursor cannot be read")
	}
	return p, nil
}

func (c *Connector) time() time.Time { return c.now().UTC().Truncate(time.Second) }

// Changed implements polling.Connector.
func (c *Connector) Changed(ctx context.Context, action polling.ActionConfig, cursor string) (polling.Batch, error) {
	at, err := parsePosition(cursor)
	if err != nil {
		return polling.Batch{}, err
	}
	if err := c.ensureSubscribed(ctx); err != nil {
		return polling.Batch{}, err
	}
	// Everything handed out after this moment is found again from it.
	now := c.time()
	from := at.Consuming
	if cursor == "" && action.Backfill > 0 {
		from = now.Add(-action.Backfill)
	}
	if !from.IsZero() {
		return c.recovered(ctx, action, from, now)
	}
	page, changes, err := c.read(ctx, changedQuery{leave: true, limit: limit(action)})
	if err != nil {
		return polling.Batch{}, err
	}
	batch := polling.Batch{Changes: changes, Cursor: cursor, More: page.next > 0}
	if len(changes) > 0 {
		batch.Mark = position{Settled: at.Settled, Consuming: now}.String()
	}
	return batch, nil
}

// recovered is a batch of what the feed has handed out since a time. With it
// delivered or kept, that is settled.
func (c *Connector) recovered(ctx context.Context, action polling.ActionConfig, from, now time.Time) (polling.Batch, error) {
	batch := polling.Batch{Cursor: position{Settled: now}.String(), More: true}
	// Showing what was processed does not consume, so pages may be walked by
	// offset.
	q := changedQuery{leave: true, from: from.Add(-margin), to: now.Add(margin), limit: limit(action)}
	for {
		page, changes, err := c.read(ctx, q)
		if err != nil {
			return polling.Batch{}, err
		}
		batch.Changes = append(batch.Changes, changes...)
		if page.next == 0 {
			return batch, nil
		}
		q.offset = page.next
	}
}

// Consume implements polling.Consumer: it reads the first page so that it is
// forgotten. What is on it was read before, as a rule.
func (c *Connector) Consume(ctx context.Context, action polling.ActionConfig, batch polling.Batch) (polling.Batch, error) {
	page, changes, err := c.read(ctx, changedQuery{limit: limit(action)})
	if err != nil {
		return polling.Batch{}, err
	}
	consumed := polling.Batch{Changes: changes, Cursor: position{Settled: c.time()}.String(), More: page.next > 0}
	handedOut := map[string]bool{}
	for _, change := range changes {
		handedOut[change.ID] = true
	}
	for _, change := range batch.Changes {
		if !handedOut[change.ID] {
			// It was handed out to somebody else: another client with the
			// same key, or an earlier sending of this very call, by a proxy,
			// say. More may have gone that way, so the mark stays and the
			// next run looks for it.
			consumed.Cursor, consumed.More = batch.Mark, false
		}
	}
	return consumed, nil
}

func (c *Connector) read(ctx context.Context, q changedQuery) (changedPage, []polling.Change, error) {
	page, err := c.client.changed(ctx, q, c.eastern)
	if err != nil {
		return page, nil, err
	}
	changes, err := c.changes(page.rows)
	return page, changes, err
}

func limit(action polling.ActionConfig) int {
	if action.PageSize == 0 {
		return maxPage
	}
	return min(action.PageSize, maxPage)
}

// changes reads rows, in the order in which they changed. Of an appointment
// and the one that replaces it, which change in the same second, the old one
// comes first.
func (c *Connector) changes(rows []json.RawMessage) ([]polling.Change, error) {
	type dated struct {
		polling.Change
		modified time.Time
	}
	all := make([]dated, 0, len(rows))
	for _, raw := range rows {
		var named struct {
			AppointmentID id `json:"appointmentid"`
		}
		if err := json.Unmarshal(raw, &named); err != nil || named.AppointmentID == "" {
			return nil, &polling.CallError{Kind: polling.ErrMalformed, Call: "GET /appointments/changed", Reason: "a row is no appointment"}
		}
		// A row that has a name but cannot be read must not stop the others:
		// it goes on as it is, and its container is kept for want of content.
		a, row := appointment{AppointmentID: named.AppointmentID}, raw
		if err := json.Unmarshal(raw, &a); err == nil {
			if row, err = json.Marshal(a); err != nil {
				return nil, errors.New("athenahealth: a row cannot be written as JSON")
			}
		}
		sum := sha256.Sum256(row)
		d := dated{Change: polling.Change{ID: string(a.AppointmentID), Stamp: hex.EncodeToString(sum[:16]), Row: row}}
		if a.RescheduledAppointmentID != "" {
			d.Links = []string{string(a.RescheduledAppointmentID)}
		}
		d.modified, _ = time.ParseInLocation(stampLayout, a.LastModified, c.eastern) // only an order
		all = append(all, d)
	}
	slices.SortStableFunc(all, func(a, b dated) int {
		return cmp.Or(a.modified.Compare(b.modified), cmp.Compare(len(b.Links), len(a.Links)))
	})
	changes := make([]polling.Change, len(all))
	for i, d := range all {
		changes[i] = d.Change
	}
	return changes, nil
}

// ensureSubscribed subscribes to the events that matter, once in the life of
// the connector. Others that the practice subscribed to stay.
func (c *Connector) ensureSubscribed(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subscribed {
		return nil
	}
	on, err := c.client.subscription(ctx)
	if err != nil {
		return err
	}
	for _, event := range events {
		if !on[event] {
			if err := c.client.subscribe(ctx, event); err != nil {
				return err
			}
		}
	}
	c.subscribed = true
	return nil
}
