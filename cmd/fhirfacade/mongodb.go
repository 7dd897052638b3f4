package main

import (
	"context"
	"fmt"

	"github.com/fhirfacade/fhirfacade/store/mongo"
)

type mongodbCommand struct {
	Prepare mongodbPrepareCommand `cmd:"" help:"Make or bring forward the collections and indexes; shard them."`
}

type mongodbPrepareCommand struct {
	MongodbURI      string `name:"mongodb-uri" help:"The MongoDB." env:"FHIRFACADE_MONGODB_URI,MONGODB_URI" placeholder:"URI" required:""`
	MongodbDatabase string `name:"mongodb-database" help:"Database in MongoDB." default:"fhirfacade" env:"FHIRFACADE_MONGODB_DATABASE"`
	Shard           bool   `help:"Shard the collections; the URI must name a mongos of a sharded cluster."`
}

// Help is shown by fhirfacade mongodb prepare --help.
func (mongodbPrepareCommand) Help() string {
	return `Servers do the same when they start, sharding left out. Run it before, where they start with fewer
rights, or where an index is to be made before a new version is rolled out. It can be run again at any
time, also while servers run; where those of an older version must be stopped first, it says so and
changes nothing. deploy/mongodb.md says what is made and why.

Examples:
  fhirfacade mongodb prepare --mongodb-uri mongodb://127.0.0.1:27017/?replicaSet=rs0
  fhirfacade mongodb prepare --shard --mongodb-uri mongodb://mongos.internal:27017/`
}

func (c mongodbPrepareCommand) Run(ctx context.Context) error {
	r, err := mongo.Prepare(ctx, mongo.Options{URI: c.MongodbURI, Database: c.MongodbDatabase}, c.Shard)
	if r.Server.Kind != "" {
		fmt.Printf("Server    %s\n", r.Server)
	}
	if err != nil {
		return err
	}
	fmt.Printf("Database  %s, layout version %d, indexes in place\n", r.Database, r.Layout)
	for _, s := range r.Sharded {
		fmt.Printf("Sharded   %s\n", s)
	}
	if r.Server.Kind == mongo.ShardedCluster && !c.Shard {
		fmt.Println("The collections were not sharded. Run with --shard to do so.")
	}
	return nil
}
