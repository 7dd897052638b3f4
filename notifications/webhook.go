package notifications

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/fhirfacade/fhirfacade/fhir/guard"
	"github.com/fhirfacade/fhirfacade/notifications/subscription"
)

// ErrForbiddenAddress: a URL leads to an address that must not be called.
var ErrForbiddenAddress = guard.ErrForbiddenAddress

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// applicationName is sent with every delivery (Redox: webhook headers).
const applicationName = "fhirfacade"

// Sender sends one HTTP request for a delivery or a challenge.
type Sender struct {
	client *resty.Client
	now    func() time.Time
}

// NewSender makes a sender. allowPrivate lets it call private and loopback
// addresses, which is for a sandbox on one machine.
func NewSender(allowPrivate bool, now func() time.Time) *Sender {
	return newSender(guard.Dialer(allowPrivate), nil, now)
}

// newSender makes a sender with a dialer and, when not nil, other trusted
// certificates than the system's.
func newSender(d *net.Dialer, trusted *x509.CertPool, now func() time.Time) *Sender {
	transport := &http.Transport{
		Proxy:                  nil, // a proxy would connect where the dialer must not
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  125 * time.Second,
		MaxResponseHeaderBytes: maxAnswer,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
	}
	c := resty.New().SetTransport(transport).
		SetRedirectPolicy(resty.NoRedirectPolicy()). // a redirect is a failure
		SetDoNotParseResponse(true).                 // its size is the receiver's choice
		SetHeader("User-Agent", applicationName).
		SetDisableWarn(true).
		SetLogger(silent{})
	return &Sender{client: c, now: now}
}

// delivery is one event on its way to one destination.
type delivery struct {
	ID          string
	ContentType string
	Body        []byte
	// Method and URL are POST and the destination's when "".
	Method, URL string
	Headers     []subscription.Header
}

// Failure is why an attempt failed: a status that is no 2xx, or no answer.
type Failure struct {
	Status int
	Reason string
	// RetryAfter is what the answer asked for.
	RetryAfter time.Duration
	// Gone says that the endpoint answered 410: it wants no more.
	Gone bool
	// Park says that sending it again would not help: it is set aside, with
	// the reason, and the queue goes on.
	Park bool
}

func (f *Failure) Error() string { return f.Reason }

// send makes one attempt and returns the status that the receiver
// acknowledged with.
func (s *Sender) send(ctx context.Context, d Destination, del delivery) (status int, err error) {
	timeout := time.Duration(d.TimeoutSeconds) * time.Second
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at := s.now()
	r := s.client.R().SetContext(ctx).
		SetHeader("application-name", applicationName).
		SetHeader("webhook-id", del.ID).
		SetHeader("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	if len(del.Body) > 0 {
		r.SetBody(del.Body)
	}
	if del.ContentType != "" {
		r.SetHeader("Content-Type", del.ContentType)
	}
	for _, h := range del.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	if d.VerificationToken != "" {
		r.SetHeader("verification-token", d.VerificationToken)
	}
	if d.Secret != "" {
		key, err := signingKey(d.Secret)
		if err != nil {
			return 0, &Failure{Reason: "the destination's secret " + err.Error()}
		}
		r.SetHeader("webhook-signature", signature(key, del.ID, at, del.Body))
	}
	answer, err := r.Execute(cmp.Or(del.Method, http.MethodPost), cmp.Or(del.URL, d.URL))
	if answer != nil && answer.RawResponse != nil {
		// Read to its end, the connection can be used again. That the answer is
		// cut off does not matter, nor what it says: its status came first.
		_, _ = io.CopyN(io.Discard, answer.RawBody(), maxAnswer)
		_ = answer.RawBody().Close()
	}
	if err := s.judge(answer, err); err != nil {
		return 0, err
	}
	return answer.StatusCode(), nil
}

// judge says what an answer means; its body may have been closed.
func (s *Sender) judge(answer *resty.Response, err error) error {
	if answer == nil || answer.StatusCode() == 0 {
		return &Failure{Reason: reason(err)}
	}
	status := answer.StatusCode()
	if status >= 200 && status < 300 {
		return nil
	}
	f := &Failure{Status: status, Reason: strings.TrimSpace(fmt.Sprintf("the endpoint answered %d %s", status, http.StatusText(status))), Gone: status == http.StatusGone}
	if status >= 300 && status < 400 {
		f.Reason += "; redirects are not followed"
	}
	f.RetryAfter = retryAfterHeader(answer.Header().Get("Retry-After"), s.now())
	return f
}

// longestRetryAfter bounds what an endpoint can ask for.
const longestRetryAfter = time.Hour

func retryAfterHeader(h string, now time.Time) time.Duration {
	d := time.Duration(0)
	if s, err := strconv.Atoi(h); err == nil {
		d = time.Duration(max(0, min(s, int(longestRetryAfter/time.Second)))) * time.Second
	} else if at, err := http.ParseTime(h); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, longestRetryAfter))
}

// silent keeps resty from logging requests, which hold patients' data.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
