package storetest

import (
	"context"
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// Rekey replaces the keys of the last version in the list.
func (m *Model) Rekey(ctx context.Context, t store.Tenant, changes []store.KeyChange) (int, error) {
	if err := store.CheckKeyChanges(t, changes); err != nil {
		return 0, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := 0
	for _, c := range changes {
		for i := len(mt.versions) - 1; i >= 0; i-- {
			v := &mt.versions[i]
			if v.Ref != c.Ref {
				continue
			}
			if v.Version == c.Version && !v.Deleted {
				v.keys = store.SortKeys(slices.Clone(c.Keys))
				n++
			}
			break
		}
	}
	return n, nil
}

func cloneKeyChanges(in []store.KeyChange) []store.KeyChange {
	out := slices.Clone(in)
	for i := range out {
		out[i].Keys = slices.Clone(out[i].Keys)
	}
	return out
}
