package notifications

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/notifications/subscription"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

// resourcePrefix begins the ids of what belongs to a Subscription resource, in
// the registry.
const resourcePrefix = "Subscription:"

// CheckOwn refuses to change by hand what follows from a Subscription resource.
func CheckOwn(id string) error {
	if strings.HasPrefix(id, resourcePrefix) {
		return &FieldError{"id", "is of a FHIR Subscription: change the resource Subscription instead"}
	}
	return nil
}

// StatusSource is the source of the versions that the server makes of
// Subscriptions. Nobody is told of them, or telling would never end.
const StatusSource = "subscription-status"

// Outcome is how a FHIR Subscription fares.
type Outcome struct {
	// Failing says that deliveries fail, for the reason given; Gone that the
	// endpoint wants no more. Neither: the last one was acknowledged.
	Failing, Gone bool
	Reason        string
}

// outcome tells of what became of an attempt, where it says something new: the
// first acknowledgement of this queue or after a failure, the failure that
// somebody is alerted of, and each one where nothing is tried again.
func (q *queue) outcome(ctx context.Context, tr Transmission, next verdict, f *Failure) {
	if q.o.Outcome == nil || q.sub.Resource == nil {
		return
	}
	var o Outcome
	switch {
	case f == nil:
		if q.told {
			return
		}
		q.told = true
	case next == giveUp:
		o = Outcome{Gone: true, Reason: f.Reason}
	case tr.Status == Failed, tr.Failures == alertAfter+1:
		o, q.told = Outcome{Failing: true, Reason: f.Reason}, false
	default:
		q.told = false
		return
	}
	q.o.Outcome(ctx, q.tenant, q.sub, o)
}

// watch compiles what a Subscription waits for.
func (o *Options) watch(ctx context.Context, t store.Tenant, s subscription.Spec) (*topic.Watch, error) {
	if o.Topics == nil {
		return nil, errors.New("this engine has no topics")
	}
	return Watch(ctx, o.Topics, t, s)
}

// Watch compiles what a Subscription waits for.
func Watch(ctx context.Context, c *topic.Compiler, t store.Tenant, s subscription.Spec) (*topic.Watch, error) {
	if s.Topic {
		return c.Topic(ctx, t, s.Criteria, s.Filters)
	}
	return c.Criteria(ctx, t, s.Criteria)
}

// notification is what a FHIR Subscription is sent of an event.
func (r *Renderer) notification(ctx context.Context, t store.Tenant, s subscription.Spec, tr Transmission, of occurrence) (delivery, error) {
	d := delivery{ID: tr.ID, Headers: s.Headers, ContentType: s.Payload}
	n := of.notice
	if s.Topic {
		report, err := r.report(ctx, t, s, subscription.EventNotification)
		if err != nil {
			return d, err
		}
		event, err := r.eventOf(ctx, t, s.Content, of.entry, tr.Number, n)
		if err != nil {
			return d, err
		}
		report.Error = "" // this one arrives
		report.ID = uuid.NewSHA1(deliveries, []byte(tr.ID)).String()
		report.Total, report.Events, report.Time = tr.Number, []subscription.Event{event}, of.entry.Time
		d.Body, err = encoded(s, report.Bundle(tr.ID))
		return d, err
	}
	if s.Payload == "" {
		return d, nil // POST without a body: look for yourself
	}
	doc, err := r.Reader.GetVersion(ctx, t, n.Focus, n.Version)
	if err != nil {
		return d, err
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return d, err
	}
	d.Method, d.URL = http.MethodPut, u.JoinPath(n.Focus.Type, n.Focus.ID).String()
	d.Body, err = encoded(s, doc.Body)
	return d, err
}

// report begins a report on a Subscription as it is.
func (r *Renderer) report(ctx context.Context, t store.Tenant, s subscription.Spec, kind subscription.Kind) (subscription.Report, error) {
	report := subscription.Report{Base: r.Base(t), Spec: s, Content: s.Content, Kind: kind, Status: subscription.Active}
	doc, err := r.Reader.Get(ctx, t, store.Ref{Type: "Subscription", ID: s.ID})
	if err != nil || doc.Deleted {
		return report, err
	}
	parsed, err := rawjson.Parse(doc.Body, nil)
	if err != nil {
		return report, err
	}
	status, _ := parsed.Root().Member("status")
	failure, _ := parsed.Root().Member("error")
	report.Status, report.Error = subscription.Status(status.String()), failure.String()
	return report, nil
}

// eventOf is an event with what of its resources the content level holds.
func (r *Renderer) eventOf(ctx context.Context, t store.Tenant, c subscription.Content, entry store.Entry, number int64, n *topic.Notice) (subscription.Event, error) {
	e := subscription.Event{Number: number, Time: entry.Time, Focus: n.Focus.String(), Context: n.Context, Bodies: map[string][]byte{}}
	switch n.Method {
	case store.Create:
		e.Method = http.MethodPost
	case store.Delete:
		e.Method = http.MethodDelete
	default:
		e.Method = http.MethodPut
	}
	if c != subscription.FullResource {
		return e, nil
	}
	for _, ref := range append([]string{e.Focus}, e.Context...) {
		if ref == e.Focus && n.Method == store.Delete {
			continue
		}
		doc, err := r.asOf(ctx, t, ref, entry)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && doc.Deleted:
		case err != nil:
			return e, err
		default:
			e.Bodies[ref] = doc.Body
		}
	}
	return e, nil
}

// encoded is a resource in the format that a Subscription asks for.
func encoded(s subscription.Spec, resource []byte) ([]byte, error) {
	if !s.XML {
		return resource, nil
	}
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return nil, err
	}
	out, err := fhirxml.Append(nil, doc.Root(), fhirxml.Options{})
	return bytes.TrimSpace(out), err
}
