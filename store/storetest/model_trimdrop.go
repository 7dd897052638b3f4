package storetest

import (
	"context"

	"github.com/fhirfacade/fhirfacade/store"
)

// TrimLog only remembers the floor.
func (m *Model) TrimLog(ctx context.Context, t store.Tenant, below int64) error {
	mt, err := m.enter(ctx, t)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	mt.trimmed = max(mt.trimmed, min(below-1, int64(len(mt.log))))
	return nil
}

// LogFloor is the entry behind those trimmed.
func (m *Model) LogFloor(ctx context.Context, t store.Tenant) (int64, error) {
	mt, err := m.enter(ctx, t)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return mt.trimmed + 1, nil
}

// DropTenant forgets the tenant.
func (m *Model) DropTenant(ctx context.Context, t store.Tenant) error {
	mt, err := m.enter(ctx, t)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.tenants, t)
	close(mt.grown)
	return nil
}
