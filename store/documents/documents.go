// Package documents keeps values as items of a store, their bodies as JSON.
package documents

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fhirfacade/fhirfacade/store"
)

// pageSize is how many items List reads at once.
const pageSize = 500

// Get returns a value or store.ErrNotFound, also for an id that no item can
// have.
func Get[T any](ctx context.Context, items store.Items, t store.Tenant, kind, id string) (T, error) {
	var none T
	if store.CheckItem(kind, id, nil) != nil {
		return none, store.ErrNotFound
	}
	item, err := items.GetItem(ctx, t, kind, id)
	if err != nil {
		return none, err
	}
	return decode[T](item)
}

// Put writes a value as the body of an item that is otherwise given. expect
// is as in store.Items.
func Put[T any](ctx context.Context, items store.Items, t store.Tenant, item store.Item, value T, expect int64) error {
	var err error
	if item.Body, err = json.Marshal(value); err != nil {
		return fmt.Errorf("%s: %w", item.Kind, err)
	}
	_, err = items.PutItem(ctx, t, item, expect)
	return err
}

// List returns all values of a kind by id.
func List[T any](ctx context.Context, items store.Items, t store.Tenant, kind string) ([]T, error) {
	all := []T{}
	scan := store.ItemScan{Kind: kind, Limit: pageSize}
	for {
		page, next, err := Scan[T](ctx, items, t, scan)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			return all, nil
		}
		scan.After = next
	}
}

// Scan returns the values of one page of a scan, and where the next begins.
func Scan[T any](ctx context.Context, items store.Items, t store.Tenant, scan store.ItemScan) (values []T, next string, err error) {
	page, err := items.ScanItems(ctx, t, scan)
	if err != nil {
		return nil, "", err
	}
	values = make([]T, len(page.Items))
	for i, item := range page.Items {
		if values[i], err = decode[T](item); err != nil {
			return nil, "", err
		}
	}
	return values, page.Next, nil
}

func decode[T any](item store.Item) (value T, err error) {
	if err := json.Unmarshal(item.Body, &value); err != nil {
		return value, fmt.Errorf("%s: %w", item.Kind, err)
	}
	return value, nil
}
