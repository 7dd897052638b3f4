package store

import "context"

// Rekeyer replaces keys. It is what brings documents that were committed
// earlier under keys that are made differently now.
type Rekeyer interface {
	// Rekey gives documents other keys, without a new version: number,
	// version, time and body stay, and nothing is appended to the log. A
	// document whose current version is not the one named, or is deleted, is
	// passed over: whoever wrote the newer one gave it keys.
	//
	// Each document changes in one step: no query sees it with a part of its
	// keys, or with none. The call as a whole may be cut short, and repeating
	// it is harmless. When it returns without an error the new keys are
	// durable, and what begins afterwards sees them, guards included. It says
	// how many documents it did not pass over, those that had these very keys
	// before included.
	//
	// Commits go on meanwhile and are not held up by more than the time that
	// one call takes.
	Rekey(ctx context.Context, tenant Tenant, changes []KeyChange) (int, error)
}

// KeyChange names a version and the keys that it is to have.
type KeyChange struct {
	Ref     Ref
	Version int64
	// Keys may be in any order and hold duplicates.
	Keys []Key
}

// CheckKeyChanges reports, wrapped in ErrInvalid, what in changes can never
// be.
func CheckKeyChanges(t Tenant, changes []KeyChange) error {
	if err := CheckTenant(t); err != nil {
		return err
	}
	seen := make(map[Ref]struct{}, len(changes))
	for _, c := range changes {
		if err := CheckRef(c.Ref); err != nil {
			return err
		}
		if err := checkKeys(c.Keys); err != nil {
			return err
		}
		if _, twice := seen[c.Ref]; twice {
			return invalid("a %s is changed twice in one call", c.Ref.Type)
		}
		seen[c.Ref] = struct{}{}
	}
	return nil
}
