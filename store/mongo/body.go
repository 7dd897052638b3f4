package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// setBody puts a body into the row, or beside it when it is too large for
// that. Each chunk is packed by itself: two instances may pack alike bytes
// differently, and chunks of both must still make the body.
func (r *docRow) setBody(body []byte) {
	if len(body) > maxRowBody {
		if packed := pack(body); len(packed) > maxRowBody {
			r.Chunks, r.large = int32((len(body)+bodyChunk-1)/bodyChunk), body
			return
		}
	}
	r.Body = pack(body)
}

func (s scope) chunkID(ref store.Ref, version int64, chunk int) string {
	return s.versionID(ref, version) + sortable(int64(chunk))
}

// writeBodies writes what rows keep in colBodies. A chunk that is there
// already is the same.
func (e *engine) writeBodies(ctx context.Context, s scope, rows [][]docRow) error {
	for _, part := range rows {
		for i := range part {
			r := &part[i]
			ref := s.ref(r.ID)
			for n := range int(r.Chunks) {
				piece := r.large[n*bodyChunk : min((n+1)*bodyChunk, len(r.large))]
				_, err := e.bodies.InsertOne(ctx, chunkRow{ID: s.chunkID(ref, r.Version, n), Data: pack(piece)})
				if err != nil && !mongo.IsDuplicateKeyError(err) {
					return wrap(ctx, err)
				}
			}
		}
	}
	return nil
}

// document is a row as the contract's document. A large body costs a query of
// its own.
func (e *engine) document(ctx context.Context, s scope, r *docRow) (store.Document, error) {
	d := store.Document{
		Ref: s.ref(r.ID), Number: r.Number, Version: r.Version, Seq: r.Seq,
		Time: r.Time.Time().UTC(), Deleted: store.Method(r.Method) == store.Delete,
	}
	if r.Number == 0 {
		d.Number = r.Shelved
	}
	var err error
	if r.Chunks == 0 {
		d.Body, err = unpack(r.Body)
	} else {
		d.Body, err = e.largeBody(ctx, s, d.Ref, r)
	}
	return d, err
}

func (e *engine) largeBody(ctx context.Context, s scope, ref store.Ref, r *docRow) ([]byte, error) {
	cursor, err := e.bodies.Find(ctx, bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: s.chunkID(ref, r.Version, 0)}, {Key: "$lt", Value: s.chunkID(ref, r.Version, int(r.Chunks))},
	}}}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var chunks []chunkRow
	if err := cursor.All(ctx, &chunks); err != nil {
		return nil, wrap(ctx, err)
	}
	if len(chunks) != int(r.Chunks) {
		return nil, errDamaged
	}
	body := make([]byte, 0, len(chunks)*bodyChunk)
	for _, c := range chunks {
		piece, err := unpack(c.Data)
		if err != nil {
			return nil, err
		}
		body = append(body, piece...)
	}
	return body, nil
}
