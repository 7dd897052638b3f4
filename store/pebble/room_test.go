package pebble_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// shrinking is a disk with as much free space as the test says.
type shrinking struct {
	vfs.FS
	free atomic.Uint64
}

func (s *shrinking) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: s.free.Load(), TotalBytes: 1 << 40}, nil
}

// TestNearlyFull: without space nothing is written, by halves or whole, reads
// go on, and with space again writes do; each turn is said once.
func TestNearlyFull(t *testing.T) {
	disk := &shrinking{FS: vfs.NewMem()}
	disk.free.Store(1 << 30)
	var log bytes.Buffer
	e, err := pebble.Open("data", pebble.Options{FS: disk, Reserve: 1 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ref := store.Ref{Type: "A", ID: "1"}
	commit := func(tenant store.Tenant) error {
		_, err := e.Commit(t.Context(), tenant, store.Commit{Changes: []store.Change{crashChange(ref)}})
		return err
	}
	if err := commit(crashTenant); err != nil {
		t.Fatal(err)
	}
	for _, free := range []uint64{0, 1<<20 - 1, 1 << 20} {
		disk.free.Store(free)
		_, item := e.PutItem(t.Context(), crashTenant, store.Item{Kind: "k", ID: "1"}, 0)
		_, rekey := e.Rekey(t.Context(), crashTenant, []store.KeyChange{{Ref: ref, Version: 1}})
		for what, err := range map[string]error{
			"a commit": commit(crashTenant), "a new tenant's": commit("another"), "an item": item, "a rekey": rekey,
		} {
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "disk is nearly full") {
				t.Errorf("%s with %d bytes free: %v", what, free, err)
			}
		}
	}
	d, err := e.Get(t.Context(), crashTenant, ref)
	if err != nil || d.Version != 1 {
		t.Errorf("read version %d, %v", d.Version, err)
	}
	found, err := e.Search(t.Context(), crashTenant, store.Query{Where: store.Exactly("every"), Count: true})
	if err != nil || found.Total != 1 {
		t.Errorf("found %d, %v", found.Total, err)
	}
	if head, err := e.Head(t.Context(), crashTenant); head != 1 || err != nil {
		t.Errorf("the log ends at %d, %v", head, err)
	}
	disk.free.Store(1 << 30)
	if err := commit(crashTenant); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if _, err := e.Check(context.Background(), func(f pebble.Finding) { t.Error(f) }, nil); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"nothing is written until", "writing goes on"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%q is said %d times:\n%s", line, n, log.String())
		}
	}
}
