package topic_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const tenant store.Tenant = "clinic/Development"

type world struct {
	testing.TB
	ctx      context.Context
	store    store.Store
	repo     *repository.Repository
	compiler *topic.Compiler
}

func newWorld(t testing.TB) *world {
	s, err := pebble.Open(t.TempDir(), pebble.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := conformance.R4()
	repo := repository.New(repository.Options{
		Store: s, Definitions: d, Index: search.NewIndex(d, r4model.R4()), Now: time.Now, NewID: uuid.NewString,
		Pages: search.PageTokens{Key: make([]byte, 32)},
	})
	built := topic.BuiltIn{Definitions: d, Events: []topic.NamedEvent{{Name: "appointment-booked", Types: []string{"Appointment"}}}}
	return &world{t, context.Background(), s, repo, &topic.Compiler{
		Repository: repo, Catalog: topic.Stored{Repository: repo, Others: built},
		Path: topic.PathContext{Model: r4model.R4(), Now: time.Now},
	}}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) put(typ, id, resource string) *topic.Entry {
	w.Helper()
	d, _, err := w.repo.Update(w.ctx, tenant, store.Ref{Type: typ, ID: id}, []byte(resource), 0)
	w.must(err)
	return w.entry(d.Seq)
}

func (w *world) delete(typ, id string) *topic.Entry {
	w.Helper()
	e, err := w.repo.Delete(w.ctx, tenant, store.Ref{Type: typ, ID: id}, 0)
	w.must(err)
	return w.entry(e.Seq)
}

func (w *world) entry(seq int64) *topic.Entry {
	w.Helper()
	all, err := w.store.ReadLog(w.ctx, tenant, seq-1, 1)
	w.must(err)
	return topic.NewEntry(all[0])
}

func (w *world) triggers(watch *topic.Watch, e *topic.Entry) bool {
	w.Helper()
	found, err := watch.Notices(w.ctx, w.repo, tenant, e, nil)
	w.must(err)
	return len(found) > 0
}

func observation(id, status, patient string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":%q,"code":{"text":"x"},"subject":{"reference":"Patient/%s"}}`, id, status, patient)
}

// A topic as Basic: what triggers by the versions before and after.
func TestTriggers(t *testing.T) {
	w := newWorld(t)
	define := func(url, trigger string) string {
		return `{"resourceType":"Basic","id":"t","code":{"coding":[{"system":"http://hl7.org/fhir/fhir-types","code":"SubscriptionTopic"}]},"extension":[
			{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.url","valueUri":"` + url + `"},
			{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.canFilterBy","extension":[{"url":"filterParameter","valueString":"patient"}]},
			{"url":"http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic.resourceTrigger","extension":[{"url":"resource","valueUri":"http://hl7.org/fhir/StructureDefinition/Observation"},` + trigger + `]}]}`
	}
	type step struct {
		status string // "" deletes
		want   bool
	}
	query := func(parts string) string { return `{"url":"queryCriteria","extension":[` + parts + `]}` }
	const (
		current  = `{"url":"current","valueString":"status=final"}`
		previous = `{"url":"previous","valueString":"Observation?status=preliminary"}`
		both     = `{"url":"requireBoth","valueBoolean":true}`
	)
	for name, c := range map[string]struct {
		trigger string
		steps   []step
	}{
		"create":          {`{"url":"supportedInteraction","valueCode":"create"}`, []step{{"final", true}, {"amended", false}, {"", false}, {"final", true}}},
		"update":          {`{"url":"supportedInteraction","valueCode":"update"}`, []step{{"final", false}, {"amended", true}, {"", false}}},
		"delete":          {`{"url":"supportedInteraction","valueCode":"delete"}`, []step{{"final", false}, {"", true}}},
		"any":             {`{"url":"description","valueMarkdown":"any"}`, []step{{"final", true}, {"amended", true}, {"", true}}},
		"current":         {query(current), []step{{"preliminary", false}, {"final", true}, {"", false}}},
		"previous":        {query(previous), []step{{"preliminary", false}, {"final", true}, {"preliminary", false}, {"", true}}},
		"either":          {query(current + "," + previous), []step{{"preliminary", false}, {"amended", true}, {"final", true}, {"amended", false}}},
		"both":            {query(current + "," + previous + "," + both), []step{{"final", false}, {"preliminary", false}, {"final", true}, {"final", false}}},
		"passes creating": {query(current + "," + previous + "," + both + `,{"url":"resultForCreate","valueCode":"test-passes"}`), []step{{"final", true}, {"final", false}}},
		"passes deleting": {query(current + `,{"url":"resultForDelete","valueCode":"test-passes"}`), []step{{"preliminary", false}, {"", true}}},
		"a path":          {`{"url":"fhirPathCriteria","valueString":"%previous.status != %current.status and %current.status = 'final'"}`, []step{{"final", false}, {"amended", false}, {"final", true}, {"final", false}, {"", false}}},
	} {
		url := "https://example.org/" + uuid.NewString()
		w.put("Basic", "t", define(url, c.trigger))
		watch, err := w.compiler.Topic(w.ctx, tenant, url, []string{"patient=Patient/1"})
		w.must(err)
		id := uuid.NewString()
		for i, s := range c.steps {
			var e, other *topic.Entry
			if s.status == "" {
				e, other = w.delete("Observation", id), w.delete("Observation", "o"+id[1:])
			} else {
				e = w.put("Observation", id, observation(id, s.status, "1"))
				other = w.put("Observation", "o"+id[1:], observation("o"+id[1:], s.status, "2"))
			}
			if got := w.triggers(watch, e); got != s.want {
				t.Errorf("%s: step %d (%q): %v", name, i, s.status, got)
			}
			if w.triggers(watch, other) {
				t.Errorf("%s: step %d passes the filter", name, i)
			}
		}
		if _, err := w.compiler.Topic(w.ctx, tenant, url, []string{"status=final"}); err == nil {
			t.Errorf("%s: filtered by what canFilterBy does not name", name)
		}
	}
}

// An index finds every watch that an entry is for, whatever the criteria, with
// keys loaded and without; and what it hands out in vain is bounded by keys.
func TestIndexMissesNothing(t *testing.T) {
	w := newWorld(t)
	criteria := []string{
		"Observation", "Observation?status=final", "Observation?status=final,amended", "Observation?status:not=final",
		"Observation?patient=Patient/1", "Observation?patient=Patient/2&status=final", "Observation?date=gt2020", "Observation?_id=a,b",
		"Observation?patient.active=true", "Observation?code:text=x&status=amended", "Patient", "Patient?active=true", "Patient?name=Inv",
		"Observation?status=nothing", "Patient?_has:Observation:patient:status=final",
	}
	watches := make([]*topic.Watch, len(criteria))
	for i, c := range criteria {
		var err error
		watches[i], err = w.compiler.Criteria(w.ctx, tenant, c)
		w.must(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		x := topic.NewIndex[int]()
		in := map[int]bool{}
		for range rapid.IntRange(1, 40).Draw(rt, "adds") {
			i := rapid.IntRange(0, len(criteria)-1).Draw(rt, "watch")
			if in[i] {
				x.Remove(i)
			} else {
				x.Add(i, watches[i])
			}
			in[i] = !in[i]
		}
		id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "id")
		var e *topic.Entry
		switch rapid.IntRange(0, 2).Draw(rt, "what") {
		case 0:
			status := rapid.SampledFrom([]string{"final", "amended", "preliminary"}).Draw(rt, "status")
			e = w.put("Observation", id, observation(id, status, rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "patient")))
		case 1:
			e = w.put("Patient", id, `{"resourceType":"Patient","id":"`+id+`","active":true,"name":[{"family":"Invented"}]}`)
		default:
			w.put("Observation", id, observation(id, "final", "1"))
			e = w.delete("Observation", id)
		}
		if rapid.Bool().Draw(rt, "loaded") {
			w.must(e.Load(w.ctx, w.repo, tenant, x.Watches))
		}
		handed := map[int]int{}
		x.Each(e, "", func(i int) { handed[i]++ })
		for i := range criteria {
			if handed[i] > 1 || handed[i] == 1 && !in[i] {
				rt.Fatalf("%s: handed %d times, in the index: %v", criteria[i], handed[i], in[i])
			}
			if in[i] && handed[i] == 0 && w.triggers(watches[i], e) {
				rt.Fatalf("%s: missed", criteria[i])
			}
		}
	})
}

// Events have topics of their name, whose focus is what the event is about.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	e := w.put("Appointment", "a", `{"resourceType":"Appointment","id":"a","status":"booked","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`)
	named := &topic.Named{Name: "appointment-booked", Focus: []string{"Appointment/a"}, Context: []string{"Patient/1", "Appointment/a"}}
	for filter, want := range map[string]bool{"patient=Patient/1": true, "patient=Patient/2": false, "": true} {
		watch, err := w.compiler.Topic(w.ctx, tenant, topic.Base+"appointment-booked|"+topic.Version, slices.DeleteFunc([]string{filter}, func(f string) bool { return f == "" }))
		w.must(err)
		found, err := watch.Notices(w.ctx, w.repo, tenant, e, named)
		w.must(err)
		if len(found) > 0 != want || want && (found[0].Focus.String() != "Appointment/a" || len(found[0].Context) != 1 || found[0].Method != store.Create) {
			t.Errorf("%q: %+v", filter, found)
		}
		if w.triggers(watch, e) {
			t.Errorf("%q: triggered without the event", filter)
		}
	}
}

// What a SubscriptionTopic cannot mean here is refused when it is stored.
func TestTopicsRefused(t *testing.T) {
	w := newWorld(t)
	const good = `{"resourceType":"Basic","code":{"coding":[{"system":"http://hl7.org/fhir/fhir-types","code":"SubscriptionTopic"}]},"extension":[
		{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.url","valueUri":"https://example.org/t"},
		{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.resourceTrigger","extension":[{"url":"resource","valueUri":"Patient"},{"url":"queryCriteria","extension":[{"url":"current","valueString":"active=true"}]},{"url":"fhirPathCriteria","valueString":"active"}]}]}`
	w.must(w.admit(good))
	for name, change := range map[string][2]string{
		"no url":               {".url", ".title"},
		"a url built in":       {"https://example.org/t", topic.Base + "Patient-change"},
		"a type that is none":  {`"valueUri":"Patient"`, `"valueUri":"Nobody"`},
		"criteria":             {"active=true", "nonsense=true"},
		"a path":               {`"valueString":"active"`, `"valueString":"active("`},
		"an unknown part":      {`"queryCriteria"`, `"criteria"`},
		"another trigger":      {".resourceTrigger", ".eventTrigger"},
		"an unknown extension": {".resourceTrigger", ".something"},
	} {
		if w.admit(replace(good, change)) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
