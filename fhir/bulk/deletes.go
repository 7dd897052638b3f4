package bulk

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// deletesPerLine is how many deletes one Bundle of a file names.
const deletesPerLine = 100

// deletes writes what was deleted since _since and is not there at the time of
// the snapshot: transaction Bundles of DELETE entries (Bulk Data Access,
// manifest, deleted).
func (e *export) deletes(ctx context.Context) error {
	r := &e.w.Request
	if r.Since.IsZero() {
		return nil
	}
	for e.w.Delete < len(r.Types) {
		before := e.w.Behind
		if before == (store.HistoryCursor{}) {
			before = store.HistoryCursor{Seq: e.w.Head + 1}
		}
		page, err := e.s.o.Store.History(ctx, e.t, store.HistoryQuery{
			Type: r.Types[e.w.Delete], Since: r.Since, Before: before, Limit: deletesPerLine,
		})
		if err != nil {
			return err
		}
		var gone []store.Ref
		for _, v := range page.Versions {
			ok, err := e.gone(ctx, v)
			if err != nil {
				return err
			}
			if ok {
				gone = append(gone, v.Ref)
			}
		}
		if len(gone) > 0 {
			if err := e.out.line("deleted", "Bundle", deleteBundle(gone)); err != nil {
				return err
			}
		}
		if e.w.Behind = page.Next; page.Next == (store.HistoryCursor{}) {
			e.w.Delete++
		}
		if e.s.o.Now().Sub(e.saved) >= saveEvery {
			if err := e.checkpoint(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone reports whether a version is a delete that belongs to the export: the
// last version of the snapshot, of a resource that would have been exported.
func (e *export) gone(ctx context.Context, v store.Version) (bool, error) {
	r := &e.w.Request
	if !v.Deleted || v.Time.Before(r.Since) || !r.Until.IsZero() && v.Time.After(r.Until) {
		return false, nil
	}
	next, err := e.s.o.Store.GetVersion(ctx, e.t, v.Ref, v.Version+1)
	if err == nil && next.Seq <= e.w.Head {
		return false, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if r.Level == System {
		return true, nil
	}
	// To whom it belonged, its last content says.
	was, err := e.s.o.Store.GetVersion(ctx, e.t, v.Ref, v.Version-1)
	if err != nil {
		return false, err
	}
	keys, err := e.s.o.Repository.Keys(e.t, was)
	if err != nil {
		return false, err
	}
	ids := search.InCompartments(e.s.o.Repository.Definitions(), "Patient", v.Ref, keys)
	if e.members == nil {
		return len(ids) > 0, nil
	}
	_, ok := e.members.chunkOf(ids)
	return ok, nil
}

func deleteBundle(gone []store.Ref) []byte {
	type request struct {
		Method string `json:"method"`
		URL    string `json:"url"`
	}
	type entry struct {
		Request request `json:"request"`
	}
	b := struct {
		ResourceType string  `json:"resourceType"`
		Type         string  `json:"type"`
		Entry        []entry `json:"entry"`
	}{ResourceType: "Bundle", Type: "transaction"}
	for _, ref := range gone {
		b.Entry = append(b.Entry, entry{request{"DELETE", ref.String()}})
	}
	text, _ := json.Marshal(b) // strings only: cannot fail
	return text
}
