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
// step; every step can be done twice. A database of a newer version is
// refused. The steps to version 3 can be done while instances of the older
// program run; the one to version 4 is in migrate.go.

// layoutRow is that document.
type layoutRow struct {
	Version int `bson:"v"`
	// From is set while rows are still those of an earlier version.
	From int `bson:"from,omitempty"`
	// Ordered: rows have docRow.Tenant, because the server walked when the
	// database was made.
	Ordered bool `bson:"t,omitempty"`
}

// layout reads it. Version 1 had none, and a new database has none.
func (e *engine) layout(ctx context.Context) (layoutRow, error) {
	var row layoutRow
	err := e.db.Collection(colMeta).FindOne(ctx, bson.D{{Key: "_id", Value: "layout"}}).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return row, nil
	}
	if err != nil {
		return row, connectError(ctx, err)
	}
	return row, nil
}

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

// layoutVersion is the version that this program writes.
func layoutVersion() int { return len(migrations()) + 2 }

// indexTime is how long bringing a database forward may take: as long as
// reading all there is, or writing it anew.
const indexTime = 6 * time.Hour

// upgrade brings the database to the version of this program, and makes what
// is missing of indexes.
func (e *engine) upgrade(ctx context.Context, server Description) error {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	row, err := e.layout(ctx)
	if err != nil {
		return err
	}
	if row.Version > layoutVersion() {
		return fmt.Errorf("store/mongo: the database has layout version %d, made by a newer program; this one knows up to %d: use the newer one", row.Version, layoutVersion())
	}
	for _, step := range migrations()[min(max(row.Version, 1)-1, len(migrations())):] {
		if err := step.run(ctx, e.db, server); err != nil {
			return fmt.Errorf("store/mongo: bringing the database forward (%s): %w", step.what, wrap(ctx, err))
		}
	}
	if err := createIndexes(ctx, e.db, server); err != nil {
		return fmt.Errorf("store/mongo: creating indexes: %w", connectError(ctx, err))
	}
	switch {
	case row.Version == layoutVersion() && row.From == 0:
		e.ordered = row.Ordered
		return nil
	case row.Version == 0:
		fresh, err := e.create(ctx)
		if err != nil || fresh {
			return err
		}
	}
	task, err := e.newRenumbering()
	if err == nil {
		err = task.run(ctx)
	}
	if err != nil {
		return err
	}
	row, err = e.layout(ctx)
	e.ordered = row.Ordered
	return err
}

// create makes a new database one of this version. It is false for one that
// is not new.
func (e *engine) create(ctx context.Context) (bool, error) {
	for _, name := range []string{colTenants, colDocs, colLog, colItems} {
		n, err := e.db.Collection(name).CountDocuments(ctx, oldIDs(), options.Count().SetLimit(1))
		if err != nil || n > 0 {
			return false, wrap(ctx, err)
		}
	}
	row := layoutRow{Version: layoutVersion(), Ordered: e.genuine}
	_, err := e.db.Collection(colMeta).InsertOne(ctx, bson.D{{Key: "_id", Value: "layout"}, {Key: "v", Value: row.Version}, {Key: "t", Value: row.Ordered}})
	if mongo.IsDuplicateKeyError(err) {
		// Another instance made it meanwhile, of this version or not.
		there, err := e.layout(ctx)
		e.ordered = there.Ordered
		return there.Version == row.Version && there.From == 0, err
	}
	e.ordered = row.Ordered
	return true, wrap(ctx, err)
}
