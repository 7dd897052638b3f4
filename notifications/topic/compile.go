package topic

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Compiler makes watches of what Subscriptions say.
type Compiler struct {
	Repository *repository.Repository
	Catalog    Catalog
	Path       PathContext
}

// Criteria is the watch of an R4 Subscription's criteria, "Observation?code=…"
// or "Observation": every create and update whose new version they select.
func (c *Compiler) Criteria(ctx context.Context, t store.Tenant, criteria string) (*Watch, error) {
	typ, query, _ := strings.Cut(criteria, "?")
	where, err := c.where(ctx, t, typ, query)
	if err != nil {
		return nil, at(err, "Subscription.criteria")
	}
	return &Watch{Path: c.Path, Triggers: []Trigger{{Type: typ, Create: true, Update: true, Current: where}}}, nil
}

// Topic is the watch of a topic with filters: all of them must be met.
func (c *Compiler) Topic(ctx context.Context, t store.Tenant, canonical string, filters []string) (*Watch, error) {
	def, err := c.Catalog.Topic(ctx, t, canonical)
	if errors.Is(err, store.ErrNotFound) {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotSupported,
			"criteria names a topic that is not known here. The CapabilityStatement lists those that are; others can be added as Basic.").At("Subscription.criteria")
	}
	if err != nil {
		return nil, err
	}
	w := &Watch{Path: c.Path}
	for _, d := range def.Triggers {
		tr, err := c.Trigger(ctx, t, d)
		if err != nil {
			return nil, err
		}
		w.Triggers = append(w.Triggers, tr)
	}
	for _, f := range filters {
		if err := c.filter(ctx, t, def, w, f); err != nil {
			return nil, at(err, "Subscription.criteria.extension")
		}
	}
	return w, nil
}

// Trigger compiles a trigger's definition.
func (c *Compiler) Trigger(ctx context.Context, t store.Tenant, d Definition) (Trigger, error) {
	tr := Trigger{
		Event: d.Event, Type: d.Type, Create: d.Create, Update: d.Update, Delete: d.Delete,
		RequireBoth: d.RequireBoth, PassesOnCreate: d.PassesOnCreate, PassesOnDelete: d.PassesOnDelete,
	}
	var err error
	if d.Current != "" {
		if tr.Current, err = c.where(ctx, t, d.Type, criteriaOf(d.Type, d.Current)); err != nil {
			return tr, err
		}
	}
	if d.Previous != "" {
		if tr.Previous, err = c.where(ctx, t, d.Type, criteriaOf(d.Type, d.Previous)); err != nil {
			return tr, err
		}
	}
	if d.Path != "" {
		if tr.Path, err = compilePath(d.Path); err != nil {
			return tr, err
		}
	}
	return tr, nil
}

// criteriaOf takes the type off criteria that begin with it.
func criteriaOf(typ, criteria string) string {
	return strings.TrimPrefix(criteria, typ+"?")
}

// filter adds one filter to the triggers that it is for.
func (c *Compiler) filter(ctx context.Context, t store.Tenant, def Topic, w *Watch, f string) error {
	typ, query := "", f
	name, _, ok := strings.Cut(f, "=")
	if !ok {
		return outcome.New(http.StatusUnprocessableEntity, outcome.CodeValue, "A filter is a search parameter and its value: patient=Patient/1, or Encounter.patient=Patient/1.")
	}
	// [Type]?[param]=v and [Type].[param]=v; a dot further on is a chain's.
	for _, sep := range "?." {
		if before, after, cut := strings.Cut(name, string(sep)); cut && c.Repository.Definitions().IsResourceType(before) {
			typ, query = before, after+f[len(name):]
			name = after
			break
		}
	}
	parameter, _, _ := strings.Cut(name, ":")
	if !def.canFilterBy(typ, parameter) {
		return outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotSupported, "The topic cannot be filtered by this parameter.")
	}
	found, refused := false, error(nil)
	var kept []Trigger
	for _, tr := range w.Triggers {
		if typ != "" && tr.Type != typ {
			kept = append(kept, tr)
			continue
		}
		where, err := c.where(ctx, t, tr.Type, query)
		if err != nil {
			// Of several types, those that have no such parameter do not pass.
			refused = err
			continue
		}
		if tr.Filter != nil {
			where = store.And{tr.Filter, where}
		}
		tr.Filter, found = where, true
		kept = append(kept, tr)
	}
	w.Triggers = kept
	if refused != nil && !found {
		return refused
	}
	if !found {
		return outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotSupported, "A filter is for a resource type that the topic does not speak of.")
	}
	return nil
}

// where compiles a search that only selects.
func (c *Compiler) where(ctx context.Context, t store.Tenant, typ, query string) (store.Clause, error) {
	if !c.Repository.Definitions().IsResourceType(typ) {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeValue,
			"Criteria begin with a resource type of R4 and may go on with '?' and search parameters: Observation?status=final.")
	}
	params, err := search.ParseQuery(query)
	if err != nil {
		return nil, unprocessable(err)
	}
	req, err := c.Repository.Parse(ctx, t, repository.Scope{Type: typ}, params)
	if err != nil {
		return nil, unprocessable(err)
	}
	if req.Criteria != len(params) || req.Contained != nil {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotSupported,
			"Criteria hold search parameters that select only, none that shape a result, such as _sort, _count or _include.")
	}
	return req.Where, nil
}

// unprocessable is a search's fault as one of the resource that holds it.
func unprocessable(err error) error {
	var e *outcome.Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest {
		return &outcome.Error{Status: http.StatusUnprocessableEntity, Issues: e.Issues}
	}
	return err
}

// at names the element that a fault is in.
func at(err error, element string) error {
	var e *outcome.Error
	if !errors.As(err, &e) {
		return err
	}
	issues := append([]outcome.Issue(nil), e.Issues...)
	for i := range issues {
		issues[i].Expression = element
	}
	return &outcome.Error{Status: e.Status, Issues: issues}
}
