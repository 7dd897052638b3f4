package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// MaxBody is the body limit with which open must open its stores.
const MaxBody = 1 << 20

// Run checks an engine. Each call of open returns a new, empty store that
// runs on the system's clock, takes bodies of up to [MaxBody] bytes and
// refuses larger ones; open also sees to it that the store is closed and its
// data removed when the test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	s := open(t)
	n := 0
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Commit", commitTests},
		{"Guard", guardTests},
		{"Read", readTests},
		{"History", historyTests},
		{"Search", searchTests},
		{"Sort", sortTests},
		{"Chain", chainTests},
		{"Keys", keyTests},
		{"Log", logTests},
		{"Items", itemTests},
		{"Tenants", tenantTests},
		{"Errors", errorTests},
		{"TrimAndDrop", trimAndDropTests},
		{"Rekey", rekeyTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				n++
				f := &fixture{s: s, tenant: store.Tenant(fmt.Sprintf("suite-%d/Test", n))}
				t.Run(test.name, func(t *testing.T) {
					f.t = t
					f.ctx = contextFor(t)
					test.run(f)
				})
			}
		})
	}
	t.Run("Close", func(t *testing.T) { testClose(t, open) })
	t.Run("Property", func(t *testing.T) { testProperties(t, s) })
}

type test struct {
	// name is the rule that the test checks.
	name string
	run  func(f *fixture)
}

// patience is how long a test waits for what must happen before it fails.
const patience = 60 * time.Second

func contextFor(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// reporter is what *testing.T and *rapid.T have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// fixture is a store and a tenant that belongs to one test alone.
type fixture struct {
	t      reporter
	ctx    context.Context
	s      store.Store
	tenant store.Tenant
}

// T and P are the document types that most tests use.
func obs(id string) store.Ref { return store.Ref{Type: "Observation", ID: id} }
func pat(id string) store.Ref { return store.Ref{Type: "Patient", ID: id} }

// put is a change that writes a body and keys.
func put(ref store.Ref, body string, keys ...store.Key) store.Change {
	return store.Change{Ref: ref, Render: func(store.Stamp) store.Content {
		return store.Content{Body: []byte(body), Keys: slices.Clone(keys)}
	}}
}

func expecting(e store.Expect, c store.Change) store.Change {
	c.Expect = e
	return c
}

func del(ref store.Ref) store.Change { return store.Change{Ref: ref} }

func (f *fixture) try(changes ...store.Change) (store.Entry, error) {
	return f.s.Commit(f.ctx, f.tenant, store.Commit{Source: "test", Changes: changes})
}

func (f *fixture) commit(changes ...store.Change) store.Entry {
	f.t.Helper()
	e, err := f.try(changes...)
	f.ok(err)
	return e
}

func (f *fixture) get(ref store.Ref) store.Document {
	f.t.Helper()
	d, err := f.s.Get(f.ctx, f.tenant, ref)
	f.ok(err)
	return d
}

func (f *fixture) head() int64 {
	f.t.Helper()
	h, err := f.s.Head(f.ctx, f.tenant)
	f.ok(err)
	return h
}

func (f *fixture) search(q store.Query) store.Page {
	f.t.Helper()
	p, err := f.s.Search(f.ctx, f.tenant, q)
	f.ok(err)
	return p
}

// find is the ids that a clause selects, in the order of the answer.
func (f *fixture) find(where store.Clause) string {
	f.t.Helper()
	return ids(f.search(store.Query{Where: where, Limit: 1000}).Documents)
}

// pages walks all pages of a query and returns the ids of each, "|" between.
func (f *fixture) pages(q store.Query) string {
	f.t.Helper()
	var out []string
	for range 1000 {
		p := f.search(q)
		if len(p.Documents) > q.Limit {
			f.t.Fatalf("a page of limit %d has %d documents", q.Limit, len(p.Documents))
		}
		out = append(out, ids(p.Documents))
		if p.Next == nil {
			return strings.Join(out, "|")
		}
		q.After = p.Next
	}
	f.t.Fatalf("paging does not end")
	return ""
}

func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatalf("unexpected error: %v", err)
	}
}

func (f *fixture) is(err, want error) {
	f.t.Helper()
	if !errors.Is(err, want) {
		f.t.Errorf("error is %v, want %q", err, want)
	}
}

// equal compares what prints alike; it is for numbers, strings and lists.
func (f *fixture) equal(what string, got, want any) {
	f.t.Helper()
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		f.t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func (f *fixture) body(d store.Document, want string) {
	f.t.Helper()
	if !bytes.Equal(d.Body, []byte(want)) {
		f.t.Errorf("%s version %d has body %q, want %q", d.Ref, d.Version, d.Body, want)
	}
}

func ids(docs []store.Document) string {
	var out []string
	for _, d := range docs {
		out = append(out, d.Ref.ID)
	}
	return strings.Join(out, " ")
}

// changes is an entry's changes as text.
func changes(e store.Entry) string {
	var out []string
	for _, c := range e.Changes {
		out = append(out, fmt.Sprintf("%s %s v%d", c.Method, c.Ref, c.Version))
	}
	return strings.Join(out, ", ")
}

// versions is a history as text.
func versions(p store.HistoryPage) string {
	var out []string
	for _, v := range p.Versions {
		out = append(out, fmt.Sprintf("%s %s v%d", v.Method, v.Ref, v.Version))
	}
	return strings.Join(out, ", ")
}
