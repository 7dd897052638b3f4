package exchange

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Direction of a message, seen from this server.
type Direction string

// Directions.
const (
	// Inbound messages tell what happened: pushed by a source or polled.
	Inbound Direction = "inbound"
	// Writeback messages are sent by an application towards an EHR.
	Writeback Direction = "writeback"
)

// Message is the record of one message.
type Message struct {
	ID         string               `json:"id"`
	ReceivedAt time.Time            `json:"receivedAt"`
	Direction  Direction            `json:"direction"`
	Source     string               `json:"source,omitempty"`
	SourceName string               `json:"sourceName,omitempty"`
	DataModel  string               `json:"dataModel,omitempty"`
	EventType  string               `json:"eventType,omitempty"`
	Status     notifications.Status `json:"status"`
	// Errors say why it failed, in Redox's form.
	Errors []RedoxError `json:"errors,omitempty"`
	// Warnings say what was not done as the message asked.
	Warnings []string `json:"warnings,omitempty"`
	// Seq is the log entry it became; 0 when it changed nothing.
	Seq int64 `json:"seq,omitempty"`
	// Resources are those it speaks of, as "Type/id".
	Resources []string `json:"resources,omitempty"`
	Bytes     int      `json:"bytes"`
}

// Kinds of items of the message log.
const (
	kindMessage     = "message"
	kindMessageBody = "message-body"
)

// messagesKept is how long messages are kept.
const messagesKept = 30 * 24 * time.Hour

// Messages is the message log. A message's text is kept apart from its
// record, since it holds patients' data and the record does not.
type Messages struct {
	items store.Items
	now   func() time.Time
}

// Receive puts a message into the log.
func (l Messages) Receive(ctx context.Context, t store.Tenant, m Message, body []byte) error {
	_, err := l.items.PutItem(ctx, t, store.Item{
		Kind: kindMessageBody, ID: m.ID, Body: body, Expires: m.ReceivedAt.Add(messagesKept),
	}, 0)
	if err != nil {
		return err
	}
	return l.Put(ctx, t, m)
}

// Put writes a record.
func (l Messages) Put(ctx context.Context, t store.Tenant, m Message) error {
	return documents.Put(ctx, l.items, t, store.Item{
		Kind: kindMessage, ID: m.ID,
		Keys:    []store.Key{byTime(m.ReceivedAt)},
		Expires: m.ReceivedAt.Add(messagesKept),
	}, m, store.ItemAny)
}

func byTime(at time.Time) store.Key {
	return "t" + string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}

// Get returns a record.
func (l Messages) Get(ctx context.Context, t store.Tenant, id string) (Message, error) {
	return documents.Get[Message](ctx, l.items, t, kindMessage, id)
}

// Body returns a message's text as it was received.
func (l Messages) Body(ctx context.Context, t store.Tenant, id string) ([]byte, error) {
	if store.CheckItem(kindMessage, id, nil) != nil {
		return nil, store.ErrNotFound
	}
	it, err := l.items.GetItem(ctx, t, kindMessageBody, id)
	return it.Body, err
}

// List returns records, newest first, and where the next page begins.
func (l Messages) List(ctx context.Context, t store.Tenant, after string, limit int) ([]Message, string, error) {
	r := store.Prefix("t")
	return documents.Scan[Message](ctx, l.items, t, store.ItemScan{Kind: kindMessage, Range: &r, Reverse: true, After: after, Limit: limit})
}
