package rest

import "io"

// indenter writes valid JSON as json.Indent would with two spaces, piece by
// piece, so that _pretty needs no more memory than the answer without it.
type indenter struct {
	to    io.Writer
	out   []byte
	depth int
	// text: within a string; escaped: behind a backslash there; opened:
	// behind a bracket that nothing has followed yet.
	text, escaped, opened bool
}

func (x *indenter) Write(p []byte) (int, error) {
	x.out = x.out[:0]
	for _, c := range p {
		x.byte(c)
	}
	if _, err := x.to.Write(x.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (x *indenter) byte(c byte) {
	if x.text {
		x.out = append(x.out, c)
		switch {
		case x.escaped:
			x.escaped = false
		case c == '\\':
			x.escaped = true
		case c == '"':
			x.text = false
		}
		return
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		return
	case '}', ']':
		x.depth--
		if !x.opened {
			x.line()
		}
		x.opened = false
		x.out = append(x.out, c)
		return
	}
	if x.opened {
		x.opened = false
		x.line()
	}
	x.out = append(x.out, c)
	switch c {
	case '{', '[':
		x.depth++
		x.opened = true
	case ',':
		x.line()
	case ':':
		x.out = append(x.out, ' ')
	case '"':
		x.text = true
	}
}

func (x *indenter) line() {
	x.out = append(x.out, '\n')
	for range x.depth {
		x.out = append(x.out, "  "...)
	}
}
