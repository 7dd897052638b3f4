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
	next := at
	var rows []json.RawMessage
	from := at.Consuming
	if cursor == "" && action.Backfill > 0 {
		from, next.Settled = now.Add(-action.Backfill), now
	}
	if !from.IsZero() {
		if rows, err = c.processed(ctx, action, from.Add(-margin), now.Add(margin)); err != nil {
			return polling.Batch{}, err
		}
	}
	page, err := c.client.changed(ctx, changedQuery{leave: true, limit: limit(action)}, c.eastern)
	if err != nil {
		return polling.Batch{}, err
	}
	changes, err := c.changes(append(rows, page.rows...))
	if err != nil {
		return polling.Batch{}, err
	}
	batch := polling.Batch{Changes: changes, Cursor: next.String()}
	switch {
	case len(page.rows) > 0:
		mark := position{Settled: next.Settled, Consuming: at.Consuming}
		if mark.Consuming.IsZero() {
			mark.Consuming = now
		}
		batch.Mark = mark.String()
	case !at.Consuming.IsZero():
		batch.Cursor = position{Settled: now}.String()
	}
	batch.More = page.next > 0
	return batch, nil
}

// Consume implements polling.Consumer: it reads the first page so that it is
// forgotten. What is on it was read before, as a rule.
func (c *Connector) Consume(ctx context.Context, action polling.ActionConfig, _ string) (polling.Batch, error) {
	page, err := c.client.changed(ctx, changedQuery{limit: limit(action)}, c.eastern)
	if err != nil {
		return polling.Batch{}, err
	}
	changes, err := c.changes(page.rows)
	if err != nil {
		return polling.Batch{}, err
	}
	return polling.Batch{Changes: changes, Cursor: position{Settled: c.time()}.String(), More: page.next > 0}, nil
}

func limit(action polling.ActionConfig) int {
	if action.PageSize == 0 {
		return maxPage
	}
	return min(action.PageSize, maxPage)
}

// processed reads again what the feed has handed out in a time. That does not
// consume, so pages may be walked by offset.
func (c *Connector) processed(ctx context.Context, action polling.ActionConfig, from, to time.Time) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	for offset := 0; ; {
		page, err := c.client.changed(ctx, changedQuery{leave: true, from: from, to: to, limit: limit(action), offset: offset}, c.eastern)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.rows...)
		if page.next == 0 {
			return rows, nil
		}
		offset = page.next
	}
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
