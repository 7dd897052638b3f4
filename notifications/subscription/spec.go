package subscription

import (
	"net/http"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// Extensions of the IG, and where its definitions begin.
const (
	profiles       = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
	Profile        = profiles + "backport-subscription"
	filterCriteria = profiles + "backport-filter-criteria"
	payloadContent = profiles + "backport-payload-content"
	heartbeat      = profiles + "backport-heartbeat-period"
	timeout        = profiles + "backport-timeout"
	maxCount       = profiles + "backport-max-count"
	channelType    = profiles + "backport-channel-type"
	identifier     = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription.identifier"
)

// Status of a Subscription (http://hl7.org/fhir/subscription-status).
type Status string

// Statuses.
const (
	Requested Status = "requested"
	Active    Status = "active"
	Error     Status = "error"
	Off       Status = "off"
)

// Content is how much of a resource a notification of the IG holds.
type Content string

// Contents.
const (
	Empty        Content = "empty"
	IDOnly       Content = "id-only"
	FullResource Content = "full-resource"
)

// Channel is how a Subscription is told.
type Channel string

// Channels.
const (
	RestHook  Channel = "rest-hook"
	WebSocket Channel = "websocket"
)

// Header is a header of the Subscription's own.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Spec is what a Subscription asks for.
type Spec struct {
	// ID is the resource's.
	ID     string `json:"id"`
	Status Status `json:"-"`
	// Criteria are a search, or with Topic the canonical of one.
	Criteria string   `json:"criteria"`
	Topic    bool     `json:"topic,omitempty"`
	Filters  []string `json:"filters,omitempty"`
	// End is when the server switches it off; zero for never.
	End      time.Time `json:"end,omitzero"`
	Channel  Channel   `json:"channel"`
	Endpoint string    `json:"endpoint,omitempty"`
	Headers  []Header  `json:"headers,omitempty"`
	// Payload is the MIME type as the Subscription has it, "" for no body. XML
	// says which of the two it is.
	Payload string  `json:"payload,omitempty"`
	XML     bool    `json:"xml,omitempty"`
	Content Content `json:"content,omitempty"`
	// Heartbeat is the period in seconds, 0 for none; Timeout how long an
	// attempt may take, 0 for the server's default; MaxCount the most events of
	// a notification, which here is always one.
	Heartbeat int `json:"heartbeat,omitempty"`
	Timeout   int `json:"timeout,omitempty"`
	MaxCount  int `json:"maxCount,omitempty"`
}

// longestTimeout and longestHeartbeat bound what can be asked for, in seconds.
const (
	longestTimeout   = 120
	longestHeartbeat = 86400
)

// Rules say what an environment demands.
type Rules struct {
	// PlainHTTP accepts endpoints without TLS.
	PlainHTTP bool
}

// Parse reads a Subscription whose structure was validated.
func Parse(resource rawjson.Node, r Rules) (Spec, error) {
	var s Spec
	s.ID = text(resource, "id")
	s.Status = Status(text(resource, "status"))
	criteria, under := resource.Property("criteria")
	s.Criteria = criteria.String()
	if end := text(resource, "end"); end != "" {
		at, err := time.Parse(time.RFC3339, end)
		if err != nil {
			return s, refuse(outcome.CodeValue, "end", "end must be an instant with a time zone.")
		}
		s.End = at
	}
	for e := range extensions(resource) {
		if url := text(e, "url"); strings.HasPrefix(url, "http://hl7.org/fhir/5.0/") && url != identifier {
			return s, refuse(outcome.CodeNotSupported, "extension", "Of the extensions of FHIR 5.0, a Subscription takes Subscription.identifier only; the others have extensions of their own in the Subscriptions R5 Backport IG.")
		}
	}
	for e := range extensions(under) {
		switch url := text(e, "url"); {
		case url == filterCriteria:
			v, _ := e.Member("valueString")
			if v.String() == "" {
				return s, refuse(outcome.CodeRequired, "criteria.extension", "A filter of the Subscription has no valueString.")
			}
			s.Filters = append(s.Filters, v.String())
		case ofSubscriptions(url):
			return s, refuse(outcome.CodeNotSupported, "criteria.extension", "criteria has an extension for Subscriptions that is not known here.")
		}
	}
	s.Topic = strings.HasPrefix(s.Criteria, "http://") || strings.HasPrefix(s.Criteria, "https://") || strings.HasPrefix(s.Criteria, "urn:")
	channel, _ := resource.Member("channel")
	if err := s.channel(channel, r); err != nil {
		return s, err
	}
	switch {
	case s.Criteria == "":
		return s, refuse(outcome.CodeRequired, "criteria", "criteria is required: a search such as Observation?status=final, or the canonical of a topic.")
	case s.Topic && s.Content == "":
		return s, refuse(outcome.CodeRequired, "channel.payload.extension", "A Subscription to a topic says by the extension backport-payload-content how much it wants: empty, id-only or full-resource.")
	case !s.Topic && (s.Content != "" || len(s.Filters) > 0 || s.Heartbeat > 0 || s.MaxCount > 0):
		return s, refuse(outcome.CodeInvalid, "criteria", "criteria is a search, but the Subscription has extensions of the Subscriptions R5 Backport IG, for which criteria is the canonical of a topic.")
	}
	return s, nil
}

// ofSubscriptions reports whether an extension is meant for Subscriptions, so
// that leaving it out would be leaving out a wish.
func ofSubscriptions(url string) bool {
	return strings.HasPrefix(url, profiles) || strings.HasPrefix(url, "http://hl7.org/fhir/5.0/") || strings.HasPrefix(url, "http://hl7.org/fhir/4.3/")
}

// refuse is a Subscription that cannot be had.
func refuse(code outcome.Code, element, why string, args ...any) error {
	return outcome.New(http.StatusUnprocessableEntity, code, why, args...).At("Subscription." + element)
}

func text(n rawjson.Node, name string) string {
	m, _ := n.Member(name)
	return m.String()
}

func extensions(n rawjson.Node) func(yield func(rawjson.Node) bool) {
	list, _ := n.Member("extension")
	return list.Elements()
}
