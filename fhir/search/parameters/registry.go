package parameters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// kindIndex and recordID name the item that holds a tenant's record.
const (
	kindIndex = "search-index"
	recordID  = "record"
)

// Options of New. Store, Definitions and Index are needed.
type Options struct {
	Store       store.Store
	Definitions *conformance.Definitions
	Index       *search.Index
	// FullText makes keys of the words of resources, for _text and _content.
	FullText bool
	// Guides are SearchParameters that every tenant has besides those that it
	// has stored. Their IDs are what messages name them by, and no ids of
	// resources: canonical URLs. All instances that share a store need the
	// same.
	Guides []store.Document
	// Life is how long a view is used without looking at the record again
	// where other instances share the store; 5 s when zero.
	Life time.Duration
	// Allowance is how long a commit may take there before the record is
	// looked at once more; 10 s when zero.
	Allowance time.Duration
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// After is a timer; time.After when nil.
	After func(time.Duration) <-chan time.Time
	// Progress says how far the keys of a parameter are, for people; may be
	// nil.
	Progress func(ctx context.Context, t store.Tenant, p Parameter) string
	// Changed, when set, is called when a record was changed through this
	// registry. It must not wait.
	Changed func(t store.Tenant)
	// Logger is slog.Default when nil.
	Logger *slog.Logger
}

// Registry keeps the search parameters of tenants. It is safe for concurrent
// use.
type Registry struct {
	o           Options
	fingerprint string

	mu      sync.RWMutex
	tenants map[store.Tenant]*tenant
}

// New makes a registry.
func New(o Options) *Registry {
	if o.Life == 0 {
		o.Life = 5 * time.Second
	}
	if o.Allowance == 0 {
		o.Allowance = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Registry{o: o, fingerprint: search.FingerprintOf(search.Base{Definitions: o.Definitions, FullText: o.FullText}), tenants: map[store.Tenant]*tenant{}}
}

// Fingerprint is of the extraction that this program makes keys by, the
// tenants' own parameters left out.
func (r *Registry) Fingerprint() string { return r.fingerprint }

// FullText reports whether the words of resources are keys.
func (r *Registry) FullText() bool { return r.o.FullText }

// Definitions are those that all tenants share.
func (r *Registry) Definitions() *conformance.Definitions { return r.o.Definitions }

// Record reads a tenant's record; the zero Record where there is none.
func (r *Registry) Record(ctx context.Context, t store.Tenant) (Record, error) {
	rec, err := documents.Get[Record](ctx, r.o.Store, t, kindIndex, recordID)
	if errors.Is(err, store.ErrNotFound) {
		return Record{}, nil
	}
	return rec, err
}

// change changes the record by compare-and-set; a change that returns false
// leaves it as it is. What came of it is the view from then on.
func (r *Registry) change(ctx context.Context, t store.Tenant, change func(*Record) (bool, error)) (Record, error) {
	for {
		var rec Record
		var version int64
		looked := r.o.Now()
		item, err := r.o.Store.GetItem(ctx, t, kindIndex, recordID)
		switch {
		case err == nil:
			version = item.Version
			if err := json.Unmarshal(item.Body, &rec); err != nil {
				return rec, fmt.Errorf("%s: %w", kindIndex, err)
			}
		case !errors.Is(err, store.ErrNotFound):
			return rec, err
		}
		changed, err := change(&rec)
		if err != nil || !changed {
			return rec, errors.Join(err, r.of(t).set(r, rec, looked))
		}
		rec.Generation++
		err = documents.Put(ctx, r.o.Store, t, store.Item{Kind: kindIndex, ID: recordID}, rec, version)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return rec, err
		}
		if err := r.of(t).set(r, rec, r.o.Now()); err != nil {
			return rec, err
		}
		if r.o.Changed != nil {
			r.o.Changed(t)
		}
		return rec, nil
	}
}

// born gives a tenant a record before the first write: with nothing stored
// all keys are as they are made now; otherwise how they were made is not
// known, and they have to be made anew.
func (r *Registry) born(ctx context.Context, t store.Tenant) error {
	head, err := r.o.Store.Head(ctx, t)
	if err != nil {
		return err
	}
	_, err = r.change(ctx, t, func(rec *Record) (bool, error) {
		if rec.Generation > 0 {
			return false, nil
		}
		if head == 0 {
			rec.Form, rec.Fingerprint = search.FormVersion, r.fingerprint
			// With nothing stored there is nothing to wait for.
			if rec.Parameters, err = r.next(*rec, r.o.Guides); err != nil {
				return false, err
			}
			for i := range rec.Parameters {
				if p := &rec.Parameters[i]; p.State == Building {
					p.State = Ready
				}
				rec.Next = max(rec.Next, rec.Parameters[i].Number+1)
			}
		} else {
			rec.Rebuilding, rec.RebuildingFrom = r.fingerprint, 1
		}
		return true, nil
	})
	return err
}

// ErrNewer: the tenant's keys were made by a later version of the program.
var ErrNewer = errors.New("the search keys were made by a later version of the program, and searches by this one may miss resources")

// Check compares how a tenant's keys were made with how they are made now. It
// reports whether they are to be made anew, which the record then says, until
// Built. A tenant that holds nothing needs nothing.
func (r *Registry) Check(ctx context.Context, t store.Tenant) (rebuild bool, err error) {
	rec, err := r.Record(ctx, t)
	if err != nil {
		return false, err
	}
	if rec.Generation == 0 {
		head, err := r.o.Store.Head(ctx, t)
		if err != nil || head == 0 {
			return false, err
		}
	}
	rec, err = r.change(ctx, t, func(rec *Record) (bool, error) {
		switch {
		case rec.Form > search.FormVersion:
			return false, ErrNewer
		case rec.Rebuilding == r.fingerprint, rec.Rebuilding == "" && rec.Fingerprint == r.fingerprint:
			return false, nil
		}
		rec.Rebuilding, rec.RebuildingFrom = r.fingerprint, rec.Generation+1
		return true, nil
	})
	return rec.Rebuilding != "", err
}

// Built says that all resources of these types, nil for all, have the keys
// that generation of the record asks for: parameters that waited for it are
// Ready now. problem, when not "", is what was found instead.
func (r *Registry) Built(ctx context.Context, t store.Tenant, types []string, generation int64, fingerprint, problem string) error {
	_, err := r.change(ctx, t, func(rec *Record) (changed bool, _ error) {
		for i := range rec.Parameters {
			p := &rec.Parameters[i]
			if p.State != Building || p.Generation > generation || !p.covered(types, r.o.Definitions) {
				continue
			}
			if p.Problem = problem; problem == "" {
				p.State = Ready
			}
			changed = true
		}
		if types == nil && problem == "" && rec.Rebuilding == fingerprint && rec.RebuildingFrom <= generation {
			rec.Form, rec.Fingerprint, rec.Rebuilding, rec.RebuildingFrom = search.FormVersion, fingerprint, "", 0
			changed = true
		}
		return changed, nil
	})
	return err
}
