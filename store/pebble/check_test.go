package pebble

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

const checkTenant store.Tenant = "check/Development"

// checkStore holds a few documents of all kinds: one of several versions, one
// deleted, one of a commit with others, and an item.
func checkStore(t *testing.T) (*Engine, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	e, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	put := func(id string) store.Change {
		return store.Change{Ref: store.Ref{Type: "A", ID: id}, Render: func(s store.Stamp) store.Content {
			return store.Content{Body: []byte("body"), Keys: []store.Key{"k", "id=" + id, fmt.Sprint("v=", s.Version)}}
		}}
	}
	for _, changes := range [][]store.Change{
		{put("1")}, {put("2"), put("3"), put("4")}, {put("1"), put("3")}, {put("1")},
		{{Ref: store.Ref{Type: "A", ID: "4"}}},
	} {
		if _, err := e.Commit(t.Context(), checkTenant, store.Commit{Source: "test", Changes: changes}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.PutItem(t.Context(), checkTenant, store.Item{Kind: "k", ID: "i", Keys: []store.Key{"a", "b"}}, 0); err != nil {
		t.Fatal(err)
	}
	return e, dir
}

func TestCheckAcceptsWhatIsRight(t *testing.T) {
	e, _ := checkStore(t)
	if err := e.TrimLog(t.Context(), checkTenant, 3); err != nil {
		t.Fatal(err)
	}
	got, err := e.Check(t.Context(), func(f Finding) { t.Error(f) }, nil)
	want := Checked{Tenants: 1, Documents: 4, Versions: 8, Keys: 9, Entries: 5, Items: 1}
	if err != nil || got != want {
		t.Errorf("checked %+v, %v; want %+v", got, err, want)
	}
}

// TestCheckFinds takes away, or puts in, one thing of each kind.
func TestCheckFinds(t *testing.T) {
	one := store.NumberOf(1, 0)
	four := store.NumberOf(2, 2)
	for name, test := range map[string]struct {
		damage func(b *pebble.Batch, t tenantID)
		want   string
	}{
		"a posting missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(postingKey(t, "k", one), nil) },
			"cannot be found by 1 of its keys"},
		"a posting too many": {func(b *pebble.Batch, t tenantID) { _ = b.Set(postingKey(t, "other", one), nil, nil) },
			"found by 1 keys that it does not have"},
		"a key set missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(numberKey(spaceKeySet, t, one), nil) },
			"found by 3 keys that it does not have"},
		"keys of a deleted document": {func(b *pebble.Batch, t tenantID) {
			_ = b.Set(numberKey(spaceKeySet, t, four), encodeKeySet([]store.Key{"k"}), nil)
		}, "is deleted and has keys"},
		"a document missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(numberKey(spaceDocument, t, one), nil) },
			"has keys and does not exist"},
		"a version missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(versionKey(t, one, 1), nil) },
			"version 2 follows 0"},
		"the last superseded version missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(versionKey(t, one, 2), nil) },
			"version 3 is current, the last superseded one is 1"},
		"a name missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(nameKey(t, store.Ref{Type: "A", ID: "1"}), nil) },
			"names and documents differ"},
		"a name of another document": {func(b *pebble.Batch, t tenantID) {
			_ = b.Set(nameKey(t, store.Ref{Type: "A", ID: "1"}), appendNumber(nil, four), nil)
		}, "names and documents differ"},
		"a log entry missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(logKey(t, 3), nil) },
			"log entry 4 follows 2"},
		"a place in a history missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(historyKey(t, "A", 3, 1), nil) },
			"histories of their types differ"},
		"an item's key missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(itemIndexKey(t, "k", "a", "i"), nil) },
			"items and the keys"},
		"an item missing": {func(b *pebble.Batch, t tenantID) { _ = b.Delete(itemKey(t, "k", "i"), nil) },
			"items and the keys"},
		"a damaged document": {func(b *pebble.Batch, t tenantID) { _ = b.Set(numberKey(spaceDocument, t, one), []byte{1}, nil) },
			"a document is not readable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := checkStore(t)
			b := e.db.NewBatch()
			test.damage(b, e.lookup(checkTenant).id)
			if err := b.Commit(pebble.Sync); err != nil {
				t.Fatal(err)
			}
			var found []string
			done, err := e.Check(t.Context(), func(f Finding) { found = append(found, f.String()) }, nil)
			if !errors.Is(err, ErrInconsistent) || done.Findings != int64(len(found)) {
				t.Errorf("found %d of %q: %v", done.Findings, found, err)
			}
			if !strings.Contains(strings.Join(found, "; "), test.want) {
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}

// TestBackup copies a store that is written to meanwhile.
func TestBackup(t *testing.T) {
	e, dir := checkStore(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			change := store.Change{Ref: store.Ref{Type: "B", ID: fmt.Sprint(n)}, Render: func(store.Stamp) store.Content {
				return store.Content{Body: []byte("b"), Keys: []store.Key{"meanwhile"}}
			}}
			if _, err := e.Commit(t.Context(), checkTenant, store.Commit{Changes: []store.Change{change}}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	before, err := e.WaitLog(t.Context(), checkTenant, 20)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "new", "backup")
	if err := e.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	after, err := e.Head(t.Context(), checkTenant)
	if err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-stopped
	if err := e.Backup(t.Context(), copied); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second backup into the same folder: %v", err)
	}
	if !Exists(copied) || !Exists(dir) || Exists(t.TempDir()) {
		t.Error("Exists tells stores from other folders wrongly")
	}

	b, err := Open(copied, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Check(t.Context(), func(f Finding) { t.Error(f) }, nil); err != nil {
		t.Error(err)
	}
	head, err := b.Head(t.Context(), checkTenant)
	// The commit that was under way may be in it before it is acknowledged.
	if err != nil || head < before || head > after+1 {
		t.Errorf("the backup's log ends at %d, %v; it was taken between %d and %d", head, err, before, after)
	}
}
