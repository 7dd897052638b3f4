package exchange

import (
	"fmt"

	"github.com/fhirfacade/fhirfacade/notifications"
)

func (x *Exchange) listMessages(r *adminRequest) (any, error) {
	after, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	found, next, err := x.messages.List(r.Request.Context(), r.tenant, after, limit)
	return listed(found, next), err
}

func (x *Exchange) getMessage(r *adminRequest) (any, error) {
	m, err := x.messages.Get(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	sent, _, err := x.o.Transmissions.List(r.Request.Context(), r.tenant, notifications.TransmissionFilter{Message: m.ID, Limit: 1000})
	return struct {
		Message
		Transmissions []notifications.Transmission `json:"transmissions"`
	}{m, sent}, err
}

func (x *Exchange) getMessageBody(r *adminRequest) (any, error) {
	b, err := x.messages.Body(r.Request.Context(), r.tenant, r.Param("id"))
	return raw(b), err
}

func (x *Exchange) listTransmissions(r *adminRequest) (any, error) {
	after, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	found, next, err := x.o.Transmissions.List(r.Request.Context(), r.tenant, notifications.TransmissionFilter{
		Subscription: r.Query("subscription"), Message: r.Query("message"), After: after, Limit: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("transmissions: %w", err)
	}
	return listed(found, next), nil
}

func (x *Exchange) getTransmission(r *adminRequest) (any, error) {
	return x.o.Transmissions.Get(r.Request.Context(), r.tenant, r.Param("id"))
}
