package fhirxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// AppendJSON appends the JSON of the resource whose XML document data is. The
// members come in the order of the definition, resourceType first, without
// white space. After an error, what it returns is dst as it was.
//
// It finds what keeps XML from being a resource's; whether its values and
// cardinalities are right is for conformance.ValidateStructure to say.
func AppendJSON(dst, data []byte) ([]byte, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // XML 1.0 § 4.3.3 allows it
	r := reader{shapes: r4(), data: data, d: newDecoder(data)}
	if at, bad := badCharacter(data); bad != 0 {
		r.at = at
		return dst, r.fail(bad, bad.String())
	}
	root, err := r.root()
	if err != nil {
		return dst, err
	}
	out, err := r.resource(dst, root, true)
	if err != nil {
		return dst, err
	}
	// Nothing but comments and white space may follow.
	switch _, err := r.next(); {
	case errors.Is(err, io.EOF):
		return out, nil
	case err != nil:
		return dst, err
	}
	return dst, r.fail(Syntax, "something follows the resource")
}

type reader struct {
	shapes *shapes
	data   []byte
	d      *xml.Decoder
	// at is where the last token begins, ends where it ends.
	at, ends int
	path     path
	// depth is the nesting of the JSON.
	depth int
}

func (r *reader) fail(reason Reason, diagnostics string) error {
	e := &Error{Reason: reason, Expression: r.path.String(), Diagnostics: diagnostics}
	e.Line, e.Column = rawjson.LineColumn(r.data, r.at)
	return e
}

// failAt is fail about a child or attribute.
func (r *reader) failAt(name string, reason Reason, diagnostics string) error {
	r.path = append(r.path, step{nameable(name), -1})
	err := r.fail(reason, diagnostics)
	r.path = r.path[:len(r.path)-1]
	return err
}

// token reads the next token. The decoder's errors would quote names of
// entities, so they are worded here.
func (r *reader) token() (xml.Token, error) {
	r.at = int(r.d.InputOffset())
	t, err := r.d.Token()
	r.ends = int(r.d.InputOffset())
	var syntax *xml.SyntaxError
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return t, err
	case !errors.As(err, &syntax):
		return nil, r.fail(Encoding, Encoding.String())
	case strings.HasPrefix(syntax.Msg, "invalid character entity"):
		r.at = r.ends
		return nil, r.fail(DocumentType, "an entity that XML does not have: there are &amp; &lt; &gt; &quot; &apos; and numbers, and no document types")
	case strings.HasPrefix(syntax.Msg, "unexpected EOF"):
		r.at = len(r.data)
		return nil, r.fail(Syntax, "the XML text ends too early")
	}
	r.at = r.ends
	return nil, r.fail(Syntax, Syntax.String())
}

// next returns the next start or end of an element.
func (r *reader) next() (xml.Token, error) {
	for {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement, xml.EndElement:
			return t, nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, r.fail(Text, "text where elements are expected: FHIR has its values in attributes")
			}
		case xml.Directive:
			return nil, r.fail(DocumentType, DocumentType.String())
		case xml.ProcInst:
			if t.Target == "xml" && r.at != 0 {
				return nil, r.fail(Syntax, "an XML declaration must come first")
			}
		}
	}
}

// root reads the start of the resource.
func (r *reader) root() (xml.StartElement, error) {
	t, err := r.next()
	start, ok := t.(xml.StartElement)
	switch {
	case errors.Is(err, io.EOF):
		return start, r.fail(Syntax, "there is no element")
	case err != nil:
		return start, err
	case !ok:
		return start, r.fail(Syntax, Syntax.String())
	}
	return start, nil
}

// resource appends a resource whose start tag was read.
func (r *reader) resource(dst []byte, start xml.StartElement, root bool) ([]byte, error) {
	s := r.shapes.resources[start.Name.Local]
	switch {
	case start.Name.Space != namespace:
		return dst, r.failAt(start.Name.Local, Namespace, "a resource must be in the namespace "+namespace)
	case s == nil:
		return dst, r.failAt(start.Name.Local, Unknown, "the element must be a concrete R4 resource type")
	}
	if root {
		r.path = append(r.path, step{s.name, -1})
	}
	for _, a := range start.Attr {
		if !isNamespace(a) && (!root || a.Name.Space != namespaceXSI || a.Name.Local != "schemaLocation") {
			return dst, r.failAt(a.Name.Local, Unknown, "unknown attribute: a resource has none")
		}
	}
	return r.object(dst, s, nil)
}

func isNamespace(a xml.Attr) bool {
	return a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns"
}

// attributes are those of an element: id, url and value.
type attributes struct {
	id, url, value string // "" for none: they may not be empty
}

// read reads the attributes of the start tag that was read last.
func (r *reader) attributes(start xml.StartElement, e *element) (a attributes, err error) {
	for i, attr := range start.Attr {
		if isNamespace(attr) {
			continue
		}
		var to *string
		switch attr.Name {
		case xml.Name{Local: "id"}:
			to = &a.id
		case xml.Name{Local: "url"}:
			if e.shape.url != nil {
				to = &a.url
			}
		case xml.Name{Local: "value"}:
			if e.primitive() {
				to = &a.value
			}
		}
		switch {
		case to == nil:
			return a, r.failAt(attr.Name.Local, Unknown, "unknown attribute: the element has none of that name")
		case *to != "":
			return a, r.failAt(attr.Name.Local, Cardinality, "an attribute twice")
		case attr.Value == "":
			return a, r.failAt(attr.Name.Local, Empty, "an attribute must not be empty")
		}
		*to = attr.Value
		if strings.ContainsAny(attr.Value, "\n\t") {
			*to = string(r.normalized(i))
		}
	}
	return a, nil
}

// normalized is the value of an attribute of the start tag that was read last
// with white space as XML 1.0 § 3.3.3 wants it: what is written as such counts
// as a space, what is written as a reference as itself. The decoder does not
// do that.
func (r *reader) normalized(attribute int) []byte {
	tag := r.data[r.at:r.ends]
	for {
		open := bytes.IndexAny(tag, `"'`)
		value := tag[open+1:]
		end := bytes.IndexByte(value, tag[open])
		if attribute == 0 {
			return unescape(lineFeeds(value[:end]))
		}
		attribute--
		tag = value[end+1:]
	}
}

// unescape decodes the references of an attribute value that the decoder has
// accepted, and makes spaces of white space.
func unescape(text []byte) []byte {
	quoted := append([]byte("<a>"), text...)
	for i, c := range quoted {
		if c == '\n' || c == '\t' {
			quoted[i] = ' '
		}
	}
	// Between tags the decoder decodes references and leaves the rest. A ">"
	// is allowed in an attribute, and so is "]]>".
	quoted = bytes.ReplaceAll(quoted[3:], []byte(">"), []byte("&gt;"))
	d := newDecoder(append(append([]byte("<a>"), quoted...), "</a>"...))
	var out []byte
	for {
		t, err := d.RawToken()
		if err != nil {
			return out
		}
		if text, ok := t.(xml.CharData); ok {
			out = append(out, text...)
		}
	}
}

// object appends an object: attributes that were read and the children up to
// the end tag. It appends nothing when there are none of both, unless it is a
// resource.
func (r *reader) object(dst []byte, s *shape, a *attributes) ([]byte, error) {
	if r.depth++; r.depth > rawjson.DefaultMaxDepth {
		return dst, r.fail(TooDeep, TooDeep.String())
	}
	defer func() { r.depth-- }()
	from := len(dst)
	dst = append(dst, '{')
	if s.resource {
		dst = append(append(append(dst, `"resourceType":"`...), s.name...), `",`...)
	}
	if a != nil && a.id != "" {
		dst = append(appendString(append(dst, `"id":`...), a.id), ',')
	}
	c := children{r: r, shape: s, last: -1}
	for {
		t, err := r.next()
		if err != nil {
			return dst[:from], eofIsError(r, err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			break
		}
		if dst, err = c.child(dst, start, a); err != nil {
			return dst[:from], err
		}
	}
	dst = c.finish(dst)
	if a != nil && a.url != "" {
		dst = append(appendString(append(dst, `"url":`...), a.url), ',')
	}
	if len(dst) == from+1 {
		return dst[:from], nil
	}
	dst[len(dst)-1] = '}' // in place of the last comma
	return dst, nil
}

func eofIsError(r *reader, err error) error {
	if errors.Is(err, io.EOF) {
		return r.fail(Syntax, "the XML text ends too early")
	}
	return err
}
