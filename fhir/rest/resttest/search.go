package resttest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// found is one rule of the search page: a query and the ids that it finds, with _sort in
// this order.
type found struct{ rule, query, ids string }

// refused is a query that must be a 400 with this issue code and these words.
type refused struct {
	rule, query, code string
	words             []string
}

// unheld is a query that needs terminology which is not there or no good: its
// status, and the canonical that the answer names.
type unheld struct {
	rule, query string
	status      int
	word        string
}

// subject is one section of the search page.
type subject struct {
	name      string
	resources []string
	found     []found
	refused   []refused
	unheld    []unheld
}

func searches(t *testing.T, open Open) {
	s := Serve(t, open)
	for _, sub := range []subject{
		texts, tokens, references, dates, dateSets, numbers, quantities, units, spans, uris, composites, coordinates, places, vocabularies,
		combinations, chains, reverseChains, missing,
		filters, hierarchies,
	} {
		sub.run(t, s)
	}
}

// inOrder sorts ids: without _sort, the order is the server's choice.
func inOrder(ids string) string {
	list := strings.Fields(ids)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// run stores a subject's resources in a tenant of their own and asks.
func (sub subject) run(t *testing.T, s *Server) {
	t.Run(sub.name, func(t *testing.T) {
		s := s.In(t).On("search-" + sub.name + "/test")
		s.Put(sub.resources...)
		for _, c := range sub.found {
			t.Run(c.rule, func(t *testing.T) {
				s := s.In(t)
				got, want := s.Search(c.query), c.ids
				if !strings.Contains(c.query, "_sort=") {
					got, want = inOrder(got), inOrder(want)
				}
				if got != want {
					t.Errorf("GET %s finds %q, want %q", c.query, got, want)
				}
			})
		}
		for _, c := range sub.unheld {
			t.Run(c.rule, func(t *testing.T) {
				a := s.In(t).Get(c.query).Want(c.status)
				if !strings.Contains(string(a.Body), c.word) || !strings.Contains(string(a.Body), `"OperationOutcome"`) {
					t.Errorf("the answer does not name %s: %s", c.word, a.Body)
				}
			})
		}
		for _, c := range sub.refused {
			t.Run(c.rule, func(t *testing.T) {
				s.In(t).Get(c.query).WantOutcome(http.StatusBadRequest, c.code, c.words...)
			})
		}
	})
}
