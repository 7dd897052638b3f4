package server

import (
	"context"

	"github.com/fhirfacade/fhirfacade/internal/auth"
	"github.com/fhirfacade/fhirfacade/internal/exchange"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/internal/telemetry"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// embedded is the folder of the embedded store; "" for another.
func embedded(c Config) string {
	if c.MongoDBURI != "" {
		return ""
	}
	return c.Data
}

// subscriptions are the readers of logs that there are.
type subscriptions struct {
	registry *notifications.Registry
	keeper   *notifications.Keeper
}

func (s subscriptions) LogPositions(ctx context.Context, t store.Tenant) ([]maintenance.LogPosition, error) {
	standings, err := s.registry.Standings(ctx, t)
	all := make([]maintenance.LogPosition, 0, len(standings))
	for _, p := range standings {
		all = append(all, maintenance.LogPosition{Reader: "subscription " + p.Subscription, Status: string(p.Status), Seq: p.Seq})
	}
	if err != nil {
		return nil, err
	}
	seq, ok, err := s.keeper.Standing(ctx, t)
	if ok {
		all = append(all, maintenance.LogPosition{Reader: "Subscription resources", Status: string(notifications.Active), Seq: seq})
	}
	return all, err
}

// logsOf are the figures of logs for metrics.
func logsOf(r *maintenance.Runner) []telemetry.Log {
	states := r.LogStates()
	all := make([]telemetry.Log, 0, len(states))
	for _, s := range states {
		all = append(all, telemetry.Log{Tenant: s.Tenant, Floor: s.Floor, Head: s.Head, HeldBy: s.HeldBy, HeldSeconds: s.HeldFor})
	}
	return all
}

// dropper takes an organization out of all parts.
type dropper struct {
	directory   *tenant.Directory
	connections *exchange.Connections
	engine      *notifications.Engine
	keeper      *notifications.Keeper
	auth        *auth.Auth
}

func (d *dropper) Close(ctx context.Context, organization string, environments []string) error {
	return d.directory.Close(ctx, organization, environments)
}

func (d *dropper) Stop(ctx context.Context, t store.Tenant) error {
	sources, err := d.connections.Leave(ctx, t)
	if err != nil {
		return err
	}
	if err := d.auth.Forget(ctx, sources); err != nil {
		return err
	}
	if err := d.keeper.Forget(ctx, t); err != nil {
		return err
	}
	return d.engine.Quiet(ctx, t)
}

func (d *dropper) Remove(ctx context.Context, organization string, environments []string) error {
	if err := d.directory.Remove(ctx, organization, environments); err != nil {
		return err
	}
	if len(environments) == len(tenant.Environments) {
		return nil
	}
	// An environment that stays is as new: it has its first source.
	return d.connections.EnsureDefaults(ctx, organization)
}

func (d *dropper) Count(ctx context.Context, t store.Tenant) (map[string]int, error) {
	return d.connections.Count(ctx, t)
}
