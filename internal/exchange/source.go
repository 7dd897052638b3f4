package exchange

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Source sends messages (Redox: sources). It belongs to one environment of
// one organization.
type Source struct {
	// ID is a UUID, unique in the server.
	ID   string `json:"id"`
	Name string `json:"name"`
	// TimeZone is where its times without an offset are meant; "" for UTC.
	TimeZone string `json:"timeZone,omitempty"`
}

// Kinds of items. A source's tenant is found by its id in the System tenant.
const (
	kindSource       = "source"
	kindSourceTenant = "source-tenant"
)

// ErrUnknownSource: no source has this id.
var ErrUnknownSource = errors.New("unknown source")

// sourceNamespace makes the ids of the sources that come with an environment.
var sourceNamespace = uuid.MustParse("5d8d5a1e-3a86-5b0e-8d27-1c5f3a0d9a77")

// DefaultSourceID is the id of the source that every environment starts with.
func DefaultSourceID(t store.Tenant) string {
	return uuid.NewSHA1(sourceNamespace, []byte(t)).String()
}

// Sources keeps sources.
type Sources struct{ items store.Items }

// Put writes a source whole.
func (s Sources) Put(ctx context.Context, t store.Tenant, src Source) error {
	_, err := s.items.PutItem(ctx, store.System, store.Item{Kind: kindSourceTenant, ID: src.ID, Body: []byte(t)}, 0)
	if errors.Is(err, store.ErrConflict) {
		at, lookup := s.Tenant(ctx, src.ID)
		if lookup != nil {
			return lookup
		}
		if at != t {
			return ErrUnknownSource // it is another tenant's
		}
	} else if err != nil {
		return err
	}
	return documents.Put(ctx, s.items, t, store.Item{Kind: kindSource, ID: src.ID}, src, store.ItemAny)
}

// Tenant finds whose a source is, or ErrUnknownSource.
func (s Sources) Tenant(ctx context.Context, id string) (store.Tenant, error) {
	if store.CheckItem(kindSource, id, nil) != nil {
		return "", ErrUnknownSource
	}
	it, err := s.items.GetItem(ctx, store.System, kindSourceTenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrUnknownSource
	}
	return store.Tenant(it.Body), err
}

// Get finds a source of a tenant, or ErrUnknownSource.
func (s Sources) Get(ctx context.Context, t store.Tenant, id string) (Source, error) {
	src, err := documents.Get[Source](ctx, s.items, t, kindSource, id)
	if errors.Is(err, store.ErrNotFound) {
		return src, ErrUnknownSource
	}
	return src, err
}

// List lists a tenant's sources by id.
func (s Sources) List(ctx context.Context, t store.Tenant) ([]Source, error) {
	return documents.List[Source](ctx, s.items, t, kindSource)
}

// EnsureDefaults gives every environment of an organization its first source.
func (s Sources) EnsureDefaults(ctx context.Context, organization string) error {
	for _, env := range tenant.Environments {
		t := tenant.Of(organization, env)
		id := DefaultSourceID(t)
		if _, err := s.Get(ctx, t, id); !errors.Is(err, ErrUnknownSource) {
			if err != nil {
				return err
			}
			continue
		}
		if err := s.Put(ctx, t, Source{ID: id, Name: organization + " " + env}); err != nil {
			return err
		}
	}
	return nil
}

// leave makes a source unknown to who names it by its id alone.
func (s Sources) leave(ctx context.Context, id string) error {
	return s.items.DeleteItem(ctx, store.System, kindSourceTenant, id, store.ItemAny)
}
