package repository

import (
	"context"
	"errors"
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// criteria are the search parameters of a conditional interaction
// (https://hl7.org/fhir/R4/http.html#ccreate) and what they match.
type criteria struct {
	guard store.Guard
	// one is the only match; none when there is not exactly one.
	one   store.Document
	count int
}

// match finds what criteria match now. The guard makes a commit fail unless
// they still match the same when it is appended.
func (r *Repository) match(ctx context.Context, t store.Tenant, typ string, params []search.Parameter) (criteria, error) {
	return r.matchUpTo(ctx, t, typ, params, 2)
}

func (r *Repository) matchUpTo(ctx context.Context, t store.Tenant, typ string, params []search.Parameter, limit int) (criteria, error) {
	if len(params) == 0 {
		return criteria{}, outcome.BadRequest(outcome.CodeRequired, "A conditional interaction needs search parameters as its criteria.")
	}
	o, view, err := r.searchOptions(ctx, t)
	if err != nil {
		return criteria{}, err
	}
	if issue, ok := view.Rebuilding(); ok {
		// What is not found now would be made a second time.
		return criteria{}, outcome.New(http.StatusServiceUnavailable, outcome.CodeTransient, "%s Conditional interactions are refused until then.", issue.Diagnostics)
	}
	req, err := search.Parse(typ, params, o)
	if err != nil {
		return criteria{}, err
	}
	if req.Criteria != len(params) {
		// A parameter that selects nothing by itself, such as _sort or
		// _count, would widen the criteria to more than was meant.
		return criteria{}, outcome.BadRequest(outcome.CodeValue, "Criteria hold search parameters only, none that shape a result.")
	}
	found, err := r.Matching(ctx, t, req.Where, limit)
	if err != nil {
		return criteria{}, err
	}
	c := criteria{guard: store.Guard{Where: req.Where}, count: len(found)}
	for _, d := range found {
		c.guard.Matches = append(c.guard.Matches, d.Ref)
	}
	if len(found) == 1 {
		c.one = found[0]
	}
	return c, nil
}

// several is the answer to criteria that match more than one resource.
func several(typ string) error {
	return outcome.New(http.StatusPreconditionFailed, outcome.CodeMultiple, "The criteria match more than one %s.", typ)
}

// attempts is how often a conditional interaction starts over because what
// its criteria match changed between looking and committing.
const attempts = 5

// retry calls do again while it fails because others wrote meanwhile.
func retry(do func() error) error {
	var err error
	for range attempts {
		if err = do(); !errors.Is(err, store.ErrGuard) {
			return err
		}
	}
	return err
}
