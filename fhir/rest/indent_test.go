package rest

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzIndent(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a":[],"b":{},"c":[1,2,{"d":"e, [f] {g} \" \\"}]}`, " {\n\t\"a\" : [ 1 , 2 ] , \"b\":null}", `"a"`, `[[[{"":[{}]}]]]`} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		var want bytes.Buffer
		if !json.Valid([]byte(s)) || json.Indent(&want, bytes.TrimSpace([]byte(s)), "", "  ") != nil {
			return
		}
		var got bytes.Buffer
		x := &indenter{to: &got}
		cut = min(max(cut, 0), len(s))
		for _, piece := range []string{s[:cut], s[cut:]} {
			if n, err := x.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got.String() != want.String() {
			t.Fatalf("%q becomes %q, not %q", s, got.String(), want.String())
		}
	})
}
