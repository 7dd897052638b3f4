package mongo

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/store"
)

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a", "\x00", "\x01", "\x00\x01", "\x01\x01", "\x02", "\x7f", "\x80", "\xff", "é"} {
		f.Add(s, "a\x00")
		f.Add("a\x00", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := escaped(a), escaped(b)
		if !utf8.ValidString(x) || strings.IndexByte(x, 0) >= 0 || strings.Contains(x, separator) {
			t.Fatalf("%q becomes %q", a, x)
		}
		if back, ok := unescape(x); !ok || back != a {
			t.Fatalf("%q comes back as %q", a, back)
		}
		if strings.Compare(a, b) != strings.Compare(x, y) {
			t.Fatalf("the order of %q and %q is lost", a, b)
		}
		if a != b && strings.HasPrefix(x+separator, y+separator) {
			t.Fatalf("%q lies in the scope of %q", a, b)
		}
		if strings.HasPrefix(a, b) != strings.HasPrefix(x, y) {
			t.Fatalf("prefixes of %q and %q", a, b)
		}
		s := scope{tenant: store.Tenant(a), prefix: x + separator}
		if !(s.prefix < s.key(b) || b == "") || s.key(b) >= s.end() {
			t.Fatalf("key %q is not within tenant %q", b, a)
		}
		if s.rawKey(s.key(b)) != b {
			t.Fatalf("key %q comes back as %q", b, s.rawKey(s.key(b)))
		}
		if got, ok := tenantOf(s.logID(7)); !ok || string(got) != a {
			t.Fatalf("tenant %q comes back as %q", a, got)
		}
		ref := store.Ref{Type: a + "t", ID: b + "i"}
		if got := s.ref(s.docID(ref)); got != ref {
			t.Fatalf("%q comes back as %q", ref, got)
		}
		if got := s.ref(s.versionID(ref, 12)); got != ref {
			t.Fatalf("version of %q comes back as %q", ref, got)
		}
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add("a\x01\x02\x01\x03é")
	f.Add("\x01")
	f.Add("\xc3")
	f.Fuzz(func(t *testing.T, s string) {
		if raw, ok := unescape(s); ok && escaped(raw) != s {
			t.Fatalf("%q is no form of %q, and is taken for one", s, raw)
		}
	})
}

func FuzzPack(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("x"))
	f.Add(bytes.Repeat([]byte("pack "), 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unpack(pack(b))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%q comes back as %q, %v", b, got, err)
		}
		_, _ = unpack(b) // must not panic
	})
}

func TestHex16Sorts(t *testing.T) {
	last := ""
	for _, n := range []int64{0, 1, 9, 10, 15, 16, 255, 1 << 20, 1<<63 - 1} {
		if h := hex16(n); h <= last || len(h) != 16 || firstOf("prefix"+h) != n {
			t.Errorf("%d becomes %q after %q", n, h, last)
		} else {
			last = h
		}
	}
}
