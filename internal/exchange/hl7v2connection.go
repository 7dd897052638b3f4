package exchange

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// KindMLLP is the kind of a connection by which a system sends HL7 v2.
const KindMLLP = "hl7v2-mllp"

// HL7v2 says how the HL7 v2 messages of a source are taken.
type HL7v2 struct {
	// Listen is the address of the MLLP listener, host:port; "" for a source
	// that sends over HTTP only.
	Listen string       `json:"listen,omitempty"`
	TLS    *ListenerTLS `json:"tls,omitempty"`
	// Allow are the networks that may connect, "10.1.0.0/16"; all when empty.
	Allow []string `json:"allow,omitempty"`
	// Charset is that of messages that declare none and are not UTF-8, by its
	// name in table 0211; WINDOWS-1252 when empty.
	Charset string `json:"charset,omitempty"`
	// TimeZone is where times without an offset are meant; "" for that of
	// MSH-7, the connection's or the source's.
	TimeZone string `json:"timeZone,omitempty"`
	// Events are those that are taken, "SIU^S12" or "ADT^*"; all when empty.
	Events []string `json:"events,omitempty"`
	// Systems and Codes are local names and codes; see v2fhir.Options.
	Systems map[string]string            `json:"systems,omitempty"`
	Codes   map[string]map[string]string `json:"codes,omitempty"`
}

// ListenerTLS is the certificate of a listener, in PEM.
type ListenerTLS struct {
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"privateKey"`
	// ClientCA, when set, signs the certificates that senders must have.
	ClientCA string `json:"clientCa,omitempty"`
}

func (c ListenerTLS) config() (*tls.Config, error) {
	pair, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.PrivateKey))
	if err != nil {
		return nil, &notifications.FieldError{Field: "hl7v2.tls", Rule: "must have a certificate and its private key, in PEM"}
	}
	out := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCA != "" {
		out.ClientCAs, out.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !out.ClientCAs.AppendCertsFromPEM([]byte(c.ClientCA)) {
			return nil, &notifications.FieldError{Field: "hl7v2.tls.clientCa", Rule: "must be a certificate in PEM"}
		}
	}
	return out, nil
}

// Validate checks the settings.
func (c HL7v2) Validate() error {
	if c.Listen != "" {
		if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
			return &notifications.FieldError{Field: "hl7v2.listen", Rule: "must be host:port"}
		}
	}
	if c.TLS != nil {
		if _, err := c.TLS.config(); err != nil {
			return err
		}
	}
	if _, err := c.networks(); err != nil {
		return err
	}
	if c.Charset != "" && !hl7v2.KnownCharset(c.Charset) {
		return &notifications.FieldError{Field: "hl7v2.charset", Rule: `must be a character set of table 0211, such as "8859/1"`}
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return &notifications.FieldError{Field: "hl7v2.timeZone", Rule: `must be a time zone such as "America/Chicago"`}
	}
	for _, e := range c.Events {
		if !slices.ContainsFunc(v2fhir.Events(), func(known string) bool { return eventMatches(e, known) }) {
			return &notifications.FieldError{Field: "hl7v2.events", Rule: `must be events that are translated, such as "SIU^S12" or "ADT^*"`}
		}
	}
	return nil
}

func (c HL7v2) networks() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, n := range c.Allow {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, &notifications.FieldError{Field: "hl7v2.allow", Rule: `must be networks such as "10.1.0.0/16"`}
		}
		all = append(all, p)
	}
	return all, nil
}

func eventMatches(pattern, event string) bool {
	if start, ok := strings.CutSuffix(pattern, "^*"); ok {
		return strings.HasPrefix(event, start+"^")
	}
	return pattern == event
}

// takes refuses the events that the connection does not take.
func (c HL7v2) takes(h hl7v2.Header) error {
	if len(c.Events) == 0 || slices.ContainsFunc(c.Events, func(e string) bool { return eventMatches(e, h.Type+"^"+h.Event) }) {
		return nil
	}
	return &hl7v2.Error{
		Kind: hl7v2.ErrEvent, Path: hl7v2.Path{Segment: "MSH", Field: 9, Component: 2}, Rule: "this connection does not take the event of MSH-9",
	}
}

// translation is how the messages are translated.
func (c HL7v2) translation(t store.Tenant, src Source) (v2fhir.Options, error) {
	organization, _ := tenant.Split(t)
	o := v2fhir.Options{Slug: organization, Systems: c.Systems, Codes: c.Codes}
	zone := c.TimeZone
	if zone == "" {
		zone = src.TimeZone
	}
	if zone == "" {
		return o, nil
	}
	var err error
	o.Zone, err = time.LoadLocation(zone)
	return o, err
}

// hl7v2Of are the settings for a source's messages: of its first connection
// that has some.
func (x *Exchange) hl7v2Of(ctx context.Context, t store.Tenant, source string) (HL7v2, error) {
	all, err := connectionsOf(ctx, x.o.Store, t)
	if err != nil {
		return HL7v2{}, err
	}
	for _, c := range all {
		if c.Kind == KindMLLP && c.Source == source && c.HL7v2 != nil {
			return c.hl7v2(), nil
		}
	}
	return HL7v2{}, nil
}

// hl7v2 are a connection's settings, with what the connection itself says.
func (c Connection) hl7v2() HL7v2 {
	h := *c.HL7v2
	if h.TimeZone == "" {
		h.TimeZone = c.TimeZone
	}
	return h
}
