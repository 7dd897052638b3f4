package mongo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/fhirfacade/fhirfacade/store"
)

// untargeted finds, among the commands that an instance sends, those that
// name no id, no list of ids and no range of them: a sharded cluster would
// have to ask all shards.
type untargeted struct {
	mu    sync.Mutex
	found []string
	seen  map[string]bool
}

func (u *untargeted) monitor() *event.CommandMonitor {
	u.seen = map[string]bool{}
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		var filters []bson.RawValue
		name, _ := e.Command.Lookup(e.CommandName).StringValueOK()
		sharded := false
		for _, c := range sharding() {
			sharded = sharded || c == name
		}
		if !sharded {
			return
		}
		list := func(field, within string) {
			values, _ := e.Command.Lookup(field).Array().Values()
			for _, v := range values {
				filters = append(filters, v.Document().Lookup(within))
			}
		}
		switch e.CommandName {
		case "find":
			filters = append(filters, e.Command.Lookup("filter"))
		case "findAndModify":
			filters = append(filters, e.Command.Lookup("query"))
		case "aggregate":
			filters = append(filters, e.Command.Lookup("pipeline", "0", "$match"))
		case "update":
			list("updates", "q")
		case "delete":
			list("deletes", "q")
		default:
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.seen[e.CommandName+" "+name] = true
		for _, f := range filters {
			if d, ok := f.DocumentOK(); !ok || !namesIDs(d) {
				u.found = append(u.found, fmt.Sprint(e.CommandName, " ", name, " ", f))
			}
		}
	}}
}

func namesIDs(filter bson.Raw) bool {
	elements, _ := filter.Elements()
	for _, e := range elements {
		if e.Key() == "_id" {
			return true
		}
		if e.Key() == "$and" {
			parts, _ := e.Value().Array().Values()
			for _, p := range parts {
				if namesIDs(p.Document()) {
					return true
				}
			}
		}
	}
	return false
}

func (u *untargeted) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.found
	u.found = nil
	return out
}

// To a sharded cluster, whatever a caller asks for is sent with the tenant's
// ids; only what an instance does by itself every few seconds is for all
// shards. The server here has no shards: what is looked at are the commands.
func TestCommandsToAShardedCluster(t *testing.T) {
	var u untargeted
	opts := testOptions(t)
	opts.monitor, opts.RollForward, opts.MaxBody = u.monitor(), time.Hour, LargestBody
	e := openTest(t, opts)
	e.sharded = true
	ctx := testContext(t)
	ok := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	ref := store.Ref{Type: "Patient", ID: "1"}
	steps := []struct {
		name string
		do   func()
	}{
		{"commit", func() {
			for i := range 3 {
				commit(t, e, put("1", fmt.Sprint(i), "k", "n=1"), put(fmt.Sprint("x", i), "", "k", "r=Patient/1"))
			}
			commit(t, e, put("large", incompressible(1, maxRowBody+1), "k"))
			commit(t, e, store.Change{Ref: store.Ref{Type: "Patient", ID: "x0"}})
		}},
		{"conditional commit", func() {
			ok(e.Commit(ctx, tenant, store.Commit{
				Guards: []store.Guard{{Where: store.Exactly("none")}, {Where: store.Prefix("zz")}}, Changes: []store.Change{put("3", "", "k")},
			}))
		}},
		{"read", func() {
			ok(e.Get(ctx, tenant, ref))
			ok(e.GetVersion(ctx, tenant, ref, 1))
			ok(e.GetMany(ctx, tenant, []store.Ref{ref, {Type: "Patient", ID: "large"}}))
		}},
		{"search", func() {
			for _, where := range []store.Clause{
				store.Exactly("k"), store.Prefix("n"), store.Or{store.Prefix("n"), store.Prefix("k")},
				store.Refers{Prefix: "r=", Query: store.Exactly("n=1")}, store.ReferredBy{Prefix: "r=", Query: store.Exactly("k")},
				store.And{store.Exactly("k"), store.Not{Clause: store.Prefix("n")}},
			} {
				ok(e.Search(ctx, tenant, store.Query{Where: where, Limit: 5, Count: true}))
				ok(e.Search(ctx, tenant, store.Query{Where: where, Limit: 5, Sort: []store.Sort{{Range: store.Prefix("n")}}}))
			}
		}},
		{"history", func() {
			ok(e.History(ctx, tenant, store.HistoryQuery{Limit: 5}))
			ok(e.History(ctx, tenant, store.HistoryQuery{Type: "Patient", Limit: 5}))
			ok(e.History(ctx, tenant, store.HistoryQuery{Type: "Patient", ID: "1", Limit: 5}))
		}},
		{"log", func() {
			ok(e.ReadLog(ctx, tenant, 0, 10))
			ok(e.Head(ctx, tenant))
			ok(e.WaitLog(ctx, tenant, 0))
			ok(nil, e.TrimLog(ctx, tenant, 3))
			other := openTest(t, opts)
			ok(other.WaitLog(ctx, tenant, 0))
		}},
		{"rekey", func() { ok(e.Rekey(ctx, tenant, []store.KeyChange{patient("1", 3, "new")})) }},
		{"items", func() {
			for _, expect := range []int64{0, 1, store.ItemAny} {
				ok(e.PutItem(ctx, tenant, store.Item{Kind: "k", ID: "1", Keys: []store.Key{"a", "b", "c", "d", "e"}}, expect))
			}
			ok(e.GetItem(ctx, tenant, "k", "1"))
			ok(e.ScanItems(ctx, tenant, store.ItemScan{Kind: "k", Limit: 5}))
			ok(e.ScanItems(ctx, tenant, store.ItemScan{Kind: "k", Range: &store.Range{From: "a", To: "z"}, Limit: 5}))
			ok(nil, e.DeleteItem(ctx, tenant, "k", "1", 3))
		}},
		{"settling", func() { e.settle(ctx) }},
		{"drop", func() { ok(nil, e.DropTenant(ctx, tenant)) }},
	}
	for _, s := range steps {
		s.do()
		for _, c := range u.take() {
			// The other instance, and a tenant that is opened, look for what
			// is unsettled: the index has a few.
			if !strings.Contains(c, `"u":`) {
				t.Errorf("%s: %s", s.name, c)
			}
		}
	}
	if len(u.seen) < 12 {
		t.Errorf("only these commands were looked at: %v", u.seen)
	}
}
