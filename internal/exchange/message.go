package exchange

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
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
	ID         string    `json:"id"`
	ReceivedAt time.Time `json:"receivedAt"`
	Direction  Direction `json:"direction"`
	Source     string    `json:"source,omitempty"`
	SourceName string    `json:"sourceName,omitempty"`
	DataModel  string    `json:"dataModel,omitempty"`
	EventType  string    `json:"eventType,omitempty"`
	// EventAt is the EventDateTime of the message, no later than it came.
	EventAt *time.Time           `json:"eventDateTime,omitempty"`
	Status  notifications.Status `json:"status"`
	// Format of the text: "" for Redox JSON, "hl7v2" for HL7 v2, "fhir" for a
	// FHIR Bundle.
	Format string `json:"format,omitempty"`
	// Operation is that of a writeback, Receivers how many it goes to, and
	// PreviousStart when the appointment began that it changes.
	Operation     string     `json:"operation,omitempty"`
	Receivers     int        `json:"receivers,omitempty"`
	PreviousStart *time.Time `json:"previousStart,omitempty"`
	// Errors say why it failed, in Redox's form.
	Errors []RedoxError `json:"errors,omitempty"`
	// Warnings say what was not done as the message asked.
	Warnings []string `json:"warnings,omitempty"`
	// Seq is the log entry it became; 0 when it changed nothing.
	Seq int64 `json:"seq,omitempty"`
	// Resources are those it speaks of, as "Type/id".
	Resources []string `json:"resources,omitempty"`
	Bytes     int      `json:"bytes"`
	// Repeats is the message of the log that this one is sent a second time.
	Repeats string `json:"repeats,omitempty"`
	// After is where the log ended when a message was still to be committed.
	After int64 `json:"after,omitempty"`
	// unchanged are the resources of which it said what was known; content is
	// the key of its text.
	unchanged []store.Ref
	content   store.Key
}

// eventAt is EventAt, zero where there is none.
func (m *Message) eventAt() time.Time {
	if m.EventAt == nil {
		return time.Time{}
	}
	return *m.EventAt
}

// keys are what a message is found by.
func (m *Message) keys() []store.Key {
	keys := []store.Key{byTime(m.ReceivedAt)}
	if m.content != "" {
		keys = append(keys, m.content)
	}
	if m.EventAt != nil && m.Status != notifications.Failed {
		for _, ref := range m.unchanged {
			keys = append(keys, byRecord(ref, m.Source)+bigEndian(*m.EventAt))
		}
	}
	return keys
}

// Kinds of items of the message log.
const (
	kindMessage     = "message"
	kindMessageBody = "message-body"
)

// messagesKept is how long messages are kept.
const messagesKept = 30 * 24 * time.Hour

// Messages is the message log.
//
// A message is one item, written once before its commit: its record and, on
// the lines below, its text, which the queues need as soon as the commit
// stands. That the commit came is not written a second time: a record that is
// PENDING has succeeded when the change log has an entry for it, and settle
// looks there when somebody reads the record. So nothing can be lost between
// the two, whenever the process ends. A log must not be trimmed within
// messagesKept, or those that were in it stay PENDING. Only what fails, or changes nothing, is
// written with its final status.
type Messages struct {
	items store.Items
	log   store.Log
	now   func() time.Time
}

// inRecord is the longest text that is kept in its record's item: a page of
// the log reads those items whole.
const inRecord = 32 << 10

// Put writes a message.
func (l Messages) Put(ctx context.Context, t store.Tenant, m Message, text []byte) error {
	expires := m.ReceivedAt.Add(messagesKept)
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(text) <= inRecord {
		body = append(append(body, '\n'), text...)
	} else {
		_, err := l.items.PutItem(ctx, t, store.Item{Kind: kindMessageBody, ID: m.ID, Body: text, Expires: expires}, store.ItemAny)
		if err != nil {
			return err
		}
	}
	_, err = l.items.PutItem(ctx, t, store.Item{
		Kind: kindMessage, ID: m.ID, Keys: m.keys(), Expires: expires, Body: body,
	}, store.ItemAny)
	return err
}

func decodeMessage(it store.Item) (m Message, text []byte, err error) {
	head, text, _ := bytes.Cut(it.Body, []byte{'\n'})
	if err = json.Unmarshal(head, &m); err != nil {
		return m, nil, fmt.Errorf("%s: %w", it.Kind, err)
	}
	return m, text, nil
}

func byTime(at time.Time) store.Key {
	return "t" + string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}

// Get returns a record.
func (l Messages) Get(ctx context.Context, t store.Tenant, id string) (Message, error) {
	m, _, err := l.read(ctx, t, id)
	if err != nil {
		return m, err
	}
	found := []Message{m}
	err = l.settle(ctx, t, found)
	return found[0], err
}

func (l Messages) read(ctx context.Context, t store.Tenant, id string) (m Message, text []byte, err error) {
	if store.CheckItem(kindMessage, id, nil) != nil {
		return m, nil, store.ErrNotFound
	}
	it, err := l.items.GetItem(ctx, t, kindMessage, id)
	if err != nil {
		return m, nil, err
	}
	return decodeMessage(it)
}

// Body returns a message's text as it was received.
func (l Messages) Body(ctx context.Context, t store.Tenant, id string) ([]byte, error) {
	_, text, err := l.Whole(ctx, t, id)
	return text, err
}

// Whole returns a message's record as it was written, and its text.
func (l Messages) Whole(ctx context.Context, t store.Tenant, id string) (Message, []byte, error) {
	m, text, err := l.read(ctx, t, id)
	if err != nil || m.Bytes <= inRecord {
		return m, text, err
	}
	it, err := l.items.GetItem(ctx, t, kindMessageBody, id)
	return m, it.Body, err
}

// List returns records, newest first, and where the next page begins.
func (l Messages) List(ctx context.Context, t store.Tenant, after string, limit int) ([]Message, string, error) {
	r := store.Prefix("t")
	page, err := l.items.ScanItems(ctx, t, store.ItemScan{Kind: kindMessage, Range: &r, Reverse: true, After: after, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	found := make([]Message, len(page.Items))
	for i, it := range page.Items {
		if found[i], _, err = decodeMessage(it); err != nil {
			return nil, "", err
		}
	}
	return found, page.Next, l.settle(ctx, t, found)
}

// settleWindow is how far behind a message's place in the log its commit is
// looked for: others commit while it waits for its turn, but not that many.
const settleWindow = 5000

// settle gives those that are PENDING and have been committed their end. One
// read of the log serves all messages of a time.
func (l Messages) settle(ctx context.Context, t store.Tenant, found []Message) error {
	var open []*Message
	for i := range found {
		if found[i].Status == notifications.Pending {
			open = append(open, &found[i])
		}
	}
	slices.SortFunc(open, func(a, b *Message) int { return cmp.Compare(a.After, b.After) })
	committed := map[string]store.Entry{}
	at := int64(0)
	for _, m := range open {
		at = max(at, m.After)
		for {
			if e, ok := committed[m.ID]; ok {
				event, _ := notifications.EventOf(e)
				m.Status, m.Seq, m.Resources = notifications.Succeeded, e.Seq, event.Resources
				break
			}
			if at-m.After >= settleWindow {
				break
			}
			entries, err := l.log.ReadLog(ctx, t, at, settlePage)
			if errors.Is(err, store.ErrTrimmed) {
				break // what became of it is not known any more
			}
			if err != nil {
				return err
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				if event, ok := notifications.EventOf(e); ok && event.Message != "" {
					committed[event.Message] = e
				}
				at = e.Seq
			}
		}
	}
	return nil
}

// settlePage is how many entries settle reads at a time.
const settlePage = 100
