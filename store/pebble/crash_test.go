package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const crashTenant store.Tenant = "crash/Development"

// acknowledged is the last version of each document whose commit returned.
type acknowledged struct {
	mu       sync.Mutex
	versions map[store.Ref]int64
	items    map[string]int64
	rekeyed  map[store.Ref]int64 // the versions that got other keys
}

func newAcknowledged() *acknowledged {
	return &acknowledged{versions: map[store.Ref]int64{}, items: map[string]int64{}, rekeyed: map[store.Ref]int64{}}
}

func (a *acknowledged) clone() *acknowledged {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &acknowledged{versions: maps.Clone(a.versions), items: maps.Clone(a.items), rekeyed: maps.Clone(a.rekeyed)}
}

// TestCrash lets the machine lose its power at file operations chosen at
// random, while documents and items are written from several goroutines, and
// looks at what the disk has then: everything that was acknowledged and
// nothing by halves.
func TestCrash(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			crash(t, rand.New(rand.NewPCG(seed, 7)))
		})
	}
}

func crash(t *testing.T, r *rand.Rand) {
	disk := vfs.NewCrashableMem()
	acked := newAcknowledged()

	var operations atomic.Int64
	at := 1 + r.Int64N(400)
	kept := r.IntN(101)
	also := r.IntN(3)
	rng := rand.New(rand.NewPCG(r.Uint64(), 1))
	var remains *vfs.MemFS
	var survivors *acknowledged
	crashed := make(chan struct{})
	cutPower := errorfs.InjectorFunc(func(errorfs.Op) error {
		if operations.Add(1) == at {
			// First what was acknowledged, then the disk: what is
			// acknowledged in between is on the disk without being asked for.
			survivors = acked.clone()
			remains = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
			close(crashed)
		}
		return nil
	})
	e := openFS(t, errorfs.Wrap(disk, cutPower))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-crashed
		cancel()
	}()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { write(ctx, t, e, acked, i, also) })
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	verify(t, remains, survivors)
}

// What is written beside commits. Its syncs make the commits durable, too, so
// that some rounds must do without.
const (
	alsoNothing = iota
	alsoItems
	alsoKeys
)

// write commits to some documents in turn until the power is gone.
func write(ctx context.Context, t *testing.T, e *pebble.Engine, acked *acknowledged, who, also int) {
	for n := 0; ctx.Err() == nil; n++ {
		a := store.Ref{Type: "A", ID: fmt.Sprint(who, "-", n%5)}
		b := store.Ref{Type: "B", ID: a.ID}
		entry, err := e.Commit(ctx, crashTenant, store.Commit{Changes: []store.Change{crashChange(a), crashChange(b)}})
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			return
		}
		acked.mu.Lock()
		for _, ch := range entry.Changes {
			acked.versions[ch.Ref] = ch.Version
		}
		acked.mu.Unlock()
		if also == alsoKeys && !rekey(ctx, t, e, acked, entry.Changes[0]) {
			return
		}
		if also != alsoItems {
			continue
		}
		item, err := e.PutItem(ctx, crashTenant, store.Item{Kind: "k", ID: a.ID, Keys: []store.Key{fmt.Sprint(n)}}, store.ItemAny)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			return
		}
		acked.mu.Lock()
		acked.items[item.ID] = item.Version
		acked.mu.Unlock()
	}
}

// rekey makes a version known by one more key.
func rekey(ctx context.Context, t *testing.T, e *pebble.Engine, acked *acknowledged, ch store.EntryChange) bool {
	n, err := e.Rekey(ctx, crashTenant, []store.KeyChange{{Ref: ch.Ref, Version: ch.Version, Keys: append(crashKeys(ch.Ref, ch.Version), rekeyedKey(ch.Ref))}})
	if err != nil || n != 1 {
		if !errors.Is(err, context.Canceled) {
			t.Error(n, err)
		}
		return false
	}
	acked.mu.Lock()
	defer acked.mu.Unlock()
	acked.rekeyed[ch.Ref] = ch.Version
	return true
}

func rekeyedKey(ref store.Ref) store.Key { return "rekeyed=" + ref.String() }

func crashKeys(ref store.Ref, version int64) []store.Key {
	return []store.Key{"every", "version=" + fmt.Sprint(version), "id=" + ref.ID}
}

func crashChange(ref store.Ref) store.Change {
	return store.Change{Ref: ref, Render: func(s store.Stamp) store.Content {
		return store.Content{
			Body: []byte(crashBody(ref, s.Version)),
			Keys: crashKeys(ref, s.Version),
		}
	}}
}

func crashBody(ref store.Ref, version int64) string {
	return fmt.Sprint(ref, " ", version, strings.Repeat("x", 500))
}

func verify(t *testing.T, disk *vfs.MemFS, acked *acknowledged) {
	e := openFS(t, disk)
	defer e.Close()
	if _, err := e.Check(t.Context(), func(f pebble.Finding) { t.Error(f) }, nil); err != nil {
		t.Error(err)
	}
	for ref, version := range acked.versions {
		d, err := e.Get(t.Context(), crashTenant, ref)
		if err != nil || d.Version < version {
			t.Errorf("%s: version %d was acknowledged, found %d, %v", ref, version, d.Version, err)
			continue
		}
		for v := int64(1); v <= d.Version; v++ {
			d, err := e.GetVersion(t.Context(), crashTenant, ref, v)
			if err != nil || string(d.Body) != crashBody(ref, v) {
				t.Errorf("%s version %d is not as it was written: %v", ref, v, err)
			}
		}
		// Both documents of a commit or neither.
		other := store.Ref{Type: "B", ID: ref.ID}
		if o, err := e.Get(t.Context(), crashTenant, other); err != nil || o.Version != get(t, e, store.Ref{Type: "A", ID: ref.ID}).Version {
			t.Errorf("%s has version %d of a commit of both: %v", other, o.Version, err)
		}
	}
	for ref, version := range acked.rekeyed {
		if get(t, e, ref).Version != version {
			continue // a newer one has keys of its own
		}
		page, err := e.Search(t.Context(), crashTenant, store.Query{Where: store.Exactly(rekeyedKey(ref)), Limit: 2})
		if err != nil || len(page.Documents) != 1 || page.Documents[0].Ref != ref {
			t.Errorf("%s: a key that was acknowledged finds %d documents, %v", ref, len(page.Documents), err)
		}
	}
	for id, version := range acked.items {
		item, err := e.GetItem(t.Context(), crashTenant, "k", id)
		if err != nil || item.Version < version {
			t.Errorf("item %s: version %d was acknowledged, found %d, %v", id, version, item.Version, err)
		}
	}
	// The store goes on where it was.
	if _, err := e.Commit(t.Context(), crashTenant, store.Commit{Changes: []store.Change{crashChange(store.Ref{Type: "A", ID: "0-0"}), crashChange(store.Ref{Type: "B", ID: "0-0"})}}); err != nil {
		t.Error(err)
	}
	if _, err := e.Check(t.Context(), func(f pebble.Finding) { t.Error(f) }, nil); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, e *pebble.Engine, ref store.Ref) store.Document {
	t.Helper()
	d, err := e.Get(t.Context(), crashTenant, ref)
	if err != nil {
		t.Error(err)
	}
	return d
}

func openFS(t *testing.T, disk vfs.FS) *pebble.Engine {
	t.Helper()
	e, err := pebble.Open("data", pebble.Options{FS: disk, Logger: slog.New(slog.DiscardHandler), CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDiskFull: nothing is acknowledged that is not on the disk, and one line
// says why the store ends.
func TestDiskFull(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var full atomic.Bool
	noSpace := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	said := make(chan string, 16)
	e, err := pebble.Open("data", pebble.Options{
		FS: errorfs.Wrap(disk, noSpace), Logger: slog.New(slog.DiscardHandler),
		Fatal: func(message string) {
			said <- message
			select {} // the process would have ended
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	acked := newAcknowledged()
	ref := store.Ref{Type: "A", ID: "1"}
	both := []store.Change{crashChange(ref), crashChange(store.Ref{Type: "B", ID: "1"})}
	entry, err := e.Commit(t.Context(), crashTenant, store.Commit{Changes: both})
	if err != nil {
		t.Fatal(err)
	}
	acked.versions[ref] = entry.Changes[0].Version

	full.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refused := make(chan error, 1)
	go func() {
		_, err := e.Commit(ctx, crashTenant, store.Commit{Changes: both})
		refused <- err
	}()
	select {
	case line := <-said:
		if !strings.Contains(line, "no space left") || strings.Contains(line, "\n") {
			t.Errorf("said %q", line)
		}
		cancel()
		err = <-refused
	case err = <-refused:
	}
	if err == nil {
		t.Error("a commit was acknowledged on a full disk")
	}
	full.Store(false)
	verify(t, disk.CrashClone(vfs.CrashCloneCfg{}), acked)
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a folder that is open", func(t *testing.T) {
		dir := t.TempDir()
		e, err := pebble.Open(dir, pebble.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		_, err = pebble.Open(dir, pebble.Options{})
		oneLine(t, err, "another process has it open")
	})
	t.Run("a folder that cannot be written to", func(t *testing.T) {
		denied := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				return syscall.EROFS
			}
			return nil
		})
		_, err := pebble.Open("data", pebble.Options{FS: errorfs.Wrap(vfs.NewMem(), denied), Logger: slog.New(slog.DiscardHandler)})
		oneLine(t, err, "cannot write there")
	})
	t.Run("a full disk", func(t *testing.T) {
		full := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate {
				return syscall.ENOSPC
			}
			return nil
		})
		_, err := pebble.Open("data", pebble.Options{FS: errorfs.Wrap(vfs.NewMem(), full), Logger: slog.New(slog.DiscardHandler)})
		oneLine(t, err, "disk is full")
	})
	t.Run("what is a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := pebble.Open(file, pebble.Options{})
		oneLine(t, err, "not a directory")
	})
}

func oneLine(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %v, want one line with %q", err, want)
	}
}
