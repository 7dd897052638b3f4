package exchange

import (
	"context"
	"log/slog"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/internal/auth"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// Options are the parts that an exchange works with.
type Options struct {
	Repository    *repository.Repository
	Store         store.Store
	Directory     *tenant.Directory
	Registry      *notifications.Registry
	Transmissions *notifications.Transmissions
	Sender        *notifications.Sender
	// Carrier reaches the destinations that take HL7 v2.
	Carrier *Carrier
	// RetryNow makes a waiting delivery try at once.
	RetryNow func(t store.Tenant, subscription string) bool
	// Backlog tells what subscriptions have not delivered yet.
	Backlog func(ctx context.Context) ([]notifications.Backlog, error)
	// NewKey makes an API key for a source.
	NewKey func(ctx context.Context, source string) (key, secret string, err error)
	// PutClient gives a source an OAuth client.
	PutClient func(ctx context.Context, source string, siblings []string, r auth.ClientRequest) (auth.Client, error)
	// PublicURL is the scheme and host that clients use; "" to take it from
	// requests.
	PublicURL string
	// Sandbox loosens the rules for one machine: http and loopback receivers,
	// and messages to destinations that are not subscribed.
	Sandbox bool
	Now     func() time.Time
	NewID   func() string
	Logger  *slog.Logger
	// Count, when set, is told of every message and how it ended.
	Count func(direction Direction, dataModel, eventType string, status notifications.Status)
}

// Exchange takes messages in.
type Exchange struct {
	o        Options
	sources  Sources
	messages Messages
}

// New makes an exchange.
func New(o Options) *Exchange {
	return &Exchange{o: o, sources: Sources{o.Store}, messages: Messages{o.Store, o.Store, o.Now}}
}

// Sources are the exchange's sources.
func (x *Exchange) Sources() Sources { return x.sources }

// RedoxMessage returns a message of the log as Redox JSON, for the
// destinations that take the data model: with the files that it names.
func (x *Exchange) RedoxMessage(ctx context.Context, t store.Tenant, id string) ([]byte, error) {
	m, text, err := x.messages.Whole(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if m.Format == formatFHIR && m.Direction == Writeback {
		return x.redoxOfWriteback(ctx, t, m, text)
	}
	if m.Format == formatHL7v2 {
		return x.redoxOfHL7v2(ctx, t, m, text)
	}
	return x.withFiles(ctx, t, m.Source, text)
}

// Deliver takes a message from a poller: it is the polling.Sink.
func (x *Exchange) Deliver(ctx context.Context, t store.Tenant, source string, message []byte) error {
	src, err := x.sources.Get(ctx, t, source)
	if err != nil {
		return err
	}
	if fhirmessage.Is(message) {
		_, err = x.IngestFHIR(ctx, t, src, message)
		return err
	}
	_, err = x.Ingest(ctx, t, src, message)
	return err
}

// options are what translations need to know of a source.
func (x *Exchange) options(t store.Tenant, src Source) (redox.Options, error) {
	organization, _ := tenant.Split(t)
	o := redox.Options{Slug: organization}
	if src.TimeZone != "" {
		zone, err := time.LoadLocation(src.TimeZone)
		if err != nil {
			return o, err
		}
		o.Zone = zone
	}
	return o, nil
}

func (x *Exchange) count(m Message) {
	if x.o.Count != nil {
		x.o.Count(m.Direction, m.DataModel, m.EventType, m.Status)
	}
}
