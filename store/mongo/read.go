package mongo

import (
	"context"
	"errors"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// Get reads one document by its id.
func (e *engine) Get(ctx context.Context, t store.Tenant, ref store.Ref) (store.Document, error) {
	s, err := e.enterRef(ctx, t, ref)
	if err != nil {
		return store.Document{}, err
	}
	var row docRow
	err = e.reads.FindOne(ctx, bson.D{{Key: "_id", Value: s.docID(ref)}}, options.FindOne().SetProjection(noKeys)).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.Document{}, store.ErrNotFound
	}
	if err != nil {
		return store.Document{}, wrap(ctx, err)
	}
	return e.document(ctx, s, &row)
}

// GetVersion looks among the current versions and in the history at once. A
// version is in the history before it ceases to be current, and the server
// reads the ids in their order, current first; yet it promises no moment at
// which it reads both, so a miss is asked for again.
func (e *engine) GetVersion(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Document, error) {
	s, err := e.enterRef(ctx, t, ref)
	if err != nil {
		return store.Document{}, err
	}
	if version < 1 {
		return store.Document{}, store.ErrNotFound
	}
	for range 2 {
		rows, err := e.find(ctx, e.docs, idsFilter(bson.A{s.docID(ref), s.versionID(ref, version)}))
		if err != nil {
			return store.Document{}, err
		}
		for i := range rows {
			if rows[i].Version == version {
				return e.document(ctx, s, &rows[i])
			}
		}
		if len(rows) == 0 || rows[0].Version < version {
			break
		}
	}
	return store.Document{}, store.ErrNotFound
}

// GetMany reads all of them by their ids.
func (e *engine) GetMany(ctx context.Context, t store.Tenant, refs []store.Ref) ([]store.Document, error) {
	docs, _, err := e.getUpTo(ctx, t, refs, math.MaxInt)
	return docs, err
}

// maxRound is the most documents that GetSome asks for at once: their packed
// bodies are in memory together.
const maxRound = 16

// GetSome reads a few by their ids.
func (e *engine) GetSome(ctx context.Context, t store.Tenant, refs []store.Ref, maxBytes int) (docs []store.Document, done int, err error) {
	return e.getUpTo(ctx, t, refs[:min(len(refs), maxRound)], maxBytes)
}

func (e *engine) getUpTo(ctx context.Context, t store.Tenant, refs []store.Ref, maxBytes int) (docs []store.Document, done int, err error) {
	s, err := e.enter(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	ids := make(bson.A, len(refs))
	for i, ref := range refs {
		if err := store.CheckRef(ref); err != nil {
			return nil, 0, err
		}
		ids[i] = s.docID(ref)
	}
	if len(refs) == 0 {
		return nil, 0, nil
	}
	rows, err := e.find(ctx, e.docs, idsFilter(ids))
	if err != nil {
		return nil, 0, err
	}
	found := make(map[string]*docRow, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	docs = make([]store.Document, 0, len(rows))
	size := 0
	for i, id := range ids {
		row, ok := found[id.(string)]
		if !ok {
			continue
		}
		d, err := e.document(ctx, s, row)
		if err != nil {
			return nil, 0, err
		}
		if size += len(d.Body); size > maxBytes && len(docs) > 0 {
			return docs, i, nil
		}
		docs = append(docs, d)
	}
	return docs, len(refs), nil
}

func (e *engine) enterRef(ctx context.Context, t store.Tenant, ref store.Ref) (scope, error) {
	s, err := e.enter(ctx, t)
	if err == nil {
		err = store.CheckRef(ref)
	}
	return s, err
}

func (e *engine) find(ctx context.Context, from *mongo.Collection, filter bson.D, opts ...options.Lister[options.FindOptions]) ([]docRow, error) {
	opts = append([]options.Lister[options.FindOptions]{options.Find().SetProjection(noKeys)}, opts...)
	cursor, err := from.Find(ctx, filter, opts...)
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var rows []docRow
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, wrap(ctx, err)
	}
	return rows, nil
}
