package documents_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const tenant store.Tenant = "health-one/Production"

type thing struct {
	ID    string `json:"id"`
	Label string `json:"label,omitempty"`
}

func open(t *testing.T) store.Items {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, items store.Items, tn store.Tenant, v thing) {
	t.Helper()
	item := store.Item{Kind: "thing", ID: v.ID, Keys: []store.Key{"l" + v.Label}}
	if err := documents.Put(context.Background(), items, tn, item, v, store.ItemAny); err != nil {
		t.Fatal(err)
	}
}

func TestGetReturnsWhatPutWrote(t *testing.T) {
	items := open(t)
	want := thing{"a", "one"}
	put(t, items, tenant, want)
	got, err := documents.Get[thing](context.Background(), items, tenant, "thing", "a")
	if err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	items := open(t)
	put(t, items, tenant, thing{ID: "a"})
	for _, test := range []struct {
		rule     string
		tenant   store.Tenant
		kind, id string
	}{
		{"another id", tenant, "thing", "b"},
		{"another kind", tenant, "other", "a"},
		{"another tenant", "health-two/Production", "thing", "a"},
		{"an id that is empty", tenant, "thing", ""},
		{"an id that no item can have", tenant, "thing", "a/b"},
		{"an id that is too long", tenant, "thing", strings.Repeat("a", 257)},
	} {
		if _, err := documents.Get[thing](context.Background(), items, test.tenant, test.kind, test.id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v", test.rule, err)
		}
	}
}

func TestPutExpectsAVersion(t *testing.T) {
	items := open(t)
	item := store.Item{Kind: "thing", ID: "a"}
	for expect, conflict := range []bool{false, true} {
		err := documents.Put(context.Background(), items, tenant, item, thing{ID: "a"}, 0)
		if errors.Is(err, store.ErrConflict) != conflict || !conflict && err != nil {
			t.Errorf("write %d: got %v", expect+1, err)
		}
	}
}

func TestPutKeepsKeysAndExpiry(t *testing.T) {
	items := open(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	item := store.Item{Kind: "thing", ID: "a", Keys: []store.Key{"k"}, Expires: expires}
	if err := documents.Put(context.Background(), items, tenant, item, thing{ID: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	got, err := items.GetItem(context.Background(), tenant, "thing", "a")
	if err != nil || len(got.Keys) != 1 || got.Keys[0] != "k" || !got.Expires.Equal(expires) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// narrow gives pages of two, whatever is asked for.
type narrow struct{ store.Items }

func (n narrow) ScanItems(ctx context.Context, t store.Tenant, scan store.ItemScan) (store.ItemPage, error) {
	scan.Limit = 2
	return n.Items.ScanItems(ctx, t, scan)
}

func TestListReadsEveryPageInTheOrderOfIDs(t *testing.T) {
	items := narrow{open(t)}
	for _, n := range []int{0, 1, 2, 5} {
		tn := store.Tenant(fmt.Sprint("health-one/", n))
		for i := range n {
			put(t, items, tn, thing{ID: fmt.Sprint("id-", n-i)})
		}
		put(t, items, "health-two/Production", thing{ID: "elsewhere"})
		got, err := documents.List[thing](context.Background(), items, tn, "thing")
		if err != nil || got == nil || len(got) != n {
			t.Fatalf("%d: got %v, %v", n, got, err)
		}
		for i, v := range got {
			if v.ID != fmt.Sprint("id-", i+1) {
				t.Errorf("%d of %d: got %s", i, n, v.ID)
			}
		}
	}
}

func TestScanFollowsKeys(t *testing.T) {
	items := open(t)
	for _, v := range []thing{{"1", "c"}, {"2", "a"}, {"3", "b"}} {
		put(t, items, tenant, v)
	}
	r := store.Prefix("l")
	scan := store.ItemScan{Kind: "thing", Range: &r, Reverse: true, Limit: 2}
	first, next, err := documents.Scan[thing](context.Background(), items, tenant, scan)
	if err != nil || fmt.Sprint(first) != "[{1 c} {3 b}]" || next == "" {
		t.Fatalf("got %v, %q, %v", first, next, err)
	}
	scan.After = next
	last, next, err := documents.Scan[thing](context.Background(), items, tenant, scan)
	if err != nil || fmt.Sprint(last) != "[{2 a}]" || next != "" {
		t.Errorf("got %v, %q, %v", last, next, err)
	}
}

func TestABodyThatIsNoSuchValueIsAnError(t *testing.T) {
	items := open(t)
	item := store.Item{Kind: "thing", ID: "a", Body: []byte("{")}
	if _, err := items.PutItem(context.Background(), tenant, item, 0); err != nil {
		t.Fatal(err)
	}
	_, err := documents.Get[thing](context.Background(), items, tenant, "thing", "a")
	_, all := documents.List[thing](context.Background(), items, tenant, "thing")
	for _, err := range []error{err, all} {
		if err == nil || errors.Is(err, store.ErrNotFound) || !strings.HasPrefix(err.Error(), "thing: ") {
			t.Errorf("got %v", err)
		}
	}
}
