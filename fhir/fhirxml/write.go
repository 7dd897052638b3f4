package fhirxml

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Options are how XML is written.
type Options struct {
	// Indent puts each element on a line of its own. Narratives stay as they
	// are: white space has a meaning there.
	Indent bool
}

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

// Append appends the XML document of a resource. After an error, what it
// returns is dst as it was.
func Append(dst []byte, resource rawjson.Node, o Options) ([]byte, error) {
	w := writer{shapes: r4(), o: o, out: append(dst, declaration...)}
	if err := w.resource(resource, ` xmlns="`+namespace+`"`); err != nil {
		return dst, err
	}
	return w.out, nil
}

// AppendStart appends the document of a resource but for its last end tag, so
// that more elements can follow: AppendElement and at last AppendEnd. The
// resource must have an element.
func AppendStart(dst []byte, resource rawjson.Node, o Options) ([]byte, error) {
	out, err := Append(dst, resource, o)
	if err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(out[:bytes.LastIndexByte(out, '<')], []byte("\n")), nil
}

// AppendElement appends one element of a resource as it stands in the
// document: for a typ of "Bundle" and the name "entry", object is the JSON of
// one entry. After an error, what it returns is dst as it was.
func AppendElement(dst []byte, typ, name string, object rawjson.Node, o Options) ([]byte, error) {
	w := writer{shapes: r4(), o: o, out: dst, path: path{{typ, -1}}, depth: 1}
	s := w.shapes.resources[typ]
	if s == nil || s.byName[name] == nil {
		return dst, w.fail(Unknown, "the type has no such element")
	}
	w.path = append(w.path, step{name, -1})
	if err := w.one(s.byName[name], object, rawjson.Node{}); err != nil {
		return dst, err
	}
	return w.out, nil
}

// AppendEnd appends the end of a document that AppendStart began.
func AppendEnd(dst []byte, typ string, o Options) []byte {
	w := writer{o: o, out: dst}
	w.line()
	w.end(typ)
	return w.out
}

type writer struct {
	shapes *shapes
	o      Options
	out    []byte
	path   path
	depth  int
	// items are the members of the objects that are open.
	items []item
}

// item is an element of an object: the member with its name and the one with
// an underscore before it.
type item struct {
	e            *element
	value, under rawjson.Node
}

func (w *writer) fail(r Reason, diagnostics string) error {
	return &Error{Reason: r, Expression: w.path.String(), Diagnostics: diagnostics}
}

func (w *writer) line() {
	if !w.o.Indent {
		return
	}
	w.out = append(w.out, '\n')
	for range w.depth {
		w.out = append(w.out, "  "...)
	}
}

func (w *writer) start(name string) {
	w.line()
	w.out = append(append(w.out, '<'), name...)
}

func (w *writer) end(name string) {
	w.out = append(append(append(w.out, "</"...), name...), '>')
}

// resource writes a resource by its own type.
func (w *writer) resource(n rawjson.Node, attributes string) error {
	t, _ := n.Member("resourceType")
	s := w.shapes.resources[string(t.Bytes())]
	if n.Kind() != rawjson.KindObject || t.Kind() != rawjson.KindString || s == nil {
		return w.fail(Unknown, "a resource with the resourceType of a concrete R4 type is expected")
	}
	if len(w.path) == 0 {
		w.path = append(w.path, step{s.name, -1})
	}
	w.start(s.name)
	w.out = append(w.out, attributes...)
	return w.object(s, n, rawjson.Node{}, nil)
}

// object writes the attributes, children and end of an element whose start is
// written but for its '>'. value is that of a primitive, whose id and
// extensions are in n.
func (w *writer) object(s *shape, n, value rawjson.Node, e *element) error {
	mark := len(w.items)
	if err := w.collect(s, n); err != nil {
		return err
	}
	items := w.items[mark:]
	for i := range items {
		if items[i].e.form == formAttribute {
			if err := w.attribute(items[i]); err != nil {
				return err
			}
		}
	}
	empty := len(items) == 0
	if value.Exists() {
		empty = false
		if err := w.value(e, value); err != nil {
			return err
		}
	}
	if empty && !s.resource {
		return w.fail(Empty, "an element must have a value or children")
	}
	name := s.name
	if e != nil {
		name = e.name
	}
	children := false
	w.depth++
	for i := range items {
		if items[i].e.form == formAttribute {
			continue
		}
		if !children {
			w.out = append(w.out, '>')
		}
		children = true
		// The slice may move while children collect theirs behind it.
		if err := w.item(w.items[mark+i]); err != nil {
			return err
		}
	}
	w.depth--
	w.items = w.items[:mark]
	if !children {
		w.out = append(w.out, "/>"...)
		return nil
	}
	w.line()
	w.end(name)
	return nil
}

// collect puts the members of an object in the order of the definition.
func (w *writer) collect(s *shape, n rawjson.Node) error {
	mark := len(w.items)
	if n.Exists() && n.Kind() != rawjson.KindObject {
		return w.fail(Value, "a JSON object is expected")
	}
	for m := range n.Members() {
		name := m.RawName()
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(m.Name())
		}
		if s.resource && string(name) == "resourceType" {
			continue
		}
		under := len(name) > 0 && name[0] == '_'
		if under {
			name = name[1:]
		}
		e := s.byName[string(name)]
		if e == nil || under && !e.primitive() {
			w.path = append(w.path, step{nameable(string(name)), -1})
			return w.fail(Unknown, "unknown element: "+s.name+" has none of that name in XML")
		}
		at := len(w.items)
		for at > mark && w.items[at-1].e.order > e.order {
			at--
		}
		if at == mark || w.items[at-1].e != e {
			w.items = slices.Insert(w.items, at, item{e: e})
			at++
		}
		if under {
			w.items[at-1].under = m
		} else {
			w.items[at-1].value = m
		}
	}
	return nil
}

func (w *writer) attribute(it item) error {
	if it.value.Kind() != rawjson.KindString || it.value.Len() == 0 && len(it.value.Bytes()) == 0 {
		w.path = append(w.path, step{it.e.name, -1})
		return w.fail(Value, "a JSON string is expected, and not an empty one")
	}
	w.out = append(append(append(w.out, ' '), it.e.name...), `="`...)
	return w.text(it.value)
}

// value writes the attribute value of a primitive.
func (w *writer) value(e *element, v rawjson.Node) error {
	fits := false
	switch v.Kind() {
	case rawjson.KindString:
		fits = e.form == formString && len(v.Bytes()) > 0
	case rawjson.KindTrue, rawjson.KindFalse:
		fits = e.form == formBoolean
	case rawjson.KindNumber:
		fits = e.form == formNumber
	}
	if !fits {
		return w.fail(Value, "the JSON value is not of the kind that the type takes, or empty")
	}
	w.out = append(w.out, ` value="`...)
	return w.text(v)
}

// text writes the rest of an attribute. Line ends and tabs are written as
// references, for a reader makes spaces of them otherwise (XML 1.0 § 3.3.3).
func (w *writer) text(n rawjson.Node) error {
	text := n.Bytes()
	from := 0
	for i := 0; i < len(text); {
		c, size := text[i], 1
		replacement := ""
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			if r, size = utf8.DecodeRune(text[i:]); r == 0xFFFE || r == 0xFFFF || r == utf8.RuneError && size == 1 {
				return w.fail(Value, "the text has a character that XML does not have")
			}
		case c == '&':
			replacement = "&amp;"
		case c == '<':
			replacement = "&lt;"
		case c == '"':
			replacement = "&quot;"
		case c == '\n':
			replacement = "&#10;"
		case c == '\r':
			replacement = "&#13;"
		case c == '\t':
			replacement = "&#9;"
		case c < ' ':
			return w.fail(Value, "the text has a character that XML does not have")
		}
		if replacement != "" {
			w.out = append(append(w.out, text[from:i]...), replacement...)
			from = i + size
		}
		i += size
	}
	w.out = append(append(w.out, text[from:]...), '"')
	return nil
}

// item writes an element, or all of those that repeat.
func (w *writer) item(it item) error {
	w.path = append(w.path, step{it.e.name, -1})
	defer func() { w.path = w.path[:len(w.path)-1] }()
	if !it.e.repeats {
		return w.one(it.e, it.value, it.under)
	}
	for _, list := range [2]rawjson.Node{it.value, it.under} {
		if list.Exists() && (list.Kind() != rawjson.KindArray || list.Len() == 0) {
			return w.fail(Value, "a JSON array is expected, and not an empty one")
		}
	}
	top := len(w.path) - 1
	value, values := it.value.Child()
	under, unders := it.under.Child()
	for i := 0; values || unders; i++ {
		w.path[top].index = i
		if err := w.one(it.e, notNull(value), notNull(under)); err != nil {
			return err
		}
		if values {
			value, values = value.Next()
		}
		if unders {
			under, unders = under.Next()
		}
	}
	return nil
}

func notNull(n rawjson.Node) rawjson.Node {
	if n.Kind() == rawjson.KindNull {
		return rawjson.Node{}
	}
	return n
}

// one writes one element.
func (w *writer) one(e *element, value, under rawjson.Node) error {
	switch {
	case e.form == formXHTML:
		if value.Kind() != rawjson.KindString {
			return w.fail(Value, "a JSON string is expected")
		}
		div, ok := narrative(value.Bytes())
		if !ok {
			return w.fail(Value, "the narrative is not well-formed XHTML, so it cannot be part of XML")
		}
		w.line()
		w.out = append(w.out, div...)
		return nil
	case e.form == formResource:
		w.start(e.name)
		w.out = append(w.out, '>')
		w.depth++
		if err := w.resource(value, ""); err != nil {
			return err
		}
		w.depth--
		w.line()
		w.end(e.name)
		return nil
	case e.primitive():
		w.start(e.name)
		return w.object(e.shape, under, value, e)
	case !value.Exists():
		return w.fail(Value, "null is for primitives only")
	}
	w.start(e.name)
	return w.object(e.shape, value, rawjson.Node{}, e)
}
