package polling

import (
	"context"
	"errors"

	"github.com/fhirfacade/fhirfacade/store"
)

// Sink takes messages in as if the source had pushed them.
type Sink interface {
	// Deliver commits a Redox or a FHIR message; nil means that it is committed. An
	// error with Permanent() true refuses the message itself: it is parked.
	// After any other error the same bytes are delivered again later, also
	// when the error came after the commit: Meta.Logs[0].ID, or
	// Bundle.id, tells a message
	// that was committed already.
	Deliver(ctx context.Context, tenant store.Tenant, source string, message []byte) error
}

// permanent reports whether a sink refused the message for good.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
