package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications"
)

// Subscriptions says which tenant's subscriptions are meant.
type Subscriptions struct {
	Client
	Organization, Environment string
}

func (s Subscriptions) path(rest string) string {
	return "/exchange/" + url.PathEscape(s.Organization) + "/" + url.PathEscape(s.Environment) + rest
}

// List writes a line for each subscription: its status, and what waits.
func (s Subscriptions) List(ctx context.Context, now time.Time, out io.Writer) error {
	var subs []notifications.Subscription
	if err := s.Do(ctx, http.MethodGet, s.path("/subscriptions"), nil, &subs); err != nil {
		return err
	}
	var backlog []struct {
		Subscription string
		Events       int
		More         bool
		Oldest       *time.Time
	}
	if err := s.Do(ctx, http.MethodGet, s.path("/backlog"), nil, &backlog); err != nil {
		return err
	}
	if len(subs) == 0 {
		fmt.Fprintln(out, "There are no subscriptions.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATUS\tWAITING\tOLDEST\tWHAT")
	for _, sub := range subs {
		waiting, oldest := "0", "-"
		for _, b := range backlog {
			if b.Subscription != sub.ID {
				continue
			}
			waiting = fmt.Sprint(b.Events)
			if b.More {
				waiting += "+"
			}
			if b.Oldest != nil && !b.Oldest.IsZero() {
				oldest = now.Sub(*b.Oldest).Round(time.Second).String()
			}
		}
		what := sub.DataModel + " to " + sub.Destination
		if sub.Resource != nil {
			what = sub.Resource.Criteria
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", sub.ID, sub.Status, waiting, oldest, what)
	}
	return w.Flush()
}

// Switch pauses, resumes or retries ("pause", "resume", "retry").
func (s Subscriptions) Switch(ctx context.Context, id, what string, out io.Writer) error {
	if err := s.Do(ctx, http.MethodPost, s.path("/subscriptions/"+url.PathEscape(id)+"/"+what), nil, nil); err != nil {
		return err
	}
	fmt.Fprintln(out, map[string]string{"pause": "Paused; events wait.", "resume": "Resumed.", "retry": "It is tried again now."}[what])
	return nil
}

// Replay delivers again from a log entry or a time on.
func (s Subscriptions) Replay(ctx context.Context, id string, seq int64, since time.Time, out io.Writer) error {
	in := map[string]any{}
	switch {
	case seq > 0 && since.IsZero():
		in["seq"] = seq
	case seq == 0 && !since.IsZero():
		in["since"] = since
	default:
		return errors.New("say from where: --seq or --since")
	}
	var answer struct{ From int64 }
	if err := s.Do(ctx, http.MethodPost, s.path("/subscriptions/"+url.PathEscape(id)+"/replay"), in, &answer); err != nil {
		return err
	}
	fmt.Fprintf(out, "Delivered again from log entry %d on.\n", answer.From)
	return nil
}

// ErrNothingWaits: there is no delivery to skip.
var ErrNothingWaits = errors.New("no delivery of this subscription stands in the way")

// Skip gives up on the delivery that a subscription stands at.
func (s Subscriptions) Skip(ctx context.Context, id, reason string, out io.Writer) error {
	var page struct{ Items []notifications.Transmission }
	if err := s.Do(ctx, http.MethodGet, s.path("/transmissions?limit=1&subscription="+url.QueryEscape(id)), nil, &page); err != nil {
		return err
	}
	if len(page.Items) == 0 || page.Items[0].Status != notifications.Pending {
		return ErrNothingWaits
	}
	tr := page.Items[0]
	if err := s.Do(ctx, http.MethodPost, s.path("/transmissions/"+url.PathEscape(tr.ID)+"/skip"), map[string]string{"reason": reason}, nil); err != nil {
		return err
	}
	fmt.Fprintf(out, "Skipped event %d after %d attempts.\n", tr.Number, tr.Total)
	return nil
}
