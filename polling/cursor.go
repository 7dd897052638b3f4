package polling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// kindCursor is the kind of the items that hold one action's cursor each.
const kindCursor = "polling.cursor"

// cursor is how far an action has come.
type cursor struct {
	Connection string    `json:"connection"`
	Action     string    `json:"action"`
	Cursor     string    `json:"cursor"`
	Fence      int64     `json:"fence"`
	Moved      time.Time `json:"moved"`

	version int64
}

func (s records) cursor(ctx context.Context) (*cursor, error) {
	c := &cursor{Connection: s.connection, Action: s.action}
	item, err := s.items.GetItem(ctx, s.tenant, kindCursor, s.itemID(""))
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("polling: read the cursor: %w", err)
	}
	if err := json.Unmarshal(item.Body, c); err != nil {
		return nil, errors.New("polling: the cursor's item cannot be read")
	}
	c.version = item.Version
	return c, nil
}

// move writes a cursor that is another one. It fails when another instance
// has moved it since it was read.
func (s records) move(ctx context.Context, c *cursor, to string, fence int64, now time.Time) error {
	if c.Fence > fence {
		return lease.ErrLost
	}
	if c.Cursor == to {
		return nil
	}
	next := *c
	next.Cursor, next.Fence, next.Moved = to, fence, now
	body, err := json.Marshal(next)
	if err != nil {
		return errors.New("polling: the cursor cannot be written as JSON")
	}
	item, err := s.items.PutItem(ctx, s.tenant, store.Item{Kind: kindCursor, ID: s.itemID(""), Body: body}, c.version)
	if err != nil {
		return fmt.Errorf("polling: write the cursor: %w", err)
	}
	next.version = item.Version
	*c = next
	return nil
}
