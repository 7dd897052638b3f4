package uscore

import (
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// statement is what is looked at in the CapabilityStatement.
type statement struct {
	Rest []struct {
		Resource []struct {
			Type             string
			Interaction      []struct{ Code string }
			SearchInclude    []string
			SearchRevInclude []string
			SearchParam      []struct{ Name string }
			Operation        []struct{ Name string }
		}
	}
}

// Whatever US Core asks for in any strength but MAY is in the CapabilityStatement.
func TestUSCoreIsInTheCapabilityStatement(t *testing.T) {
	s := resttest.Serve(t, openPebble)
	var c statement
	s.Get("metadata").Want(http.StatusOK).Decode(&c)
	checked := 0
	for _, g := range metadata(t) {
		for _, r := range c.Rest[0].Resource {
			if r.Type != g.Resource {
				continue
			}
			claims := func(what, name, expectation string, ok bool) {
				checked++
				if !ok && expectation != "MAY" {
					t.Errorf("%s: US Core says %s %s %s, which is not claimed", g.Name, expectation, what, name)
				}
			}
			for _, i := range g.Interactions {
				claims("interaction", i.Code, i.Expectation, slices.ContainsFunc(r.Interaction, func(c struct{ Code string }) bool { return c.Code == i.Code }))
			}
			for _, o := range g.Operations {
				claims("operation", o.Code, o.Expectation, slices.ContainsFunc(r.Operation, func(c struct{ Name string }) bool { return c.Name == o.Code }))
			}
			for _, a := range g.Searches {
				for _, name := range a.Names {
					claims("search by", name, a.Expectation, slices.ContainsFunc(r.SearchParam, func(p struct{ Name string }) bool { return p.Name == name }))
				}
			}
			for _, include := range g.RevIncludes {
				claims("reverse include", include, "SHOULD", slices.Contains(r.SearchRevInclude, include))
			}
		}
	}
	if checked < 700 {
		t.Errorf("only %d claims were looked at", checked)
	}
}

func openPebble(t testing.TB, clock func() time.Time) store.Store {
	s, err := pebble.Open(t.TempDir(), pebble.Options{Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
