package search

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/store"
)

// emitter turns the values that a search parameter's expression selected into
// keys of that parameter. The keys are written into one buffer, since a
// resource has about a hundred.
type emitter struct {
	base Base
	// prefix begins every key: the numbers of type and parameter.
	prefix []byte
	buf    []byte
	ends   []int
	// scratch holds a text while it is cut up.
	scratch []byte
	// spans counts the spans of the parameter: see span.
	spans int
	// intervals counts the dates of the parameter; first is the first of them.
	intervals int
	first     interval
	units     unitCache
	// param is the number of the parameter; references are those to contained
	// resources.
	param      uint16
	references []containedReference
	// one and other are room for the scales of a quantity, or of two ends.
	one, other scales
}

func (e *emitter) reset() {
	e.prefix, e.buf, e.ends, e.spans, e.intervals = e.prefix[:0], e.buf[:0], e.ends[:0], 0, 0
	e.references = e.references[:0]
}

// start begins a key and returns where its value will stand.
func (e *emitter) start(form byte) int {
	e.buf = append(append(e.buf, e.prefix...), form)
	return len(e.buf)
}

func (e *emitter) end() { e.ends = append(e.ends, len(e.buf)) }

// endBounded ends a key whose value began at from and may be too long.
func (e *emitter) endBounded(from int) {
	e.buf = bound(e.buf, from)
	e.end()
}

// key adds a key with a text as its value.
func (e *emitter) key(form byte, value string) {
	from := e.start(form)
	e.buf = append(e.buf, value...)
	e.endBounded(from)
}

func (e *emitter) joined(form byte, parts ...string) {
	from := e.start(form)
	e.buf = appendJoined(e.buf, parts...)
	e.endBounded(from)
}

func (e *emitter) normalised(form byte, text string) {
	from := e.start(form)
	e.buf = appendNormalised(e.buf, text)
	if len(e.buf) == from {
		// Nothing is left to find it by.
		e.buf = e.buf[:from-1-len(e.prefix)]
		return
	}
	e.endBounded(from)
}

// keys returns what was written, sorted and without duplicates. The keys
// share one string: they are stored, or dropped, together.
func (e *emitter) keys() []store.Key {
	all := string(e.buf)
	keys := make([]store.Key, len(e.ends))
	from := 0
	for i, end := range e.ends {
		keys[i] = all[from:end]
		from = end
	}
	return store.SortKeys(keys)
}

// fhirpath adds the keys of a value, which is an element of the resource or,
// for the few expressions that compute (Patient.deceased.exists()), a boolean.
func (e *emitter) fhirpath(t conformance.SearchType, v fhirpath.Value) {
	n := v.Node()
	if b, ok := v.AsBoolean(); ok && !n.Exists() {
		if b {
			e.code("", "true")
		} else {
			e.code("", "false")
		}
		return
	}
	if n.Exists() {
		e.value(t, v.TypeName(), n)
	}
}

// value adds the keys of one selected element. A type that the parameter's
// type has no meaning for adds none.
func (e *emitter) value(t conformance.SearchType, typeName string, n rawjson.Node) {
	switch t {
	case conformance.SearchToken:
		e.token(typeName, n)
	case conformance.SearchReference:
		e.reference(typeName, n)
	case conformance.SearchString:
		e.text(typeName, n)
	case conformance.SearchDate:
		e.date(typeName, n)
	case conformance.SearchNumber:
		e.number(typeName, n)
	case conformance.SearchQuantity:
		e.quantity(typeName, n)
	case conformance.SearchURI:
		if u := n.String(); u != "" {
			e.key(formURL, u)
		}
	case conformance.SearchSpecial:
		if p, ok := positionOf(n); ok {
			e.start(formPosition)
			e.buf = appendPosition(e.buf, p)
			e.end()
		}
	}
}

func member(n rawjson.Node, name string) string {
	m, ok := n.Member(name)
	if !ok {
		return ""
	}
	return m.String()
}

// token: R4 search, token.
func (e *emitter) token(typeName string, n rawjson.Node) {
	switch typeName {
	case "Coding":
		e.coding(n)
	case "CodeableConcept":
		if codings, ok := n.Member("coding"); ok {
			for c := range codings.Elements() {
				e.coding(c)
			}
		}
		e.words(member(n, "text"))
	case "Identifier":
		e.identifier(n)
	case "ContactPoint":
		if value := member(n, "value"); value != "" {
			e.code(member(n, "system"), value)
		}
	case "string":
		if s := n.String(); s != "" {
			e.code("", strings.ToLower(s)) // see ofStrings
		}
	default:
		if s := n.String(); s != "" {
			e.code("", s)
		}
	}
}

func (e *emitter) identifier(n rawjson.Node) {
	system, value := member(n, "system"), member(n, "value")
	if value != "" || system != "" {
		e.code(system, value)
	}
	kind, ok := n.Member("type")
	if !ok {
		return
	}
	e.words(member(kind, "text"))
	if codings, ok := kind.Member("coding"); ok && value != "" {
		for c := range codings.Elements() {
			e.joined(formOfType, member(c, "system"), member(c, "code"), value)
		}
	}
}

func (e *emitter) coding(n rawjson.Node) {
	system, code := member(n, "system"), member(n, "code")
	if code != "" || system != "" {
		e.code(system, code)
	}
	e.words(member(n, "display"))
}

// code adds the keys of a system and a code, either of which may be missing.
func (e *emitter) code(system, code string) {
	if code != "" {
		e.key(formCode, code)
	}
	e.joined(formSystem, system, code)
}

func (e *emitter) words(s string) {
	if s != "" {
		e.normalised(formText, s)
	}
}

// reference: R4 search, reference.
func (e *emitter) reference(typeName string, n rawjson.Node) {
	if typeName != "Reference" {
		if n.Kind() == rawjson.KindString { // canonical, uri
			e.literal(n.String())
		}
		return
	}
	if id, ok := n.Member("identifier"); ok {
		system, v := member(id, "system"), member(id, "value")
		if system != "" || v != "" {
			e.joined(formIdentifier, system, v)
		}
		if v != "" {
			e.key(formIdentifier, "\x00\x00"+v)
		}
	}
	e.literal(member(n, "reference"))
}

// literal adds the keys of a literal reference. One to a contained resource
// leads nowhere from outside; what it leads to follows (see Index.contained).
func (e *emitter) literal(ref string) {
	if ref == "" {
		return
	}
	if ref[0] == '#' {
		e.start(formContained)
		e.end()
		e.references = append(e.references, containedReference{e.param, ref[1:]})
		return
	}
	if local, ok := e.base.Local(ref); ok {
		from := e.start(formReference)
		e.buf = append(append(append(e.buf, local.Type...), '/'), local.ID...)
		e.endBounded(from)
		return
	}
	e.key(formURL, ref)
	// A canonical is found with and without its version.
	if unversioned, _, ok := strings.Cut(ref, "|"); ok {
		e.key(formURL, unversioned)
	}
}

// text: R4 search, string. Names and addresses are found by any of their
// parts.
func (e *emitter) text(typeName string, n rawjson.Node) {
	switch typeName {
	case "HumanName", "Address":
		for part := range n.Members() {
			switch {
			case part.NameIs("use"), part.NameIs("type"), part.NameIs("period"), part.NameIs("extension"), part.NameIs("id"):
				continue
			}
			e.parts(part)
			if part.NameIs("family") {
				e.family(part)
			}
		}
	default:
		e.parts(n)
		if n.NameIs("family") {
			e.family(n)
		}
	}
}

// family adds the later parts of a family name: Quinones of Carreno Quinones
// (R4 search, string).
func (e *emitter) family(n rawjson.Node) {
	name := n.String()
	for _, i := range partsOf(name[:min(len(name), maxParts)]) {
		e.normalised(formFamily, name[i:])
	}
}

func (e *emitter) parts(n rawjson.Node) {
	switch n.Kind() {
	case rawjson.KindString:
		if s := n.String(); s != "" {
			e.normalised(formNormal, s)
			e.key(formExact, s)
			e.tails(s)
		}
	case rawjson.KindArray:
		for el := range n.Elements() {
			e.parts(el)
		}
	}
}

// tails adds, for :contains, what is left of a text behind each of its
// characters; behind none is formNormal. Few types have string parameters, so
// this costs little: 2 keys and 21 bytes more for the average Synthea
// resource, which has 28 keys of 968 bytes in all (a Patient has 93 more keys
// and 1 kB).
func (e *emitter) tails(s string) {
	e.scratch = appendNormalised(e.scratch[:0], s)
	for i := 1; i < min(len(e.scratch), maxParts); i++ {
		if !utf8.RuneStart(e.scratch[i]) || e.scratch[i] == ' ' {
			continue // what is searched for begins with neither
		}
		e.start(formPart)
		e.buf = append(e.buf, e.scratch[i:min(len(e.scratch), i+maxPart)]...)
		e.end()
	}
}

// only drops the keys that do not have one of the forms. It is for keys
// without a prefix, which begin with their form.
func (e *emitter) only(forms string) {
	from, to := 0, 0
	ends := e.ends[:0]
	for _, end := range slices.Clone(e.ends) {
		if bytes.IndexByte([]byte(forms), e.buf[from]) >= 0 {
			to += copy(e.buf[to:], e.buf[from:end])
			ends = append(ends, to)
		}
		from = end
	}
	e.buf, e.ends = e.buf[:to], ends
}
