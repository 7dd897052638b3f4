package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// told is a request that a subscriber got.
type told struct {
	method, path string
	header       http.Header
	body         []byte
}

// subscriber is an endpoint of Subscriptions. What it answers can be changed.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	all    []told
	answer int
}

func newSubscriber(t *testing.T) *subscriber {
	s := &subscriber{answer: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = append(s.all, told{r.Method, r.URL.Path, r.Header.Clone(), body})
		w.WriteHeader(s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) answers(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = status
}

// got are the requests of some method.
func (s *subscriber) got(method string) []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	var some []told
	for _, r := range s.all {
		if r.method == method {
			some = append(some, r)
		}
	}
	return some
}

// subscribe stores a Subscription and returns its id.
func (r *running) subscribe(resource string) string {
	r.t.Helper()
	a := r.want(r.send("POST", fhirBase+"/Subscription", resource), http.StatusCreated, `"status":"requested"`)
	return text(at(decoded(r.t, a), "id"))
}

// status is a Subscription's status, and its error.
func (r *running) status(id string) (status, failure string) {
	r.t.Helper()
	var s struct{ Status, Error string }
	r.want(r.send("GET", fhirBase+"/Subscription/"+id, ""), http.StatusOK).decode(r.t, &s)
	return s.Status, s.Error
}

func (r *running) awaitStatus(id, want string) (failure string) {
	r.t.Helper()
	eventually(r.t, "the status "+want, func() bool {
		var status string
		status, failure = r.status(id)
		return status == want
	})
	return failure
}

func (r *running) create(resource string) string {
	r.t.Helper()
	var v struct{ ResourceType, ID string }
	if err := json.Unmarshal([]byte(resource), &v); err != nil {
		r.t.Fatal(err)
	}
	return text(at(decoded(r.t, r.want(r.send("POST", fhirBase+"/"+v.ResourceType, resource), http.StatusCreated)), "id"))
}

func r4Subscription(criteria, endpoint, more string) string {
	return fmt.Sprintf(`{"resourceType":"Subscription","status":"requested","reason":"test","criteria":%q,"channel":{"type":"rest-hook","endpoint":%q%s}}`, criteria, endpoint, more)
}

// An R4 Subscription: requested, active when the endpoint has answered, told of
// creates and updates whose new version the criteria select, by PUT below the
// endpoint with a payload and by an empty POST without one, in order.
func TestR4Subscription(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		with, without := newSubscriber(t), newSubscriber(t)
		asXML := newSubscriber(t)
		id := r.subscribe(r4Subscription("Observation?status=final", with.URL+"/base", `,"payload":"application/fhir+json","header":["Authorization: Bearer x","X-Two: a: b"]`))
		other := r.subscribe(r4Subscription("Observation?status=final", without.URL+"/hook", ""))
		third := r.subscribe(r4Subscription("Patient", asXML.URL, `,"payload":"application/fhir+xml"`))
		// What happens before the endpoint has answered is told afterwards.
		early := r.create(`{"resourceType":"Observation","status":"final","code":{"text":"early"}}`)
		r.create(`{"resourceType":"Observation","status":"preliminary","code":{"text":"no"}}`)
		for _, s := range []string{id, other, third} {
			r.awaitStatus(s, "active")
		}
		if n := len(with.got("OPTIONS")); n != 1 {
			t.Errorf("%d handshakes", n)
		}
		later := r.create(`{"resourceType":"Observation","status":"preliminary","code":{"text":"later"}}`)
		r.want(r.send("PUT", fhirBase+"/Observation/"+later, `{"resourceType":"Observation","id":"`+later+`","status":"final","code":{"text":"later"}}`), http.StatusOK)
		r.want(r.send("DELETE", fhirBase+"/Observation/"+early, ""), http.StatusNoContent)
		r.want(r.send("POST", fhirBase, `{"resourceType":"Bundle","type":"transaction","entry":[
			{"resource":{"resourceType":"Observation","status":"final","code":{"text":"one"}},"request":{"method":"POST","url":"Observation"}},
			{"resource":{"resourceType":"Observation","status":"final","code":{"text":"two"}},"request":{"method":"POST","url":"Observation"}}]}`), http.StatusOK)
		eventually(t, "four resources", func() bool { return len(with.got("PUT")) == 4 })
		eventually(t, "four signals", func() bool { return len(without.got("POST")) == 4 })
		for i, want := range []string{"early", "later", "one", "two"} {
			got := with.got("PUT")[i]
			if !strings.Contains(string(got.body), `"`+want+`"`) || !strings.HasPrefix(got.path, "/base/Observation/") {
				t.Errorf("%d: %s %s, want %s", i, got.path, got.body, want)
			}
			if got.header.Get("Authorization") != "Bearer x" || got.header.Get("X-Two") != "a: b" || got.header.Get("Content-Type") != "application/fhir+json" {
				t.Errorf("headers %v", got.header)
			}
			if signal := without.got("POST")[i]; len(signal.body) > 0 || signal.path != "/hook" {
				t.Errorf("signal %s with %d bytes", signal.path, len(signal.body))
			}
		}
		if p := with.got("PUT")[1].path; p != "/base/Observation/"+later {
			t.Errorf("the update went to %s", p)
		}
		r.create(`{"resourceType":"Patient","name":[{"family":"Invented"}]}`)
		eventually(t, "XML", func() bool { return len(asXML.got("PUT")) == 1 })
		if got := asXML.got("PUT")[0]; !strings.Contains(string(got.body), `<family value="Invented"/>`) || got.header.Get("Content-Type") != "application/fhir+xml" {
			t.Errorf("%s", got.body)
		}

		// Off and deleted ones are told nothing.
		r.want(r.send("DELETE", fhirBase+"/Subscription/"+other, ""), http.StatusNoContent)
		body := string(r.want(r.send("GET", fhirBase+"/Subscription/"+third, ""), http.StatusOK).body)
		r.want(r.send("PUT", fhirBase+"/Subscription/"+third, strings.Replace(body, `"active"`, `"off"`, 1)), http.StatusOK)
		eventually(t, "the end of queues", func() bool {
			list := string(r.want(r.send("GET", admin+"/subscriptions", ""), http.StatusOK).body)
			return !strings.Contains(list, other) && strings.Contains(list, `"status":"paused"`)
		})
		r.create(`{"resourceType":"Observation","status":"final","code":{"text":"last"}}`)
		r.create(`{"resourceType":"Patient"}`)
		eventually(t, "the last", func() bool { return len(with.got("PUT")) == 5 })
		if len(without.got("POST")) != 4 || len(asXML.got("PUT")) != 1 {
			t.Error("who is gone was told")
		}
		// What belongs to a resource is not changed by hand.
		r.want(r.send("DELETE", admin+"/subscriptions/Subscription:"+id, ""), http.StatusBadRequest, "Subscription")
	})
}

// What a Subscription cannot mean, or is not done here, is refused with the
// element and the rule.
func TestSubscriptionsRefused(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	const hook = "https://app.example.org/hook"
	for name, c := range map[string]struct{ resource, element string }{
		"criteria that are no search":   {r4Subscription("Observation?nonsense=1", hook, ""), "Subscription.criteria"},
		"criteria of no type":           {r4Subscription("Nothing?x=1", hook, ""), "Subscription.criteria"},
		"criteria that shape a result":  {r4Subscription("Observation?_sort=date", hook, ""), "Subscription.criteria"},
		"a channel that is not there":   {strings.Replace(r4Subscription("Observation", hook, ""), "rest-hook", "sms", 1), "Subscription.channel.type"},
		"no endpoint":                   {strings.Replace(r4Subscription("Observation", hook, ""), `,"endpoint":"`+hook+`"`, "", 1), "Subscription.channel.endpoint"},
		"an endpoint without a host":    {r4Subscription("Observation", "hook", ""), "Subscription.channel.endpoint"},
		"an endpoint with a password":   {r4Subscription("Observation", "https://a:b@app.example.org/", ""), "Subscription.channel.endpoint"},
		"a header that is none":         {r4Subscription("Observation", hook, `,"header":["nonsense"]`), "Subscription.channel.header"},
		"a header of HTTP's":            {r4Subscription("Observation", hook, `,"header":["Host: other"]`), "Subscription.channel.header"},
		"two headers in one":            {r4Subscription("Observation", hook, `,"header":["A: b\r\nC: d"]`), "Subscription.channel.header"},
		"a payload that is not there":   {r4Subscription("Observation", hook, `,"payload":"text/plain"`), "Subscription.channel.payload"},
		"another version of FHIR":       {r4Subscription("Observation", hook, `,"payload":"application/fhir+json; fhirVersion=5.0"`), "Subscription.channel.payload"},
		"an end that is past":           {strings.Replace(r4Subscription("Observation", hook, ""), `"reason"`, `"end":"2001-01-01T00:00:00Z","reason"`, 1), "Subscription.end"},
		"the status error":              {strings.Replace(r4Subscription("Observation", hook, ""), "requested", "error", 1), "Subscription.status"},
		"a topic without a level":       {r4Subscription("https://example.org/topic", hook, `,"payload":"application/fhir+json"`), "Subscription.channel.payload.extension"},
		"a search with a content level": {r4Subscription("Observation", hook, `,"payload":"application/fhir+json","_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"empty"}]}`), "Subscription.criteria"},
	} {
		a := r.send("POST", fhirBase+"/Subscription", c.resource)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `"`+c.element+`"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	plain := strings.Replace(r4Subscription("Observation", "http://app.example.org/hook", ""), "Observation", "Patient", 1)
	r.want(r.send("POST", fhirBase+"/Subscription", plain), http.StatusCreated) // a sandbox accepts it
	if list := r.want(r.send("GET", fhirBase+"/Subscription?_summary=count", ""), http.StatusOK); !strings.Contains(string(list.body), `"total":1`) {
		t.Errorf("something refused was stored: %s", list.body)
	}
}

// An endpoint that does not answer leaves the Subscription in error, in words,
// until it is requested again; one that fails later shows, and recovers by
// itself with nothing lost; 410 switches it off.
func TestSubscriptionErrors(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	hook := newSubscriber(t)
	hook.answers(http.StatusUnauthorized)
	resource := r4Subscription("Observation", hook.URL, `,"payload":"application/fhir+json"`)
	id := r.subscribe(resource)
	if why := r.awaitStatus(id, "error"); !strings.Contains(why, "401") {
		t.Errorf("error is %q", why)
	}
	hook.answers(http.StatusOK)
	// A client may ask as the IG's text does, by writing active.
	again := strings.Replace(strings.Replace(resource, `"status"`, `"id":"`+id+`","status"`, 1), "requested", "active", 1)
	r.want(r.send("PUT", fhirBase+"/Subscription/"+id, again), http.StatusOK, `"status":"requested"`)
	if why := r.awaitStatus(id, "active"); why != "" {
		t.Errorf("active, and the error is %q", why)
	}
	hook.answers(http.StatusInternalServerError)
	r.create(`{"resourceType":"Observation","status":"final","code":{"text":"one"}}`)
	// Development does not retry: the failure shows at once.
	if why := r.awaitStatus(id, "error"); !strings.Contains(why, "500") {
		t.Errorf("error is %q", why)
	}
	hook.answers(http.StatusOK)
	r.create(`{"resourceType":"Observation","status":"final","code":{"text":"two"}}`)
	r.awaitStatus(id, "active")
	hook.answers(http.StatusGone)
	r.create(`{"resourceType":"Observation","status":"final","code":{"text":"three"}}`)
	if why := r.awaitStatus(id, "off"); !strings.Contains(why, "410") {
		t.Errorf("off, and the error is %q", why)
	}
}

// A Subscription to Subscriptions is not told of what the server writes of
// their status, which would never end; one with an end is off then.
func TestSubscriptionsToSubscriptions(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	hook := newSubscriber(t)
	id := r.subscribe(r4Subscription("Subscription", hook.URL, `,"payload":"application/fhir+json"`))
	r.awaitStatus(id, "active")
	other := r.subscribe(r4Subscription("Patient", hook.URL, ""))
	r.awaitStatus(other, "active")
	r.want(r.send("DELETE", fhirBase+"/Subscription/"+other, ""), http.StatusNoContent)
	r.subscribe(r4Subscription("Patient?active=true", hook.URL, ""))
	eventually(t, "two", func() bool { return len(hook.got("PUT")) == 2 })
	for _, got := range hook.got("PUT") {
		if !strings.Contains(string(got.body), `"requested"`) {
			t.Errorf("told of %s", got.body)
		}
	}
}
