package pebble

import (
	"bytes"
	"cmp"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
)

// FuzzOrdered: order of the numbers is order of the bytes, and what is read
// back is what was written, in the one form there is.
func FuzzOrdered(f *testing.F) {
	f.Add(uint64(0), uint64(127), []byte{0x80, 0})
	f.Add(uint64(128), uint64(1<<56), []byte{0xFF})
	f.Fuzz(func(t *testing.T, a, b uint64, raw []byte) {
		x, y := appendOrdered(nil, a), appendOrdered(nil, b)
		if cmp.Compare(a, b) != bytes.Compare(x, y) {
			t.Errorf("%d and %d are ordered as %x and %x", a, b, x, y)
		}
		if v, rest, err := cutOrdered(append(x, 'r')); v != a || string(rest) != "r" || err != nil {
			t.Errorf("%d is read back as %d, %q, %v", a, v, rest, err)
		}
		if v, rest, err := cutOrdered(raw); err == nil && !bytes.Equal(appendOrdered(nil, v), raw[:len(raw)-len(rest)]) {
			t.Errorf("%x is read as %d, which is written otherwise", raw, v)
		}
	})
}

// FuzzPosting: postings lie in the order of tenant, key, document, whatever
// bytes the keys have; each lies in exactly those ranges that contain its key.
func FuzzPosting(f *testing.F) {
	f.Add("a", "a\x00", "b", int64(1), int64(2), uint32(1), uint32(2))
	f.Add("", "\xff\xff", "\x00\xff", int64(1)<<62, int64(1)<<20, uint32(127), uint32(128))
	f.Add("k\x00\x01", "k\x00", "k", int64(0), int64(0), uint32(1), uint32(1))
	f.Fuzz(func(t *testing.T, a, b, c string, m, n int64, s, u uint32) {
		m, n = m&(1<<63-1), n&(1<<63-1)
		x, y := postingKey(tenantID(s), a, m), postingKey(tenantID(u), b, n)
		want := cmp.Or(cmp.Compare(s, u), strings.Compare(a, b), cmp.Compare(m, n))
		if got := bytes.Compare(x, y); got != want {
			t.Errorf("(%d %q %d) and (%d %q %d): order %d, stored %d", s, a, m, u, b, n, want, got)
		}
		escaped, number, err := cutPosting(x[len(prefix(spaceKey, tenantID(s))):])
		if err != nil || number != m || unescape(escaped) != a {
			t.Errorf("(%q %d) is read back as (%q %d), %v", a, m, unescape(escaped), number, err)
		}
		r := store.Range{From: b, To: c}
		lower, upper := rangeBounds(tenantID(s), r)
		if in := bytes.Compare(lower, x) <= 0 && bytes.Compare(x, upper) < 0; in != r.Contains(a) {
			t.Errorf("%q in [%q, %q): %v, stored %v", a, b, c, r.Contains(a), in)
		}
		p := postingPrefix(tenantID(s), b)
		if in := bytes.Compare(p, x) <= 0 && bytes.Compare(x, postingEnd(p)) < 0; in != (a == b) {
			t.Errorf("%q among the postings of %q: %v", a, b, in)
		}
	})
}

// FuzzNames: no two names share a key, and ids are read back as they were.
func FuzzNames(f *testing.F) {
	f.Add("Patient", "138eac2a-ee98-4fea-8b9c-d6428d4e98f2", "Patient", "138EAC2A-ee98-4fea-8b9c-d6428d4e98f2")
	f.Add("A", "\x01aaaaaaaaaaaaaaaa", "A", "\x00")
	f.Fuzz(func(t *testing.T, typ, id, typ2, id2 string) {
		a, b := store.Ref{Type: typ, ID: id}, store.Ref{Type: typ2, ID: id2}
		if store.CheckRef(a) != nil || store.CheckRef(b) != nil {
			t.Skip()
		}
		if (a == b) != bytes.Equal(nameKey(1, a), nameKey(1, b)) {
			t.Errorf("%q and %q share a key", a, b)
		}
		if got, err := unpackID(appendPackedID(nil, id)); got != id || err != nil {
			t.Errorf("%q is read back as %q, %v", id, got, err)
		}
	})
}

// FuzzValues: reading a damaged value fails and does nothing worse; a key set
// is read back as it was.
func FuzzValues(f *testing.F) {
	f.Add([]byte{1, 2, 3}, "a", "ab", "b\x00")
	f.Add(encodeEntry(store.Entry{Seq: 1, Source: "s"}, []store.Write{{Ref: store.Ref{Type: "A", ID: "1"}, Version: 1, Method: store.Create}}), "", "", "")
	f.Fuzz(func(t *testing.T, raw []byte, a, b, c string) {
		_, _, _ = decodeDocument(raw, 1, true)
		_, _, _ = decodeEntry(raw, 1)
		_, _ = trimEntry(raw, 1)
		_, _ = decodeItem(raw, "k", "i")
		_, _, _ = cutPosting(raw)
		_, _ = cutItemKey(raw)
		_, _ = unpackID(raw)
		var set keySet
		_ = set.load(1, raw)
		_, _ = decodeKeySet(raw)

		keys := store.SortKeys([]store.Key{a, b, c})
		if err := set.load(2, encodeKeySet(keys)); err != nil || set.len() != len(keys) {
			t.Fatalf("%q: %d keys, %v", keys, set.len(), err)
		}
		for i, k := range keys {
			if string(set.at(i)) != k {
				t.Errorf("key %d of %q is %q", i, keys, set.at(i))
			}
		}
	})
}

// FuzzItemKeys: items lie in the order of tenant, kind, key, id, and each is
// read back from its place.
func FuzzItemKeys(f *testing.F) {
	f.Add("queue", "a", "1", "queue", "a\x00", "1")
	f.Add("k", "", "\x01", "k", "\x00", "\xff")
	f.Add("k", "\x00\x01", "x", "k\x01", "\xff", "x")
	f.Fuzz(func(t *testing.T, kind, key, id, kind2, key2, id2 string) {
		if store.CheckItem(kind, id, nil) != nil || store.CheckItem(kind2, id2, nil) != nil {
			t.Skip()
		}
		x, y := itemIndexKey(1, kind, key, id), itemIndexKey(1, kind2, key2, id2)
		want := cmp.Or(strings.Compare(kind, kind2), strings.Compare(key, key2), strings.Compare(id, id2))
		if got := bytes.Compare(x, y); got != want {
			t.Errorf("(%q %q %q) and (%q %q %q): order %d, stored %d", kind, key, id, kind2, key2, id2, want, got)
		}
		if bytes.HasPrefix(itemIndexKey(2, kind, key, id), prefix(spaceItemKey, 1)) {
			t.Error("a key of another tenant")
		}
		got, err := cutItemKey(x[len(itemPrefix(spaceItemKey, 1, kind)):])
		if err != nil || string(got) != id {
			t.Errorf("%q is read back as %q, %v", id, got, err)
		}
		if same := bytes.Equal(itemKey(1, kind, id), itemKey(1, kind2, id2)); same != (kind == kind2 && id == id2) {
			t.Errorf("(%q %q) and (%q %q) in one place: %v", kind, id, kind2, id2, same)
		}
	})
}

// FuzzKeySet: a set answers as the sorted keys do, in whatever order it is
// asked.
func FuzzKeySet(f *testing.F) {
	f.Add("a", "ab", "abc", "b", "", "ab", "abd", []byte{2, 0, 1})
	f.Add("a\x00", "a", "a\x00\x00", "\xff", "\xff\xff", "a", "a\x00", []byte{3, 3, 0, 1, 2})
	f.Add("x=1", "x=10", "x=2", "y=1", "y", "x=1", "x=1\x00", []byte{0, 3, 2})
	f.Fuzz(func(t *testing.T, a, b, c, d, e, from, to string, order []byte) {
		keys := store.SortKeys([]store.Key{a, b, c, d, e})
		var set keySet
		if err := set.load(1, encodeKeySet(keys)); err != nil || set.len() != len(keys) {
			t.Fatalf("%q: %d keys, %v", keys, set.len(), err)
		}
		for _, o := range order {
			if i := int(o) % len(keys); string(set.at(i)) != keys[i] {
				t.Errorf("key %d of %q is %q", i, keys, set.at(i))
			}
		}
		for _, r := range []store.Range{{From: from, To: to}, store.Exactly(from), store.Prefix(from), {From: a, To: to}, store.Exactly(b), {From: from, To: c}} {
			want, in := store.FirstKey(keys, r)
			got, ok := set.first(r)
			if ok != in || string(got) != want || set.has(r) != in {
				t.Errorf("first of %q in %q: %q %v, want %q %v", keys, r, got, ok, want, in)
			}
			want, in = store.LastKey(keys, r)
			if r.From >= r.To { // nothing lies in it; LastKey is not asked that
				want, in = "", false
			}
			if got, ok = set.last(r); ok != in || string(got) != want {
				t.Errorf("last of %q in %q: %q %v, want %q %v", keys, r, got, ok, want, in)
			}
		}
	})
}
