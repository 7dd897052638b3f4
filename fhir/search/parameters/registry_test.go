package parameters_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const tenant = store.Tenant("clinic/Development")

// shared is a store that says that others may have it open.
type shared struct{ store.Store }

func (shared) Exclusive() bool { return false }

// clock is moved by hand; its timers run out when it is moved past them.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), timers: map[chan time.Time]time.Time{}}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	c.timers[ch] = c.now.Add(d)
	return ch
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, at := range c.timers {
		if !at.After(c.now) {
			ch <- c.now
			delete(c.timers, ch)
		}
	}
}

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// instance is a server as far as this package knows.
type instance struct {
	*repository.Repository
	registry *parameters.Registry
	clock    *clock
	t        *testing.T
}

var ids atomic.Int64

func newInstance(t *testing.T, s store.Store) *instance {
	c := newClock()
	d := conformance.R4()
	index := search.NewIndex(d, r4model.R4())
	reg := parameters.New(parameters.Options{Store: s, Definitions: d, Index: index, Now: c.Now, After: c.After,
		Progress: func(context.Context, store.Tenant, parameters.Parameter) string { return "3 of 7 done." }})
	repo := repository.New(repository.Options{
		Store: s, Definitions: d, Index: index, Parameters: reg, Now: c.Now,
		NewID: func() string { return fmt.Sprintf("new-%d", ids.Add(1)) }, Pages: search.PageTokens{Key: []byte("test")},
	})
	return &instance{repo, reg, c, t}
}

func (i *instance) put(resource string, typ, id string) error {
	_, _, err := i.Update(i.t.Context(), tenant, store.Ref{Type: typ, ID: id}, []byte(resource), 0)
	return err
}

func (i *instance) must(resource, typ, id string) {
	i.t.Helper()
	if err := i.put(resource, typ, id); err != nil {
		i.t.Fatal(err)
	}
}

// found are the ids that a search finds, or its error.
func (i *instance) found(typ, name, value string) (string, error) {
	res, err := i.Search(i.t.Context(), tenant, typ, []search.Parameter{{Name: name, Value: value}}, false)
	if err != nil {
		return "", err
	}
	matches, err := res.Matches()
	if err != nil {
		return "", err
	}
	var all []string
	for _, d := range matches {
		all = append(all, d.Ref.ID)
	}
	return strings.Join(all, " "), nil
}

func parameter(id, status, expression string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":%q,"url":"http://example.org/%s","name":"x","status":%q,`+
		`"description":"x","code":%q,"base":["Patient"],"type":"string","expression":%q}`, id, id, status, id, expression)
}

func patient(id, suffix string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"family":"Fernsby","suffix":[%q]}],"maritalStatus":{"text":"%s"}}`, id, suffix, suffix)
}

func TestLifeOfAParameter(t *testing.T) {
	i := newInstance(t, open(t))
	ctx := t.Context()
	i.must(patient("old", "Senior"), "Patient", "old")
	refusedWith := func(words ...string) {
		t.Helper()
		_, err := i.found("Patient", "suffix", "senior")
		var o *outcome.Error
		if !errors.As(err, &o) || o.Status != 400 {
			t.Fatalf("searched by it: %v", err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("the refusal does not say %q: %v", w, err)
			}
		}
	}
	refusedWith(`no search parameter named "suffix"`)

	i.must(parameter("suffix", "active", "Patient.name.suffix"), "SearchParameter", "suffix")
	refusedWith("suffix", "SearchParameter/suffix", "not ready", "3 of 7 done")
	i.must(patient("new", "Senior"), "Patient", "new")

	rec, err := i.registry.Record(ctx, tenant)
	if err != nil || len(rec.Parameters) != 1 || rec.Parameters[0].State != parameters.Building {
		t.Fatalf("%+v, %v", rec, err)
	}
	number := rec.Parameters[0].Number
	if err := i.registry.Built(ctx, tenant, []string{"Observation"}, rec.Generation, "", ""); err != nil {
		t.Fatal(err)
	}
	refusedWith("not ready") // another type's keys were built
	if err := i.registry.Built(ctx, tenant, []string{"Patient"}, rec.Generation-1, "", ""); err != nil {
		t.Fatal(err)
	}
	refusedWith("not ready") // it began before the parameter was there
	if err := i.registry.Built(ctx, tenant, []string{"Patient"}, rec.Generation, "", ""); err != nil {
		t.Fatal(err)
	}
	// The old patient was not reindexed by this test: what is found was
	// extracted when it was written.
	if got, err := i.found("Patient", "suffix", "sen"); got != "new" || err != nil {
		t.Errorf("found %q, %v", got, err)
	}
	old, err := i.Read(ctx, tenant, store.Ref{Type: "Patient", ID: "old"})
	if err != nil {
		t.Fatal(err)
	}
	if failed, err := i.Rekey(ctx, tenant, []store.Document{old}); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	if got, err := i.found("Patient", "suffix", "sen"); got != "old new" || err != nil {
		t.Errorf("found %q, %v", got, err)
	}

	// A new description is the same meaning; another expression is not.
	i.must(strings.Replace(parameter("suffix", "active", "Patient.name.suffix"), `"description":"x"`, `"description":"y"`, 1), "SearchParameter", "suffix")
	if got, err := i.found("Patient", "suffix", "sen"); got != "old new" || err != nil {
		t.Errorf("found %q, %v", got, err)
	}
	i.must(parameter("suffix", "active", "Patient.maritalStatus.text"), "SearchParameter", "suffix")
	refusedWith("not ready")
	rec, err = i.registry.Record(ctx, tenant)
	if err != nil || rec.Parameters[0].Number != number+1 {
		t.Errorf("%+v, %v: number %d was used again", rec, err, number)
	}
	i.must(parameter("suffix", "retired", "Patient.maritalStatus.text"), "SearchParameter", "suffix")
	refusedWith(`no search parameter named "suffix"`)
	i.must(parameter("suffix", "active", "Patient.name.suffix"), "SearchParameter", "suffix")
	if rec, err = i.registry.Record(ctx, tenant); err != nil || rec.Parameters[0].Number != number+2 {
		t.Errorf("%+v, %v: a number was used again", rec, err)
	}
	if _, err := i.Delete(ctx, tenant, store.Ref{Type: "SearchParameter", ID: "suffix"}, 0); err != nil {
		t.Fatal(err)
	}
	refusedWith(`no search parameter named "suffix"`)
}

// A resource that was prepared before the parameter came is stored with its
// keys, and Settle waits for a commit that began before.
func TestNoWriteIsMissed(t *testing.T) {
	i := newInstance(t, open(t))
	ctx := t.Context()
	i.must(patient("first", "Junior"), "Patient", "first")
	p, err := i.Prepare(ctx, tenant, "between", []byte(patient("between", "Senior")))
	if err != nil {
		t.Fatal(err)
	}
	use, err := i.registry.Begin(ctx, tenant)
	if err != nil {
		t.Fatal(err)
	}
	i.must(parameter("suffix", "active", "Patient.name.suffix"), "SearchParameter", "suffix")
	if _, err := i.Commit(ctx, tenant, store.Commit{Changes: []store.Change{p.Change(store.Absent())}}); err != nil {
		t.Fatal(err)
	}
	settled := make(chan error, 1)
	go func() { settled <- i.registry.Settle(ctx, tenant) }()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := i.registry.Settle(short, tenant); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("settled while an earlier commit was under way: %v", err)
	}
	if _, err := use.End(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-settled; err != nil {
		t.Fatal(err)
	}
	if err := i.registry.Built(ctx, tenant, nil, 1<<40, "", ""); err != nil {
		t.Fatal(err)
	}
	if got, err := i.found("Patient", "suffix", "sen"); got != "between" || err != nil {
		t.Errorf("found %q, %v", got, err)
	}
}

// Another instance learns of a parameter within a view's life, and a commit
// of it that took too long is put right before it is acknowledged.
func TestInstancesShareParameters(t *testing.T) {
	s := shared{open(t)}
	a, b := newInstance(t, s), newInstance(t, s)
	ctx := t.Context()
	b.must(patient("first", "Junior"), "Patient", "first") // b has a view now
	a.must(parameter("suffix", "active", "Patient.name.suffix"), "SearchParameter", "suffix")

	// Within its view's life b writes by what it knows.
	b.must(patient("early", "Senior"), "Patient", "early")
	b.clock.advance(5 * time.Second)
	b.must(patient("late", "Senior"), "Patient", "late")
	if err := a.registry.Built(ctx, tenant, nil, 1<<40, "", ""); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(5 * time.Second)
	if got, err := b.found("Patient", "suffix", "sen"); got != "late" || err != nil {
		t.Errorf("found %q, %v", got, err)
	}

	// The slow commit: begun by a view without the parameter "marital".
	use, err := b.registry.Begin(ctx, tenant)
	if err != nil {
		t.Fatal(err)
	}
	a.must(parameter("marital", "active", "Patient.maritalStatus.text"), "SearchParameter", "marital")
	b.clock.advance(11 * time.Second)
	if outdated, err := use.End(ctx); !outdated || err != nil {
		t.Errorf("outdated: %v, %v", outdated, err)
	}

	// Settle waits for a view's life and the allowance.
	settled := make(chan error, 1)
	go func() { settled <- a.registry.Settle(ctx, tenant) }()
	for waiting := false; !waiting; {
		a.clock.mu.Lock()
		waiting = len(a.clock.timers) > 0
		a.clock.mu.Unlock()
	}
	a.clock.advance(14 * time.Second)
	select {
	case err := <-settled:
		t.Error("settled before other instances have learnt of it", err)
	default:
	}
	a.clock.advance(time.Second)
	if err := <-settled; err != nil {
		t.Fatal(err)
	}
}

func TestFingerprintOfTenants(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	i := newInstance(t, s)
	fingerprint := i.registry.Fingerprint()
	if rebuild, err := i.registry.Check(ctx, tenant); rebuild || err != nil {
		t.Errorf("a tenant that holds nothing: %v, %v", rebuild, err)
	}
	i.must(patient("1", "x"), "Patient", "1")
	rec, err := i.registry.Record(ctx, tenant)
	if err != nil || rec.Fingerprint != fingerprint || rec.Rebuilding != "" {
		t.Errorf("born with %+v, %v", rec, err)
	}
	// What a program made that did not keep records, or made other keys.
	for name, body := range map[string]string{
		"no record":    "",
		"other record": `{"generation":1,"form":1,"fingerprint":"other"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.DeleteItem(ctx, tenant, "search-index", "record", store.ItemAny); err != nil {
				t.Fatal(err)
			}
			if body != "" {
				if _, err := s.PutItem(ctx, tenant, store.Item{Kind: "search-index", ID: "record", Body: []byte(body)}, 0); err != nil {
					t.Fatal(err)
				}
			}
			i := newInstance(t, s)
			if rebuild, err := i.registry.Check(ctx, tenant); !rebuild || err != nil {
				t.Fatalf("%v, %v", rebuild, err)
			}
			res, err := i.Search(ctx, tenant, "Patient", nil, false)
			if err != nil || len(res.Request.Warnings) != 1 || !strings.Contains(res.Request.Warnings[0].Diagnostics, "rebuilt") {
				t.Errorf("%+v, %v", res, err)
			}
			_, _, err = i.CreateIfNone(ctx, tenant, "Patient", []byte(patient("2", "x")), []search.Parameter{{Name: "family", Value: "fernsby"}})
			var o *outcome.Error
			if !errors.As(err, &o) || o.Status != 503 {
				t.Errorf("a conditional create goes on: %v", err)
			}
			if err := i.registry.Built(ctx, tenant, []string{"Patient"}, 1<<40, fingerprint, ""); err != nil {
				t.Fatal(err)
			}
			if again, err := i.registry.Check(ctx, tenant); !again || err != nil {
				t.Errorf("done with one type: %v, %v", again, err)
			}
			if err := i.registry.Built(ctx, tenant, nil, 1<<40, fingerprint, ""); err != nil {
				t.Fatal(err)
			}
			if again, err := i.registry.Check(ctx, tenant); again || err != nil {
				t.Errorf("not done: %v, %v", again, err)
			}
			if res, err := i.Search(ctx, tenant, "Patient", nil, false); err != nil || len(res.Request.Warnings) != 0 {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
	if err := s.DeleteItem(ctx, tenant, "search-index", "record", store.ItemAny); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutItem(ctx, tenant, store.Item{Kind: "search-index", ID: "record", Body: []byte(`{"generation":1,"form":1000,"fingerprint":"other"}`)}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := newInstance(t, s).registry.Check(ctx, tenant); !errors.Is(err, parameters.ErrNewer) {
		t.Errorf("keys of a later version: %v", err)
	}
}

// Two that take the same code at the same time cannot both be used.
func TestTwoOfTheSameCode(t *testing.T) {
	s := open(t)
	i := newInstance(t, s)
	i.must(parameter("suffix", "active", "Patient.name.suffix"), "SearchParameter", "suffix")
	second := strings.Replace(parameter("second", "active", "Patient.name.given"), `"code":"second"`, `"code":"suffix"`, 1)
	var o *outcome.Error
	if err := i.put(second, "SearchParameter", "second"); !errors.As(err, &o) || o.Issues[0].Expression != "SearchParameter.code" {
		t.Errorf("a second one of the code is stored: %v", err)
	}
	// Past the check, as when two instances take them at once.
	key := search.Everything(conformance.R4(), "SearchParameter").(store.Range).From
	if _, err := s.Commit(t.Context(), tenant, store.Commit{Changes: []store.Change{{
		Ref: store.Ref{Type: "SearchParameter", ID: "second"},
		Render: func(store.Stamp) store.Content {
			return store.Content{Body: []byte(second), Keys: []store.Key{key}}
		},
	}}}); err != nil {
		t.Fatal(err)
	}
	rec, err := i.registry.Reconcile(t.Context(), tenant)
	if err != nil || len(rec.Parameters) != 2 || rec.Parameters[0].State != parameters.Unusable || rec.Parameters[0].ID != "second" || rec.Parameters[1].State != parameters.Building {
		t.Errorf("%+v, %v", rec, err)
	}
}

// A tenant may have defined what a later version of the server knows by
// itself: that goes first, and the tenant's own one is told of.
func TestParameterThatBecameBuiltIn(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	before := newInstance(t, s)
	before.must(parameter("suffix", "active", "Patient.name.suffix"), "SearchParameter", "suffix")
	item, err := s.GetItem(ctx, tenant, "search-index", "record")
	if err != nil {
		t.Fatal(err)
	}
	record := strings.ReplaceAll(string(item.Body), `"code":"suffix"`, `"code":"race"`)
	record = strings.Replace(record, `"state":"building"`, `"state":"ready"`, 1)
	if record == string(item.Body) {
		t.Fatalf("the record has another form: %s", record)
	}
	if _, err := s.PutItem(ctx, tenant, store.Item{Kind: item.Kind, ID: item.ID, Body: []byte(record)}, store.ItemAny); err != nil {
		t.Fatal(err)
	}
	key := search.Everything(conformance.R4(), "SearchParameter").(store.Range).From
	body := strings.Replace(parameter("suffix", "active", "Patient.name.suffix"), `"code":"suffix"`, `"code":"race"`, 1)
	if _, err := s.Commit(ctx, tenant, store.Commit{Changes: []store.Change{{
		Ref:    store.Ref{Type: "SearchParameter", ID: "suffix"},
		Render: func(store.Stamp) store.Content { return store.Content{Body: []byte(body), Keys: []store.Key{key}} },
	}}}); err != nil {
		t.Fatal(err)
	}

	i := newInstance(t, s)
	v, err := i.registry.View(ctx, tenant)
	if err != nil {
		t.Fatal(err)
	}
	if sp, ok := v.Definitions.SearchParameter("Patient", "race"); !ok || sp.Type != conformance.SearchToken {
		t.Errorf("race is %+v", sp)
	}
	i.must(`{"resourceType":"Patient","id":"1","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",`+
		`"extension":[{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":"2106-3"}}]}]}`, "Patient", "1")
	if found, err := i.found("Patient", "race", "2106-3"); err != nil || found != "1" {
		t.Errorf("found %q, %v", found, err)
	}
	rec, err := i.registry.Reconcile(ctx, tenant)
	if err != nil || len(rec.Parameters) != 1 || rec.Parameters[0].State != parameters.Unusable || !strings.Contains(rec.Parameters[0].Problem, "us-core-race") {
		t.Errorf("%+v, %v", rec, err)
	}
}
