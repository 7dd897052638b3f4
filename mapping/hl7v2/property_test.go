package hl7v2_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// leaf generates what a value may hold, as text.
func leaf() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringN(0, 12, -1),
		rapid.StringMatching(`[A-Za-z0-9 |^~\\&\r\n."-]{0,12}`),
	)
}

// wellFormed generates messages as the standard writes them, with delimiters
// of any kind.
func wellFormed() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		signs := rapid.Permutation([]byte(`|^~\&$%*!?#@+=;:`)).Draw(t, "delimiters")
		d := hl7v2.Delimiters{Field: signs[0], Component: signs[1], Repetition: signs[2], Escape: signs[3], Subcomponent: signs[4]}
		if rapid.Bool().Draw(t, "2.7") {
			d.Truncation = signs[5]
		}
		text := func(seps ...byte) string { return value(t, d, seps) }
		var b strings.Builder
		b.WriteString("MSH" + string(d.Field) + string([]byte{d.Component, d.Repetition, d.Escape, d.Subcomponent}))
		if d.Truncation != 0 {
			b.WriteByte(d.Truncation)
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "segments") {
			if i > 0 {
				b.WriteString("\r" + rapid.StringMatching(`[A-LN-Z][A-Z0-9][A-Z0-9]`).Draw(t, "name"))
			}
			for range rapid.IntRange(0, 6).Draw(t, "fields") {
				b.WriteString(string(d.Field) + text(d.Repetition, d.Component, d.Subcomponent))
			}
		}
		return b.String() + "\r"
	})
}

func value(t *rapid.T, d hl7v2.Delimiters, seps []byte) string {
	if len(seps) == 0 {
		if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
			return `""`
		}
		return string(d.AppendEscaped(nil, leaf().Draw(t, "text"), rapid.Bool().Draw(t, "formatted")))
	}
	parts := make([]string, rapid.IntRange(1, 3).Draw(t, "parts"))
	for i := range parts {
		parts[i] = value(t, d, seps[1:])
	}
	return strings.Join(parts, string(seps[0]))
}

// TestEncodingGivesTheMessageBack: encode(parse(x)) = x.
func TestEncodingGivesTheMessageBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wellFormed().Draw(t, "message")
		m, err := hl7v2.Parse([]byte(want), hl7v2.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Draft().Append(nil)
		if err != nil || string(got) != want {
			t.Fatalf("%q came back as %q, %v", want, got, err)
		}
		if string(m.Text()) != want {
			t.Fatalf("the text is %q", m.Text())
		}
	})
}

// TestValuesSurviveOtherDelimiters: what a message says does not depend on the
// delimiters that it is written with.
func TestValuesSurviveOtherDelimiters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := hl7v2.Parse([]byte(wellFormed().Draw(t, "message")), hl7v2.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := hl7v2.NewDraft()
		for _, s := range m.Segments() {
			d.AddRaw(s)
		}
		text, err := d.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := hl7v2.Parse(text, hl7v2.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Segments()) != len(m.Segments()) {
			t.Fatal("other segments")
		}
		for i, s := range m.Segments() {
			for f := 3; f <= s.Len(); f++ {
				a, b := s.Field(f), again.Segments()[i].Field(f)
				for r := range a.Repetitions() {
					for c := 1; c <= 3; c++ {
						for sub := 1; sub <= 3; sub++ {
							x, y := a.Repetition(r).Component(c).Subcomponent(sub), b.Repetition(r).Component(c).Subcomponent(sub)
							if normal(x.String()) != normal(y.String()) || x.Null() != y.Null() {
								t.Fatalf("%s-%d[%d].%d.%d: %q, then %q", s.Name(), f, r+1, c, sub, x.String(), y.String())
							}
						}
					}
				}
			}
		}
	})
}

// normal has one spelling of line breaks, as formatted text does.
func normal(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

// TestEscapingGivesTheTextBack: any text survives in a value.
func TestEscapingGivesTheTextBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := leaf().Draw(t, "text")
		if !utf8.ValidString(want) || want == `""` || want == "" {
			t.Skip("not a value")
		}
		d := hl7v2.NewDraft()
		d.Add("MSH").Set(hl7v2.Path{Field: 3}, "US")
		d.Add("NTE").Set(hl7v2.Path{Field: 3, Repetition: 2, Component: 2, Subcomponent: 2}, want)
		text, err := d.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hl7v2.Parse(text, hl7v2.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Get("NTE-3[2].2.2").Text(); got != want || len(m.Segments()) != 2 {
			t.Fatalf("%q came back as %q from %q", want, got, text)
		}
	})
}

// TestFramesAreCutWhereverTheStreamIsCut: how the bytes of a stream arrive
// does not matter.
func TestFramesAreCutWhereverTheStreamIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		want := rapid.SliceOfN(rapid.StringMatching(`MSH[A-Z|^\r\x1c]{0,20}[A-Z]`), 1, 5).Draw(t, "messages")
		for i, m := range want {
			want[i] = strings.ReplaceAll(m, "\x1c\r", "\x1cA") // that would be an end
			stream = hl7v2.AppendFrame(stream, []byte(want[i]))
			stream = append(stream, rapid.SampledFrom([]string{"", "\r\n", "\r"}).Draw(t, "between")...)
		}
		f := &hl7v2.Framer{}
		var got []string
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "read")
			_, _ = f.Write(stream[:n])
			stream = stream[n:]
			for {
				m, err := f.Next()
				if err != nil {
					t.Fatal(err)
				}
				if m == nil {
					break
				}
				got = append(got, string(m))
			}
		}
		if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
			t.Fatalf("%q came out as %q", want, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{admit, "MSH$%*!?$A\rPID$1$$a%b*c$x!F!y\r", "MSH|^~\\&|A\nNTE|1||a\nb\n", "\xFE\xFF\x00M\x00S\x00H", "MSH|^~\\&||||||||||||||||BIG-5\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := hl7v2.Parse(data, hl7v2.Options{})
		if err != nil {
			return
		}
		for _, s := range m.Segments() {
			for n := 1; n <= s.Len()+1; n++ {
				v := s.Field(n)
				_ = v.Text()
				for r := range v.Repetitions() {
					for c := 1; c <= v.Repetition(r).Components(); c++ {
						_ = v.Repetition(r).Component(c).Subcomponent(2).String()
					}
				}
			}
		}
		h := m.Header()
		if s := hl7v2.StructureOf(h.Type, h.Event); s != nil {
			g := m.Group(s)
			if n := count(g); n != len(m.Segments()) {
				t.Fatalf("%d segments are in groups, of %d", n, len(m.Segments()))
			}
			_ = g.Check()
		}
		text, err := m.Draft().Append(nil)
		if err != nil {
			return // of a set that has not all that it was read with
		}
		again, err := hl7v2.Parse(text, hl7v2.Options{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if m.Charset == hl7v2.UTF8 && !bytes.Equal(bytes.TrimRight(again.Text(), "\r\x00"), bytes.TrimRight(m.Text(), "\r\x00")) {
			t.Fatalf("%q came back as %q", m.Text(), again.Text())
		}
	})
}

func count(g *hl7v2.Group) int {
	n := len(g.Segments)
	for _, sub := range g.Groups {
		n += count(sub)
	}
	return n
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte("\x0bMSH|^~\\&|A\r\x1c\r\x0bMSH|\x1c\x0bMSH\x0bMSH\x1c\r"), 3)
	f.Add([]byte("noise MSH|^~\\&\x1c\r"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		const limit = 64
		fr := &hl7v2.Framer{Max: limit}
		if step <= 0 {
			step = 1
		}
		for len(data) > 0 {
			n := min(step, len(data))
			_, _ = fr.Write(data[:n])
			data = data[n:]
			for {
				m, err := fr.Next()
				if err != nil {
					return
				}
				if m == nil {
					break
				}
				if len(m) > limit || bytes.IndexByte(m, 0x0B) >= 0 {
					t.Fatalf("a message of %d bytes, %q", len(m), m)
				}
			}
		}
		_, _ = fr.Pause()
	})
}

func FuzzPath(f *testing.F) {
	f.Add("PID-3[2].4.1")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := hl7v2.ParsePath(text)
		if err == nil && p.String() != text {
			t.Fatalf("%q was read as %q", text, p.String())
		}
	})
}

func FuzzTime(f *testing.F) {
	f.Add("20260302090000.1234-0500")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok, err := hl7v2.ParseTime(text, nil)
		if err != nil || !ok {
			return
		}
		again, ok, err := hl7v2.ParseTime(at.Format(), nil)
		if err != nil || !ok || at.Digits <= 18 && !again.Time.Equal(at.Time) {
			t.Fatalf("%q was written as %q: %v", text, at.Format(), err)
		}
	})
}
