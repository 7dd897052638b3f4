package store

import (
	"context"
	"errors"
)

// Getter reads current versions.
type Getter interface {
	Get(ctx context.Context, t Tenant, ref Ref) (Document, error)
}

// Unmet is the ConflictError that a commit of changes would end with now, nil
// if none: what they expect is compared with what is current, and nothing is
// written.
func Unmet(ctx context.Context, s Getter, t Tenant, changes []Change) error {
	for _, c := range changes {
		if c.Expect == (Expect{}) {
			continue
		}
		d, err := s.Get(ctx, t, c.Ref)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		live, version := err == nil && !d.Deleted, int64(0)
		if live {
			version = d.Version
		}
		if !c.Expect.holds(live, version) {
			return &ConflictError{Ref: c.Ref, Current: version}
		}
	}
	return nil
}
