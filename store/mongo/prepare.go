package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Report says what Prepare found and did.
type Report struct {
	Server   Description
	Database string
	Layout   int
	// Sharded lists, of a sharded cluster, what is sharded now, as
	// "collection by key".
	Sharded []string
}

// Prepare makes or brings forward collections and indexes, so that instances
// need not do it when they start and can run with fewer rights. With shard it
// also shards the collections, which only a sharded cluster can.
func Prepare(ctx context.Context, opts Options, shard bool) (Report, error) {
	e, err := dial(opts)
	if err != nil {
		return Report{}, err
	}
	defer e.hangUp(ctx)
	r := Report{Database: e.opts.Database, Layout: layoutVersion()}
	if r.Server, err = e.prepare(ctx); err != nil {
		return r, err
	}
	if shard {
		if r.Server.Kind != ShardedCluster {
			return r, fmt.Errorf("store/mongo: the server is a %s: only a sharded cluster shards; give the URI of a mongos", r.Server.Kind)
		}
		r.Sharded, err = shardCollections(ctx, e.client, e.opts.Database)
	}
	return r, err
}

// sharding lists the collections that grow, with the key to shard them by:
// the range of _id, which begins with the tenant. So a tenant's documents lie
// together on few shards, a large tenant's are divided by type and id, and the
// unique _id, which decides who appends, is checked by the shard that owns it.
// colTenants and colMeta stay small, on the database's primary shard.
func sharding() []string { return []string{colDocs, colBodies, colLog, colSpill, colItems} }

// shardCommands are the commands in order.
func shardCommands(database string) []bson.D {
	out := []bson.D{{{Key: "enableSharding", Value: database}}}
	for _, name := range sharding() {
		out = append(out, bson.D{
			{Key: "shardCollection", Value: database + "." + name},
			{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}},
		})
	}
	return out
}

func shardCollections(ctx context.Context, c *mongo.Client, database string) ([]string, error) {
	for _, command := range shardCommands(database) {
		err := c.Database("admin").RunCommand(ctx, command).Err()
		if code, _ := serverCode(err); err != nil && code != 20 && code != 23 { // it is sharded already
			return nil, fmt.Errorf("store/mongo: %s failed: %w", command[0].Key, connectError(ctx, err))
		}
	}
	var out []string
	for _, name := range sharding() {
		out = append(out, name+" by _id")
	}
	return out, nil
}
