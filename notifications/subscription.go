package notifications

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/notifications/subscription"
)

// Environment of a tenant (Redox: environments). Production alone retries by
// itself.
type Environment string

// Environments.
const (
	Development Environment = "Development"
	Staging     Environment = "Staging"
	Production  Environment = "Production"
)

// Content is the form in which a subscription's events are sent.
type Content string

// Contents.
const (
	// Lightweight is a message Bundle of references, patient identifiers and a
	// timestamp; the receiver fetches the rest.
	Lightweight Content = "lightweight"
	// Detailed is the same with the resources in full.
	Detailed Content = "detailed"
	// Redox is the Redox data model message.
	Redox Content = "redox"
)

// Destination is an endpoint that receives events.
type Destination struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// URL is where events are POSTed.
	URL string `json:"url"`
	// VerificationToken is sent with every delivery, so that the receiver
	// knows the sender, and in the challenge.
	VerificationToken string `json:"verificationToken,omitempty"`
	// VerificationMethod of the challenge: POST (default) or GET.
	VerificationMethod string `json:"verificationMethod,omitempty"`
	// Secret, "whsec_" and base64 of 24 to 64 bytes, signs deliveries
	// (Standard Webhooks). "" leaves them unsigned.
	Secret string `json:"secret,omitempty"`
	// Live says that this is a system that answers queries in the data model
	// (Redox: synchronous events). The others' are answered from the store.
	Live bool `json:"live,omitempty"`
	// TimeoutSeconds is how long an answer may take; 0 for 30, and for 120
	// where it is asked a query.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
	// HL7v2 are the settings of a destination that takes HL7 v2.
	HL7v2 *HL7v2Settings `json:"hl7v2,omitempty"`
	// Verified says that the endpoint answered the challenge. Nothing is
	// delivered before.
	Verified bool `json:"verified"`
}

// Subscription pairs a source and a destination for one data model
// (Redox: subscriptions).
type Subscription struct {
	ID string `json:"id"`
	// Source is a source's id; "" for all sources of the tenant.
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination"`
	// DataModel, such as "Scheduling"; "*" for all.
	DataModel string `json:"dataModel"`
	// Events, when set, are the only event types sent, by Redox's name ("New")
	// or the notification's ("appointment-booked").
	Events  []string `json:"events,omitempty"`
	Content Content  `json:"content"`
	// Writebacks makes this the way for what applications send towards the
	// destination instead of for what happened.
	Writebacks bool `json:"writebacks,omitempty"`
	// Paused stops deliveries; events wait. It is the switch; Status says who
	// threw it.
	Paused bool `json:"paused,omitempty"`
	// Status is set by the registry, which see; what is sent to it is not
	// taken over.
	Status State `json:"status,omitempty"`
	// Reason is why the subscription is off.
	Reason string `json:"reason,omitempty"`
	// Resource is what a Subscription resource asks for; nil for subscriptions
	// of the exchange. Source, DataModel, Events and Content mean nothing then.
	Resource *subscription.Spec `json:"resource,omitempty"`
	// Revision counts what the registry was told about the subscription.
	// Queues that began with another one begin again.
	Revision int64 `json:"revision,omitempty"`
}

// State is whether a subscription is delivered.
type State string

// States.
const (
	// Active subscriptions are delivered.
	Active State = "active"
	// Paused ones were stopped by somebody.
	Paused State = "paused"
	// Off ones were stopped because their endpoint wants no more (410 Gone).
	// Paused is true as well; setting it to false makes them active again.
	Off State = "off"
)

// FieldError says what is wrong with a field of a destination or subscription.
type FieldError struct{ Field, Rule string }

func (e *FieldError) Error() string { return e.Field + " " + e.Rule }

// Rules say what an environment demands of destinations.
type Rules struct {
	Environment Environment
	// Sandbox accepts plain http and loopback receivers in every environment.
	Sandbox bool
}

// Validate checks a destination.
func (d Destination) Validate(r Rules) error {
	u, err := url.Parse(d.URL)
	mllp := err == nil && isMLLP(u)
	if d.HL7v2 != nil {
		if err := d.HL7v2.Validate(); err != nil {
			return err
		}
	}
	switch {
	case mllp && (d.HL7v2 == nil || u.Port() == "" || u.Path != "" || u.RawQuery != ""):
		return &FieldError{"url", "of an MLLP receiver must be mllp://host:port or mllps://host:port, with the settings hl7v2"}
	case d.Name == "":
		return &FieldError{"name", "is required"}
	case d.URL == "":
		return &FieldError{"url", "is required"}
	case err != nil || u.Host == "" || !mllp && u.Scheme != "http" && u.Scheme != "https":
		return &FieldError{"url", "must be an absolute http or https URL"}
	case u.User != nil:
		return &FieldError{"url", "must not hold a user or password"}
	case u.Scheme == "http" && !r.Sandbox && r.Environment != Development:
		return &FieldError{"url", fmt.Sprintf("must be https in %s", r.Environment)}
	case d.VerificationMethod != "" && d.VerificationMethod != "POST" && d.VerificationMethod != "GET":
		return &FieldError{"verificationMethod", "must be POST or GET"}
	case d.TimeoutSeconds < 0 || d.TimeoutSeconds > 120:
		return &FieldError{"timeoutSeconds", "must be from 1 to 120"}
	case !headerValue(d.VerificationToken):
		return &FieldError{"verificationToken", "must be printable ASCII without spaces around it: it is sent as a header"}
	}
	if err := checkID(d.ID); err != nil {
		return err
	}
	if err := CheckOwn(d.ID); err != nil {
		return err
	}
	if d.Secret != "" {
		if _, err := signingKey(d.Secret); err != nil {
			return &FieldError{"secret", err.Error()}
		}
	}
	return nil
}

// headerValue reports whether s can be sent as a header as it is.
func headerValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

// longestID leaves room for the names of items that hold an id.
const longestID = 128

// checkID checks an id that the caller chose.
func checkID(id string) error {
	if len(id) > longestID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		return &FieldError{"id", "must be at most 128 printable ASCII characters without spaces and slashes"}
	}
	return nil
}

// Validate checks a subscription by itself.
func (s Subscription) Validate() error {
	if err := checkID(s.ID); err != nil {
		return err
	}
	switch {
	case s.Resource != nil || strings.HasPrefix(s.ID, resourcePrefix):
		return &FieldError{"id", "is of a FHIR Subscription: change the resource Subscription instead"}
	case s.Destination == "":
		return &FieldError{"destination", "is required"}
	case s.DataModel == "":
		return &FieldError{"dataModel", `is required; "*" stands for all`}
	case s.Content != Lightweight && s.Content != Detailed && s.Content != Redox && s.Content != HL7v2:
		return &FieldError{"content", "must be lightweight, detailed, redox or hl7v2"}
	case s.Writebacks && s.Content != Redox && s.Content != HL7v2:
		return &FieldError{"content", "must be redox or hl7v2 where writebacks is true"}
	}
	return nil
}

// Matches reports whether an event from a source goes to the subscription.
func (s Subscription) Matches(source string, e Event) bool {
	switch {
	case s.Resource != nil:
		return false // see topic
	case s.Writebacks != e.Writeback:
		return false
	case s.Source != "" && s.Source != source:
		return false
	case s.DataModel != "*" && s.DataModel != e.DataModel:
		return false
	case len(e.Destinations) > 0 && !slices.Contains(e.Destinations, s.Destination):
		return false
	case len(s.Events) > 0 && !slices.Contains(s.Events, e.EventType) && !slices.Contains(s.Events, e.Name):
		return false
	}
	if s.Content == HL7v2 {
		return usualEvents[e.DataModel+"."+e.EventType] != "" && (!e.Writeback || e.Message != "")
	}
	// A FHIR notification needs an event that has one.
	return s.Content == Redox && e.Message != "" && !e.NoRedox || s.Content != Redox && e.Name != ""
}
