package polling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/store"
)

// kindRecord is the kind of the items that hold one record each.
const kindRecord = "polling.record"

// messageSpace is the namespace of message ids (RFC 9562 §5.5).
var messageSpace = uuid.MustParse("6f0d2c1e-7b1c-5a53-9a0e-0d9f6c2d8b41")

// place is an action of a connection: whose records are meant.
type place struct {
	tenant             store.Tenant
	connection, action string
}

func (p place) itemID(record string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{p.connection, p.action, record}, "\x00")))
	return hex.EncodeToString(sum[:20])
}

// key orders records under a letter: k kept, p parked, l linked to.
func (p place) key(letter, record string) store.Key {
	return strings.Join([]string{letter, p.connection, p.action, record}, "\x00")
}

// record is what is known of one record of a vendor.
type record struct {
	ID string `json:"id"`
	// Number counts the messages made of the record.
	Number int64 `json:"number,omitempty"`
	// Stamp and Hash are of the last change that was dealt with, delivered or
	// parked; Change is that change.
	Stamp  string `json:"stamp,omitempty"`
	Hash   string `json:"hash,omitempty"`
	Change Change `json:"change"`
	// Content is what was last delivered.
	Content json.RawMessage `json:"content,omitempty"`
	// Pending is the container that is on its way, or kept.
	Pending *pending `json:"pending,omitempty"`
	// Parked is the last message that was refused for good.
	Parked *parked `json:"parked,omitempty"`

	version int64 // of the item
}

// undelivered reports whether a message is on its way, and perhaps was
// committed, so that later changes of the record wait behind it.
func (r *record) undelivered() bool { return r.Pending != nil && r.Pending.Message != nil }

// pending is a container on its way. With a message it is delivered exactly
// so before anything else of the record is; without, it is still to be filled.
type pending struct {
	Change    Change          `json:"change"`
	Content   json.RawMessage `json:"content,omitempty"`
	Message   []byte          `json:"message,omitempty"`
	MessageID string          `json:"messageID,omitempty"`
	// Baseline says that the change is to be noted, not told.
	Baseline bool `json:"baseline,omitempty"`
	// Next is a later change of the same record, which must wait.
	Next *Change `json:"next,omitempty"`

	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts,omitempty"`
	// NotBefore spaces attempts once several have failed.
	NotBefore time.Time `json:"notBefore,omitzero"`
	Error     string    `json:"error,omitempty"`
}

// parked is a message that was refused for good.
type parked struct {
	MessageID string    `json:"messageID"`
	Message   []byte    `json:"message"`
	Time      time.Time `json:"time"`
	Error     string    `json:"error"`
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// messageID is the same for the same message of the same record. The number
// is in it because a record may well return to a state it has had: that is
// another message, and must not be taken for the first.
func (p place) messageID(r *record, hash string) string {
	name := strings.Join([]string{string(p.tenant), p.connection, p.action, r.ID, fmt.Sprint(r.Number + 1), hash}, "\x00")
	return uuid.NewSHA1(messageSpace, []byte(name)).String()
}

// keys are how the item is found again.
func (r *record) keys(p place) []store.Key {
	var keys []store.Key
	links := r.Change.Links
	if r.Pending != nil {
		keys = append(keys, p.key("k", r.ID))
		links = append(links[:len(links):len(links)], r.Pending.Change.Links...)
	}
	if r.Parked != nil {
		keys = append(keys, p.key("p", r.ID))
	}
	for _, to := range links {
		keys = append(keys, p.key("l", to))
	}
	return keys
}

// records keeps the records of one action.
type records struct {
	items store.Items
	place
}

// get returns what is known of a record, which may be nothing.
func (s records) get(ctx context.Context, id string) (*record, error) {
	item, err := s.items.GetItem(ctx, s.tenant, kindRecord, s.itemID(id))
	if errors.Is(err, store.ErrNotFound) {
		return &record{ID: id}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("polling: read a record: %w", err)
	}
	return decodeRecord(item)
}

func decodeRecord(item store.Item) (*record, error) {
	var r record
	if err := json.Unmarshal(item.Body, &r); err != nil {
		return nil, errors.New("polling: a record's item cannot be read")
	}
	r.version = item.Version
	return &r, nil
}

// put writes a record if nobody else has written it.
func (s records) put(ctx context.Context, r *record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return errors.New("polling: a record cannot be written as JSON")
	}
	item, err := s.items.PutItem(ctx, s.tenant, store.Item{Kind: kindRecord, ID: s.itemID(r.ID), Body: body, Keys: r.keys(s.place)}, r.version)
	if err != nil {
		return fmt.Errorf("polling: write a record: %w", err)
	}
	r.version = item.Version
	return nil
}

// scan calls f for the records that have a key in the range.
func (s records) scan(ctx context.Context, keys store.Range, f func(*record) error) error {
	scan := store.ItemScan{Kind: kindRecord, Range: &keys, Limit: 256}
	for {
		page, err := s.items.ScanItems(ctx, s.tenant, scan)
		if err != nil {
			return fmt.Errorf("polling: list records: %w", err)
		}
		for _, item := range page.Items {
			r, err := decodeRecord(item)
			if err != nil {
				return err
			}
			if err := f(r); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		scan.After = page.Next
	}
}

// all returns the records under a letter.
func (s records) all(ctx context.Context, letter string) ([]*record, error) {
	var found []*record
	err := s.scan(ctx, store.Prefix(s.key(letter, "")), func(r *record) error {
		found = append(found, r)
		return nil
	})
	return found, err
}

// linkedFrom returns changes of records that led to this one.
func (s records) linkedFrom(ctx context.Context, id string) ([]Change, error) {
	var found []Change
	err := s.scan(ctx, store.Exactly(s.key("l", id)), func(r *record) error {
		change := r.Change
		if r.Pending != nil {
			change = r.Pending.Change
		}
		found = append(found, change)
		return nil
	})
	return found, err
}
