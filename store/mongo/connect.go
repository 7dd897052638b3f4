package mongo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/fhirfacade/fhirfacade/store"
)

// bounds are what the URI says of how to ask.
type bounds struct {
	// patience is how long one round trip may take.
	patience time.Duration
	reads    *readpref.ReadPref
	// concern is the level of reads that must see what is acknowledged.
	concern string
}

const defaultPatience = 30 * time.Second

// connect makes the client. The errors are without the driver's words, which
// may quote the password.
func connect(opts *Options) (*mongo.Client, bounds, error) {
	client := options.Client().ApplyURI(opts.URI)
	if err := client.Validate(); err != nil {
		if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
			return nil, bounds{}, fmt.Errorf("store/mongo: %w: DNS does not have the servers of the URI's host; check its name, and that DNS answers", store.ErrUnavailable)
		}
		return nil, bounds{}, errors.New("store/mongo: the URI is not a valid MongoDB connection string: mongodb://[user:password@]host[:port][,…]/[?options] or mongodb+srv://…")
	}
	b := bounds{patience: defaultPatience, reads: readpref.Primary(), concern: "majority"}
	if client.Timeout != nil && *client.Timeout > 0 {
		b.patience = *client.Timeout
	}
	// Also what has no deadline of its own ends some time: a server that is
	// frozen keeps its connections open.
	client.SetTimeout(b.patience)
	if client.ReadPreference != nil {
		b.reads = client.ReadPreference
	}
	client.ReadPreference = nil
	concern, err := durable(client.WriteConcern)
	if err != nil {
		return nil, bounds{}, err
	}
	client.SetWriteConcern(concern)
	if concern.W != "majority" {
		// The majority may not have yet what one server acknowledged.
		b.concern = "local"
	}
	client.SetReadConcern(&readconcern.ReadConcern{Level: b.concern})
	client.Monitor = opts.monitor
	if client.ServerSelectionTimeout == nil {
		client.SetServerSelectionTimeout(5 * time.Second)
	}
	if client.AppName == nil {
		client.SetAppName("fhirfacade")
	}
	c, err := mongo.Connect(client)
	if err != nil {
		return nil, bounds{}, errors.New("store/mongo: the URI's options contradict each other")
	}
	return c, b, nil
}

// checkDatabase refuses what no server takes for a name, and MongoDB's own.
func checkDatabase(name string) error {
	switch {
	case len(name) > 63:
		return errors.New("store/mongo: the database's name is longer than 63 bytes")
	case strings.ContainsAny(name, "/\\. \"$*<>:|?\x00"):
		return fmt.Errorf("store/mongo: %q cannot be a database's name: slashes, dots, spaces and \"$*<>:|? are not allowed", name)
	case slices.Contains([]string{"admin", "local", "config"}, name):
		return fmt.Errorf("store/mongo: the database %q is MongoDB's own; choose another one", name)
	}
	return nil
}

// durable completes the URI's write concern.
func durable(asked *writeconcern.WriteConcern) (*writeconcern.WriteConcern, error) {
	journal := true
	c := &writeconcern.WriteConcern{W: "majority", Journal: &journal}
	if asked == nil {
		return c, nil
	}
	if asked.W != nil {
		c.W = asked.W
	}
	if asked.Journal != nil {
		c.Journal = asked.Journal
	}
	if c.W == 0 {
		return nil, errors.New("store/mongo: the URI says w=0: without acknowledgement nothing can be promised; leave it out, or say w=1 or more")
	}
	return c, nil
}

// Kind is what kind of server a URI leads to.
type Kind string

// Kinds of servers.
const (
	Standalone     Kind = "standalone server"
	ReplicaSet     Kind = "replica set"
	ShardedCluster Kind = "sharded cluster"
)

// Description is what a server says of itself.
type Description struct {
	Kind    Kind
	Version string
	// Genuine is false for a server that only speaks MongoDB's protocol.
	Genuine bool
}

func (d Description) String() string {
	name := "MongoDB"
	if !d.Genuine {
		name = "a MongoDB-compatible server, as version"
	}
	return fmt.Sprintf("%s %s, %s", name, d.Version, d.Kind)
}

// oldest is the least version: $set in aggregations, and bulk writes as they
// are used here.
var oldest = [2]int{4, 2}

func describe(ctx context.Context, c *mongo.Client) (Description, error) {
	var d Description
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	admin := c.Database("admin")
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return d, connectError(ctx, err)
	}
	var build struct {
		Version    string `bson:"version"`
		Numbers    []int  `bson:"versionArray"`
		Javascript string `bson:"javascriptEngine"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return d, connectError(ctx, err)
	}
	switch {
	case hello.Msg == "isdbgrid":
		d.Kind = ShardedCluster
	case hello.SetName != "":
		d.Kind = ReplicaSet
	default:
		d.Kind = Standalone
	}
	// MongoDB's own servers name their script engine, except for mongos; no
	// imitation has one.
	d.Version, d.Genuine = build.Version, build.Javascript != "" || d.Kind == ShardedCluster
	if len(build.Numbers) >= 2 && slices.Compare(build.Numbers[:2], oldest[:]) < 0 {
		return d, fmt.Errorf("store/mongo: the server is MongoDB %s, which is too old: %d.%d or later is needed", build.Version, oldest[0], oldest[1])
	}
	return d, nil
}

// connectError says what an operator can do about a server that does not
// serve at all.
func connectError(ctx context.Context, err error) error {
	text := err.Error()
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch code, _ := serverCode(err); {
	case code == 18 || code == 13 || says("auth error", "Authentication failed", "unable to authenticate"):
		return errors.New("store/mongo: the server refuses the credentials of the URI; check the user, the password and authSource")
	case says("wire version"):
		return fmt.Errorf("store/mongo: the server is too old, or too new, for this program: MongoDB %d.%d or later is needed", oldest[0], oldest[1])
	case says("tls:", "x509:", "certificate"):
		return fmt.Errorf("store/mongo: %w: TLS with the server failed; check tls, tlsCAFile and the host's name in the URI", store.ErrUnavailable)
	case says("server selection"):
		return fmt.Errorf("store/mongo: %w: no server of the URI can be reached; check its hosts and ports, and that it runs", store.ErrUnavailable)
	}
	return wrap(ctx, err)
}
