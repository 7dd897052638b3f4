package notifications

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

// Status of a transmission (Redox: logs).
type Status string

// Statuses.
const (
	Pending   Status = "PENDING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	// Skipped: somebody gave up on it.
	Skipped Status = "SKIPPED"
)

// Transmission is the record of one event on its way to one destination.
type Transmission struct {
	ID           string `json:"id"`
	Subscription string `json:"subscription"`
	Destination  string `json:"destination"`
	Source       string `json:"source,omitempty"`
	Message      string `json:"message,omitempty"`
	DataModel    string `json:"dataModel"`
	EventType    string `json:"eventType"`
	Event        string `json:"event,omitempty"`
	// Seq is the log entry that is told of; Number counts the events of the
	// subscription.
	Seq    int64 `json:"seq"`
	Number int64 `json:"number"`
	// Part is the place among the events of one log entry; Notice is what a
	// FHIR Subscription is told of, and Committed when it happened.
	Part      int           `json:"part,omitempty"`
	Notice    *topic.Notice `json:"notice,omitempty"`
	Committed *time.Time    `json:"committed,omitempty"`
	Status    Status        `json:"status"`
	CreatedAt time.Time     `json:"createdAt"`
	// Round is the subscription's round (see Position) it was sent in last.
	Round int64 `json:"round,omitempty"`
	// Reason is why it was skipped.
	Reason string `json:"reason,omitempty"`
	// Failures counts the attempts that failed since the last that did not.
	Failures int `json:"failures,omitempty"`
	// Alerted says that somebody was told of them.
	Alerted bool `json:"alerted,omitempty"`
	// Attempts are the latest ones; Total counts all.
	Attempts []Attempt `json:"attempts"`
	Total    int       `json:"totalAttempts"`
	// NextAttempt is when a pending one is tried again.
	NextAttempt *time.Time `json:"nextAttempt,omitempty"`
}

// Attempt is one try of a transmission.
type Attempt struct {
	At             time.Time `json:"at"`
	DurationMillis int64     `json:"durationMillis"`
	Status         int       `json:"status,omitempty"`
	Error          string    `json:"error,omitempty"`
}

// keptAttempts is how many attempts a record holds.
const keptAttempts = 50

// transmissionsKept is how long records are kept after they were last written.
const transmissionsKept = 30 * 24 * time.Hour

func (t *Transmission) add(a Attempt) {
	t.Total++
	t.Attempts = append(t.Attempts, a)
	if over := len(t.Attempts) - keptAttempts; over > 0 {
		t.Attempts = t.Attempts[over:]
	}
}

// Transmissions is the log of transmissions.
type Transmissions struct {
	items store.Items
	now   func() time.Time
}

// NewTransmissions makes the log on a store's items.
func NewTransmissions(items store.Items, now func() time.Time) *Transmissions {
	return &Transmissions{items, now}
}

// byTime orders records by when they were created, bySubscription by log
// entry.
func byTime(at time.Time) store.Key {
	return "t" + string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}

func bySubscription(id string) store.Key { return "s" + id + "\x00" }

// byNumber orders the events of a FHIR Subscription by their number.
func byNumber(id string, number int64) store.Key {
	return "n" + id + "\x00" + string(binary.BigEndian.AppendUint64(nil, uint64(number)))
}

func byMessage(id string) store.Key { return "m" + id }

// put writes a record, if its version is still as expected, and returns the
// new version.
func (l *Transmissions) put(ctx context.Context, t store.Tenant, tr Transmission, expect int64) (version int64, err error) {
	b, err := json.Marshal(tr)
	if err != nil {
		return 0, err
	}
	keys := []store.Key{
		byTime(tr.CreatedAt),
		bySubscription(tr.Subscription) + string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(tr.Seq)), uint32(tr.Part))),
	}
	if tr.Notice != nil {
		keys = append(keys, byNumber(tr.Subscription, tr.Number))
	}
	if tr.Message != "" {
		keys = append(keys, byMessage(tr.Message))
	}
	it, err := l.items.PutItem(ctx, t, store.Item{
		Kind: kindTransmission, ID: tr.ID, Body: b, Keys: keys, Expires: l.now().Add(transmissionsKept),
	}, expect)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", kindTransmission, err)
	}
	return it.Version, nil
}

// Get returns one record or store.ErrNotFound.
func (l *Transmissions) Get(ctx context.Context, t store.Tenant, id string) (Transmission, error) {
	return get[Transmission](ctx, l.items, t, kindTransmission, id)
}

// numbered returns the records of a FHIR Subscription's events from a number to
// another, in order, limit at most.
func (l *Transmissions) numbered(ctx context.Context, t store.Tenant, subscription string, from, to int64, limit int) ([]Transmission, error) {
	if from > to {
		return nil, nil
	}
	r := store.Range{From: byNumber(subscription, from), To: byNumber(subscription, to) + "\x00"}
	page, err := l.items.ScanItems(ctx, t, store.ItemScan{Kind: kindTransmission, Range: &r, Limit: limit})
	if err != nil {
		return nil, err
	}
	found := make([]Transmission, 0, len(page.Items))
	for _, it := range page.Items {
		var tr Transmission
		if err := json.Unmarshal(it.Body, &tr); err != nil {
			return nil, err
		}
		found = append(found, tr)
	}
	return found, nil
}

// TransmissionFilter selects records. At most one of Subscription and Message
// is set.
type TransmissionFilter struct {
	Subscription, Message string
	// After is a page's next.
	After string
	Limit int
}

// List returns records, newest first, and where the next page begins.
func (l *Transmissions) List(ctx context.Context, t store.Tenant, f TransmissionFilter) ([]Transmission, string, error) {
	r := store.Prefix("t")
	switch {
	case f.Subscription != "":
		r = store.Prefix(bySubscription(f.Subscription))
	case f.Message != "":
		r = store.Exactly(byMessage(f.Message))
	}
	page, err := l.items.ScanItems(ctx, t, store.ItemScan{
		Kind: kindTransmission, Range: &r, Reverse: true, After: f.After, Limit: f.Limit,
	})
	if err != nil {
		return nil, "", err
	}
	found := make([]Transmission, 0, len(page.Items))
	for _, it := range page.Items {
		var tr Transmission
		if err := json.Unmarshal(it.Body, &tr); err != nil {
			return nil, "", err
		}
		found = append(found, tr)
	}
	return found, page.Next, nil
}
