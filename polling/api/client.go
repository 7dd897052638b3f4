package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/fhirfacade/fhirfacade/polling"
)

// maxAnswer is the largest answer read.
const maxAnswer = 64 << 20

// Options of New.
type Options struct {
	// BaseURL is what paths are below.
	BaseURL string
	Auth    polling.Auth
	Header  map[string]string
	Limits  []Limit
	// Timeout is for one call; 30 s when zero.
	Timeout     time.Duration
	Environment polling.Environment
}

// Client calls an API. It renews its token and keeps to its limits; it does
// not repeat calls by itself, as the next poll does. It is safe for
// concurrent use.
type Client struct {
	o      Options
	env    polling.Environment
	base   string
	host   string
	rest   *resty.Client
	signer *signer
	budget *Budget
	tokens tokens
	calls  atomic.Int64
}

// New returns a client.
func New(o Options) (*Client, error) {
	env := o.Environment
	if err := checkURL(o.BaseURL); err != nil {
		return nil, fmt.Errorf("the base URL is %w", err)
	}
	if err := CheckAuth(o.Auth); err != nil {
		return nil, err
	}
	if o.Auth.TokenURL != "" {
		if err := checkURL(o.Auth.TokenURL); err != nil {
			return nil, fmt.Errorf("tokenUrl is %w", err)
		}
	}
	base := strings.TrimSuffix(o.BaseURL, "/")
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("the base URL is none")
	}
	transport := env.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	c := &Client{o: o, env: env, base: base, host: u.Host, budget: NewBudget(env.Now, o.Limits...)}
	if o.Auth.Method == PrivateKeyJWT {
		if c.signer, err = newSigner(o.Auth.PrivateKey, o.Auth.KeyID); err != nil {
			return nil, err
		}
	}
	c.rest = resty.New().SetTransport(transport).SetTimeout(o.Timeout).SetResponseBodyLimit(maxAnswer).SetLogger(silent{}).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token goes nowhere else
		}))
	return c, nil
}

// silent keeps resty from logging: its texts hold URLs, which hold ids.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Base is the base URL without a slash at its end.
func (c *Client) Base() string { return c.base }

// Calls is how many calls were sent, those for tokens included.
func (c *Client) Calls() int64 { return c.calls.Load() }

// Call is one call.
type Call struct {
	Method string
	// URL is a path below the base URL, or an absolute address on its host.
	URL    string
	Query  url.Values
	Header map[string]string
	Body   []byte
	// Name is what errors say: method and path without ids.
	Name string
}

// Answer is what a call brought.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// IsJSON reports whether the answer says that it is JSON.
func (a Answer) IsJSON() bool { return strings.Contains(a.Header.Get("Content-Type"), "json") }

// Do makes a call. Whatever is no success is an error, a
// *polling.CallError as a rule. A token that is not accepted is renewed once.
func (c *Client) Do(ctx context.Context, k Call) (Answer, error) {
	target, err := c.resolve(k)
	if err != nil {
		return Answer{}, err
	}
	for attempt := 0; ; attempt++ {
		header, query := http.Header{}, target.Query()
		for name, value := range c.o.Header {
			header.Set(name, value)
		}
		for name, value := range k.Header {
			header.Set(name, value)
		}
		token, err := c.authorize(ctx, header, query)
		if err != nil {
			return Answer{}, err
		}
		target.RawQuery = query.Encode()
		answer, err := c.send(ctx, k.Method, target.String(), k.Name, header, k.Body)
		if err != nil {
			return Answer{}, err
		}
		if answer.Status == http.StatusUnauthorized && token != "" && attempt == 0 {
			c.tokens.drop(token)
			continue
		}
		return answer, c.check(answer, k.Name)
	}
}

// resolve makes the address of a call. What leads to another host is
// refused: the vendor's token is not for others.
func (c *Client) resolve(k Call) (*url.URL, error) {
	text := k.URL
	if !strings.Contains(text, "://") {
		text = c.base + "/" + strings.TrimPrefix(text, "/")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host != c.host {
		return nil, &polling.CallError{Kind: polling.ErrMalformed, Call: k.Name, Reason: "a link leads to another host"}
	}
	if len(k.Query) > 0 {
		q := u.Query()
		for name, values := range k.Query {
			for _, v := range values {
				q.Add(name, v)
			}
		}
		u.RawQuery = q.Encode()
	}
	return u, nil
}

// send waits for the budget and sends. What goes wrong on the way is told
// without the URL.
func (c *Client) send(ctx context.Context, method, target, name string, header http.Header, body []byte) (Answer, error) {
	d, exhausted := c.budget.Reserve()
	if exhausted {
		return Answer{}, &polling.CallError{Kind: polling.ErrRateLimited, Call: name, RetryAfter: d, Reason: "the set limit is reached"}
	}
	if d > 0 {
		if err := c.env.Wait(ctx, d); err != nil {
			return Answer{}, err
		}
	}
	c.calls.Add(1)
	request := c.rest.R().SetContext(ctx)
	request.Header = header
	if body != nil {
		request.SetBody(body)
	}
	response, err := request.Execute(method, target)
	if err == nil {
		return Answer{response.StatusCode(), response.Header(), response.Body()}, nil
	}
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	failed := &polling.CallError{Kind: polling.ErrTemporary, Call: name, Reason: "the connection failed"}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		failed.Reason = "no answer in time"
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		failed.Kind, failed.Reason = polling.ErrMalformed, "the answer is too large"
	}
	return Answer{}, failed
}

// check tells the statuses apart.
func (c *Client) check(a Answer, name string) error {
	failed := &polling.CallError{Call: name, Status: a.Status}
	switch status := a.Status; {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusUnauthorized:
		failed.Kind = polling.ErrUnauthorized
	case status == http.StatusTooManyRequests:
		failed.Kind, failed.RetryAfter = polling.ErrRateLimited, retryAfter(a.Header.Get("Retry-After"), c.env.Now())
	case status == http.StatusForbidden:
		failed.Kind = polling.ErrUnauthorized
	case status == http.StatusNotFound, status == http.StatusGone:
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

// retryAfter reads the header: seconds or a date (RFC 9110 §10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 86_400)) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(24*time.Hour, max(0, t.Sub(now)))
	}
	return 0
}
