package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A database says in one document of colMeta which version of the layout it
// has. Who opens a database of an older version brings it forward, step by
// step; every step can be done twice, and while instances of the older program
// still run. A database of a newer version is refused.

// migration makes version n+1 of version n, n being its place from 1.
type migration struct {
	what string
	run  func(ctx context.Context, db *mongo.Database, server Description) error
}

func migrations() []migration {
	return []migration{
		{"let no payload expire: it may still be needed", func(ctx context.Context, db *mongo.Database, _ Description) error {
			return dropIndex(ctx, db.Collection(colSpill), "d_1")
		}},
		{"index keys without numbers where these are of no use", func(ctx context.Context, db *mongo.Database, server Description) error {
			if server.Genuine {
				return nil
			}
			return dropIndex(ctx, db.Collection(colDocs), "k_1_n_1")
		}},
	}
}

func dropIndex(ctx context.Context, c *mongo.Collection, name string) error {
	err := c.Indexes().DropOne(ctx, name)
	if code, _ := serverCode(err); code == 26 || code == 27 { // no such collection, no such index
		return nil
	}
	return err
}

// layoutVersion is the version that this program writes. Version 1 had no
// document that says so.
func layoutVersion() int { return len(migrations()) + 1 }

// indexTime is how long making indexes may take: as long as reading all there
// is, when the collection is older than the index.
const indexTime = 6 * time.Hour

// upgrade brings the database to the version of this program, and makes what
// is missing of indexes.
func upgrade(ctx context.Context, db *mongo.Database, server Description) error {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	var row struct {
		Version int `bson:"v"`
	}
	meta, id := db.Collection(colMeta), bson.D{{Key: "_id", Value: "layout"}}
	err := meta.FindOne(ctx, id).Decode(&row)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return connectError(ctx, err)
	}
	found := max(row.Version, 1)
	if found > layoutVersion() {
		return fmt.Errorf("store/mongo: the database has layout version %d, made by a newer program; this one knows up to %d: use the newer one", found, layoutVersion())
	}
	for _, step := range migrations()[found-1:] {
		if err := step.run(ctx, db, server); err != nil {
			return fmt.Errorf("store/mongo: bringing the database forward (%s): %w", step.what, wrap(ctx, err))
		}
	}
	if err := createIndexes(ctx, db, server); err != nil {
		return fmt.Errorf("store/mongo: creating indexes: %w", connectError(ctx, err))
	}
	if row.Version == layoutVersion() {
		return nil
	}
	// $max: a newer program may have been at it meanwhile.
	_, err = meta.UpdateOne(ctx, id, bson.D{{Key: "$max", Value: bson.D{{Key: "v", Value: layoutVersion()}}}}, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		return nil // another instance wrote the same
	}
	return wrap(ctx, err)
}
