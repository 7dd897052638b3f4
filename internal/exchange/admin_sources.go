package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/internal/auth"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

func (x *Exchange) listSources(r *adminRequest) (any, error) {
	return x.sources.List(r.Request.Context(), r.tenant)
}

func (x *Exchange) putSource(r *adminRequest) (any, error) {
	var s Source
	if err := r.bind(&s); err != nil {
		return nil, err
	}
	if id := r.Param("id"); id != "" {
		s.ID = id
	} else if s.ID == "" {
		s.ID = x.o.NewID()
	}
	if s.Name == "" {
		return nil, &notifications.FieldError{Field: "name", Rule: "is required"}
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		return nil, &notifications.FieldError{Field: "timeZone", Rule: "must be a name of the IANA time zone database, such as America/New_York"}
	}
	return s, x.sources.Put(r.Request.Context(), r.tenant, s)
}

// newKey makes an API key for a source (Redox: legacy API keys).
func (x *Exchange) newKey(r *adminRequest) (any, error) {
	src, err := x.sources.Get(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	key, secret, err := x.o.NewKey(r.Request.Context(), src.ID)
	return gin.H{"source": src.ID, "apiKey": key, "secret": secret}, err
}

// newClient gives a source an OAuth client (Redox: OAuth API keys).
func (x *Exchange) newClient(r *adminRequest) (any, error) {
	var in auth.ClientRequest
	if err := r.bind(&in); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	src, err := x.sources.Get(ctx, r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	all, err := x.sources.List(ctx, r.tenant)
	if err != nil {
		return nil, err
	}
	var siblings []string
	for _, s := range all {
		siblings = append(siblings, s.ID)
	}
	client, err := x.o.PutClient(ctx, src.ID, siblings, in)
	var wrong *auth.ErrClient
	if errors.As(err, &wrong) {
		return nil, &notifications.FieldError{Field: wrong.Field, Rule: wrong.Rule}
	}
	return client, err
}

// checkSource reports a source that is named elsewhere and is not there.
func (x *Exchange) checkSource(ctx context.Context, t store.Tenant, id string) error {
	_, err := x.sources.Get(ctx, t, id)
	if errors.Is(err, ErrUnknownSource) {
		return &notifications.FieldError{Field: "source", Rule: "names no source of this environment"}
	}
	return err
}
