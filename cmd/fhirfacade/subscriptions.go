package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/operate"
)

type subscriptionsCommand struct {
	adminFlags
	Organization string `help:"The organization." default:"sandbox"`
	Environment  string `help:"Its environment: Development, Staging or Production." default:"Production"`

	List   listSubscriptionsCommand  `cmd:"" help:"List subscriptions, their status and what waits."`
	Pause  pauseSubscriptionCommand  `cmd:"" help:"Stop deliveries; events wait."`
	Resume resumeSubscriptionCommand `cmd:"" help:"Deliver again, from where it stood."`
	Retry  retrySubscriptionCommand  `cmd:"" help:"Try the delivery that waits for its next attempt at once."`
	Replay replaySubscriptionCommand `cmd:"" help:"Deliver again from a log entry or a time on."`
	Skip   skipSubscriptionCommand   `cmd:"" help:"Give up on the delivery that stands in the way of the others."`
}

// Help is shown by fhirfacade subscriptions --help.
func (subscriptionsCommand) Help() string {
	return `Subscriptions of an environment, those of the exchange and Subscription resources (Subscription:{id}).

Examples:
  fhirfacade subscriptions list --environment Development
  fhirfacade subscriptions pause app
  fhirfacade subscriptions replay app --since 2026-03-02T09:00:00Z
  fhirfacade subscriptions skip app --reason "the app cannot read it, ticket 12"`
}

func (c subscriptionsCommand) subscriptions() operate.Subscriptions {
	return operate.Subscriptions{Client: c.client(), Organization: c.Organization, Environment: c.Environment}
}

type subscriptionID struct {
	ID string `arg:"" help:"The subscription's id, as list shows it."`
}

type (
	listSubscriptionsCommand  struct{}
	pauseSubscriptionCommand  struct{ subscriptionID }
	resumeSubscriptionCommand struct{ subscriptionID }
	retrySubscriptionCommand  struct{ subscriptionID }
	replaySubscriptionCommand struct {
		subscriptionID
		Seq   int64  `help:"The log entry, from 1 up." placeholder:"N"`
		Since string `help:"The time." placeholder:"2026-03-02T09:00:00Z"`
	}
	skipSubscriptionCommand struct {
		subscriptionID
		Reason string `help:"Why; it is kept with the delivery." required:""`
	}
)

func (listSubscriptionsCommand) Run(ctx context.Context, c *subscriptionsCommand) error {
	return c.subscriptions().List(ctx, time.Now(), os.Stdout)
}

func (p pauseSubscriptionCommand) Run(ctx context.Context, c *subscriptionsCommand) error {
	return c.subscriptions().Switch(ctx, p.ID, "pause", os.Stdout)
}

func (p resumeSubscriptionCommand) Run(ctx context.Context, c *subscriptionsCommand) error {
	return c.subscriptions().Switch(ctx, p.ID, "resume", os.Stdout)
}

func (p retrySubscriptionCommand) Run(ctx context.Context, c *subscriptionsCommand) error {
	return c.subscriptions().Switch(ctx, p.ID, "retry", os.Stdout)
}

func (p replaySubscriptionCommand) Run(ctx context.Context, c *subscriptionsCommand) error {
	var since time.Time
	if p.Since != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, p.Since); err != nil {
			return fmt.Errorf("--since: %q is no time such as 2026-03-02T09:00:00Z", p.Since)
		}
	}
	return c.subscriptions().Replay(ctx, p.ID, p.Seq, since, os.Stdout)
}

func (p skipSubscriptionCommand) Run(ctx context.Context, c *subscriptionsCommand) error {
	return c.subscriptions().Skip(ctx, p.ID, p.Reason, os.Stdout)
}
