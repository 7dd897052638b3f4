package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/store"
)

// view is the store.View of one batch. It asks for the documents and for all
// guards on exact keys at once, and keeps the versions that applying will
// move to the history.
type view struct {
	e       *engine
	scope   scope
	commits []store.Commit

	current map[store.Ref]docRow
	turn    string // who asks for the next append
	// candidates hold every document that a simple guard of the batch can
	// find, with its keys; nil when there are too many.
	candidates map[store.Ref][]store.Key
}

// maxCandidates bounds what is read for guards that find much: those are
// asked one by one.
const maxCandidates = 1000

// searcher asks the primary: a plan must see all that was committed.
func (v *view) searcher() *searcher { return &searcher{v.e, v.scope, readpref.Primary()} }

// States reads the documents, and the guards' candidates at the same time.
func (v *view) States(ctx context.Context, refs []store.Ref) (map[store.Ref]store.State, error) {
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return v.findCandidates(gctx) })
	group.Go(func() (err error) {
		v.current, v.turn, err = v.e.currentRows(gctx, v.scope, refs)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make(map[store.Ref]store.State, len(v.current))
	for ref, r := range v.current {
		out[ref] = store.State{Number: r.Number + r.Shelved, Version: r.Version, Deleted: store.Method(r.Method) == store.Delete}
	}
	return out, nil
}

func (v *view) findCandidates(ctx context.Context) error {
	var filters bson.A
	for _, c := range v.commits {
		for _, g := range c.Guards {
			if simple(g.Where) {
				f, err := v.searcher().build(ctx, g.Where)
				if err != nil {
					return err
				}
				filters = append(filters, f)
			}
		}
	}
	if len(filters) == 0 {
		return nil
	}
	where := bson.D{{Key: "$or", Value: filters}}
	if len(filters) == 1 {
		where = filters[0].(bson.D)
	}
	cursor, err := v.e.docs.Find(ctx, v.e.targeted(v.scope, where), options.Find().SetProjection(bson.D{{Key: "k", Value: 1}}).SetLimit(maxCandidates))
	if err != nil {
		return wrap(ctx, err)
	}
	var rows []docRow
	if err := cursor.All(ctx, &rows); err != nil {
		return wrap(ctx, err)
	}
	if len(rows) == maxCandidates {
		return nil
	}
	v.candidates = make(map[store.Ref][]store.Key, len(rows))
	for _, r := range rows {
		keys := make([]store.Key, len(r.Keys))
		for i, k := range r.Keys {
			keys[i] = v.scope.rawKey(k)
		}
		slices.Sort(keys)
		v.candidates[v.scope.ref(r.ID)] = keys
	}
	return nil
}

// Find answers a guard.
func (v *view) Find(ctx context.Context, where store.Clause, limit int) ([]store.Ref, error) {
	var out []store.Ref
	if v.candidates != nil && simple(where) {
		for ref, keys := range v.candidates {
			if len(out) < limit && store.MatchKeys(where, keys) {
				out = append(out, ref)
			}
		}
		return out, nil
	}
	page, err := v.searcher().search(ctx, store.Query{Where: where, Limit: limit, RefsOnly: true})
	for _, d := range page.Documents {
		out = append(out, d.Ref)
	}
	return out, err
}

// simple reports a clause of nothing but exact keys: many of those can be
// asked in one query that is quick on every server.
func simple(c store.Clause) bool {
	switch c := c.(type) {
	case store.Range:
		_, single := c.Single()
		return single
	case store.And:
		return !slices.ContainsFunc(c, func(p store.Clause) bool { return !simple(p) })
	case store.Or:
		return !slices.ContainsFunc(c, func(p store.Clause) bool { return !simple(p) })
	case store.Not:
		return simple(c.Clause)
	}
	return false
}
