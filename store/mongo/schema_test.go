package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

func layoutOf(t *testing.T, db *mongo.Database) int {
	t.Helper()
	var row struct {
		Version int `bson:"v"`
	}
	if err := db.Collection(colMeta).FindOne(t.Context(), bson.D{{Key: "_id", Value: "layout"}}).Decode(&row); err != nil {
		t.Fatal(err)
	}
	return row.Version
}

func setLayout(t *testing.T, db *mongo.Database, version int) {
	t.Helper()
	_, err := db.Collection(colMeta).ReplaceOne(t.Context(), bson.D{{Key: "_id", Value: "layout"}}, bson.D{{Key: "v", Value: version}}, options.Replace().SetUpsert(true))
	if err != nil {
		t.Fatal(err)
	}
}

// What an older program left is brought forward and served.
func TestOlderLayoutIsBroughtForward(t *testing.T) {
	opts := testOptions(t)
	e := openTest(t, opts)
	commit(t, e, put("1", "body", "k"))
	if got := layoutOf(t, e.db); got != layoutVersion() {
		t.Fatalf("a new database has layout version %d", got)
	}
	// As version 1 was: no version, payloads that expire.
	if _, err := e.db.Collection(colMeta).DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "layout"}}); err != nil {
		t.Fatal(err)
	}
	indexes := e.spill.Indexes()
	if err := indexes.DropOne(t.Context(), "d_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := indexes.CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "d", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(3600)}); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, opts)
	if got := layoutOf(t, e.db); got != layoutVersion() {
		t.Errorf("the database was left at version %d", got)
	}
	specs, err := indexes.ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range specs {
		if s.ExpireAfterSeconds != nil {
			t.Errorf("index %s still lets payloads expire", s.Name)
		}
	}
	if d, err := again.Get(testContext(t), tenant, store.Ref{Type: "Patient", ID: "1"}); err != nil || string(d.Body) != "body" {
		t.Errorf("%q, %v", d.Body, err)
	}
}

func TestNewerLayoutIsRefused(t *testing.T) {
	opts := testOptions(t)
	e := openTest(t, opts)
	setLayout(t, e.db, layoutVersion()+1)
	_, err := Open(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), "newer") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error: %v", err)
	}
	if got := layoutOf(t, e.db); got != layoutVersion()+1 {
		t.Errorf("the refused database was changed to version %d", got)
	}
}

func TestPrepare(t *testing.T) {
	opts := testOptions(t)
	for range 2 { // doing it again changes nothing
		r, err := Prepare(t.Context(), opts, false)
		if err != nil || r.Layout != layoutVersion() || r.Server.Version == "" || len(r.Sharded) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	r, err := Prepare(t.Context(), opts, true)
	if r.Server.Kind == ShardedCluster {
		if err != nil || len(r.Sharded) != len(sharding()) {
			t.Errorf("%+v, %v", r, err)
		}
	} else if err == nil || !strings.Contains(err.Error(), "mongos") {
		t.Errorf("error: %v", err)
	}
}

// Everything that grows is sharded by a key that begins with the tenant.
func TestShardCommands(t *testing.T) {
	var got []string
	for _, c := range shardCommands("db") {
		got = append(got, fmt.Sprint(c[0].Key, " ", c[0].Value))
		if len(c) > 1 && fmt.Sprint(c[1]) != fmt.Sprint(bson.E{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}) {
			t.Errorf("key %v", c[1])
		}
	}
	want := "enableSharding db, shardCollection db.docs, shardCollection db.bodies, shardCollection db.log, shardCollection db.spill, shardCollection db.items"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s", s)
	}
}

// On a sharded cluster every query names the tenant's range of ids; the
// answers are the same.
func TestTargetedQueriesFindTheSame(t *testing.T) {
	e := openTest(t, testOptions(t))
	for i := range 12 {
		commit(t, e, put(fmt.Sprint(i), "", fmt.Sprint("n=", i%4), "k"))
	}
	if _, err := e.Commit(testContext(t), "clinic/Test2", store.Commit{Changes: []store.Change{put("other", "", "k", "n=1")}}); err != nil {
		t.Fatal(err)
	}
	for _, where := range []store.Clause{store.Exactly("k"), store.Or{store.Range{From: "n=1", To: "n=2"}, store.Range{From: "n=3", To: "n=4"}}} {
		for _, sort := range [][]store.Sort{nil, {{Range: store.Prefix("n="), Descending: true}}} {
			var answers [2]string
			for i := range answers {
				e.sharded = i == 1
				p, err := e.Search(testContext(t), tenant, store.Query{Where: where, Sort: sort, Limit: 100, Count: true})
				if err != nil {
					t.Fatal(err)
				}
				answers[i] = fmt.Sprint(p.Total)
				for _, d := range p.Documents {
					answers[i] += " " + d.Ref.ID
				}
			}
			if answers[0] != answers[1] {
				t.Errorf("%v: found %s, targeted %s", where, answers[0], answers[1])
			}
		}
	}
}

// What an append left that never happened is removed; what a commit still
// needs stays, however old it is.
func TestSweep(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward, opts.MaxBody = time.Hour, LargestBody
	e := openTest(t, opts)
	ctx := testContext(t)
	crash(t, e, put("1", incompressible(1, maxInline+1)))
	s := scopeFor(t, e, tenant)
	if _, err := e.spill.UpdateMany(ctx, bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "d", Value: bson.DateTime(1)}}}}); err != nil {
		t.Fatal(err)
	}
	for i, age := range []time.Duration{time.Hour, 100 * time.Hour} {
		at := bson.NewDateTimeFromTime(time.Now().Add(-age))
		if _, err := e.spill.InsertOne(ctx, chunkRow{ID: s.prefix + fmt.Sprintf("%032d", i) + "00000000", Made: at}); err != nil {
			t.Fatal(err)
		}
	}
	e.sweep(ctx, time.Now().Add(-garbageAge))
	if n, err := e.spill.CountDocuments(ctx, bson.D{}); err != nil || n != 2 {
		t.Errorf("%d chunks are left, want that of the commit and the young one: %v", n, err)
	}
	e.afterAppend = nil
	other := openTest(t, opts)
	if head, err := other.Head(ctx, tenant); err != nil || head != 1 {
		t.Errorf("head %d, %v", head, err)
	}
}

// The URI decides how durable a write is, and is held to that.
func TestURIConcerns(t *testing.T) {
	for text, want := range map[string]struct {
		w       any
		concern string
		journal bool
	}{
		"":                           {"majority", "majority", true},
		"w=majority&journal=false":   {"majority", "majority", false},
		"w=1":                        {1, "local", true},
		"w=3":                        {3, "local", true},
		"readPreference=nearest":     {"majority", "majority", true},
		"readConcernLevel=local":     {"majority", "majority", true},
		"timeoutMS=700&journal=true": {"majority", "majority", true},
	} {
		opts := Options{URI: "mongodb://127.0.0.1:1/?" + text}
		if c, err := durable(options.Client().ApplyURI(opts.URI).WriteConcern); err != nil || c.W != want.w || *c.Journal != want.journal {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
		c, b, err := connect(&opts)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		_ = c.Disconnect(context.Background())
		if b.concern != want.concern {
			t.Errorf("%q: reads of level %s", text, b.concern)
		}
		if nearest := strings.Contains(text, "nearest"); nearest != (b.reads.Mode().String() == "nearest") {
			t.Errorf("%q: reads from %s", text, b.reads.Mode())
		}
		if strings.Contains(text, "timeoutMS") != (b.patience == 700*time.Millisecond) {
			t.Errorf("%q: waits %v", text, b.patience)
		}
	}
	opts := Options{URI: "mongodb://127.0.0.1:1/?w=0"}
	if _, _, err := connect(&opts); err == nil || !strings.Contains(err.Error(), "w=0") {
		t.Errorf("w=0: %v", err)
	}
}

// Ping answers soon, also when nothing answers it.
func TestPingOfNobody(t *testing.T) {
	opts := Options{URI: "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"}
	c, b, err := connect(&opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Disconnect(context.Background()) }()
	e := &engine{client: c, bounds: b, stop: make(chan struct{})}
	if err := e.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error: %v", err)
	}
}
