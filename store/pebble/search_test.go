package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// many holds n documents: all have "all", every second "half", every tenth
// "tenth", each its own in n= and one of ten in group=.
func many(t *testing.T, n int) *pebble.Engine {
	t.Helper()
	e := open(t)
	for from := 0; from < n; from += 500 {
		var changes []store.Change
		for i := from; i < min(n, from+500); i++ {
			changes = append(changes, store.Change{Ref: store.Ref{Type: "A", ID: fmt.Sprint(i)}, Render: func(store.Stamp) store.Content {
				keys := []store.Key{"all", fmt.Sprintf("n=%06d", i), fmt.Sprintf("group=%d", i%10)}
				if i%2 == 0 {
					keys = append(keys, "half")
				}
				if i%10 == 0 {
					keys = append(keys, "tenth")
				}
				return store.Content{Body: []byte("{}"), Keys: keys}
			}})
		}
		if _, err := e.Commit(t.Context(), benchTenant, store.Commit{Changes: changes}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

var (
	all, half, tenth = store.Exactly("all"), store.Exactly("half"), store.Exactly("tenth")
	numbered         = store.Prefix("n=")
)

// TestPlans: what the planner chooses, and how much it looks at for a page of
// ten out of 20,000.
func TestPlans(t *testing.T) {
	e := many(t, 20000)
	rare := store.Range{From: "n=000100", To: "n=000120"}
	byNumber := []store.Sort{{Range: numbered, Descending: true}}
	for name, test := range map[string]struct {
		where store.Clause
		sort  []store.Sort
		order string
		steps int
	}{
		"the rare clause drives":             {store.And{all, half, rare}, nil, "number", 200},
		"a dense clause walks its postings":  {all, nil, "number", 20},
		"dense clauses leap":                 {store.And{all, half}, nil, "number", 9000},
		"a dense range is met on the way":    {store.And{all, store.Range{From: "n=004000", To: "n=019000"}}, nil, "number", 21000},
		"one at the far end is gathered":     {store.And{all, store.Range{From: "n=014000", To: "n=019000"}}, nil, "number", 11000},
		"few matches are sorted":             {store.And{all, rare}, byNumber, "gather and sort", 200},
		"many matches are met in sort order": {store.And{all, half}, byNumber, "sort walk", 9000},
		"a dense range is not gathered":      {numbered, byNumber, "sort walk", 25000},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := e.Explain(t.Context(), benchTenant, store.Query{Where: test.where, Sort: test.sort, Limit: 10})
			if err != nil || x.Order != test.order || x.Steps > test.steps || x.Documents != 10 {
				t.Errorf("%+v, %v; want %s in at most %d steps", x, err, test.order, test.steps)
			}
		})
	}
	t.Run("what is dense is known the next time", func(t *testing.T) {
		x, err := e.Explain(t.Context(), benchTenant, store.Query{Where: store.And{all, half}, Sort: byNumber, Limit: 10})
		if err != nil || x.Steps > 100 {
			t.Errorf("%+v, %v", x, err)
		}
	})
}

func TestCounts(t *testing.T) {
	e := many(t, 20000)
	e.SetEstimate(1000)
	for name, test := range map[string]struct {
		where store.Clause
		want  int64
	}{
		"a key": {half, 10000}, "a range": {numbered, 20000}, "an And": {store.And{half, store.Not{Clause: tenth}}, 8000},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := e.Search(t.Context(), benchTenant, store.Query{Where: test.where, Count: true})
			if err != nil || page.Total != test.want || page.Estimated {
				t.Errorf("%d, estimated %v, %v; want %d", page.Total, page.Estimated, err, test.want)
			}
			page, err = e.Search(t.Context(), benchTenant, store.Query{Where: test.where, Count: true, Estimate: true})
			if err != nil || !page.Estimated || page.Total < test.want/2 || page.Total > test.want*2 {
				t.Errorf("estimated %d (%v), %v; want about %d", page.Total, page.Estimated, err, test.want)
			}
		})
	}
	page, err := e.Search(t.Context(), benchTenant, store.Query{Where: store.Exactly("n=000007"), Count: true, Estimate: true})
	if err != nil || page.Total != 1 || page.Estimated {
		t.Errorf("what is counted quickly is exact: %d (%v), %v", page.Total, page.Estimated, err)
	}
}

// TestTimeBudget: a query that would look at very much ends when its time is
// over, and says so.
func TestTimeBudget(t *testing.T) {
	e := many(t, 20000)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Millisecond))
	defer cancel()
	var where store.And
	for i := range 300 {
		where = append(where, store.Not{Clause: store.Exactly(fmt.Sprint("none", i))})
	}
	_, err := e.Search(ctx, benchTenant, store.Query{Where: append(where, numbered), Count: true})
	if !errors.Is(err, store.ErrTimeout) {
		t.Errorf("error is %v", err)
	}
}
