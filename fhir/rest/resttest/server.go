// Package resttest serves the FHIR API over real HTTP for tests, and checks it
// against the rules of R4's RESTful API (https://hl7.org/fhir/R4/http.html)
// and search (https://hl7.org/fhir/R4/search.html) on any store.
//
//	server.go     a server and requests to it
//	run.go        Run, the suite
//	the others    one page's section each
package resttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/guide"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/store"
)

// Open opens an empty store that takes its time from clock and is closed when
// the test ends.
type Open func(t testing.TB, clock func() time.Time) store.Store

// Clock is a clock that stands still between calls of Advance.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance puts the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Start is when a server's clock begins.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// MaxBody is the largest body that a server takes.
const MaxBody = 8 << 20

// Server is an API under test. Paths of requests are relative to Base unless
// they are absolute URLs.
type Server struct {
	testing.TB
	// Origin is the scheme and host, Base the FHIR base of a tenant.
	Origin, Base string
	Clock        *Clock
	Store        store.Store
	Repository   *repository.Repository
	// Settings are how writes are checked, by tenant.
	Settings map[store.Tenant]validate.Settings
	// Handler is what is served.
	Handler http.Handler
	client  *http.Client
}

// Serve starts an API on a new store.
func Serve(t testing.TB, open Open) *Server {
	t.Helper()
	return serve(t, open, func(*repository.Options) {}, func(*rest.Options) {})
}

// ServeWith is Serve with further options.
func ServeWith(t testing.TB, open Open, with func(o *rest.Options)) *Server {
	t.Helper()
	return serve(t, open, func(*repository.Options) {}, with)
}

// withWords is the setting for full text.
func withWords(o *repository.Options) { o.FullText = true }

func serve(t testing.TB, open Open, keeping func(o *repository.Options), with func(o *rest.Options)) *Server {
	t.Helper()
	gin.SetMode(gin.TestMode)
	s := &Server{TB: t, Clock: &Clock{now: Start}, Settings: map[store.Tenant]validate.Settings{
		"clinic/unchecked": {Level: validate.Off}, "clinic/strict": {Level: validate.Full, ModifierExtension: validate.ModifiersRefuse},
	}}
	s.Store = open(t, s.Clock.Now)
	engine := gin.New()
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	s.Origin, s.Handler = server.URL, engine
	s.client = server.Client()
	definitions := conformance.R4()
	kept := repository.Options{
		Store: s.Store, Definitions: definitions, Index: index(), Now: s.Clock.Now, NewID: sequence("new"),
		Pages:      search.PageTokens{Key: []byte("a key for tests only")},
		BaseURL:    func(t store.Tenant) string { return s.Origin + "/fhir/R4/" + string(t) },
		Validation: func(_ context.Context, t store.Tenant) (validate.Settings, error) { return s.Settings[t], nil },
		Guides:     guide.Builtin(),
	}
	keeping(&kept)
	s.Repository = repository.New(kept)
	o := rest.Options{
		Repository: s.Repository, Tenant: tenantOf, MaxBody: MaxBody, Now: s.Clock.Now, NewID: sequence("bundle"),
		Logger: slog.New(slog.DiscardHandler), Version: "test",
	}
	with(&o)
	api := rest.New(o)
	api.Register(engine)
	api.RegisterMetadata(engine)
	s.Base = s.Origin + "/fhir/R4/clinic/test"
	return s
}

// index is shared: it holds nothing but compiled definitions.
var index = sync.OnceValue(func() *search.Index { return search.NewIndex(conformance.R4(), r4model.R4()) })

func tenantOf(_ context.Context, organization, environment string) (store.Tenant, error) {
	if organization == "unknown" {
		return "", outcome.New(http.StatusNotFound, outcome.CodeNotFound, "There is no such organization.")
	}
	return store.Tenant(organization + "/" + environment), nil
}

func sequence(prefix string) func() string {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("%s-%d", prefix, n)
	}
}

// On is the same server with requests going to another tenant.
func (s *Server) On(tenant string) *Server {
	other := *s
	other.Base = s.Origin + "/fhir/R4/" + tenant
	return &other
}

// In is the same server with failures reported to another test.
func (s *Server) In(t testing.TB) *Server {
	other := *s
	other.TB = t
	return &other
}

// Answer is a response whose body was read.
type Answer struct {
	t      testing.TB
	what   string
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. Headers are names and values in turn; a body is sent as
// FHIR JSON unless a header says otherwise.
func (s *Server) Do(method, path, body string, headers ...string) *Answer {
	s.Helper()
	url := path
	if !strings.HasPrefix(path, "http://") {
		url = s.Base
		if path != "" && path[0] != '?' {
			url += "/"
		}
		url += path
	}
	r, err := http.NewRequestWithContext(s.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	if len(path) > 200 {
		path = path[:200] + "…"
	}
	return &Answer{t: s.TB, what: method + " " + path, Status: response.StatusCode, Header: response.Header, Body: b}
}

// Get sends a GET.
func (s *Server) Get(path string, headers ...string) *Answer {
	s.Helper()
	return s.Do(http.MethodGet, path, "", headers...)
}

// Put stores resources under the ids that they have.
func (s *Server) Put(resources ...string) {
	s.Helper()
	for _, r := range resources {
		var head struct{ ResourceType, ID string }
		if err := json.Unmarshal([]byte(r), &head); err != nil {
			s.Fatalf("%v in %s", err, r)
		}
		if a := s.Do(http.MethodPut, head.ResourceType+"/"+head.ID, r); a.Status != http.StatusOK && a.Status != http.StatusCreated {
			s.Fatalf("PUT %s/%s: %d %s", head.ResourceType, head.ID, a.Status, a.Body)
		}
	}
}

// Want fails the test unless the answer has a status.
func (a *Answer) Want(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		body := a.Body
		if len(body) > 1000 {
			body = body[:1000]
		}
		a.t.Fatalf("%s: status %d, want %d\n%s", a.what, a.Status, status, body)
	}
	return a
}

// WantHeader fails the test unless a header has a value.
func (a *Answer) WantHeader(name, value string) *Answer {
	a.t.Helper()
	if got := a.Header.Get(name); got != value {
		a.t.Errorf("%s: header %s is %q, want %q", a.what, name, got, value)
	}
	return a
}

// Decode reads the body as JSON.
func (a *Answer) Decode(into any) *Answer {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.Body)
	}
	return a
}

// Outcome is what tests look at in an OperationOutcome.
type Outcome struct {
	ResourceType string
	Issue        []struct {
		Severity, Code, Diagnostics string
		Location, Expression        []string
	}
}

// WantOutcome fails the test unless the answer is an OperationOutcome with
// this status whose first issue has this code and names all of these words.
func (a *Answer) WantOutcome(status int, code string, words ...string) *Answer {
	a.t.Helper()
	a.Want(status)
	var o Outcome
	a.Decode(&o)
	if o.ResourceType != "OperationOutcome" || len(o.Issue) == 0 {
		a.t.Fatalf("%s: no OperationOutcome: %s", a.what, a.Body)
	}
	if o.Issue[0].Code != code {
		a.t.Errorf("%s: issue code %q, want %q: %s", a.what, o.Issue[0].Code, code, o.Issue[0].Diagnostics)
	}
	for _, w := range words {
		if !strings.Contains(string(a.Body), w) {
			a.t.Errorf("%s: the outcome does not say %q: %s", a.what, w, a.Body)
		}
	}
	return a
}

// valid reports what is structurally wrong with a resource.
func (s *Server) valid(a *Answer) {
	s.Helper()
	for _, issue := range conformance.ValidateStructure(a.Body) {
		s.Errorf("%s: not valid at %s: %s", a.what, issue.Expression, issue.Diagnostics)
	}
}

// Bundle is what tests look at in a Bundle.
type Bundle struct {
	ResourceType, Type string
	Total              *int
	Link               []struct{ Relation, URL string }
	Entry              []Entry
}

// Entry is a Bundle.entry.
type Entry struct {
	FullURL  string
	Resource json.RawMessage
	Search   struct{ Mode string }
	Request  struct{ Method, URL string }
	Response struct {
		Status, Location, Etag, LastModified string
		Outcome                              *Outcome
	}
}

// Ref is the type and id of the entry's resource.
func (e Entry) Ref() string {
	var head struct{ ResourceType, ID string }
	_ = json.Unmarshal(e.Resource, &head)
	return head.ResourceType + "/" + head.ID
}

// Bundle reads a bundle of a type and checks it against R4's structure.
func (a *Answer) Bundle(typ string) Bundle {
	a.t.Helper()
	a.Want(http.StatusOK)
	for _, issue := range conformance.ValidateStructure(a.Body) {
		a.t.Errorf("%s: the bundle is not valid at %s: %s", a.what, issue.Expression, issue.Diagnostics)
	}
	var b Bundle
	a.Decode(&b)
	if b.Type != typ {
		a.t.Fatalf("%s: bundle of type %q, want %q", a.what, b.Type, typ)
	}
	return b
}

// IDs are the ids of the entries with a search mode, in order.
func (b Bundle) IDs(mode string) string {
	var ids []string
	for _, e := range b.Entry {
		if e.Search.Mode == mode {
			_, id, _ := strings.Cut(e.Ref(), "/")
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

// LinkTo is the URL of a link, "" when there is none.
func (b Bundle) LinkTo(relation string) string {
	for _, l := range b.Link {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

// Search returns the ids that match, in order.
func (s *Server) Search(query string, headers ...string) string {
	s.Helper()
	return s.Get(query, headers...).Bundle("searchset").IDs("match")
}
