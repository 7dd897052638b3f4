package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/fhirfacade/fhirfacade/store"
)

// Explain implements store.Explainer: it runs the query's first page and says
// how.
func (e *Engine) Explain(ctx context.Context, name store.Tenant, q store.Query) (store.Explanation, error) {
	var x store.Explanation
	err := e.read(ctx, name, store.CheckQuery(q), func(t *tenant) error {
		snap := e.db.NewSnapshot()
		defer snap.Close()
		s := newSearcher(ctx, e, snap, t.id)
		defer s.close()
		s.explaining = true
		page, err := s.search(q)
		x.Clauses = s.notes
		x.Order = s.order
		x.Steps = s.steps
		x.Documents = len(page.Documents)
		return err
	})
	if errors.Is(err, errNoTenant) {
		return store.Explanation{Order: "nothing"}, nil
	}
	return x, timeout(err)
}

// note remembers what was decided about a clause.
func (s *searcher) note(where, kind string, postings int, exact bool, use string) {
	if s.explaining {
		s.notes = append(s.notes, store.ExplainedClause{Where: where, Kind: kind, Postings: postings, Exact: exact, Use: use})
	}
}

// place is where part i of a clause stands; not worth making unless somebody
// reads it.
func (s *searcher) place(where, kind string, i int) string {
	if !s.explaining {
		return ""
	}
	return fmt.Sprintf("%s/%s[%d]", where, kind, i)
}
