package notifications

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"
)

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
	transport := &http.Transport{
		DialContext:           dialer(allowPrivate).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 125 * time.Second,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
	}
	c := resty.New().SetTransport(transport).
		SetRedirectPolicy(resty.NoRedirectPolicy()). // a redirect is a failure
		SetResponseBodyLimit(maxAnswer).
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
}

// Failure is why an attempt failed: a status that is no 2xx, or no answer.
type Failure struct {
	Status int
	Reason string
	// RetryAfter is what the answer asked for.
	RetryAfter time.Duration
	// Gone says that the endpoint answered 410: it wants no more.
	Gone bool
}

func (f *Failure) Error() string { return f.Reason }

// send makes one attempt. nil means that the receiver acknowledged.
func (s *Sender) send(ctx context.Context, d Destination, del delivery) error {
	timeout := time.Duration(d.TimeoutSeconds) * time.Second
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at := s.now()
	r := s.client.R().SetContext(ctx).SetBody(del.Body).
		SetHeader("Content-Type", del.ContentType).
		SetHeader("application-name", applicationName).
		SetHeader("webhook-id", del.ID).
		SetHeader("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	if d.VerificationToken != "" {
		r.SetHeader("verification-token", d.VerificationToken)
	}
	if d.Secret != "" {
		key, err := signingKey(d.Secret)
		if err != nil {
			return &Failure{Reason: "the destination's secret " + err.Error()}
		}
		r.SetHeader("webhook-signature", signature(key, del.ID, at, del.Body))
	}
	answer, err := r.Post(d.URL)
	return s.judge(answer, err)
}

func (s *Sender) judge(answer *resty.Response, err error) error {
	if answer == nil || answer.StatusCode() == 0 {
		return &Failure{Reason: reason(err)}
	}
	status := answer.StatusCode()
	if status >= 200 && status < 300 && (err == nil || errors.Is(err, resty.ErrResponseBodyTooLarge)) {
		return nil // what it says beside its status does not matter
	}
	if err != nil && status < 300 {
		return &Failure{Status: status, Reason: reason(err)}
	}
	f := &Failure{Status: status, Reason: fmt.Sprintf("the endpoint answered %d %s", status, http.StatusText(status)), Gone: status == http.StatusGone}
	if status >= 300 && status < 400 {
		f.Reason += "; redirects are not followed"
	}
	f.RetryAfter = retryAfterHeader(answer.Header().Get("Retry-After"), s.now())
	return f
}

// reason words an error of the transport without the URL, which may hold a
// secret.
func reason(err error) string {
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return ErrForbiddenAddress.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "the endpoint did not answer in time"
	case err == nil:
		return "the endpoint gave no answer"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner // the innermost says what went wrong and names no URL
	}
	return "the endpoint cannot be reached: " + err.Error()
}

// longestRetryAfter bounds what an endpoint can ask for.
const longestRetryAfter = time.Hour

func retryAfterHeader(h string, now time.Time) time.Duration {
	d := time.Duration(0)
	if s, err := strconv.Atoi(h); err == nil {
		d = time.Duration(s) * time.Second
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
