package exchange

import (
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/notifications"
)

// replaySubscription makes a subscription deliver again, from a log entry or
// from a time on.
func (x *Exchange) replaySubscription(r *adminRequest) (any, error) {
	var in struct {
		Seq   int64      `json:"seq"`
		Since *time.Time `json:"since"`
	}
	if err := r.bind(&in); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	if _, err := x.o.Registry.Subscription(ctx, r.tenant, r.Param("id")); err != nil {
		return nil, err
	}
	switch {
	case in.Since == nil && in.Seq < 1:
		return nil, &notifications.FieldError{Field: "seq", Rule: "is required, from 1 up, unless since is given"}
	case in.Since != nil:
		var err error
		if in.Seq, err = notifications.SeqAt(ctx, x.o.Store, r.tenant, *in.Since); err != nil {
			return nil, err
		}
	}
	from, err := x.o.Registry.Replay(ctx, r.tenant, r.Param("id"), in.Seq)
	return gin.H{"from": from}, err
}

// skipTransmission gives up on one delivery, so that those behind it go on.
func (x *Exchange) skipTransmission(r *adminRequest) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := r.bind(&in); err != nil {
		return nil, err
	}
	if in.Reason == "" {
		return nil, &notifications.FieldError{Field: "reason", Rule: "is required: it is kept with the transmission"}
	}
	ctx, id := r.Request.Context(), r.Param("id")
	if _, err := x.o.Transmissions.Get(ctx, r.tenant, id); err != nil {
		return nil, err
	}
	if err := x.o.Registry.Skip(ctx, r.tenant, x.o.Transmissions, id, in.Reason); err != nil {
		return nil, err
	}
	skipped, err := x.o.Transmissions.Get(ctx, r.tenant, id)
	if err == nil && skipped.Message != "" {
		err = x.writebackSkipped(ctx, r.tenant, skipped)
	}
	return skipped, err
}

// waiting is the backlog of one subscription.
type waiting struct {
	Subscription string              `json:"subscription"`
	Status       notifications.State `json:"status,omitempty"`
	Seq          int64               `json:"seq"`
	Head         int64               `json:"head"`
	Events       int                 `json:"events"`
	// More says that Events is only what was counted.
	More   bool       `json:"more,omitempty"`
	Oldest *time.Time `json:"oldest,omitempty"`
}

func (x *Exchange) backlog(r *adminRequest) (any, error) {
	all, err := x.o.Backlog(r.Request.Context())
	mine := []waiting{}
	for _, b := range all {
		if b.Tenant == r.tenant {
			mine = append(mine, waiting{b.Subscription, b.Status, b.Seq, b.Head, b.Events, b.More, at(b.Oldest)})
		}
	}
	return mine, err
}
