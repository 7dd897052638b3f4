package pebble

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// view is the current state of one tenant.
type view struct {
	e *Engine
	t *tenant
}

// States implements store.View. Most refs of a batch are new ones, that no
// file has: one iterator rules them out by the files' filters much quicker
// than a lookup of each.
func (v view) States(_ context.Context, refs []store.Ref) (map[store.Ref]store.State, error) {
	states := make(map[store.Ref]store.State, len(refs))
	names := make([]named, len(refs))
	for i, ref := range refs {
		names[i] = named{nameKey(v.t.id, ref), ref}
	}
	slices.SortFunc(names, func(a, b named) int { return bytes.Compare(a.key, b.key) })
	p := prefix(spaceName, v.t.id)
	it, err := v.e.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: end(p)})
	if err != nil {
		return nil, wrap(err)
	}
	defer it.Close()
	for _, n := range names {
		if !it.SeekPrefixGE(n.key) {
			if err := it.Error(); err != nil {
				return nil, wrap(err)
			}
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, wrap(err)
		}
		number, _, err := cutNumber(value)
		if err != nil {
			return nil, err
		}
		doc, _, err := byNumber(v.e.db, v.t.id, number, false)
		if err != nil {
			return nil, err
		}
		states[n.ref] = store.State{Number: number, Version: doc.Version, Deleted: doc.Deleted}
	}
	return states, nil
}

type named struct {
	key []byte
	ref store.Ref
}

// Find implements store.View.
func (v view) Find(ctx context.Context, where store.Clause, limit int) ([]store.Ref, error) {
	s := newSearcher(ctx, v.e, v.e.db, v.t.id)
	defer s.close()
	page, err := s.search(store.Query{Where: where, Limit: limit, RefsOnly: true})
	if err != nil {
		return nil, err
	}
	refs := make([]store.Ref, len(page.Documents))
	for i, d := range page.Documents {
		refs[i] = d.Ref
	}
	return refs, nil
}

// numberOf looks a document's number up. A number once given to a name stays
// with it, so that what the cache knows is always right; what it says of a
// document that a snapshot does not have yet is found out by the next lookup.
func (e *Engine) numberOf(r pebble.Reader, t tenantID, ref store.Ref) (int64, error) {
	if n, ok := e.names.get(t, ref); ok {
		return n, nil
	}
	v, closer, err := r.Get(nameKey(t, ref))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, store.ErrNotFound
	}
	if err != nil {
		return 0, wrap(err)
	}
	defer closer.Close()
	number, _, err := cutNumber(v)
	if err == nil {
		e.names.put(t, ref, number)
	}
	return number, err
}

// byNumber reads a current version.
func byNumber(r pebble.Reader, t tenantID, number int64, body bool) (store.Document, made, error) {
	return decoded(r, numberKey(spaceDocument, t, number), number, body)
}

func decoded(r pebble.Reader, key []byte, number int64, body bool) (store.Document, made, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return store.Document{}, made{}, store.ErrNotFound
	}
	if err != nil {
		return store.Document{}, made{}, wrap(err)
	}
	defer closer.Close()
	return decodeDocument(v, number, body)
}

func (e *Engine) document(r pebble.Reader, t tenantID, ref store.Ref, body bool) (store.Document, error) {
	number, err := e.numberOf(r, t, ref)
	if err != nil {
		return store.Document{}, err
	}
	d, _, err := byNumber(r, t, number, body)
	return d, err
}

// read runs f for a tenant that exists on an open store, if the call is right.
func (e *Engine) read(ctx context.Context, name store.Tenant, call error, f func(t *tenant) error) error {
	if err := cmp.Or(store.CheckTenant(name), call); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.inUse.Done()
	t := e.lookup(name)
	if t == nil {
		return errNoTenant
	}
	return f(t)
}

// errNoTenant is what read answers for a tenant that never wrote: for reads
// by name that is ErrNotFound, for the others an empty answer.
var errNoTenant = fmt.Errorf("%w: nothing of this tenant", store.ErrNotFound)

func emptyIfNew(err error) error {
	if errors.Is(err, errNoTenant) {
		return nil
	}
	return err
}

// Get implements store.Reader.
func (e *Engine) Get(ctx context.Context, name store.Tenant, ref store.Ref) (doc store.Document, err error) {
	err = e.read(ctx, name, store.CheckRef(ref), func(t *tenant) error {
		doc, err = e.document(e.db, t.id, ref, true)
		return err
	})
	return doc, err
}

// GetVersion implements store.Reader.
func (e *Engine) GetVersion(ctx context.Context, name store.Tenant, ref store.Ref, version int64) (doc store.Document, err error) {
	err = e.read(ctx, name, store.CheckRef(ref), func(t *tenant) error {
		snap := e.db.NewSnapshot()
		defer snap.Close()
		doc, err = e.document(snap, t.id, ref, true)
		if err == nil && doc.Version != version {
			doc, _, err = decoded(snap, versionKey(t.id, doc.Number, version), doc.Number, true)
		}
		return err
	})
	if err != nil {
		return store.Document{}, err
	}
	return doc, nil
}

// GetMany implements store.Reader.
func (e *Engine) GetMany(ctx context.Context, name store.Tenant, refs []store.Ref) ([]store.Document, error) {
	docs, _, err := e.GetSome(ctx, name, refs, math.MaxInt)
	return docs, err
}

// GetSome implements store.Reader.
func (e *Engine) GetSome(ctx context.Context, name store.Tenant, refs []store.Ref, maxBytes int) (docs []store.Document, done int, err error) {
	docs = make([]store.Document, 0, min(len(refs), 256))
	err = e.read(ctx, name, checkRefs(refs), func(t *tenant) error {
		size := 0
		for i, ref := range refs {
			doc, err := e.document(e.db, t.id, ref, true)
			switch {
			case errors.Is(err, store.ErrNotFound):
				continue
			case err != nil:
				return err
			}
			if size += len(doc.Body); size > maxBytes && len(docs) > 0 {
				done = i
				return nil
			}
			docs = append(docs, doc)
		}
		done = len(refs)
		return nil
	})
	if errors.Is(err, errNoTenant) {
		return nil, len(refs), nil
	}
	return docs, done, err
}

func checkRefs(refs []store.Ref) error {
	for _, ref := range refs {
		if err := store.CheckRef(ref); err != nil {
			return err
		}
	}
	return nil
}
