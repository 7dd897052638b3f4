package maintenance_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/store"
)

// asking is a context that tells when somebody may have to wait by it.
type asking struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (a *asking) Done() <-chan struct{} {
	a.once.Do(func() { close(a.asked) })
	return a.Context.Done()
}

// The jobs of more tenants than are worked on at the same time take turns: a
// short one is done before the long ones that came first have ended.
func TestTenantsTakeTurns(t *testing.T) {
	st, c := open(t)
	s := newServer(t, st, c, maintenance.Options{})
	long := []store.Tenant{"one/Development", "two/Development"}
	const short = store.Tenant("three/Development")
	for _, name := range append(long, short) {
		commit := store.Commit{Source: "test"}
		for i := range 2000 {
			if name == short && i > 0 {
				break
			}
			id := fmt.Sprint("p", i)
			p, err := s.repo.Prepare(t.Context(), name, id, []byte(`{"resourceType":"Patient","id":"`+id+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			commit.Changes = append(commit.Changes, p.Change(store.Expect{}))
		}
		if _, err := s.repo.Commit(t.Context(), name, commit); err != nil {
			t.Fatal(err)
		}
		if _, err := s.runner.Order(t.Context(), name, []string{"Patient"}, "requested"); err != nil {
			t.Fatal(err)
		}
	}
	third := &asking{Context: t.Context(), asked: make(chan struct{})}
	var once sync.Once
	began := make(chan struct{})
	s.store.stop = func(int64) {
		c.at.Add(2) // so that each batch writes how far it is
		once.Do(func() { close(began) })
		<-third.asked
	}
	var all sync.WaitGroup
	for _, name := range long {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := s.runner.Tenant(t.Context(), name); err != nil {
				t.Error(err)
			}
		}()
	}
	<-began
	if err := s.runner.Tenant(third, short); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(long, short) {
		jobs, _, err := s.runner.Jobs().List(t.Context(), name, "", 1)
		if err != nil || len(jobs) != 1 {
			t.Fatal(len(jobs), err)
		}
		if ended := !jobs[0].Open(); ended != (name == short) {
			t.Errorf("when the short job has ended, that of %s is %s", name, jobs[0].State)
		}
	}
	all.Wait()
}
