package exchange

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/guard"
	"github.com/fhirfacade/fhirfacade/internal/exchange/mllp"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// Carrier takes HL7 v2 messages to destinations, over MLLP or HTTP, and reads
// their acknowledgements. A connection of MLLP is kept for each destination.
type Carrier struct {
	dialer *net.Dialer
	now    func() time.Time

	mu      sync.Mutex
	clients map[string]*carried
}

// carried is what is kept for a destination.
type carried struct {
	made   notifications.Destination
	client *mllp.Client // nil for HTTP
	http   *http.Client
}

// NewCarrier makes a carrier. allowPrivate lets it call private addresses.
func NewCarrier(allowPrivate bool, now func() time.Time) *Carrier {
	return &Carrier{dialer: guard.Dialer(allowPrivate), now: now, clients: map[string]*carried{}}
}

// Close ends the connections.
func (c *Carrier) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, k := range c.clients {
		k.close()
		delete(c.clients, id)
	}
}

func (k *carried) close() {
	if k.client != nil {
		go k.client.Close() // it waits for what is under way
	}
	k.http.CloseIdleConnections()
}

// to is what is kept for a destination, made anew when that has changed.
func (c *Carrier) to(t store.Tenant, d notifications.Destination) (*carried, *url.URL, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := string(t) + "/" + d.ID
	if k := c.clients[id]; k != nil {
		if k.made.URL == d.URL && k.made.TimeoutSeconds == d.TimeoutSeconds && sameTLS(k.made.HL7v2, d.HL7v2) {
			return k, u, nil
		}
		k.close()
		delete(c.clients, id)
	}
	secure, err := tlsOf(d.HL7v2)
	if err != nil {
		return nil, nil, err
	}
	timeout := 30 * time.Second
	if d.TimeoutSeconds > 0 {
		timeout = time.Duration(d.TimeoutSeconds) * time.Second
	}
	k := &carried{made: d, http: &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DialContext: c.dialer.DialContext, TLSClientConfig: secure, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if strings.HasPrefix(u.Scheme, "mllp") {
		o := mllp.ClientOptions{Address: u.Host, Answer: timeout, Now: c.now, Dial: c.dialer.DialContext}
		if u.Scheme == "mllps" {
			o.TLS = secure
		}
		k.client = mllp.NewClient(o)
	}
	c.clients[id] = k
	return k, u, nil
}

func sameTLS(a, b *notifications.HL7v2Settings) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.CA == b.CA && a.Certificate == b.Certificate && a.PrivateKey == b.PrivateKey
}

func tlsOf(s *notifications.HL7v2Settings) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if s == nil {
		return out, nil
	}
	if s.CA != "" {
		if out.RootCAs = x509.NewCertPool(); !out.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, &notifications.FieldError{Field: "hl7v2.ca", Rule: "must be a certificate in PEM"}
		}
	}
	if s.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(s.Certificate), []byte(s.PrivateKey))
		if err != nil {
			return nil, &notifications.FieldError{Field: "hl7v2.certificate", Rule: "must be a certificate and its privateKey, in PEM"}
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// reachTime is how long Reach waits.
const reachTime = 10 * time.Second

// Reach connects to a destination and sends nothing.
func (c *Carrier) Reach(ctx context.Context, d notifications.Destination) error {
	u, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	secure, err := tlsOf(d.HL7v2)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		defer conn.Close()
		if u.Scheme == "mllps" || u.Scheme == "https" {
			secure.ServerName = u.Hostname()
			err = tls.Client(conn, secure).HandshakeContext(ctx)
		}
	}
	if err != nil {
		return &notifications.Failure{Reason: notifications.ReasonOf(err)}
	}
	return nil
}

// Carry sends a message and waits for its acknowledgement. AA ends it; AE and
// AR set it aside or have it sent again, as the destination's settings say.
func (c *Carrier) Carry(ctx context.Context, t store.Tenant, d notifications.Destination, id string, p notifications.Payload) (int, error) {
	k, u, err := c.to(t, d)
	if err != nil {
		return 0, &notifications.Failure{Reason: "the destination's settings cannot be used"}
	}
	control := notifications.ControlID(id)
	if k.client == nil {
		return c.post(ctx, k, u, d, p)
	}
	a, err := k.client.Send(ctx, control, p.Body)
	switch {
	case errors.Is(err, mllp.ErrNoAnswer):
		return 0, &notifications.Failure{Reason: "no acknowledgement came in time"}
	case errors.Is(err, mllp.ErrAnswer):
		return 0, &notifications.Failure{Reason: "the answer is no acknowledgement of HL7 v2"}
	case err != nil:
		return 0, &notifications.Failure{Reason: notifications.ReasonOf(err)}
	}
	return 0, acknowledged(d, a)
}

// acknowledged is what follows from an acknowledgement.
func acknowledged(d notifications.Destination, a mllp.Answer) error {
	if a.Accepted() {
		return nil
	}
	reason := "the receiver answered " + a.Code
	if codes := a.Conditions(); len(codes) > 0 {
		reason += " with " + strings.Join(codes, ", ") + " of table 0357"
	}
	policy := ""
	if d.HL7v2 != nil {
		policy = d.HL7v2.OnError
		if a.Rejected() {
			policy = d.HL7v2.OnReject
		}
	}
	return &notifications.Failure{Reason: reason, Park: policy != "retry"}
}

// longestAck is the most bytes of an acknowledgement.
const longestAck = 1 << 20

// post sends a message over HTTP; the answer's body is the acknowledgement.
func (c *Carrier) post(ctx context.Context, k *carried, u *url.URL, d notifications.Destination, p notifications.Payload) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(p.Body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", p.ContentType)
	if d.VerificationToken != "" {
		r.Header.Set("verification-token", d.VerificationToken)
		r.Header.Set("Authorization", "Bearer "+d.VerificationToken)
	}
	res, err := k.http.Do(r)
	if err != nil {
		return 0, &notifications.Failure{Reason: notifications.ReasonOf(err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, longestAck))
	if err == nil {
		var m *hl7v2.Message
		if m, err = hl7v2.Parse(body, hl7v2.Options{}); err == nil && m.Segment("MSA", 0).Exists() {
			err := acknowledged(d, mllp.Answer{Code: m.Get("MSA-1").String(), Message: m})
			var f *notifications.Failure
			if errors.As(err, &f) {
				f.Status = res.StatusCode
			}
			return res.StatusCode, err
		}
	}
	return res.StatusCode, &notifications.Failure{
		Status: res.StatusCode, Reason: fmt.Sprintf("the endpoint answered %d without an acknowledgement of HL7 v2", res.StatusCode), Gone: res.StatusCode == http.StatusGone,
	}
}
