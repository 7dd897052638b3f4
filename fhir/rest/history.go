package rest

import (
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// history: R4 http, history, of an instance, a type or the tenant.
func (a *API) history(r *request) error {
	q := store.HistoryQuery{Type: r.typ, ID: r.id}
	token, at := "", ""
	var applied []search.Parameter
	for _, p := range r.query {
		var err error
		switch p.Name {
		case "_count":
			q.Limit, err = strconv.Atoi(p.Value)
			if err != nil || q.Limit < 1 {
				return outcome.BadRequest(outcome.CodeValue, "The value of _count must be a whole number from 1 up.")
			}
		case "_since":
			if q.Since, err = time.Parse(time.RFC3339Nano, p.Value); err != nil {
				return outcome.BadRequest(outcome.CodeValue, "The value of _since must be an instant, with the + of a zone as %%2B: 2026-01-31T10:00:00Z.")
			}
		case "_at":
			at = p.Value
		case "_page":
			token = p.Value
			continue
		default:
			return outcome.BadRequest(outcome.CodeNotSupported, "A history has no parameter %q here; it has _count, _since and _at.", shorten(p.Name))
		}
		applied = append(applied, p)
	}
	page, next, err := a.versions(r, q, at, token)
	if err != nil {
		return err
	}
	self := r.base
	for _, segment := range [3]string{r.typ, r.id, "_history"} {
		if segment != "" {
			self += "/" + segment
		}
	}
	links := []link{{"self", search.AppendQuery(self, applied)}}
	if next != "" {
		links = append(links, link{"next", search.AppendQuery(self, append(applied, search.Parameter{Name: "_page", Value: next}))})
	}
	b := a.startBundle(r, "history", -1, links)
	for _, v := range page.Versions {
		b.version(r.base, v)
	}
	b.end()
	return nil
}

func (a *API) versions(r *request, q store.HistoryQuery, at, token string) (store.HistoryPage, string, error) {
	if at == "" {
		return a.o.Repository.History(r.Request.Context(), r.tenant, q, token)
	}
	from, to, err := search.ParseInterval("_at", at)
	if err != nil {
		return store.HistoryPage{}, "", err
	}
	return a.o.Repository.HistoryAt(r.Request.Context(), r.tenant, q, from, to, token)
}
