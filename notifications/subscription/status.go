package subscription

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// Kind is what a notification is (http://hl7.org/fhir/uv/subscriptions-backport
// ValueSet of notification types).
type Kind string

// Kinds.
const (
	Handshake         Kind = "handshake"
	Heartbeat         Kind = "heartbeat"
	EventNotification Kind = "event-notification"
	QueryStatus       Kind = "query-status"
	QueryEvent        Kind = "query-event"
)

// Event is one event of a notification. Focus and Context are "Type/id".
type Event struct {
	Number  int64
	Time    time.Time
	Focus   string
	Context []string
	// Method is POST, PUT or DELETE: what happened to the focus.
	Method string
	// Bodies are the resources of the focus and the context by "Type/id"; what
	// has none here is named without a resource.
	Bodies map[string][]byte
}

// Report is what a notification, or the answer to a query, says.
type Report struct {
	// ID identifies the Parameters; Base is the FHIR base.
	ID, Base string
	Spec     Spec
	Content  Content
	Status   Status
	Kind     Kind
	// Total is how many events there have been since the Subscription was made.
	Total  int64
	Events []Event
	// Error is why the status is error, in words.
	Error string
	Time  time.Time
}

const statusProfile = profiles + "backport-subscription-status-r4"

const instant = "2006-01-02T15:04:05.000Z07:00"

type parameter struct {
	Name    string      `json:"name"`
	Ref     *reference  `json:"valueReference,omitempty"`
	Topic   string      `json:"valueCanonical,omitempty"`
	Code    string      `json:"valueCode,omitempty"`
	Text    string      `json:"valueString,omitempty"`
	Instant string      `json:"valueInstant,omitempty"`
	Concept *concept    `json:"valueCodeableConcept,omitempty"`
	Part    []parameter `json:"part,omitempty"`
}

type reference struct {
	Reference string `json:"reference"`
}

type concept struct {
	Coding []coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

// Parameters is SubscriptionStatus in R4
// (StructureDefinition/backport-subscription-status-r4).
func (r Report) Parameters() []byte {
	all := []parameter{{Name: "subscription", Ref: &reference{r.Base + "/Subscription/" + r.Spec.ID}}}
	if r.Spec.Topic && (r.Content != Empty || r.Kind == QueryStatus) {
		all = append(all, parameter{Name: "topic", Topic: r.Spec.Criteria})
	}
	all = append(all,
		parameter{Name: "status", Code: string(r.Status)},
		parameter{Name: "type", Code: string(r.Kind)},
		parameter{Name: "events-since-subscription-start", Text: strconv.FormatInt(r.Total, 10)})
	for _, e := range r.Events {
		part := []parameter{
			{Name: "event-number", Text: strconv.FormatInt(e.Number, 10)},
			{Name: "timestamp", Instant: e.Time.UTC().Format(instant)},
		}
		if r.Content != Empty {
			part = append(part, parameter{Name: "focus", Ref: &reference{r.Base + "/" + e.Focus}})
			for _, c := range e.Context {
				part = append(part, parameter{Name: "additional-context", Ref: &reference{r.Base + "/" + c}})
			}
		}
		all = append(all, parameter{Name: "notification-event", Part: part})
	}
	if r.Error != "" {
		all = append(all, parameter{Name: "error", Concept: &concept{
			Coding: []coding{{"http://terminology.hl7.org/CodeSystem/subscription-error", "no-response"}}, Text: r.Error,
		}})
	}
	b, _ := json.Marshal(map[string]any{ // strings only: cannot fail
		"resourceType": "Parameters", "id": r.ID, "meta": map[string]any{"profile": []string{statusProfile}}, "parameter": all,
	})
	return b
}

// Bundle is a notification, or the answer to $events
// (StructureDefinition/backport-subscription-notification-r4): a history with
// the Parameters first.
func (r Report) Bundle(id string) []byte {
	status := r.Base + "/Subscription/" + r.Spec.ID + "/$status"
	b := append([]byte(nil), `{"resourceType":"Bundle","id":`...)
	b = quoted(b, id)
	b = append(b, `,"meta":{"profile":["`+profiles+`backport-subscription-notification-r4"]},"type":"history","timestamp":`...)
	b = quoted(b, r.Time.UTC().Format(instant))
	b = append(b, `,"entry":[{"fullUrl":`...)
	b = quoted(b, "urn:uuid:"+r.ID)
	b = append(b, `,"resource":`...)
	b = append(b, r.Parameters()...)
	b = appendRequest(b, http.MethodGet, status, "200")
	if r.Content == Empty || r.Content == "" {
		return append(b, "]}"...)
	}
	seen := map[string]bool{}
	for _, e := range r.Events {
		for i, ref := range append([]string{e.Focus}, e.Context...) {
			if seen[ref] {
				continue
			}
			seen[ref] = true
			b = append(b, `,{"fullUrl":`...)
			b = quoted(b, r.Base+"/"+ref)
			if body := e.Bodies[ref]; r.Content == FullResource && body != nil {
				b = append(append(b, `,"resource":`...), body...)
			}
			switch {
			case i > 0:
				b = appendRequest(b, http.MethodGet, ref, "200")
			case e.Method == http.MethodDelete:
				b = appendRequest(b, http.MethodDelete, ref, "204")
			case e.Method == http.MethodPost:
				b = appendRequest(b, http.MethodPost, ref[:len(ref)-len(last(ref))-1], "201")
			default:
				b = appendRequest(b, http.MethodPut, ref, "200")
			}
		}
	}
	return append(b, "]}"...)
}

// Searchset is the answer to $status: one Parameters for each Subscription.
func Searchset(id string, at time.Time, reports []Report) []byte {
	b := append([]byte(nil), `{"resourceType":"Bundle","id":`...)
	b = quoted(b, id)
	b = append(b, `,"type":"searchset","timestamp":`...)
	b = quoted(b, at.UTC().Format(instant))
	b = append(b, `,"total":`...)
	b = strconv.AppendInt(b, int64(len(reports)), 10)
	for i, r := range reports {
		b = append(b, []string{`,"entry":[`, ","}[min(i, 1)]...)
		b = append(b, `{"fullUrl":`...)
		b = quoted(b, "urn:uuid:"+r.ID)
		b = append(b, `,"resource":`...)
		b = append(b, r.Parameters()...)
		b = append(b, `,"search":{"mode":"match"}}`...)
	}
	if len(reports) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// AtMost is the level that is asked for by a hint, "" for none, and never more
// than the Subscription's own.
func (c Content) AtMost(hint string) (Content, error) {
	order := []Content{Empty, IDOnly, FullResource}
	at := slices.Index(order, Content(hint))
	if hint != "" && at < 0 {
		return "", outcome.BadRequest(outcome.CodeValue, "content must be empty, id-only or full-resource.")
	}
	if hint == "" || at > slices.Index(order, c) {
		return c, nil
	}
	return order[at], nil
}

// appendRequest ends an entry: in a history each has a request and a response
// (bdl-3, bdl-4).
func appendRequest(b []byte, method, url, status string) []byte {
	b = append(b, `,"request":{"method":"`+method+`","url":`...)
	b = quoted(b, url)
	return append(b, `},"response":{"status":"`+status+`"}}`...)
}

// quoted appends a string as JSON.
func quoted(b []byte, s string) []byte {
	q, _ := json.Marshal(s) // a string: cannot fail
	return append(b, q...)
}
