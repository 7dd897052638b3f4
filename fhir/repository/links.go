package repository

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// linker rewrites the links of a transaction's resources to what the entries
// become (https://hl7.org/fhir/R4/http.html#trules): literal references, the
// elements of the types uri, url, oid, uuid and canonical, and links in
// narratives. Nothing else is touched: an Identifier may well hold the same
// urn:uuid as a fullUrl and stays as it is.
type linker struct {
	definitions *conformance.Definitions
	// links are references by the fullUrl of the entry that they replace.
	links map[string]string
	// base is where the entry's relative references begin: its fullUrl
	// without type and id.
	base string
	// search resolves a conditional reference, "Patient?identifier=x".
	search func(reference string) (string, error)

	edits []span
	err   error
}

type span struct {
	from, to int
	text     []byte
}

// rewrite returns the resource with its links rewritten: the same bytes when
// there is nothing to rewrite.
func (l *linker) rewrite(doc *rawjson.Document) ([]byte, error) {
	l.edits = l.edits[:0]
	l.object(doc.Root(), "Resource")
	if l.err != nil || len(l.edits) == 0 {
		return doc.Data(), l.err
	}
	var out []byte
	at := 0
	for _, e := range l.edits {
		out = append(append(out, doc.Data()[at:e.from]...), e.text...)
		at = e.to
	}
	return append(out, doc.Data()[at:]...), nil
}

func (l *linker) object(n rawjson.Node, typ string) {
	if typ == "Resource" {
		if t, ok := n.Member("resourceType"); ok {
			typ = t.String()
		}
	}
	for m := range n.Members() {
		name := m.Name()
		element, ok := l.definitions.Element(typ, name)
		switch {
		case typ == "Reference" && name == "reference":
			l.set(m, l.reference)
		case typ == "Narrative" && name == "div":
			l.set(m, l.narrative)
		case ok && len(element.Types) == 1:
			l.value(m, element.Types[0])
		default:
			if _, choice, ok := l.definitions.ChoiceElement(typ, name); ok {
				l.value(m, choice)
			} else if strings.HasPrefix(name, "_") {
				l.value(m, "Element") // the extensions of a primitive
			}
		}
	}
}

func (l *linker) value(n rawjson.Node, typ string) {
	switch n.Kind() {
	case rawjson.KindArray:
		for el := range n.Elements() {
			l.value(el, typ)
		}
	case rawjson.KindObject:
		l.object(n, typ)
	case rawjson.KindString:
		switch typ {
		case "uri", "url", "oid", "uuid", "canonical":
			l.set(n, func(s string) (string, error) {
				if to, ok := l.links[s]; ok {
					return to, nil
				}
				return s, nil
			})
		}
	}
}

// set replaces a string by what f makes of it.
func (l *linker) set(n rawjson.Node, f func(string) (string, error)) {
	if l.err != nil || n.Kind() != rawjson.KindString {
		return
	}
	was := n.String()
	is, err := f(was)
	if err != nil {
		l.err = err
		return
	}
	if is == was {
		return
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(is) // a string: cannot fail
	l.edits = append(l.edits, span{n.Offset(), n.End(), bytes.TrimSuffix(text.Bytes(), []byte("\n"))})
}

func (l *linker) reference(ref string) (string, error) {
	if to, ok := l.link(ref); ok {
		return to, nil
	}
	if typ, _, ok := strings.Cut(ref, "?"); ok && l.definitions.IsResourceType(typ) {
		return l.search(ref)
	}
	return ref, nil
}
