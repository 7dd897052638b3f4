package mongo

import (
	"fmt"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
)

// What a query is taken apart into, and that it stays one where it must.
func TestBranches(t *testing.T) {
	key := func(n int) store.Clause { return store.Exactly(fmt.Sprint("key", n)) }
	rng := func(n int) store.Clause { return store.Range{From: fmt.Sprint("from", n), To: fmt.Sprint("to", n)} }
	many := func(n int) (or store.Or) {
		for i := range n {
			or = append(or, rng(i))
		}
		return or
	}
	nothing := store.Range{From: "b", To: "a"}
	for name, c := range map[string]struct {
		where store.Clause
		want  int
	}{
		"a key":                        {key(1), 1},
		"keys are one $in":             {store.Or{key(1), key(2), key(3)}, 1},
		"ranges":                       {store.Or{rng(1), rng(2)}, 2},
		"keys and ranges":              {store.Or{key(1), rng(1), key(2), rng(2)}, 3},
		"an or in an or":               {store.Or{rng(1), store.Or{rng(2), rng(3)}}, 3},
		"an or in an and":              {store.And{key(1), store.Or{rng(1), rng(2)}}, 2},
		"two ors in an and":            {store.And{many(3), many(4)}, 12},
		"too many together":            {store.And{many(5), many(5)}, 5},
		"too many at all":              {many(17), 1},
		"an and in an or":              {store.Or{store.And{key(1), many(2)}, rng(9)}, 3},
		"a not stays with each":        {store.And{many(2), store.Not{Clause: many(3)}}, 2},
		"nothing":                      {nothing, 0},
		"nothing or something":         {store.Or{nothing, rng(1)}, 1},
		"nothing and something":        {store.And{nothing, many(2)}, 0},
		"not nothing":                  {store.And{key(1), store.Not{Clause: nothing}}, 1},
		"an or of nothing":             {store.Or{}, 0},
		"an and with an or of nothing": {store.And{key(1), store.Or{nothing}}, 0},
	} {
		b := &searcher{e: &engine{}, scope: scopeOf(1)}
		got, err := b.branches(t.Context(), c.where)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %d branches, want %d, %v", name, len(got), c.want, err)
		}
		b.e.walks = true
		if got, err := b.branches(t.Context(), c.where); err != nil || len(got) != min(c.want, 1) {
			t.Errorf("%s: %d branches on MongoDB, want one query, %v", name, len(got), err)
		}
	}
}
