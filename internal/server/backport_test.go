package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
)

const backportExtensions = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"

func backportSubscription(criteria, endpoint, level string, filters ...string) string {
	var under []string
	for _, f := range filters {
		under = append(under, fmt.Sprintf(`{"url":"%sbackport-filter-criteria","valueString":%q}`, backportExtensions, f))
	}
	filter := ""
	if len(under) > 0 {
		filter = `"_criteria":{"extension":[` + strings.Join(under, ",") + `]},`
	}
	return fmt.Sprintf(`{"resourceType":"Subscription","meta":{"profile":["%[1]sbackport-subscription"]},"status":"requested","reason":"test","criteria":%[2]q,%[3]s
		"channel":{"type":"rest-hook","endpoint":%[4]q,"header":["Authorization: Bearer t0ken"],
		"extension":[{"url":"%[1]sbackport-timeout","valueUnsignedInt":5},{"url":"%[1]sbackport-max-count","valuePositiveInt":3}],
		"payload":"application/fhir+json","_payload":{"extension":[{"url":"%[1]sbackport-payload-content","valueCode":%[5]q}]}}}`,
		backportExtensions, criteria, filter, endpoint, level)
}

// notification is a Bundle that a subscriber got, and the Parameters in it.
type notification struct {
	Type  string
	Total *int
	Entry []struct {
		FullURL  string
		Resource struct {
			ResourceType, ID string
			Parameter        []notificationParameter
		}
		Request, Response *struct{ Method, URL, Status string }
	}
}

type notificationParameter struct {
	Name           string
	ValueReference struct{ Reference string }
	ValueCanonical string
	ValueCode      string
	ValueString    string
	Part           []notificationParameter
}

func notificationOf(t *testing.T, body []byte) notification {
	t.Helper()
	if issues := conformance.ValidateStructure(body); len(issues) > 0 {
		t.Errorf("a notification is no R4: %v in %s", issues, body)
	}
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// said is what the Parameters say: the value of a name, and the events.
func (n notification) said(entry int) (values map[string]string, events []map[string]string) {
	read := func(list []notificationParameter) map[string]string {
		v := map[string]string{}
		for _, p := range list {
			v[p.Name] = p.ValueReference.Reference + p.ValueCanonical + p.ValueCode + p.ValueString
		}
		return v
	}
	values = read(n.Entry[entry].Resource.Parameter)
	for _, p := range n.Entry[entry].Resource.Parameter {
		if p.Name == "notification-event" {
			events = append(events, read(p.Part))
		}
	}
	return values, events
}

// The Subscriptions R5 Backport IG as Inferno's test kit looks at it: one
// Subscription of each level, from its creation to $status and $events.
func TestBackportSubscriptions(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		for _, level := range []string{"empty", "id-only", "full-resource"} {
			t.Run(level, func(t *testing.T) {
				hook := newSubscriber(t)
				r := &running{t: t, url: r.url, logs: r.logs}
				canonical := topic.Base + "Encounter-change"
				patient := r.create(`{"resourceType":"Patient"}`)
				encounter := func(status, of string) string {
					return fmt.Sprintf(`{"resourceType":"Encounter","status":%q,"class":{"code":"AMB"},"subject":{"reference":"Patient/%s"}}`, status, of)
				}
				resource := backportSubscription(canonical, hook.URL+"/hook", level, "Encounter.patient=Patient/"+patient, "status=planned,finished")
				a := r.want(r.send("POST", fhirBase+"/Subscription", resource), http.StatusCreated, `"status":"requested"`, `"Authorization: Bearer t0ken"`, `"application/fhir+json"`)
				id := text(at(decoded(t, a), "id"))
				r.awaitStatus(id, "active")
				first := r.create(encounter("planned", patient))
				r.create(encounter("planned", "another"))
				r.create(encounter("arrived", patient))
				second := r.create(encounter("finished", patient))
				r.want(r.send("DELETE", fhirBase+"/Encounter/"+second, ""), http.StatusNoContent)
				eventually(t, "a handshake and three events", func() bool { return len(hook.got("POST")) == 4 })

				for i, got := range hook.got("POST") {
					n := notificationOf(t, got.body)
					values, events := n.said(0)
					if n.Type != "history" || !strings.HasPrefix(got.header.Get("Content-Type"), "application/fhir+json") ||
						got.header.Get("Authorization") != "Bearer t0ken" || got.path != "/hook" {
						t.Errorf("%d: type %s, headers %v", i, n.Type, got.header)
					}
					if !strings.HasSuffix(values["subscription"], "/"+id) || !strings.HasSuffix(n.Entry[0].Request.URL, "Subscription/"+id+"/$status") {
						t.Errorf("%d: of %s", i, values["subscription"])
					}
					for _, e := range n.Entry {
						if e.Request == nil || e.Response == nil {
							t.Errorf("%d: an entry has no request or response", i)
						}
					}
					if i == 0 {
						if values["type"] != "handshake" || values["status"] != "requested" || values["events-since-subscription-start"] != "0" || len(events) != 0 || len(n.Entry) != 1 {
							t.Errorf("handshake %v", values)
						}
						continue
					}
					if values["type"] != "event-notification" || values["status"] != "active" || values["events-since-subscription-start"] != fmt.Sprint(i) || len(events) != 1 || events[0]["event-number"] != fmt.Sprint(i) {
						t.Fatalf("%d: %v %v", i, values, events)
					}
					focus := "Encounter/" + []string{first, second, second}[i-1]
					switch level {
					case "empty":
						if len(n.Entry) != 1 || events[0]["focus"] != "" || values["topic"] != "" {
							t.Errorf("%d: empty says %s", i, got.body)
						}
					case "id-only":
						if len(n.Entry) != 2 || !strings.HasSuffix(events[0]["focus"], "/"+focus) || !strings.HasSuffix(n.Entry[1].FullURL, focus) || n.Entry[1].Resource.ResourceType != "" {
							t.Errorf("%d: id-only says %s", i, got.body)
						}
					default:
						if len(n.Entry) != 2 || values["topic"] != canonical || !strings.HasSuffix(events[0]["focus"], "/"+focus) || (n.Entry[1].Resource.ResourceType == "Encounter") != (i < 3) {
							t.Errorf("%d: full-resource says %s", i, got.body)
						}
						if method := []string{"POST", "POST", "DELETE"}[i-1]; n.Entry[1].Request.Method != method {
							t.Errorf("%d: %s, want %s", i, n.Entry[1].Request.Method, method)
						}
					}
				}

				// $status on the instance, on the type, by GET and by POST.
				for _, a := range []answer{
					r.send("GET", fhirBase+"/Subscription/"+id+"/$status", ""),
					r.send("POST", fhirBase+"/Subscription/"+id+"/$status", ""),
					r.send("GET", fhirBase+"/Subscription/$status?id="+id+"&status=active", ""),
					r.send("POST", fhirBase+"/Subscription/$status", `{"resourceType":"Parameters","parameter":[{"name":"id","valueId":"`+id+`"}]}`),
				} {
					n := notificationOf(t, r.want(a, http.StatusOK).body)
					if n.Type != "searchset" || len(n.Entry) != 1 || *n.Total != 1 {
						t.Fatalf("$status is %s", a.body)
					}
					values, events := n.said(0)
					if values["type"] != "query-status" || values["status"] != "active" || values["events-since-subscription-start"] != "3" || values["topic"] != canonical || len(events) > 0 {
						t.Errorf("$status is %v", values)
					}
				}
				none := notificationOf(t, r.want(r.send("GET", fhirBase+"/Subscription/$status?status=off&id="+id, ""), http.StatusOK).body)
				if len(none.Entry) != 0 {
					t.Error("$status has one that is not off")
				}

				// $events are the same events, by number.
				n := notificationOf(t, r.want(r.send("GET", fhirBase+"/Subscription/"+id+"/$events?eventsSinceNumber=2&eventsUntilNumber=3", ""), http.StatusOK).body)
				values, events := n.said(0)
				if n.Type != "history" || values["type"] != "query-event" || values["events-since-subscription-start"] != "3" || len(events) != 2 || events[0]["event-number"] != "2" || events[1]["event-number"] != "3" {
					t.Errorf("$events is %v %v", values, events)
				}
				if (events[0]["focus"] == "") != (level == "empty") {
					t.Errorf("$events has the focus %q", events[0]["focus"])
				}
				r.want(r.send("GET", fhirBase+"/Subscription/"+id+"/$events?eventsSinceNumber=x", ""), http.StatusBadRequest, "eventsSinceNumber")
				r.want(r.send("GET", fhirBase+"/Subscription/"+id+"/$events?since=1", ""), http.StatusBadRequest)
				n = notificationOf(t, r.want(r.send("GET", fhirBase+"/Subscription/"+id+"/$events?content=empty", ""), http.StatusOK).body)
				if _, events := n.said(0); len(n.Entry) != 1 || len(events) != 3 {
					t.Errorf("$events with the hint empty has %d entries, %d events", len(n.Entry), len(events))
				}
			})
		}
	})
}

// Inferno refuses a server that takes what it cannot do.
func TestBackportRefused(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	good := backportSubscription(topic.Base+"Encounter-change", "https://app.example.org/hook", "id-only", "patient=Patient/1")
	for name, change := range map[string][2]string{
		"topic":                {"Encounter-change", "nothing"},
		"topic's version":      {"Encounter-change", "Encounter-change|9"},
		"filter":               {"patient=", "nonsense="},
		"filter's type":        {"patient=", "Observation.patient="},
		"filter of no form":    {"patient=Patient/1", "patient"},
		"channel":              {`"rest-hook"`, `"sms"`},
		"endpoint":             {"https://app.example.org/hook", "ftp://app.example.org"},
		"payload":              {`"payload":"application/fhir+json"`, `"payload":"application/x-other"`},
		"content level":        {"id-only", "everything"},
		"extension of FHIR 5.": {backportExtensions + "backport-filter-criteria", "http://hl7.org/fhir/5.0/subscriptions-backport/StructureDefinition/backport-filter-criteria"},
	} {
		if a := r.send("POST", fhirBase+"/Subscription", strings.Replace(good, change[0], change[1], 1)); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	r.want(r.send("POST", fhirBase+"/Subscription", good), http.StatusCreated)
}

// Heartbeats come when they are asked for, and only then; the topics of events
// are told of messages with what belongs to them.
func TestBackportHeartbeatsAndEvents(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	hook := newSubscriber(t)
	resource := backportSubscription(topic.Base+"appointment-booked", hook.URL, "full-resource")
	resource = strings.Replace(resource, `"extension":[{"url":"`+backportExtensions+`backport-timeout","valueUnsignedInt":5}`,
		`"extension":[{"url":"`+backportExtensions+`backport-heartbeat-period","valueUnsignedInt":1}`, 1)
	id := r.subscribe(resource)
	r.awaitStatus(id, "active")
	r.want(r.send("POST", "/endpoint", string(shipped(t, "Scheduling", "New"))), http.StatusOK)
	seen := map[string]notification{}
	eventually(t, "an event and a heartbeat", func() bool {
		for _, got := range hook.got("POST") {
			n := notificationOf(t, got.body)
			values, _ := n.said(0)
			seen[values["type"]] = n
		}
		return len(seen) == 3
	})
	values, events := seen["event-notification"].said(0)
	if len(events) != 1 || !strings.Contains(events[0]["focus"], "/Appointment/") || !strings.Contains(events[0]["additional-context"], "/") || len(seen["event-notification"].Entry) < 3 {
		t.Errorf("the event is %v %v", values, events)
	}
	if values, events := seen["heartbeat"].said(0); len(events) > 0 || values["status"] != "active" {
		t.Errorf("the heartbeat is %v", values)
	}
	var statement struct {
		Instantiates []string
		Rest         []struct {
			Resource []struct {
				Type             string
				SupportedProfile []string
				Extension        []struct{ ValueCanonical string }
				Operation        []struct{ Name string }
			}
		}
	}
	r.want(r.send("GET", fhirBase+"/metadata", ""), http.StatusOK, "backport-subscription-server-r4").decode(t, &statement)
	for _, res := range statement.Rest[0].Resource {
		if res.Type != "Subscription" {
			continue
		}
		text := fmt.Sprint(res)
		for _, want := range []string{backportExtensions + "backport-subscription", topic.Base + "appointment-booked", "{events}", "{status}"} {
			if !strings.Contains(text, want) {
				t.Errorf("the statement does not name %s", want)
			}
		}
	}
}

// A topic of one's own: added as Basic, advertised, subscribed to, and refused
// where it cannot work.
func TestCustomTopic(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		const url = "https://example.org/SubscriptionTopic/finished"
		define := func(criteria string) string {
			return `{"resourceType":"Basic","code":{"coding":[{"system":"http://hl7.org/fhir/fhir-types","code":"SubscriptionTopic"}]},"extension":[
			{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.url","valueUri":"` + url + `"},
			{"url":"http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic.resourceTrigger","extension":[
				{"url":"resource","valueUri":"Encounter"},{"url":"supportedInteraction","valueCode":"update"},
				{"url":"queryCriteria","extension":[{"url":"previous","valueString":"status:not=finished"},{"url":"current","valueString":"` + criteria + `"},{"url":"requireBoth","valueBoolean":true}]}]}]}`
		}
		hook := newSubscriber(t)
		r.want(r.send("POST", fhirBase+"/Basic", define("nonsense=1")), http.StatusUnprocessableEntity, "Basic.extension")
		r.want(r.send("POST", fhirBase+"/Subscription", backportSubscription(url, hook.URL, "id-only")), http.StatusUnprocessableEntity, "topic")
		r.create(define("status=finished"))
		r.want(r.send("GET", fhirBase+"/metadata", ""), http.StatusOK, url)
		r.awaitStatus(r.subscribe(backportSubscription(url, hook.URL, "id-only")), "active")
		encounter := func(id, status string) {
			r.send("PUT", fhirBase+"/Encounter/"+id, `{"resourceType":"Encounter","id":"`+id+`","status":"`+status+`","class":{"code":"AMB"}}`)
		}
		encounter("made-finished", "finished")
		encounter("a", "planned")
		encounter("a", "finished")
		encounter("a", "finished")
		encounter("b", "planned")
		encounter("b", "finished")
		eventually(t, "two events", func() bool { return len(hook.got("POST")) == 3 })
		for i, want := range []string{"Encounter/a", "Encounter/b"} {
			if _, events := notificationOf(t, hook.got("POST")[i+1].body).said(0); !strings.HasSuffix(events[0]["focus"], want) {
				t.Errorf("%d is %v", i, events)
			}
		}
	})
}
