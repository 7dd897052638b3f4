package athenahealth

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/fhirfacade/fhirfacade/polling"
)

// maxAnswer is the largest answer read: 5,000 rows are some 10 MB.
const maxAnswer = 64 << 20

// ClientOptions of NewClient.
type ClientOptions struct {
	// BaseURL is https://api.platform.athenahealth.com or the preview's.
	BaseURL                string
	Practice               string
	ClientID, ClientSecret string
	// RatePerSecond is the most calls a second.
	RatePerSecond float64
	// Timeout is for one call.
	Timeout time.Duration
	// Transport is http.DefaultTransport when nil.
	Transport http.RoundTripper
	Now       func() time.Time
	// Wait waits for the rate budget.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client calls the API. It renews its token, keeps to its rate, and tells
// failures apart; it does not repeat calls by itself, as the next poll does.
type Client struct {
	o    ClientOptions
	rest *resty.Client
	// once sends what must not be sent twice. Go's transport sends a GET again
	// by itself when a connection that it has used before breaks: a consuming
	// read would be answered with what the first one left over. It does not
	// with a new connection, so this one keeps none.
	once   *resty.Client
	budget *budget
	tokens tokens
	calls  atomic.Int64
}

// NewClient returns a Client.
func NewClient(o ClientOptions) *Client {
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	once := transport
	if t, ok := transport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableKeepAlives = true
		once = t
	}
	return &Client{
		o: o, rest: newREST(o, transport), once: newREST(o, once), budget: newBudget(o.RatePerSecond, o.Now),
	}
}

func newREST(o ClientOptions, transport http.RoundTripper) *resty.Client {
	return resty.New().
		SetTransport(transport).
		SetBaseURL(strings.TrimSuffix(o.BaseURL, "/")).
		SetTimeout(o.Timeout).
		SetResponseBodyLimit(maxAnswer).
		SetLogger(silent{}).
		SetHeader("Accept", "application/json").
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token goes nowhere else
		}))
}

// silent keeps resty from logging: its texts hold URLs, which hold ids.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// call is one call of the API.
type call struct {
	method string
	// path is below the practice, with names of parameters in braces.
	path  string
	param map[string]string
	query map[string]string
	form  map[string]string
	// once says that sending it twice would do harm.
	once bool
}

func (c call) name() string { return c.method + " /" + c.path }

// do makes a call and decodes the answer into out. A token that the API does
// not accept is renewed once.
func (c *Client) do(ctx context.Context, k call, out any) error {
	for attempt := 0; ; attempt++ {
		token, err := c.token(ctx)
		if err != nil {
			return err
		}
		rest := c.rest
		if k.once {
			rest = c.once
		}
		request := rest.R().SetAuthToken(token).SetQueryParams(k.query).SetPathParams(k.param).SetPathParam("practiceid", c.o.Practice)
		if k.form != nil {
			request.SetFormData(k.form)
		}
		response, err := c.send(ctx, request, k.method, "/v1/{practiceid}/"+k.path, k.name())
		if err != nil {
			return err
		}
		if response.StatusCode() == http.StatusUnauthorized && attempt == 0 {
			c.tokens.drop(token)
			continue
		}
		if err := c.check(response, k.name()); err != nil {
			return err
		}
		return decode(response, out, k.name())
	}
}

// send waits for the rate budget and sends. What goes wrong on the way is
// told without the URL.
func (c *Client) send(ctx context.Context, request *resty.Request, method, path, name string) (*resty.Response, error) {
	if d := c.budget.reserve(); d > 0 {
		if err := c.o.Wait(ctx, d); err != nil {
			return nil, err
		}
	}
	c.calls.Add(1)
	response, err := request.SetContext(ctx).Execute(method, path)
	if err == nil {
		return response, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	failed := &polling.CallError{Kind: polling.ErrTemporary, Call: name, Reason: "the connection failed"}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		failed.Reason = "no answer in time"
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		failed.Kind, failed.Reason = polling.ErrMalformed, "the answer is too large"
	}
	return nil, failed
}

// check tells the statuses apart.
func (c *Client) check(r *resty.Response, name string) error {
	status := r.StatusCode()
	failed := &polling.CallError{Call: name, Status: status}
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusUnauthorized:
		failed.Kind = polling.ErrUnauthorized
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && !isJSON(r):
		// Over its daily quota the gateway says 403, and no JSON; a 403 of
		// the application is about permissions.
		failed.Kind, failed.RetryAfter = polling.ErrRateLimited, retryAfter(r.Header().Get("Retry-After"), c.o.Now())
	case status == http.StatusForbidden:
		failed.Kind = polling.ErrUnauthorized
	case status == http.StatusNotFound:
		failed.Kind = polling.ErrNotFound
	case status >= 500, status == http.StatusRequestTimeout:
		failed.Kind = polling.ErrTemporary
	case status >= 400:
		failed.Kind = polling.ErrRefused
	default:
		failed.Kind = polling.ErrMalformed
	}
	return failed
}

func isJSON(r *resty.Response) bool {
	return strings.Contains(r.Header().Get("Content-Type"), "json")
}

// decode decodes an answer, without quoting it in errors.
func decode(r *resty.Response, out any, name string) error {
	failed := &polling.CallError{Kind: polling.ErrMalformed, Call: name, Status: r.StatusCode()}
	if !isJSON(r) {
		failed.Reason = "the answer is not JSON"
		return failed
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.Body(), out); err != nil {
		failed.Reason = "the answer is JSON of another shape"
		return failed
	}
	return nil
}

// retryAfter reads the header: seconds or a date (RFC 9110 §10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// Calls is how many calls were sent, those for tokens included.
func (c *Client) Calls() int64 { return c.calls.Load() }
