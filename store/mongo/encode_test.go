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
		s := scopeOf(int64(len(a)*97+len(b)) % (maxNumber + 1))
		if !(s.prefix < s.key(b) || b == "") || s.key(b) >= s.end() {
			t.Fatalf("key %q is not within tenant %q", b, a)
		}
		if s.rawKey(s.key(b)) != b {
			t.Fatalf("key %q comes back as %q", b, s.rawKey(s.key(b)))
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
	f.Add("a\x02\x01é\u0101\u0102")
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

func TestSortable(t *testing.T) {
	last := ""
	for _, n := range []int64{0, 1, 9, smallNumbers - 1, smallNumbers, 63, 64, 65, 4095, 4096, 1 << 20, 1<<20 + 1, 1 << 42, 1<<63 - 1} {
		s := sortable(n)
		if s <= last || strings.HasPrefix(s, last) && last != "" {
			t.Errorf("%d becomes %q after %q", n, s, last)
		}
		if got, rest := unsortable(s + "rest"); got != n || rest != "rest" {
			t.Errorf("%d comes back as %d, %q", n, got, rest)
		}
		if got := firstOf(scopeOf(n % 5000).logID(n)); got != n {
			t.Errorf("log of %d begins at %d", n, got)
		}
		last = s
	}
}

func FuzzSortable(f *testing.F) {
	f.Add(int64(0), int64(53))
	f.Add(int64(63), int64(64))
	f.Fuzz(func(t *testing.T, a, b int64) {
		if a < 0 || b < 0 {
			return
		}
		x, y := sortable(a), sortable(b)
		if (a < b) != (x < y) || a != b && strings.HasPrefix(x, y) {
			t.Fatalf("%d becomes %q, %d becomes %q", a, x, b, y)
		}
		if got, rest := unsortable(x); got != a || rest != "" {
			t.Fatalf("%d comes back as %d", a, got)
		}
	})
}

func FuzzUnsortable(f *testing.F) {
	f.Add("5")
	f.Add("z")
	f.Add("\xff")
	f.Fuzz(func(_ *testing.T, s string) { unsortable(s) }) // must not panic
}

// Numbers order and bound what they stand in front of, and no string with a
// number lies among those that begin with a name.
func TestNumbersOfTenants(t *testing.T) {
	last := scope{}
	for n := int64(0); n <= maxNumber; n++ {
		if n == 2*shortNumbers {
			n = maxNumber - 2*shortNumbers
		}
		s := scopeOf(n)
		if got, rest, ok := cutNumber(s.docID(store.Ref{Type: "T", ID: "i"})); !ok || got != n || rest != escaped("T")+separator+escaped("i") {
			t.Fatalf("%d comes back as %d, %q, %v", n, got, rest, ok)
		}
		if n > 0 && last.end() > s.prefix || s.prefix >= s.end() || !utf8.ValidString(s.end()) {
			t.Fatalf("%d: %q to %q, and before it %q", n, s.prefix, s.end(), last.end())
		}
		last = s
	}
	if names := oldEscaped("\xff\xff") + oldSeparator; names >= scopeOf(nobody).prefix {
		t.Errorf("a name %q is not less than a number", names)
	}
	for _, bad := range []string{"", "a", "\xff", string(rune(firstNumber + shortNumbers)), string(rune(firstNumber+shortNumbers)) + "a", "\u0800"} {
		if n, _, ok := cutNumber(bad); ok {
			t.Errorf("%q is taken for %d", bad, n)
		}
	}
}
