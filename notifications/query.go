package notifications

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/notifications/subscription"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

// Queries answers what Subscribers ask (Subscriptions R5 Backport IG, $status
// and $events).
type Queries struct {
	Store      store.Store
	Repository *repository.Repository
	Renderer   *Renderer
	Topics     *topic.Compiler
	Now        func() time.Time
	NewID      func() string
}

// mostStatuses and mostEvents bound an answer.
const (
	mostStatuses = 1000
	mostEvents   = 1000
)

// Status is $status: of the Subscription id, or with "" of those that the
// parameters id and status choose.
func (q *Queries) Status(ctx context.Context, t store.Tenant, id string, params []search.Parameter) ([]byte, error) {
	var ids, statuses []string
	for _, p := range params {
		switch p.Name {
		case "id":
			ids = append(ids, p.Value)
		case "status":
			statuses = append(statuses, p.Value)
		default:
			return nil, unknownParameter("$status", p.Name)
		}
	}
	var docs []store.Document
	switch {
	case id != "":
		doc, err := q.Repository.Read(ctx, t, store.Ref{Type: "Subscription", ID: id})
		if err != nil {
			return nil, err
		}
		docs, statuses = []store.Document{doc}, nil
	case len(ids) > 0:
		var refs []store.Ref
		for _, id := range ids {
			refs = append(refs, store.Ref{Type: "Subscription", ID: id})
		}
		found, err := q.Repository.GetMany(ctx, t, refs)
		if err != nil {
			return nil, err
		}
		docs = slices.DeleteFunc(found, func(d store.Document) bool { return d.Deleted })
	default:
		req, err := q.Repository.Parse(ctx, t, repository.Scope{Type: "Subscription"}, nil)
		if err != nil {
			return nil, err
		}
		if docs, err = q.Repository.Matching(ctx, t, req.Where, mostStatuses+1); err != nil {
			return nil, err
		}
		if len(docs) > mostStatuses {
			return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeTooCostly, "There are more than %d Subscriptions. Ask by id.", mostStatuses)
		}
	}
	var reports []subscription.Report
	for _, doc := range docs {
		s, err := specOf(doc)
		if err != nil {
			return nil, err
		}
		if len(statuses) > 0 && !slices.Contains(statuses, string(s.Status)) {
			continue
		}
		report, err := q.Renderer.report(ctx, t, s, subscription.QueryStatus)
		if err != nil {
			return nil, err
		}
		done, waiting, err := q.events(ctx, t, s)
		if err != nil {
			return nil, err
		}
		report.ID, report.Total = q.NewID(), done+int64(len(waiting))
		reports = append(reports, report)
	}
	return subscription.Searchset(q.NewID(), q.Now(), reports), nil
}

// specOf reads a stored Subscription. One that is not supported is told of as
// far as it goes.
func specOf(doc store.Document) (subscription.Spec, error) {
	parsed, err := rawjson.Parse(doc.Body, nil)
	if err != nil {
		return subscription.Spec{}, err
	}
	s, refused := subscription.Parse(parsed.Root(), subscription.Rules{PlainHTTP: true})
	if refused != nil {
		status, _ := parsed.Root().Member("status")
		s.ID, s.Status = doc.Ref.ID, subscription.Status(status.String())
	}
	return s, nil
}

// waitingEvent is an event that no delivery was tried of yet.
type waitingEvent struct {
	entry  store.Entry
	notice topic.Notice
}

// events are how many events a Subscription has had that were tried, and those
// behind them in the log.
func (q *Queries) events(ctx context.Context, t store.Tenant, s subscription.Spec) (done int64, waiting []waitingEvent, err error) {
	name := resourcePrefix + s.ID
	p, err := get[Position](ctx, q.Store, t, kindPosition, name)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Deleted {
		return 0, nil, nil // not taken up yet
	}
	if err != nil {
		return 0, nil, err
	}
	// Records are written before positions.
	from, part := p.Seq, 1<<31
	done = p.Number
	last, _, err := (&Transmissions{items: q.Store}).List(ctx, t, TransmissionFilter{Subscription: name, Limit: 1})
	if err != nil {
		return 0, nil, err
	}
	if len(last) > 0 && last[0].Seq > from {
		from, part = last[0].Seq, last[0].Part
	}
	if len(last) > 0 {
		done = max(done, last[0].Number)
	}
	head, err := q.Store.Head(ctx, t)
	if err != nil || from >= head && part == 1<<31 {
		return done, nil, err
	}
	watch, err := Watch(ctx, q.Topics, t, s)
	if err != nil {
		return 0, nil, err
	}
	for at := from - 1; at < head && len(waiting) < backlogScan; {
		entries, err := q.Store.ReadLog(ctx, t, max(at, 0), batch)
		if err != nil || len(entries) == 0 {
			return done, waiting, err
		}
		for _, e := range entries {
			at = e.Seq
			if e.Source == StatusSource || e.Seq < from {
				continue
			}
			l := logged{entry: e, look: topic.NewEntry(e)}
			l.event, l.known = EventOf(e)
			if !watch.Concerns(l.look, l.name()) {
				continue
			}
			notices, err := watch.Notices(ctx, q.Repository, t, l.look, l.named())
			if err != nil {
				return 0, nil, err
			}
			for i, n := range notices {
				if e.Seq > from || i > part {
					waiting = append(waiting, waitingEvent{e, n})
				}
			}
		}
	}
	return done, waiting, nil
}

// Events is $events: the events of a Subscription by their numbers.
func (q *Queries) Events(ctx context.Context, t store.Tenant, id string, params []search.Parameter) ([]byte, error) {
	since, until, level := int64(1), int64(1<<62), ""
	for _, p := range params {
		var err error
		switch p.Name {
		case "eventsSinceNumber":
			since, err = number(p)
		case "eventsUntilNumber":
			until, err = number(p)
		case "content":
			level = p.Value
		default:
			err = unknownParameter("$events", p.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	doc, err := q.Repository.Read(ctx, t, store.Ref{Type: "Subscription", ID: id})
	if err != nil {
		return nil, err
	}
	s, err := specOf(doc)
	if err != nil {
		return nil, err
	}
	if !s.Topic {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotSupported, "$events is for Subscriptions to topics; the criteria of this one are a search, which can be run.")
	}
	content, err := s.Content.AtMost(level)
	if err != nil {
		return nil, err
	}
	report, err := q.Renderer.report(ctx, t, s, subscription.QueryEvent)
	if err != nil {
		return nil, err
	}
	report.Content, report.ID, report.Time = content, q.NewID(), q.Now()
	done, waiting, err := q.events(ctx, t, s)
	if err != nil {
		return nil, err
	}
	report.Total = done + int64(len(waiting))
	if report.Events, err = q.tried(ctx, t, s, content, since, until); err != nil {
		return nil, err
	}
	for i, w := range waiting {
		n := done + 1 + int64(i)
		if n < since || n > until || len(report.Events) >= mostEvents {
			continue
		}
		e, err := q.Renderer.eventOf(ctx, t, content, w.entry, n, &w.notice)
		if err != nil {
			return nil, err
		}
		report.Events = append(report.Events, e)
	}
	return report.Bundle(q.NewID()), nil
}

// tried are the events of which a delivery was tried, from since to until.
func (q *Queries) tried(ctx context.Context, t store.Tenant, s subscription.Spec, content subscription.Content, since, until int64) ([]subscription.Event, error) {
	name := resourcePrefix + s.ID
	records, err := (&Transmissions{items: q.Store}).numbered(ctx, t, name, since, until, mostEvents)
	if err != nil {
		return nil, err
	}
	var all []subscription.Event
	for _, tr := range records {
		entry := store.Entry{Seq: tr.Seq, Time: *tr.Committed, Changes: []store.EntryChange{{Ref: tr.Notice.Focus, Version: tr.Notice.Version, Method: tr.Notice.Method}}}
		if len(tr.Notice.Context) > 0 || tr.Notice.Version == 0 {
			entry.Changes = nil
			// The log says which version of the others it was. Where it was
			// trimmed, it is the one before.
			found, err := q.Store.ReadLog(ctx, t, tr.Seq-1, 1)
			if err != nil && !errors.Is(err, store.ErrTrimmed) {
				return nil, err
			}
			if len(found) > 0 {
				entry = found[0]
			}
		}
		e, err := q.Renderer.eventOf(ctx, t, content, entry, tr.Number, tr.Notice)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func number(p search.Parameter) (int64, error) {
	n, err := strconv.ParseInt(p.Value, 10, 64)
	if err != nil || n < 0 {
		return 0, outcome.BadRequest(outcome.CodeValue, "%s must be the number of an event.", p.Name)
	}
	return n, nil
}

func unknownParameter(operation, _ string) error {
	return outcome.BadRequest(outcome.CodeNotSupported, "%s has no parameter of this name.", operation)
}
