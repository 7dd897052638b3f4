package rest

import (
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// history: R4 http, history, of an instance, a type or the tenant.
func (a *API) history(r *request) error {
	q := store.HistoryQuery{Type: r.typ, ID: r.id}
	token := ""
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
		case "_page":
			token = p.Value
			continue
		default:
			return outcome.BadRequest(outcome.CodeNotSupported, "A history has no parameter %q here; it has _count and _since.", shorten(p.Name))
		}
		applied = append(applied, p)
	}
	page, next, err := a.o.Repository.History(r.Request.Context(), r.tenant, q, token)
	if err != nil {
		return err
	}
	at := r.base
	for _, segment := range [3]string{r.typ, r.id, "_history"} {
		if segment != "" {
			at = strings.Join([]string{at, segment}, "/")
		}
	}
	links := []link{{"self", search.AppendQuery(at, applied)}}
	if next != "" {
		links = append(links, link{"next", search.AppendQuery(at, append(applied, search.Parameter{Name: "_page", Value: next}))})
	}
	b := a.startBundle(r, "history", -1, links)
	for _, v := range page.Versions {
		b.version(r.base, v)
	}
	b.end()
	return nil
}
