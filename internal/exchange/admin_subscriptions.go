package exchange

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

func (x *Exchange) listSubscriptions(r *adminRequest) (any, error) {
	return x.o.Registry.Subscriptions(r.Request.Context(), r.tenant)
}

func (x *Exchange) getSubscription(r *adminRequest) (any, error) {
	return x.o.Registry.Subscription(r.Request.Context(), r.tenant, r.Param("id"))
}

func (x *Exchange) putSubscription(r *adminRequest) (any, error) {
	var s notifications.Subscription
	if err := r.bind(&s); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	if id := r.Param("id"); id != "" {
		if _, err := x.o.Registry.Subscription(ctx, r.tenant, id); err != nil {
			return nil, err
		}
		s.ID = id
	} else if s.ID == "" {
		s.ID = x.o.NewID()
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if _, err := x.o.Registry.Destination(ctx, r.tenant, s.Destination); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = &notifications.FieldError{Field: "destination", Rule: "names no destination of this environment"}
		}
		return nil, err
	}
	if s.Source != "" {
		if err := x.checkSource(ctx, r.tenant, s.Source); err != nil {
			return nil, err
		}
	}
	head, err := x.o.Store.Head(ctx, r.tenant)
	if err != nil {
		return nil, err
	}
	return s, x.o.Registry.PutSubscription(ctx, r.tenant, s, head)
}

func (x *Exchange) deleteSubscription(r *adminRequest) (any, error) {
	if err := notifications.CheckOwn(r.Param("id")); err != nil {
		return nil, err
	}
	return nil, x.o.Registry.DeleteSubscription(r.Request.Context(), r.tenant, r.Param("id"))
}

func (x *Exchange) pause(paused bool) func(r *adminRequest) (any, error) {
	return func(r *adminRequest) (any, error) {
		s, err := x.o.Registry.Subscription(r.Request.Context(), r.tenant, r.Param("id"))
		if err != nil {
			return nil, err
		}
		s.Paused = paused
		return s, x.o.Registry.PutSubscription(r.Request.Context(), r.tenant, s, 0)
	}
}

func (x *Exchange) retrySubscription(r *adminRequest) (any, error) {
	if _, err := x.o.Registry.Subscription(r.Request.Context(), r.tenant, r.Param("id")); err != nil {
		return nil, err
	}
	if !x.o.RetryNow(r.tenant, r.Param("id")) {
		return nil, outcome.New(http.StatusConflict, outcome.CodeConflict, "This subscription's queue does not run here: it is paused, its destination is not verified, or another instance has it.")
	}
	return gin.H{"retry": "now"}, nil
}
