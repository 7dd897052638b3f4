package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Collections. All ids begin with the tenant's number (see encode.go), so that each of
// docs, bodies, log, spill and items can be sharded by ranges of _id; unsharded they
// work as they are.
const (
	// colDocs holds every version of every document: the current ones under
	// tenant, type, id; older ones under the same and the version. They
	// share a collection so that one bulk write moves a version to the
	// history and replaces it, and one index holds the history of a type.
	colDocs = "docs"
	// colBodies holds the bodies that are too large for their row, in chunks
	// named by the version: they never change, and stay where they are when a
	// version moves to the history. They are written before the row.
	colBodies = "bodies"
	// colLog holds the change log, a document for each batch of commits.
	// Inserting it is the commit point.
	colLog = "log"
	// colSpill holds payloads too large for their log document, in chunks,
	// until that is settled. Chunks are written before the log document,
	// under an id drawn at random: those of an append that never happened
	// are garbage that nothing refers to. See sweep.go.
	colSpill = "spill"
	// colItems holds the items.
	colItems = "items"
	// colTenants gives tenants their numbers: see names.go.
	colTenants = "tenants"
	// colMeta says which version of this layout the database has.
	colMeta = "meta"
)

// docRow is a version in colDocs.
type docRow struct {
	ID string `bson:"_id,omitempty"`
	// Number orders searches. Only a version that can be found has it, so
	// that the sparse indexes hold no other.
	Number int64 `bson:"n,omitempty"`
	// Shelved is the number of all other versions: replaced and deleted.
	Shelved int64         `bson:"g,omitempty"`
	Version int64         `bson:"v"`
	Seq     int64         `bson:"s"`
	Index   int32         `bson:"i"` // of the change in its entry
	Time    bson.DateTime `bson:"d"`
	Method  int32         `bson:"m"`
	Body    []byte        `bson:"b,omitempty"` // see pack
	// Chunks counts the chunks in colBodies that hold the body instead.
	Chunks int32 `bson:"q,omitempty"`
	// Keys are the document's keys, each with its tenant's number in front.
	Keys []string `bson:"k,omitempty"`
	// Tenant is the tenant's number once more, for walking over its documents
	// in the order of Number. Set where Number is, on servers that walk.
	Tenant string `bson:"t,omitempty"`
	// TypeOrder is the place in the history of the type.
	TypeOrder string `bson:"h"`
	// Turn is set in the one row of a tenant that is no version: see turn.go.
	Turn string `bson:"w,omitempty"`

	large []byte // the body that goes to colBodies
}

// chunkRow is a piece of a large body in colBodies or of a payload in
// colSpill.
type chunkRow struct {
	ID   string        `bson:"_id"`
	Made bson.DateTime `bson:"d,omitempty"` // in colSpill
	Data []byte        `bson:"b"`
}

// noBody and noKeys are projections that leave out what a read does not need.
var (
	noKeys = bson.D{{Key: "k", Value: 0}, {Key: "t", Value: 0}, {Key: "h", Value: 0}}
	noBody = bson.D{{Key: "k", Value: 0}, {Key: "t", Value: 0}, {Key: "h", Value: 0}, {Key: "b", Value: 0}, {Key: "q", Value: 0}}
)

// logRow is a batch of commits in colLog.
type logRow struct {
	// ID ends with the first sequence number of the batch. At most maxBatch
	// entries are in a batch, so the batch that holds an entry is found by a
	// range of that length.
	ID      string        `bson:"_id"`
	Last    int64         `bson:"z"`
	Time    bson.DateTime `bson:"d"`           // of all its entries
	Commit  string        `bson:"c"`           // drawn at random, tells whose it is
	Entries []byte        `bson:"e,omitempty"` // packed entryRows
	// Unsettled is when it was appended, in milliseconds, and absent once
	// the batch is known to be applied. The few that have it are what an
	// instance looks through for work that a crash left.
	Unsettled int64 `bson:"u,omitempty"`
	// Payload is what applying needs, packed; absent when in colSpill and
	// once settled.
	Payload []byte `bson:"p,omitempty"`
	// Chunks counts the payload's chunks in colSpill.
	Chunks int `bson:"q,omitempty"`
	// Trimmed entries keep what the tenant's history needs of them, and are
	// not to be read otherwise. Below is, of a batch of which only the
	// beginning was trimmed, the first entry that was not.
	Trimmed bool  `bson:"r,omitempty"`
	Below   int64 `bson:"f,omitempty"`
	// Dropped is set in the last place of a dropped tenant's log, which
	// nothing can be appended behind, and in what is left of its batches.
	Dropped bool `bson:"x,omitempty"`
}

type entryRows struct {
	Entries []entryRow `bson:"e"`
}

type entryRow struct {
	Source  string      `bson:"s"`
	Event   string      `bson:"e,omitempty"`
	Info    []byte      `bson:"i,omitempty"`
	Changes []changeRow `bson:"c"`
}

type changeRow struct {
	Type    []byte `bson:"t"` // bytes: names need not be UTF-8
	ID      []byte `bson:"i"`
	Version int64  `bson:"v"`
	Method  int32  `bson:"m"`
}

// payloadRow is what the entries do not say about the writes; one for each
// change, in their order.
type payloadRow struct {
	Writes []writeRow `bson:"w"`
}

type writeRow struct {
	Number   int64    `bson:"n"`
	Replaces int64    `bson:"r"`
	Body     []byte   `bson:"b"`
	Keys     [][]byte `bson:"k"`
}

// itemRow is an item in colItems.
type itemRow struct {
	ID      string        `bson:"_id"` // tenant, kind, id
	Version int64         `bson:"v"`
	Body    []byte        `bson:"b,omitempty"`
	Expires bson.DateTime `bson:"x"` // never for none
	// K0 to K3 are the first keys as tenant, kind, key, id: scalars, so that
	// their indexes give a scan its order. An array's index cannot: one key
	// of an item would have to stand for all. More keys than that are rare
	// and go to KN, which a scan must sort.
	K0 string   `bson:"k0,omitempty"`
	K1 string   `bson:"k1,omitempty"`
	K2 string   `bson:"k2,omitempty"`
	K3 string   `bson:"k3,omitempty"`
	KN []string `bson:"kn,omitempty"`
}

const itemSlots = 4

// never is when an item without expiry expires.
var never = bson.NewDateTimeFromTime(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))

// Sizes. A BSON document ends at 16 MB.
const (
	// maxBatch is part of the format: see logRow.ID.
	maxBatch = 128
	// maxRow is the most that a body in its row, packed, and the keys may take.
	maxRow = 15 << 20
	// maxRowBody is the most that a body, packed, may take in its row. It
	// leaves room for the keys.
	maxRowBody = 6 << 20
	// bodyChunk is how much of a larger body, before packing, is in a chunk.
	// It is part of the format: chunks that two instances write of one body
	// must fit together, whichever arrives first.
	bodyChunk = 8 << 20
	// maxEntries is the most that a batch's packed entries may take.
	maxEntries = 6 << 20
	// maxInline is the most that a payload may take in its log document.
	maxInline = 8 << 20
	// spillChunk is the size of a chunk of a larger one.
	spillChunk = 12 << 20
	// maxPayload is the most that a batch writes, before packing. A single
	// commit that is larger is refused, several are divided.
	maxPayload = 512 << 20
)

// createIndexes makes all indexes; those that exist already are left alone,
// and instances may do it at the same time.
func createIndexes(ctx context.Context, db *mongo.Database, server Description) error {
	sparse := func(fields ...string) mongo.IndexModel {
		keys := bson.D{}
		for _, f := range fields {
			keys = append(keys, bson.E{Key: f, Value: 1})
		}
		return mongo.IndexModel{Keys: keys, Options: options.Index().SetSparse(true)}
	}
	expiring := func(field string, after int32) mongo.IndexModel {
		return mongo.IndexModel{Keys: bson.D{{Key: field, Value: 1}}, Options: options.Index().SetExpireAfterSeconds(after)}
	}
	// Every search. The number behind the key gives the documents of one key
	// in their order, however many they are.
	keys := sparse("k", "n")
	if !server.Genuine {
		// DocumentDB sorts all the same, and the number makes its index two
		// and a half times as large: it keeps each key only once otherwise.
		keys = sparse("k")
	}
	docs := []mongo.IndexModel{keys, sparse("h")} // and the history of a type
	if server.Genuine {
		// Searches that select much and no single key: walk in order.
		docs = append(docs, sparse("t", "n"))
	}
	for _, c := range []struct {
		name    string
		indexes []mongo.IndexModel
	}{
		{colTenants, []mongo.IndexModel{{Keys: bson.D{{Key: "t", Value: 1}}, Options: options.Index().SetSparse(true).SetUnique(true)}}},
		{colDocs, docs},
		{colLog, []mongo.IndexModel{sparse("u")}},
		{colSpill, []mongo.IndexModel{sparse("d")}},
		{colItems, []mongo.IndexModel{
			sparse("k0"), sparse("k1"), sparse("k2"), sparse("k3"), sparse("kn"),
			expiring("x", 0),
		}},
	} {
		if err := createCollectionIndexes(ctx, db.Collection(c.name), c.indexes); err != nil {
			return err
		}
	}
	return nil
}

// createCollectionIndexes tries again when another instance created the same
// collection or index meanwhile: servers answer that with one of several
// errors, and the second try finds it made.
func createCollectionIndexes(ctx context.Context, c *mongo.Collection, indexes []mongo.IndexModel) error {
	var err error
	for range 5 {
		if _, err = c.Indexes().CreateMany(ctx, indexes); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// shelve makes a current version's row one of the history.
func (s scope) shelve(r docRow) docRow {
	r.ID = s.versionID(s.ref(r.ID), r.Version)
	if r.Number != 0 {
		r.Number, r.Shelved = 0, r.Number
	}
	r.Keys, r.Tenant = nil, ""
	return r
}
