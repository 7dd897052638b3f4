package search

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/store"
)

func TestLean(t *testing.T) {
	const typ, other = 7, 8
	key := func(typ uint16) store.Clause { return store.Exactly(paramKey(typ, 300) + "c") }
	span := store.Prefix(paramKey(typ, 301))
	referred := store.ReferredBy{Prefix: paramKey(other, 300), Query: key(other)}
	for _, c := range []struct {
		name  string
		parts store.And
		want  store.Clause
	}{
		{"alone", store.And{exists(typ)}, store.And{exists(typ)}},
		{"one key", store.And{exists(typ), key(typ)}, key(typ)},
		{"two keys", store.And{exists(typ), key(typ), key(typ)}, store.And{key(typ), key(typ)}},
		{"a chain", store.And{exists(typ), store.Refers{Prefix: paramKey(typ, 300)}}, store.Refers{Prefix: paramKey(typ, 300)}},
		{"any of two", store.And{exists(typ), store.Or{key(typ), key(typ)}}, store.Or{key(typ), key(typ)}},
		{"a key and a range", store.And{exists(typ), key(typ), span}, store.And{key(typ), span}},
		{"a key and a not", store.And{exists(typ), key(typ), store.Not{Clause: key(typ)}}, store.And{key(typ), store.Not{Clause: key(typ)}}},
		// This may be nearly all of the type.
		{"a range", store.And{exists(typ), span}, store.And{exists(typ), span}},
		// These may select another type.
		{"a not", store.And{exists(typ), store.Not{Clause: key(typ)}}, store.And{exists(typ), store.Not{Clause: key(typ)}}},
		{"a reverse chain", store.And{exists(typ), referred}, store.And{exists(typ), referred}},
		{"any of two, one of another type", store.And{exists(typ), store.Or{key(typ), key(other)}}, store.And{exists(typ), store.Or{key(typ), key(other)}}},
	} {
		if diff := cmp.Diff(c.want, lean(c.parts, typ)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
