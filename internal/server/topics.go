package server

import (
	"context"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/notifications/subscription"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

// handshakeDelay is the pause before a handshake: the client has the answer, and
// with it the id of its Subscription, by then.
const handshakeDelay = time.Second

// backportOperations is where the IG's operations are defined.
const backportOperations = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"

// subscriptionReads are the operations of Subscriptions.
func subscriptionReads(q *notifications.Queries) []rest.Read {
	return []rest.Read{
		{
			Type: "Subscription", Name: "status", Definition: backportOperations + "status", OnType: true, OnInstance: true,
			Run: func(ctx context.Context, c rest.ReadCall) ([]byte, error) {
				return q.Status(ctx, c.Tenant, c.ID, c.Parameters)
			},
		},
		{
			Type: "Subscription", Name: "events", Definition: backportOperations + "events", OnInstance: true,
			Run: func(ctx context.Context, c rest.ReadCall) ([]byte, error) {
				return q.Events(ctx, c.Tenant, c.ID, c.Parameters)
			},
		},
	}
}

// topics makes what FHIR Subscriptions stand on.
func (s *Server) topics(k *core, registry *notifications.Registry, sender *notifications.Sender, renderer *notifications.Renderer) {
	s.catalog = topic.Stored{
		Repository: k.repository,
		Others:     topic.BuiltIn{Definitions: k.definitions, Events: notifications.NamedEvents()},
	}
	s.compiler = &topic.Compiler{
		Repository: k.repository,
		Catalog:    s.catalog,
		Path:       topic.PathContext{Model: r4model.R4(), Now: time.Now},
	}
	s.keeper = notifications.NewKeeper(notifications.KeeperOptions{
		Store: s.store, Repository: k.repository, Registry: registry, Sender: sender, Renderer: renderer,
		Leases: k.leases, Topics: s.compiler,
		Rules: func(t store.Tenant) subscription.Rules {
			return subscription.Rules{PlainHTTP: s.config.Sandbox || notifications.EnvironmentOf(t) == notifications.Development}
		},
		Delay: handshakeDelay, Now: time.Now, After: time.After, NewID: newID, Logger: s.config.Logger,
	})
	s.queries = &notifications.Queries{
		Store: s.store, Repository: k.repository, Renderer: renderer, Topics: s.compiler, Now: time.Now, NewID: newID,
	}
	k.admission["Basic"] = s.compiler.Admit
	k.admission["Subscription"] = s.keeper.Admit
}
