// Command mongoping makes a replica set of one out of a fresh mongod, or tries out a MongoDB with the
// few things the store cannot do without: an insert, a multikey index, a key range by $elemMatch.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const alreadyInitialized = 23 // MongoDB's error code AlreadyInitialized

func main() {
	initiate := flag.String("initiate", "", "make the server a replica set of one, whose member has this `host:port`")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mongoping [-initiate host:port] URI")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *initiate); err != nil {
		fmt.Fprintln(os.Stderr, "mongoping:", err)
		os.Exit(1)
	}
}

func run(uri, member string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Disconnect(ctx)) }()
	if member != "" {
		return initiate(ctx, client, member)
	}
	return try(ctx, client)
}

// initiate returns when the server is a primary that takes writes.
func initiate(ctx context.Context, client *mongo.Client, member string) error {
	admin := client.Database("admin")
	err := admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: bson.D{
		{Key: "_id", Value: "rs0"},
		{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: member}}}},
	}}}).Err()
	var refused mongo.CommandError
	if err != nil && !(errors.As(err, &refused) && refused.Code == alreadyInitialized) {
		return err
	}
	for {
		var hello struct {
			IsWritablePrimary bool `bson:"isWritablePrimary"`
		}
		err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
		if err == nil && hello.IsWritablePrimary {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no primary: %w", errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// try works in a database of its own, and drops it.
func try(ctx context.Context, client *mongo.Client) (err error) {
	db := client.Database("mongoping_" + bson.NewObjectID().Hex())
	defer func() { err = errors.Join(err, db.Drop(ctx)) }()
	docs := db.Collection("docs")
	if _, err := docs.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "k", Value: 1}}}); err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	_, err = docs.InsertMany(ctx, []any{
		bson.D{{Key: "_id", Value: "in"}, {Key: "k", Value: bson.A{"a", "m", "z"}}},
		// One value below the range and one above: a match of the array as a whole would take it.
		bson.D{{Key: "_id", Value: "out"}, {Key: "k", Value: bson.A{"a", "z"}}},
	})
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	between := bson.D{{Key: "$elemMatch", Value: bson.D{{Key: "$gte", Value: "l"}, {Key: "$lt", Value: "n"}}}}
	cursor, err := docs.Find(ctx, bson.D{{Key: "k", Value: between}})
	if err != nil {
		return fmt.Errorf("find: %w", err)
	}
	var found []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(ctx, &found); err != nil {
		return fmt.Errorf("find: %w", err)
	}
	if len(found) != 1 || found[0].ID != "in" {
		return fmt.Errorf("find by key range: got %v, want only the document \"in\"", found)
	}
	return nil
}
