package store

import "strings"

// CheckTenant reports, wrapped in ErrInvalid, why a tenant cannot be one.
func CheckTenant(t Tenant) error {
	switch {
	case t == "":
		return invalid("no tenant")
	case len(t) > 128:
		return invalid("tenant longer than 128 bytes")
	case strings.IndexByte(string(t), 0) >= 0:
		return invalid("tenant holds a NUL byte")
	}
	return nil
}

// CheckRef reports, wrapped in ErrInvalid, why a ref cannot be one.
func CheckRef(r Ref) error {
	return checkName("type", r.Type, "id", r.ID)
}

// CheckItem reports, wrapped in ErrInvalid, why an item cannot be one.
func CheckItem(kind, id string, keys []Key) error {
	if err := checkName("kind", kind, "item id", id); err != nil {
		return err
	}
	return checkKeys(keys)
}

func checkName(whatA, a, whatB, b string) error {
	for _, n := range [2][2]string{{whatA, a}, {whatB, b}} {
		switch {
		case n[1] == "":
			return invalid("%s is empty", n[0])
		case len(n[1]) > 256:
			return invalid("%s is longer than 256 bytes", n[0])
		case strings.ContainsAny(n[1], "\x00/"):
			return invalid("%s holds a NUL byte or a slash", n[0])
		}
	}
	return nil
}

func checkKeys(keys []Key) error {
	for _, k := range keys {
		if len(k) > MaxKey {
			return invalid("a key is longer than %d bytes", MaxKey)
		}
	}
	return nil
}

// CheckCommit reports, wrapped in ErrInvalid, what in a commit can never be.
func CheckCommit(t Tenant, c Commit) error {
	if err := CheckTenant(t); err != nil {
		return err
	}
	if t == System {
		return invalid("the system tenant takes no commits")
	}
	if len(c.Changes) > MaxChanges {
		return invalid("more than %d changes", MaxChanges)
	}
	seen := make(map[Ref]struct{}, len(c.Changes))
	for _, ch := range c.Changes {
		if err := CheckRef(ch.Ref); err != nil {
			return err
		}
		if _, twice := seen[ch.Ref]; twice {
			return invalid("a %s is changed twice in one commit", ch.Ref.Type)
		}
		seen[ch.Ref] = struct{}{}
	}
	for _, g := range c.Guards {
		if err := CheckClause(g.Where); err != nil {
			return err
		}
	}
	return nil
}

// CheckQuery reports, wrapped in ErrInvalid, why a query cannot be asked.
func CheckQuery(q Query) error {
	if err := CheckClause(q.Where); err != nil {
		return err
	}
	if q.Limit < 0 {
		return invalid("a query's limit is negative")
	}
	if len(q.Along) > 0 && len(q.Sort) > 0 {
		return invalid("a query with a sort goes along keys of its own")
	}
	if q.After != nil && !isPlaceOf(*q.After, q) {
		return invalid("a cursor of another query")
	}
	return nil
}

func isPlaceOf(c Cursor, q Query) bool {
	if len(q.Along) > 0 && len(c.Keys) == 1 {
		return c.Keys[0] != nil
	}
	return len(c.Keys) == len(q.Sort)
}

// CheckHistory reports, wrapped in ErrInvalid, why a history cannot be asked
// for.
func CheckHistory(q HistoryQuery) error {
	switch {
	case q.Limit < 1:
		return invalid("a history's limit is less than 1")
	case q.Type == "" && q.ID != "":
		return invalid("a history of an id without a type")
	}
	return nil
}

// CheckScan reports, wrapped in ErrInvalid, why a scan of items cannot be
// asked for.
func CheckScan(s ItemScan) error {
	if s.Limit < 1 {
		return invalid("a scan's limit is less than 1")
	}
	return checkName("kind", s.Kind, "item id", "-")
}
