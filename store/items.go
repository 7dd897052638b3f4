package store

import (
	"context"
	"time"
)

// Item is a small document of the machinery.
type Item struct {
	// Kind and ID name the item within a tenant. Same rules as [Ref].
	Kind, ID string
	// Version counts the writes of this item since it was made; set by the
	// store. An item that was deleted or expired and is made again may start
	// over at 1.
	Version int64
	Body    []byte
	// Keys order the item among those of its kind in ScanItems. The store
	// returns them sorted and without duplicates.
	Keys []Key
	// Expires, when set, is when the item ceases to exist. An engine must not
	// return it afterwards; it may remove it later than that.
	Expires time.Time
}

// ItemAny, as the expected version of an item, expects nothing.
const ItemAny int64 = -1

// ItemScan asks for items of one kind in the order of a key and then of the
// ID, or by ID alone when Range is nil. An item with several keys in Range is
// returned once for each.
type ItemScan struct {
	Kind  string
	Range *Range
	// Reverse returns them from the greatest down.
	Reverse bool
	// After continues behind a page's Next.
	After string
	// Limit is the most items returned; at least 1.
	Limit int
}

// ItemPage is a part of a scan. Next is "" when nothing follows.
type ItemPage struct {
	Items []Item
	Next  string
}

// Items keeps small documents, each atomic and durable by itself.
type Items interface {
	// GetItem returns an item or ErrNotFound.
	GetItem(ctx context.Context, tenant Tenant, kind, id string) (Item, error)

	// PutItem writes an item whole. expect is the version that must be
	// current, 0 for "must not exist", ItemAny for either; when it does not
	// hold the error is a *ConflictError, with the item's kind and id as Ref. The item is returned with its version.
	PutItem(ctx context.Context, tenant Tenant, item Item, expect int64) (Item, error)

	// DeleteItem removes an item. Removing what is not there succeeds with
	// ItemAny and is ErrConflict otherwise.
	DeleteItem(ctx context.Context, tenant Tenant, kind, id string, expect int64) error

	// ScanItems returns items in order.
	ScanItems(ctx context.Context, tenant Tenant, scan ItemScan) (ItemPage, error)
}
