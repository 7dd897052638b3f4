package repository

import (
	"context"
	"errors"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/store"
)

// index is what a tenant's resources are extracted by now.
func (r *Repository) index(t store.Tenant) *search.Index {
	if x := r.o.Parameters.Current(t); x != nil {
		return x
	}
	return r.o.Index
}

// contentKeys are the keys of a resource that do not depend on its version.
// The _id key is made from the id that the resource is stored under. With
// versionKeys, this is the one way in which keys are made.
func (r *Repository) contentKeys(x *search.Index, t store.Tenant, ref store.Ref, resource rawjson.Node) ([]store.Key, error) {
	keys, err := x.Keys(ref.Type, resource, r.base(t))
	if err != nil {
		return nil, err
	}
	return append(keys, x.IDKeys(ref)...), nil
}

// versionKeys are all keys of a version.
func (r *Repository) versionKeys(typ string, made time.Time, content []store.Key) []store.Key {
	keys := make([]store.Key, 0, len(content)+3)
	return append(append(keys, content...), r.o.Index.VersionKeys(typ, made)...)
}

// currentKeys are the keys by what is extracted now, which may have become
// more since the resource was prepared.
func (p *Prepared) currentKeys() []store.Key {
	x := p.repo.index(p.tenant)
	if x == p.index {
		return p.keys
	}
	keys, err := p.repo.contentKeys(x, p.tenant, p.Ref, p.doc.Root())
	if err != nil {
		return p.keys // the reindexing of its type meets the same error and says so
	}
	return keys
}

// Commit commits prepared changes as one event.
func (r *Repository) Commit(ctx context.Context, t store.Tenant, c store.Commit) (store.Entry, error) {
	use, err := r.o.Parameters.Begin(ctx, t)
	if err != nil {
		return store.Entry{}, err
	}
	entry, err := r.o.Store.Commit(ctx, t, c)
	outdated, ended := use.End(ctx)
	if err != nil {
		return entry, err
	}
	if outdated {
		ended = errors.Join(ended, r.amend(ctx, t, entry))
	}
	if ended != nil {
		return entry, ended
	}
	for _, ch := range c.Changes {
		if ch.Ref.Type == parameters.Type {
			r.o.Parameters.Written(ctx, t)
			break
		}
	}
	return entry, nil
}

// amend gives what a commit wrote its keys anew.
func (r *Repository) amend(ctx context.Context, t store.Tenant, entry store.Entry) error {
	refs := make([]store.Ref, 0, len(entry.Changes))
	for _, ch := range entry.Changes {
		refs = append(refs, ch.Ref)
	}
	docs, err := r.o.Store.GetMany(ctx, t, refs)
	if err != nil {
		return err
	}
	_, err = r.Rekey(ctx, t, docs)
	return err
}

// Unindexable is a resource that a search parameter cannot be extracted from.
type Unindexable struct {
	Ref store.Ref
	Err error
}

// Rekey gives documents the keys that they would get if they were written now.
// Those that cannot be indexed keep the keys that they have and are returned.
func (r *Repository) Rekey(ctx context.Context, t store.Tenant, docs []store.Document) ([]Unindexable, error) {
	x := r.index(t)
	var failed []Unindexable
	changes := make([]store.KeyChange, 0, len(docs))
	for _, d := range docs {
		if d.Deleted {
			continue
		}
		doc, err := rawjson.Parse(d.Body, nil)
		if err != nil {
			return failed, err
		}
		keys, err := r.contentKeys(x, t, d.Ref, doc.Root())
		var refused *outcome.Error
		if errors.As(err, &refused) {
			failed = append(failed, Unindexable{d.Ref, err})
			continue
		}
		if err != nil {
			return failed, err
		}
		changes = append(changes, store.KeyChange{Ref: d.Ref, Version: d.Version, Keys: r.versionKeys(d.Ref.Type, d.Time, keys)})
	}
	if len(changes) == 0 {
		return failed, nil
	}
	_, err := r.o.Store.Rekey(ctx, t, changes)
	return failed, err
}

// DefinitionsOf are the definitions that a tenant's searches go by: FHIR's
// and the search parameters that the tenant has defined.
func (r *Repository) DefinitionsOf(ctx context.Context, t store.Tenant) (*conformance.Definitions, error) {
	view, err := r.o.Parameters.View(ctx, t)
	if err != nil {
		return nil, err
	}
	return view.Definitions, nil
}
