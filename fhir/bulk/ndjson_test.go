package bulk_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
)

func read(t *testing.T, l *bulk.Lines) (lines []string, numbers []int64, long []int64) {
	t.Helper()
	for {
		line, err := l.Next()
		switch {
		case errors.Is(err, io.EOF):
			return lines, numbers, long
		case errors.Is(err, bulk.ErrLineTooLong):
			long = append(long, l.Number())
			continue
		case err != nil:
			t.Fatal(err)
		}
		lines, numbers = append(lines, string(line)), append(numbers, l.Number())
	}
}

func TestLines(t *testing.T) {
	text := "\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"b\":2}\n" + strings.Repeat("x", 200_000) + "\n{\"c\":3}"
	lines, numbers, long := read(t, bulk.NewLines(iotest.OneByteReader(strings.NewReader(text)), 1000))
	if strings.Join(lines, "|") != `{"a":1}|{"b":2}|{"c":3}` || len(long) != 1 || long[0] != 5 || numbers[2] != 6 {
		t.Errorf("%q of lines %v, too long %v", lines, numbers, long)
	}
	broken := errors.New("broken")
	l := bulk.NewLines(io.MultiReader(strings.NewReader("{}\n{"), iotest.ErrReader(broken)), 1000)
	if _, err := l.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(); !errors.Is(err, broken) || l.Offset() != 3 {
		t.Errorf("a line that is cut off: %v at %d", err, l.Offset())
	}
}

// endless is a line that does not end for a while.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(e.left, len(b))
	for i := range b[:n] {
		b[i] = 'x'
	}
	e.left -= n
	return n, nil
}

// A line of 100 MB costs a number, not memory.
func TestLongLineIsPassedOver(t *testing.T) {
	in := io.MultiReader(strings.NewReader("{}\n"), &endless{100 << 20}, strings.NewReader("\n{}\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l := bulk.NewLines(in, 1<<20)
	lines, numbers, long := read(t, l)
	if len(lines) != 2 || numbers[1] != 3 || len(long) != 1 || long[0] != 2 || l.Offset() != 3+100<<20+1+3 {
		t.Errorf("%q of lines %v, too long %v, %d bytes", lines, numbers, long, l.Offset())
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// Whatever the bytes, each line is returned once, with its number, and no
// longer than allowed; going on from any line's end gives the rest.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{}\n{}\r\n\n{\"a\":1}"), uint8(5))
	f.Add([]byte("\xef\xbb\xbf{}\n"), uint8(1))
	f.Add([]byte("aaaaaaaaaaaa\nb\n\n"), uint8(4))
	f.Fuzz(func(t *testing.T, text []byte, max uint8) {
		var want []string
		all := bytes.Split(text, []byte("\n"))
		for i, line := range all {
			if len(bytes.TrimRight(line, "\r")) > int(max) {
				continue
			}
			if i == 0 {
				line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
			}
			if line = bytes.TrimSpace(line); len(line) > 0 {
				want = append(want, string(line))
			}
		}
		l := bulk.NewLines(bytes.NewReader(text), int(max))
		var got []string
		for {
			line, err := l.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if l.Number() > int64(len(all)) || l.Offset() > int64(len(text)) {
				t.Fatalf("line %d at %d of %d bytes", l.Number(), l.Offset(), len(text))
			}
			rest := bulk.NewLines(bytes.NewReader(text[l.Offset():]), int(max))
			rest.Behind(l.Number(), l.Offset())
			if err == nil {
				got = append(got, string(line))
			}
			l = rest
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
