// Package remote asks a terminology server elsewhere
// (https://hl7.org/fhir/R4/terminology-service.html): by HTTP, with a limit of
// time, a cache of answers, and a pause after failures.
//
//	client.go   Client: settings, routing and calls
//	cache.go    answers that are remembered
//	breaker.go  when a server that fails is left alone
//
// Questions are sent by POST, so that codes stand in no log of addresses.
// Texts of errors name the setting and the status and nothing of what was
// asked or answered.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
)

// Settings of a terminology server.
type Settings struct {
	// URL is the base of its FHIR R4 service.
	URL string
	// Authorization is the value of that header, Bearer … or Basic …; none when
	// "".
	Authorization string
	// Systems are the code systems that go there in any case, with the value
	// sets and concept maps whose URLs begin with theirs. Without any, what is
	// not held here goes there.
	Systems []string
	// Timeout is for one call; 10 s when 0.
	Timeout time.Duration
	// CacheLife is how long an answer is remembered, an hour when 0; CacheBytes
	// is how much is, 32 MiB when 0.
	CacheLife  time.Duration
	CacheBytes int
	// Failures is how many calls in a row must fail for the server to be left
	// alone for Pause; 5 and 30 s when 0.
	Failures int
	Pause    time.Duration
	Now      func() time.Time
}

// Client asks one server. Safe for concurrent use. It implements
// terminology.Server.
type Client struct {
	s       Settings
	rest    *resty.Client
	cache   *cache
	breaker *breaker
}

// maxAnswer is the largest answer that is read.
const maxAnswer = 64 << 20

// New makes a client; settings that cannot be used are named.
func New(s Settings) (*Client, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("terminology-server: it must be the http or https address of a FHIR service")
	}
	if u.User != nil {
		return nil, errors.New("terminology-server: credentials go into terminology-authorization, not into the address")
	}
	for _, system := range s.Systems {
		if !strings.Contains(system, ":") {
			return nil, fmt.Errorf("terminology-systems: %q is no URL of a code system", system)
		}
	}
	s.Timeout = or(s.Timeout, 10*time.Second)
	s.CacheLife = or(s.CacheLife, time.Hour)
	s.CacheBytes = or(s.CacheBytes, 32<<20)
	s.Failures = or(s.Failures, 5)
	s.Pause = or(s.Pause, 30*time.Second)
	rest := resty.New().
		SetBaseURL(strings.TrimSuffix(s.URL, "/")).
		SetTimeout(s.Timeout).
		SetResponseBodyLimit(maxAnswer).
		SetLogger(silent{}).
		SetHeader("Accept", "application/fhir+json").
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // credentials go nowhere else
		}))
	if s.Authorization != "" {
		rest.SetHeader("Authorization", s.Authorization)
	}
	return &Client{s, rest, newCache(s.CacheBytes, s.CacheLife, s.Now), newBreaker(s.Failures, s.Pause, s.Now)}, nil
}

func or[T comparable](v, usual T) T {
	var none T
	if v == none {
		return usual
	}
	return v
}

// silent keeps resty from logging: its texts hold addresses.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Asks implements terminology.Server.
func (c *Client) Asks(canonical string) terminology.Routing {
	if len(c.s.Systems) == 0 {
		// What is on this server only is not known elsewhere.
		if strings.HasPrefix(canonical, "ValueSet/") || strings.HasPrefix(canonical, "ConceptMap/") {
			return terminology.Never
		}
		return terminology.Unheld
	}
	for _, s := range c.s.Systems {
		// http://snomed.info/sct?fhir_vs=… and http://loinc.org/vs/… are value
		// sets that the code system implies.
		if rest, ok := strings.CutPrefix(canonical, s); ok && (rest == "" || strings.ContainsRune("?/|", rune(rest[0]))) {
			return terminology.Always
		}
	}
	return terminology.Never
}

// Call implements terminology.Server.
func (c *Client) Call(ctx context.Context, operation string, parameters []byte) ([]byte, error) {
	return c.remembered(ctx, operation+"\n"+string(parameters), func() (*resty.Response, error) {
		return c.rest.R().SetContext(ctx).SetHeader("Content-Type", "application/fhir+json").SetBody(parameters).Post("/" + operation)
	})
}

// Has implements terminology.Server.
func (c *Client) Has(ctx context.Context, typ, canonical string) (bool, error) {
	body, err := c.remembered(ctx, typ+"?url="+canonical, func() (*resty.Response, error) {
		return c.rest.R().SetContext(ctx).SetQueryParams(map[string]string{"url": canonical, "_elements": "url"}).Get("/" + typ)
	})
	if err != nil {
		return false, err
	}
	var bundle struct {
		ResourceType string
		Entry        []struct {
			Resource struct{ ResourceType, URL string }
		}
	}
	if err := json.Unmarshal(body, &bundle); err != nil || bundle.ResourceType != "Bundle" {
		return false, fail(terminology.ErrServer, "did not answer a search for a %s with a Bundle", typ)
	}
	for _, e := range bundle.Entry {
		if e.Resource.ResourceType == typ && e.Resource.URL == canonical {
			return true, nil
		}
	}
	return false, nil
}

func fail(cause error, format string, args ...any) error {
	return &terminology.Error{Cause: cause, Text: "The terminology server (setting terminology-server) " + fmt.Sprintf(format, args...) + "."}
}

// remembered is an answer from the cache, or of a call. Only what was answered
// well is remembered.
func (c *Client) remembered(ctx context.Context, key string, send func() (*resty.Response, error)) ([]byte, error) {
	if body, ok := c.cache.get(key); ok {
		return body, nil
	}
	if !c.breaker.enter() {
		return nil, fail(terminology.ErrUnavailable, "failed %d times in a row and is asked again after a pause", c.s.Failures)
	}
	response, err := send()
	if ctx.Err() != nil {
		c.breaker.leave(unknown) // whoever asked gave up: nothing is known
		return nil, ctx.Err()
	}
	if err != nil {
		c.breaker.leave(bad)
		if errors.Is(err, resty.ErrResponseBodyTooLarge) {
			return nil, fail(terminology.ErrServer, "answered with more than %d MiB", maxAnswer>>20)
		}
		return nil, fail(terminology.ErrUnavailable, "did not answer within %s", c.s.Timeout)
	}
	if err := check(response); err != nil {
		verdict := good
		if errors.Is(err, terminology.ErrServer) || errors.Is(err, terminology.ErrUnavailable) {
			verdict = bad
		}
		c.breaker.leave(verdict)
		return nil, err
	}
	c.breaker.leave(good)
	c.cache.put(key, response.Body())
	return response.Body(), nil
}

// check tells answers from refusals. What a refusal says in words is not
// passed on.
func check(r *resty.Response) error {
	status := r.StatusCode()
	if status == http.StatusOK {
		return nil
	}
	code := issueCode(r.Body())
	switch {
	case code == "too-costly":
		return fail(terminology.ErrTooCostly, "has more codes there than it lists")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fail(terminology.ErrServer, "does not accept the credentials of the setting terminology-authorization (status %d)", status)
	case status == http.StatusNotFound && code != "" && code != "not-supported", code == "not-found", code == "code-invalid":
		return fail(terminology.ErrNotHeld, "does not hold what is asked about")
	case status == http.StatusTooManyRequests || status >= 500:
		return fail(terminology.ErrUnavailable, "is not able to answer (status %d)", status)
	}
	if code == "" {
		return fail(terminology.ErrServer, "answers as no FHIR service does (status %d)", status)
	}
	return fail(terminology.ErrInvalid, "refuses the question (status %d)", status)
}

// issueCode is the first OperationOutcome.issue.code of an error, "" when the
// answer is none.
func issueCode(body []byte) string {
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return ""
	}
	if t, _ := doc.Root().Member("resourceType"); !t.Is("OperationOutcome") {
		return ""
	}
	issues, _ := doc.Root().Member("issue")
	for i := range issues.Elements() {
		code, _ := i.Member("code")
		return code.String()
	}
	return ""
}
