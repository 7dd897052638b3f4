package repository

import (
	"context"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// CreateIfNone stores a new resource unless one matches the criteria, which
// is then returned with created false
// (https://hl7.org/fhir/R4/http.html#ccreate).
func (r *Repository) CreateIfNone(ctx context.Context, t store.Tenant, typ string, resource []byte, params []search.Parameter) (d store.Document, created bool, err error) {
	doc, err := r.checkWrittenType(ctx, t, typ, resource)
	if err != nil {
		return store.Document{}, false, err
	}
	p, err := r.prepare(ctx, t, store.Ref{Type: typ, ID: r.o.NewID()}, doc)
	if err != nil {
		return store.Document{}, false, err
	}
	err = retry(func() error {
		c, err := r.match(ctx, t, typ, params)
		switch {
		case err != nil:
			return err
		case c.count > 1:
			return several(typ)
		case c.count == 1:
			d, created = c.one, false
			return nil
		}
		d, created, err = r.write(ctx, t, p, store.Absent(), c.guard)
		return err
	})
	return d, created, err
}

// UpdateWhere updates the resource that matches the criteria, or creates one
// when none does (https://hl7.org/fhir/R4/http.html#cond-update). A version of
// 0 expects nothing.
func (r *Repository) UpdateWhere(ctx context.Context, t store.Tenant, typ string, resource []byte, params []search.Parameter, version int64) (d store.Document, created bool, err error) {
	doc, err := r.checkWrittenType(ctx, t, typ, resource)
	if err != nil {
		return store.Document{}, false, err
	}
	given := ""
	if m, ok := doc.Root().Member("id"); ok {
		given = m.String()
	}
	newID := r.o.NewID()
	err = retry(func() error {
		c, err := r.match(ctx, t, typ, params)
		if err != nil {
			return err
		}
		ref, err := c.target(typ, given, newID)
		if err != nil {
			return err
		}
		p, err := r.prepare(ctx, t, ref, doc)
		if err != nil {
			return err
		}
		d, created, err = r.write(ctx, t, p, expectVersion(version), c.guard)
		return err
	})
	return d, created, err
}

// target is the resource that a conditional update writes.
func (c criteria) target(typ, given, newID string) (store.Ref, error) {
	switch {
	case c.count > 1:
		return store.Ref{}, several(typ)
	case c.count == 0 && given == "":
		return store.Ref{Type: typ, ID: newID}, nil
	case c.count == 0:
		return store.Ref{Type: typ, ID: given}, nil
	case given != "" && given != c.one.Ref.ID:
		return store.Ref{}, outcome.BadRequest(outcome.CodeValue, "The id in the resource is not that of the resource that the criteria match.").At(typ + ".id")
	}
	return c.one.Ref, nil
}

// DeleteWhere deletes the resource that matches the criteria, if there is one
// (https://hl7.org/fhir/R4/http.html#3.1.0.7.1).
func (r *Repository) DeleteWhere(ctx context.Context, t store.Tenant, typ string, params []search.Parameter, version int64) (entry store.Entry, err error) {
	err = retry(func() error {
		c, err := r.match(ctx, t, typ, params)
		switch {
		case err != nil:
			return err
		case c.count > 1:
			return several(typ)
		case c.count == 0:
			entry = store.Entry{}
			return nil
		}
		entry, err = r.Commit(ctx, t, store.Commit{
			Source: SourceREST, Guards: []store.Guard{c.guard},
			Changes: []store.Change{{Ref: c.one.Ref, Expect: expectVersion(version)}},
		})
		return err
	})
	return entry, err
}
