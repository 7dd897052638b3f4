package fhirxml

import (
	"encoding/xml"
	"strconv"
	"unicode/utf8"
)

// children are the elements of one object while they are read. Each member
// that is appended ends with a comma.
type children struct {
	r     *reader
	shape *shape
	// last is the order of the element before; open that element while more of
	// it may follow, count how many there were.
	last  int
	open  *element
	count int
	// start is where the open element's member begins; values whether any of
	// a repeating primitive's has a value; unders its ids and extensions.
	start  int
	values bool
	unders []byte
}

// child appends one element, whose start tag was read.
func (c *children) child(dst []byte, start xml.StartElement, a *attributes) ([]byte, error) {
	r := c.r
	e, err := c.element(start)
	if err != nil {
		return dst, err
	}
	if c.open != e {
		dst = c.finish(dst)
		if url := c.shape.url; a != nil && a.url != "" && url.order < e.order {
			dst = append(appendString(append(dst, `"url":`...), a.url), ',')
			a.url = ""
		}
		c.open, c.count, c.start, c.values, c.unders, c.last = e, 0, len(dst), false, nil, e.order
		dst = append(append(append(dst, '"'), e.name...), `":`...)
		if e.repeats {
			dst = append(dst, '[')
		}
	} else if c.count > 0 {
		dst = append(dst, ',')
	}
	index := -1
	if e.repeats {
		index = c.count
		r.depth++
	}
	c.count++
	r.path = append(r.path, step{e.name, index})
	if dst, err = c.one(dst, e, start); err != nil {
		return dst, err
	}
	r.path = r.path[:len(r.path)-1]
	if e.repeats {
		r.depth--
	}
	return dst, nil
}

// element finds what an element is and whether it may come here.
func (c *children) element(start xml.StartElement) (*element, error) {
	r := c.r
	e := c.shape.byName[start.Name.Local]
	switch {
	case e == nil || e.form == formAttribute:
		return nil, r.failAt(start.Name.Local, Unknown, "unknown element: "+c.shape.name+" has none of that name")
	case e.form == formXHTML:
		if start.Name.Space != namespaceXHTML {
			return nil, r.failAt(e.name, Namespace, "the div of a narrative must be in the namespace "+namespaceXHTML)
		}
	case start.Name.Space != namespace:
		return nil, r.failAt(e.name, Namespace, "the element must be in the namespace "+namespace)
	}
	switch {
	case e.order < c.last:
		return nil, r.failAt(e.name, Order, "out of order: the element must come before the one that precedes it")
	case e.order == c.last && c.open != e:
		return nil, r.failAt(e.name, Cardinality, "only one type of a choice may be given")
	case e.order == c.last && !e.repeats:
		return nil, r.failAt(e.name, Cardinality, "the element must not repeat")
	}
	return e, nil
}

// one appends the value of one element.
func (c *children) one(dst []byte, e *element, start xml.StartElement) ([]byte, error) {
	switch {
	case e.form == formXHTML:
		return c.r.div(dst, start)
	case e.form == formResource:
		return c.r.wrapped(dst, start)
	}
	a, err := c.r.attributes(start, e)
	if err != nil {
		return dst, err
	}
	if e.primitive() {
		return c.primitive(dst, e, &a)
	}
	from := len(dst)
	if dst, err = c.r.object(dst, e.shape, &a); err == nil && len(dst) == from {
		err = c.r.fail(Empty, "an element must have a value or children")
	}
	return dst, err
}

// primitive appends the value of a primitive and keeps its id and extensions
// for the member with the underscore.
func (c *children) primitive(dst []byte, e *element, a *attributes) ([]byte, error) {
	r := c.r
	at, path := r.at, len(r.path)
	var err error
	switch {
	case a.value == "":
		dst = append(dst, "null"...)
	case e.form == formString:
		dst = appendString(dst, a.value)
	case e.form == formNumber && !isNumber(a.value):
		err = r.fail(Value, "the value must be a number: digits, with a sign, a fraction or an exponent")
	case e.form == formBoolean && a.value != "true" && a.value != "false":
		err = r.fail(Value, "the value must be true or false")
	default:
		dst = append(dst, a.value...)
	}
	if err != nil {
		return dst, err
	}
	c.values = c.values || a.value != ""
	var under []byte
	if under, err = r.object(nil, e.shape, a); err != nil {
		return dst, err
	}
	if a.value == "" && len(under) == 0 {
		r.at, r.path = at, r.path[:path]
		return dst, r.fail(Empty, "an element must have a value or children")
	}
	c.under(e, under)
	return dst, nil
}

// under keeps the id and extensions of the element that was counted last.
func (c *children) under(e *element, object []byte) {
	switch {
	case !e.repeats:
		c.unders = object
		return
	case len(object) == 0 && c.unders == nil:
		return
	case c.unders == nil:
		for range c.count - 1 {
			c.unders = append(c.unders, "null,"...)
		}
	}
	if len(object) == 0 {
		object = []byte("null")
	}
	c.unders = append(append(c.unders, object...), ',')
}

// finish ends the member that is open.
func (c *children) finish(dst []byte) []byte {
	e := c.open
	if e == nil {
		return dst
	}
	c.open = nil
	if e.repeats {
		dst = append(dst, ']')
	}
	dst = append(dst, ',')
	if e.primitive() && !c.values {
		dst = dst[:c.start]
	}
	if len(c.unders) == 0 {
		return dst
	}
	dst = append(append(append(dst, `"_`...), e.name...), `":`...)
	if e.repeats {
		dst = append(append(dst, '['), c.unders...)
		dst[len(dst)-1] = ']'
	} else {
		dst = append(dst, c.unders...)
	}
	return append(dst, ',')
}

// wrapped appends the resource within an element such as Bundle.entry.resource.
func (r *reader) wrapped(dst []byte, outer xml.StartElement) ([]byte, error) {
	for _, a := range outer.Attr {
		if !isNamespace(a) {
			return dst, r.failAt(a.Name.Local, Unknown, "unknown attribute: the element holds a resource and no attributes")
		}
	}
	t, err := r.next()
	if err != nil {
		return dst, eofIsError(r, err)
	}
	start, ok := t.(xml.StartElement)
	if !ok {
		return dst, r.fail(Empty, "the element must hold a resource")
	}
	if dst, err = r.resource(dst, start, false); err != nil {
		return dst, err
	}
	if t, err = r.next(); err != nil {
		return dst, eofIsError(r, err)
	}
	if start, ok = t.(xml.StartElement); ok {
		return dst, r.failAt(start.Name.Local, Cardinality, "the element must hold one resource only")
	}
	return dst, nil
}

// div appends a narrative as the JSON string of its text.
func (r *reader) div(dst []byte, start xml.StartElement) ([]byte, error) {
	from := r.at
	v := divView{plain: true}
	for depth := 0; ; {
		if !v.start(start, r.data[r.at+1:], depth == 0) {
			return dst, r.fail(Namespace, "a narrative holds XHTML only")
		}
		if depth++; depth > maxXHTML {
			return dst, r.fail(TooDeep, TooDeep.String())
		}
		again := false
		for !again {
			t, err := r.token()
			if err != nil {
				return dst, eofIsError(r, err)
			}
			switch t := t.(type) {
			case xml.StartElement:
				start, again = t, true
			case xml.EndElement:
				if depth--; depth > 0 {
					continue
				}
				text := lineFeeds(r.data[from:r.ends])
				if !v.plain {
					text, _ = v.canonical(text) // it was read without an error
				}
				return appendString(dst, text), nil
			case xml.Directive:
				return dst, r.fail(DocumentType, DocumentType.String())
			case xml.ProcInst:
				return dst, r.fail(Value, "a narrative holds no processing instructions")
			}
		}
	}
}

// isNumber: the grammar of JSON, which is that of R4's decimal.
func isNumber(b string) bool {
	digits := func() bool {
		n := 0
		for ; n < len(b) && '0' <= b[n] && b[n] <= '9'; n++ {
		}
		b = b[n:]
		return n > 0
	}
	next := func(any string) bool {
		for i := range any {
			if len(b) > 0 && b[0] == any[i] {
				b = b[1:]
				return true
			}
		}
		return false
	}
	next("-")
	if !next("0") && !digits() {
		return false
	}
	if next(".") && !digits() {
		return false
	}
	if next("eE") {
		next("+-")
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}

// appendString appends a JSON string. Nothing is escaped but what must be.
func appendString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(text) {
		c := text[i]
		escape := ""
		switch {
		case c >= ' ' && c != '"' && c != '\\':
			continue
		case c == '"':
			escape = `\"`
		case c == '\\':
			escape = `\\`
		case c == '\n':
			escape = `\n`
		case c == '\r':
			escape = `\r`
		case c == '\t':
			escape = `\t`
		default:
			escape = `\u00` + strconv.FormatInt(int64(c)+0x100, 16)[1:]
		}
		dst = append(append(dst, text[from:i]...), escape...)
		from = i + 1
	}
	return append(append(dst, text[from:]...), '"')
}

// badCharacter finds the first character that XML does not have.
func badCharacter(text []byte) (at int, reason Reason) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
				return i, Syntax
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i, Encoding
		}
		if r == 0xFFFE || r == 0xFFFF {
			return i, Syntax
		}
		i += size
	}
	return 0, 0
}
