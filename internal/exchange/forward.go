package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// moduleDestination is named by the errors of a system that was asked.
const moduleDestination = "Destination Response"

// asked is the live system that a query goes to; nil where it is answered from
// the store. A query goes to one destination: the one that it names, which
// must be subscribed, or the only live one that is.
func (x *Exchange) asked(ctx context.Context, t store.Tenant, src Source, m *redox.Message) (*notifications.Destination, error) {
	var named string
	for _, d := range m.Meta().Destinations {
		if d.ID == "" || d.ID == named {
			continue
		}
		if named != "" {
			return nil, failure(http.StatusBadRequest, moduleSubscriptions, "A query goes to exactly one destination. Meta.Destinations names several.")
		}
		named = d.ID
	}
	subs, err := x.o.Registry.Subscriptions(ctx, t)
	if err != nil {
		return nil, err
	}
	subscribed := false
	var live *notifications.Destination
	for _, s := range subs {
		if s.Writebacks || s.Source != "" && s.Source != src.ID || s.DataModel != "*" && s.DataModel != m.DataModel ||
			named != "" && s.Destination != named || live != nil && live.ID == s.Destination {
			continue
		}
		subscribed = true
		d, err := x.o.Registry.Destination(ctx, t, s.Destination)
		if err != nil {
			return nil, err
		}
		if !d.Live {
			continue
		}
		if live != nil {
			return nil, failure(http.StatusBadRequest, moduleSubscriptions, "A query goes to exactly one destination. Several are subscribed: name one in Meta.Destinations.")
		}
		live = &d
	}
	switch {
	case named != "" && !subscribed && !x.o.Sandbox:
		return nil, failure(http.StatusBadRequest, moduleSubscriptions, noSubscriptions)
	case live != nil && !live.Verified:
		return nil, failure(http.StatusBadRequest, moduleSubscriptions, "The destination has not been verified.")
	}
	return live, nil
}

// forward asks a live system and returns its answer in the data model, with
// the Meta of this exchange.
func (x *Exchange) forward(ctx context.Context, src Source, d *notifications.Destination, m *redox.Message, raw []byte) ([]byte, error) {
	id := x.o.NewID()
	type object = map[string]any
	parties := func(model, event string) map[string]any {
		return object{"DataModel": model, "EventType": event, "Source": object{"ID": src.ID, "Name": src.Name},
			"Destinations": []object{{"ID": d.ID, "Name": d.Name}}, "Logs": []object{{"ID": id, "AttemptID": id}}}
	}
	question, err := withMeta(raw, parties(m.DataModel, m.EventType))
	if err != nil {
		return nil, err
	}
	status, reply, err := x.o.Sender.Ask(ctx, *d, id, question)
	var failed *notifications.Failure
	switch {
	case errors.Is(err, notifications.ErrNoAnswer):
		return nil, destinationError(http.StatusGatewayTimeout, "Destination did not answer in time.", 0, "")
	case errors.As(err, &failed):
		return nil, destinationError(http.StatusBadGateway, "Destination could not be reached.", 0, failed.Reason)
	case err != nil:
		return nil, err
	case status >= http.StatusMultipleChoices:
		return nil, destinationError(http.StatusOK, "Destination returned an error response.", status, "")
	}
	if hasErrors(reply) {
		return withMeta(reply, parties(m.DataModel, m.ResponseEvent()))
	}
	answer, err := redox.ParseResponse(reply, m.DataModel, m.ResponseEvent())
	if err != nil {
		f := failureOf(err)
		details := ""
		if len(f.Errors) > 0 {
			details = f.Errors[0].Text
		}
		return nil, destinationError(http.StatusOK, "Destination returned an answer that is not a "+m.Pair()+" response.", status, details)
	}
	return withMeta(reply, parties(answer.DataModel, answer.EventType))
}

func destinationError(status int, text string, answered int, details string) error {
	f := failure(status, moduleDestination, text)
	f.Errors[0].Type, f.Errors[0].DestinationStatusCode, f.Errors[0].Details = "transmission", answered, details
	return f
}

// hasErrors reports whether an answer says what went wrong instead.
func hasErrors(reply []byte) bool {
	var a struct {
		Meta struct{ Errors []json.RawMessage }
	}
	return json.Unmarshal(reply, &a) == nil && len(a.Meta.Errors) > 0
}

// withMeta is a message with members of its Meta set; the others stay.
func withMeta(text []byte, members map[string]any) ([]byte, error) {
	doc, err := rawjson.Parse(text, nil)
	if err != nil {
		return nil, err
	}
	var edits []rawjson.Edit
	for name, v := range members {
		edits = append(edits, rawjson.Edit{Parent: "Meta", Name: name, Value: marshalJSON(v)})
	}
	return doc.AppendEdited(nil, edits)
}
