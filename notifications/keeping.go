package notifications

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/notifications/subscription"
	"github.com/fhirfacade/fhirfacade/store"
)

// reconcile makes the registry what a Subscription says now. A new one begins
// behind the log entry seq.
func (w *keeping) reconcile(ctx context.Context, id string, seq int64) error {
	o := &w.k.o
	w.end(id)
	name := resourcePrefix + id
	doc, err := o.Store.Get(ctx, w.tenant, store.Ref{Type: "Subscription", ID: id})
	if errors.Is(err, store.ErrNotFound) || err == nil && doc.Deleted {
		if err := o.Registry.DeleteSubscription(ctx, w.tenant, name); err != nil {
			return err
		}
		err := o.Registry.DeleteDestination(ctx, w.tenant, name)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	parsed, err := rawjson.Parse(doc.Body, nil)
	if err != nil {
		return err
	}
	spec, refused := subscription.Parse(parsed.Root(), subscription.Rules{PlainHTTP: true})
	status, _ := parsed.Root().Member("status")
	spec.Status = subscription.Status(status.String())
	if refused != nil && spec.Status != subscription.Off {
		// Written before Subscriptions were looked at, or by an older program.
		return w.k.setStatus(ctx, w.tenant, id, doc.Version, subscription.Error, "this Subscription is not supported: "+refused.Error())
	}
	known, err := o.Registry.Subscription(ctx, w.tenant, name)
	exists := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if spec.Status == subscription.Off {
		if !exists || known.Paused {
			return nil
		}
		known.Paused = true
		return o.Registry.PutSubscription(ctx, w.tenant, known, 0)
	}
	d := Destination{
		ID: name, Name: name, URL: spec.Endpoint, TimeoutSeconds: spec.Timeout, Verified: spec.Status != subscription.Requested,
	}
	if was, err := o.Registry.Destination(ctx, w.tenant, name); err != nil || !reflect.DeepEqual(was, d) {
		if err := o.Registry.PutDestination(ctx, w.tenant, d); err != nil {
			return err
		}
	}
	kept := spec
	kept.Status = ""
	if s := (Subscription{ID: name, Destination: name, DataModel: "*", Resource: &kept}); !exists ||
		!reflect.DeepEqual(known.Resource, s.Resource) || spec.Status == subscription.Requested && known.Paused {
		if err := o.Registry.PutSubscription(ctx, w.tenant, s, seq); err != nil {
			return err
		}
	}
	w.start(ctx, spec, doc.Version, d)
	return nil
}

// start begins what is done for a Subscription besides its queue.
func (w *keeping) start(ctx context.Context, s subscription.Spec, version int64, d Destination) {
	r := &running{done: make(chan struct{})}
	var tctx context.Context
	tctx, r.stop = context.WithCancel(ctx)
	w.tasks[s.ID] = r
	go func() {
		defer close(r.done)
		if err := w.attend(tctx, s, version, d); err != nil && tctx.Err() == nil {
			w.logger.Error("a Subscription is not attended to", "subscription", s.ID, "error", err)
		}
	}()
}

func (w *keeping) end(id string) {
	if r := w.tasks[id]; r != nil {
		r.stop()
		<-r.done
		delete(w.tasks, id)
	}
}

// attend makes the handshake of a Subscription that is requested, sends
// heartbeats, and switches it off at its end.
func (w *keeping) attend(ctx context.Context, s subscription.Spec, version int64, d Destination) error {
	o := &w.k.o
	if s.Status == subscription.Requested {
		select {
		case <-o.After(o.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
		reason, err := w.handshake(ctx, s, d)
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if reason != "" {
			return w.k.setStatus(ctx, w.tenant, s.ID, version, subscription.Error, "handshake: "+reason)
		}
		if err := w.k.setStatus(ctx, w.tenant, s.ID, version, subscription.Active, ""); err != nil {
			return err
		}
		d.Verified = true
		if err := o.Registry.PutDestination(ctx, w.tenant, d); err != nil {
			return err
		}
	}
	var end <-chan time.Time
	if !s.End.IsZero() {
		end = o.After(until(o.Now(), s.End))
	}
	for {
		var beat <-chan time.Time
		if s.Heartbeat > 0 {
			beat = o.After(time.Duration(s.Heartbeat) * time.Second)
		}
		select {
		case <-end:
			return w.expire(ctx, s.ID)
		case <-beat:
			_, _ = w.say(ctx, s, d, subscription.Heartbeat) // one that is lost says as much as it should
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// expire switches a Subscription off that has reached its end.
func (w *keeping) expire(ctx context.Context, id string) error {
	name := resourcePrefix + id
	s, err := w.k.o.Registry.Subscription(ctx, w.tenant, name)
	if err != nil {
		return err
	}
	s.Paused = true
	if err := w.k.o.Registry.PutSubscription(ctx, w.tenant, s, 0); err != nil {
		return err
	}
	return w.k.update(ctx, w.tenant, id, func(subscription.Status) (subscription.Status, string, bool) {
		return subscription.Off, "", true
	})
}

// handshake asks whether the endpoint is there. reason is why it is not.
func (w *keeping) handshake(ctx context.Context, s subscription.Spec, d Destination) (reason string, err error) {
	if s.Topic {
		return w.say(ctx, s, d, subscription.Handshake)
	}
	// R4 has no handshake. OPTIONS changes nothing; an endpoint that does not
	// know it says so, which is an answer too.
	del := delivery{ID: w.k.o.NewID(), Method: http.MethodOptions, Headers: s.Headers}
	_, err = w.k.o.Sender.send(ctx, d, del)
	var f *Failure
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &f):
		return "", err
	case f.Status == http.StatusMethodNotAllowed, f.Status == http.StatusNotImplemented, f.Status == http.StatusBadRequest,
		f.Status == http.StatusNotFound && s.Payload != "": // the root of a service, which may have nothing there
		return "", nil
	}
	return f.Reason, nil
}

// say sends a handshake or a heartbeat.
func (w *keeping) say(ctx context.Context, s subscription.Spec, d Destination, kind subscription.Kind) (reason string, err error) {
	o := &w.k.o
	report, err := o.Renderer.report(ctx, w.tenant, s, kind)
	if err != nil {
		return "", err
	}
	p, err := get[Position](ctx, o.Store, w.tenant, kindPosition, resourcePrefix+s.ID)
	if err != nil {
		return "", err
	}
	report.ID, report.Total, report.Time = o.NewID(), p.Number, o.Now()
	id := o.NewID()
	body, err := encoded(s, report.Bundle(id))
	if err != nil {
		return "", err
	}
	_, err = o.Sender.send(ctx, d, delivery{ID: id, Headers: s.Headers, ContentType: s.Payload, Body: body})
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason, nil
	}
	return "", err
}

// Outcome takes over how deliveries went: the status error is set by failures
// and taken back by the next acknowledgement, since queues lose nothing
// meanwhile.
func (k *Keeper) Outcome(ctx context.Context, t store.Tenant, s Subscription, o Outcome) {
	err := k.update(ctx, t, s.Resource.ID, func(was subscription.Status) (subscription.Status, string, bool) {
		switch {
		case o.Gone:
			return subscription.Off, o.Reason, was != subscription.Off
		case o.Failing:
			return subscription.Error, o.Reason, was == subscription.Active
		}
		return subscription.Active, "", was == subscription.Error
	})
	if err != nil && ctx.Err() == nil {
		k.o.Logger.Error("the status of a Subscription cannot be written", "tenant", t, "subscription", s.ID, "error", err)
	}
}

// update changes the status of a Subscription from what it is now.
func (k *Keeper) update(ctx context.Context, t store.Tenant, id string, decide func(was subscription.Status) (subscription.Status, string, bool)) error {
	for {
		doc, err := k.o.Store.Get(ctx, t, store.Ref{Type: "Subscription", ID: id})
		if errors.Is(err, store.ErrNotFound) || err == nil && doc.Deleted {
			return nil
		}
		if err != nil {
			return err
		}
		parsed, err := rawjson.Parse(doc.Body, nil)
		if err != nil {
			return err
		}
		was, _ := parsed.Root().Member("status")
		status, reason, change := decide(subscription.Status(was.String()))
		if !change {
			return nil
		}
		if err := k.replace(ctx, t, doc, status, reason); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// setStatus changes the status of one version of a Subscription. It fails with
// store.ErrConflict where there is another by now, which is looked at by itself.
func (k *Keeper) setStatus(ctx context.Context, t store.Tenant, id string, version int64, status subscription.Status, reason string) error {
	doc, err := k.o.Store.GetVersion(ctx, t, store.Ref{Type: "Subscription", ID: id}, version)
	if err != nil {
		return err
	}
	return k.replace(ctx, t, doc, status, reason)
}

func (k *Keeper) replace(ctx context.Context, t store.Tenant, doc store.Document, status subscription.Status, reason string) error {
	parsed, err := rawjson.Parse(doc.Body, nil)
	if err != nil {
		return err
	}
	body, err := subscription.WithStatus(parsed.Root(), status, reason)
	if err != nil {
		return err
	}
	_, err = k.o.Repository.Replace(ctx, t, doc.Ref, doc.Version, StatusSource, body)
	return err
}
