package rest

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// history: R4 http §3.1.0.12, of an instance, a type or the tenant.
func (a *API) history(r *request) error {
	q := store.HistoryQuery{Type: r.typ, ID: r.id}
	self := url.Values{}
	for name, values := range r.Request.URL.Query() {
		value := values[len(values)-1]
		var err error
		switch name {
		case "_count":
			q.Limit, err = strconv.Atoi(value)
			if err != nil || q.Limit < 1 {
				return outcome.BadRequest(outcome.CodeValue, "The value of _count must be a whole number from 1 up.")
			}
		case "_since":
			if q.Since, err = time.Parse(time.RFC3339Nano, value); err != nil {
				return outcome.BadRequest(outcome.CodeValue, "The value of _since must be an instant: 2026-01-31T10:00:00Z.")
			}
		case "_page":
			if _, err = fmt.Sscanf(value, "%d-%d", &q.Before.Seq, &q.Before.Index); err != nil {
				return outcome.BadRequest(outcome.CodeValue, "The page link does not belong to this history.")
			}
			continue
		case "_format", "_pretty":
			continue
		default:
			return outcome.BadRequest(outcome.CodeNotSupported, "A history has no parameter %q here; it has _count and _since.", shorten(name))
		}
		self.Set(name, value)
	}
	page, err := a.o.Repository.History(r.Request.Context(), r.tenant, q)
	if err != nil {
		return err
	}
	at := r.base + "/" + strings.TrimPrefix(strings.Join([]string{r.typ, r.id, "_history"}, "/"), "//")
	at = strings.Replace(at, "//_history", "/_history", 1)
	links := []link{{"self", withValues(at, self)}}
	if page.Next != (store.HistoryCursor{}) {
		self.Set("_page", fmt.Sprintf("%d-%d", page.Next.Seq, page.Next.Index))
		links = append(links, link{"next", withValues(at, self)})
	}
	b := a.startBundle(r, "history", -1, links)
	for _, v := range page.Versions {
		b.version(r.base, v)
	}
	b.end()
	return nil
}

func withValues(u string, v url.Values) string {
	if len(v) == 0 {
		return u
	}
	return u + "?" + v.Encode()
}
