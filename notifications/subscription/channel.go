package subscription

import (
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// channel reads Subscription.channel.
func (s *Spec) channel(c rawjson.Node, r Rules) error {
	typ, under := c.Property("type")
	s.Channel = Channel(typ.String())
	for e := range extensions(under) {
		if text(e, "url") == channelType {
			return refuse(outcome.CodeNotSupported, "channel.type.extension", "Channels of other types than FHIR's are not supported here.")
		}
	}
	switch s.Channel {
	case RestHook:
	default:
		return refuse(outcome.CodeNotSupported, "channel.type", "Of the channels, only rest-hook is supported here.")
	}
	for e := range extensions(c) {
		var err error
		switch url := text(e, "url"); {
		case url == heartbeat:
			s.Heartbeat, err = seconds(e, "valueUnsignedInt", 1, longestHeartbeat)
		case url == timeout:
			s.Timeout, err = seconds(e, "valueUnsignedInt", 1, longestTimeout)
		case url == maxCount:
			s.MaxCount, err = seconds(e, "valuePositiveInt", 1, 1<<31-1)
		case ofSubscriptions(url):
			err = refuse(outcome.CodeNotSupported, "channel.extension", "channel has an extension for Subscriptions that is not known here.")
		}
		if err != nil {
			return err
		}
	}
	if err := s.endpoint(text(c, "endpoint"), r); err != nil {
		return err
	}
	if err := s.headers(c); err != nil {
		return err
	}
	return s.payload(c)
}

func seconds(e rawjson.Node, member string, least, most int) (int, error) {
	v, _ := e.Member(member)
	n, err := strconv.Atoi(string(v.Raw()))
	if err != nil || n < least || n > most {
		return 0, refuse(outcome.CodeValue, "channel.extension", "The extension %s of channel must have a %s from %d to %d.", last(text(e, "url")), member, least, most)
	}
	return n, nil
}

func last(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func (s *Spec) endpoint(text string, r Rules) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return refuse(outcome.CodeRequired, "channel.endpoint", "A rest-hook needs an endpoint.")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return refuse(outcome.CodeValue, "channel.endpoint", "endpoint must be an absolute http or https URL.")
	case u.User != nil:
		return refuse(outcome.CodeSecurity, "channel.endpoint", "endpoint must not hold a user or password; use header.")
	case u.Fragment != "":
		return refuse(outcome.CodeValue, "channel.endpoint", "endpoint must not have a fragment, which is not sent.")
	case u.Scheme == "http" && !r.PlainHTTP:
		return refuse(outcome.CodeSecurity, "channel.endpoint", "endpoint must be https in this environment.")
	}
	s.Endpoint = text
	return nil
}

// maxHeaders bounds the headers of a Subscription.
const maxHeaders = 32

// reserved are headers that belong to HTTP or to this server.
var reserved = map[string]bool{
	"host": true, "content-length": true, "content-type": true, "content-encoding": true, "transfer-encoding": true,
	"connection": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true, "upgrade": true, "expect": true,
	"webhook-id": true, "webhook-timestamp": true, "webhook-signature": true, "verification-token": true, "application-name": true,
}

// headers reads channel.header. What is not one header would become several, or
// part of the message.
func (s *Spec) headers(c rawjson.Node) error {
	list, _ := c.Member("header")
	for h := range list.Elements() {
		name, value, ok := strings.Cut(h.String(), ":")
		value = strings.Trim(value, " \t")
		switch {
		case !ok, !token(name), strings.ContainsFunc(value, control):
			return refuse(outcome.CodeSecurity, "channel.header", "A header is one line, Name: value, without control characters.")
		case reserved[strings.ToLower(name)]:
			return refuse(outcome.CodeSecurity, "channel.header", "A header of a Subscription must not be one of HTTP's own or of this server: %s.", name)
		}
		s.Headers = append(s.Headers, Header{name, value})
	}
	if len(s.Headers) > maxHeaders {
		return refuse(outcome.CodeTooLong, "channel.header", "A Subscription takes %d headers at most.", maxHeaders)
	}
	return nil
}

// token reports whether a header may have this name (RFC 9110 § 5.6.2).
func token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// control reports whether a character cannot be part of a header's value.
func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r > 0xff }

func (s *Spec) payload(c rawjson.Node) error {
	p, under := c.Property("payload")
	s.Payload = p.String()
	for e := range extensions(under) {
		switch url := text(e, "url"); {
		case url == payloadContent:
			v, _ := e.Member("valueCode")
			s.Content = Content(v.String())
			if s.Content != Empty && s.Content != IDOnly && s.Content != FullResource {
				return refuse(outcome.CodeNotSupported, "channel.payload.extension", "backport-payload-content must be empty, id-only or full-resource.")
			}
		case ofSubscriptions(url):
			return refuse(outcome.CodeNotSupported, "channel.payload.extension", "payload has an extension for Subscriptions that is not known here.")
		}
	}
	if s.Payload == "" {
		if s.Content != "" {
			return refuse(outcome.CodeRequired, "channel.payload", "A Subscription to a topic needs a payload: application/fhir+json or application/fhir+xml.")
		}
		return nil
	}
	typ, parameters, err := mime.ParseMediaType(s.Payload)
	if err != nil {
		return refuse(outcome.CodeValue, "channel.payload", "payload is not a MIME type.")
	}
	switch typ {
	case "application/fhir+json", "application/json":
	case "application/fhir+xml", "application/xml":
		s.XML = true
	default:
		return refuse(outcome.CodeNotSupported, "channel.payload", "payload must be application/fhir+json or application/fhir+xml, or be left out to be told without a body.")
	}
	for name, value := range parameters {
		switch {
		case name == "fhirversion" && (value == "4.0" || value == "4.0.1"):
		case name == "charset" && strings.EqualFold(value, "utf-8"):
		default:
			return refuse(outcome.CodeNotSupported, "channel.payload", "payload has a parameter that cannot be met: fhirVersion must be 4.0, charset utf-8.")
		}
	}
	return nil
}
