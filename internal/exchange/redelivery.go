package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// byContent finds the messages of a source that are the same byte for byte.
func byContent(source string, raw []byte) store.Key {
	h := sha256.New()
	h.Write([]byte(source))
	h.Write([]byte{0})
	h.Write(raw)
	return "h" + string(h.Sum(nil))
}

// distinct reports whether a message says which one it is, by an id or by the
// time of its event: two of the same text are then one message that was sent
// twice, and not something that happened twice.
func distinct(m *redox.Meta) bool {
	return m.EventDateTime != "" || m.Message != nil && m.Message.ID != "" || len(m.Logs) > 0 && m.Logs[0].ID != ""
}

// redelivered returns the message of the log that a text is a repetition of.
// ok is false when there is none, or only such as failed.
func (l Messages) redelivered(ctx context.Context, t store.Tenant, content store.Key) (m Message, ok bool, err error) {
	r := store.Exactly(content)
	page, err := l.items.ScanItems(ctx, t, store.ItemScan{Kind: kindMessage, Range: &r, Limit: redeliveries})
	if err != nil || len(page.Items) == 0 {
		return m, false, err
	}
	found := make([]Message, len(page.Items))
	for i, it := range page.Items {
		if found[i], _, err = decodeMessage(it); err != nil {
			return m, false, err
		}
	}
	if err := l.settle(ctx, t, found); err != nil {
		return m, false, err
	}
	for _, m := range found {
		if m.Status == notifications.Succeeded && m.Repeats == "" {
			return m, true, nil
		}
	}
	return m, false, nil
}

// redeliveries is how many messages of one text are looked at for one that
// succeeded.
const redeliveries = 20

// byRecord orders the messages of a source that said of a resource what was
// known, by the time of their events.
func byRecord(ref store.Ref, source string) store.Key {
	return "r" + ref.String() + "\x00" + source + "\x00"
}

// lastRepeated is the latest time at which a source repeated what was known of
// a resource; zero when it did not while messages are kept.
func (l Messages) lastRepeated(ctx context.Context, t store.Tenant, ref store.Ref, source string) (time.Time, error) {
	r := store.Prefix(byRecord(ref, source))
	page, err := l.items.ScanItems(ctx, t, store.ItemScan{Kind: kindMessage, Range: &r, Reverse: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return time.Time{}, err
	}
	m, _, err := decodeMessage(page.Items[0])
	if err != nil || m.EventAt == nil {
		return time.Time{}, err
	}
	return *m.EventAt, nil
}

func bigEndian(at time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}
