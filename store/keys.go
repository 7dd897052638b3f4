package store

import (
	"slices"
	"sort"
)

// SortKeys sorts keys and drops duplicates, in place.
func SortKeys(keys []Key) []Key {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// FirstKey is the least key of a sorted set that lies in r.
func FirstKey(sorted []Key, r Range) (Key, bool) {
	i := sort.SearchStrings(sorted, r.From)
	if i < len(sorted) && sorted[i] < r.To {
		return sorted[i], true
	}
	return "", false
}

// LastKey is the greatest key of a sorted set that lies in r.
func LastKey(sorted []Key, r Range) (Key, bool) {
	i := sort.SearchStrings(sorted, r.To)
	if i > 0 && sorted[i-1] >= r.From {
		return sorted[i-1], true
	}
	return "", false
}

// SortKey is the key by which s orders a document with these sorted keys;
// nil when it has none.
func (s Sort) SortKey(sorted []Key) *Key {
	var k Key
	var ok bool
	if s.Descending {
		k, ok = LastKey(sorted, s.Range)
	} else {
		k, ok = FirstKey(sorted, s.Range)
	}
	if !ok {
		return nil
	}
	return &k
}

// CompareCursors orders two places of the same query.
func CompareCursors(sorts []Sort, a, b Cursor) int {
	for i, s := range sorts {
		x, y := a.Keys[i], b.Keys[i]
		switch {
		case x == nil && y == nil:
			continue
		case x == nil:
			return 1
		case y == nil:
			return -1
		case *x == *y:
			continue
		case (*x < *y) != s.Descending:
			return -1
		default:
			return 1
		}
	}
	switch {
	case a.Number < b.Number:
		return -1
	case a.Number > b.Number:
		return 1
	}
	return 0
}
