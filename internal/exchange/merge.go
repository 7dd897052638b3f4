package exchange

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/store"
)

// merge lays what a message says of a record over what is known of it. A
// member that the message leaves out is kept; one that it has replaces the
// known one, unless the message only assumes it, as FHIR requires a value that
// the message does not have. Identifiers and extensions are joined: other
// messages and other systems have added theirs.
//
// Both texts are resources in JSON; known is nil for a new record. The result
// has the record's id.
func merge(d *conformance.Definitions, known, said []byte, ref store.Ref) ([]byte, error) {
	doc, err := rawjson.Parse(said, nil)
	if err != nil {
		return nil, err
	}
	out := newObject(ref)
	saidMeta, _ := doc.Root().Member("meta")
	if known == nil {
		for m := range doc.Root().Members() {
			if !isEnvelope(m) {
				out.add(m.RawName(), m.Raw())
			}
		}
		out.addMeta(mergeMeta(rawjson.Node{}, saidMeta))
		return out.close(), nil
	}
	old, err := rawjson.Parse(known, nil)
	if err != nil {
		return nil, err
	}
	for m := range old.Root().Members() {
		if isEnvelope(m) {
			continue
		}
		// A primitive and its underscore sibling are one element.
		name := strings.TrimPrefix(m.Name(), "_")
		was, now := property(old.Root(), name), property(doc.Root(), name)
		switch {
		case !now.exists():
			if !replacedChoice(d, ref.Type, name, doc.Root()) {
				out.add(m.RawName(), m.Raw())
			}
		case now.assumed() && !was.assumed():
			out.add(m.RawName(), m.Raw())
		case m.NameIs("identifier") && m.Kind() == rawjson.KindArray:
			out.add(m.RawName(), union(m, now.value, sameIdentifier))
		case m.NameIs("extension"):
			out.add(m.RawName(), union(m, now.value, sameExtension))
		case m.NameIs("link") && ref.Type == "Patient":
			out.add(m.RawName(), union(m, now.value, sameLink))
		default:
			if v, ok := doc.Root().Member(m.Name()); ok {
				out.add(m.RawName(), v.Raw())
			}
		}
	}
	for m := range doc.Root().Members() {
		if _, ok := old.Root().Member(m.Name()); ok || isEnvelope(m) {
			continue
		}
		name := strings.TrimPrefix(m.Name(), "_")
		if was := property(old.Root(), name); was.exists() && !was.assumed() && property(doc.Root(), name).assumed() {
			continue // the known value was kept, and without the mark
		}
		out.add(m.RawName(), m.Raw())
	}
	knownMeta, _ := old.Root().Member("meta")
	out.addMeta(mergeMeta(knownMeta, saidMeta))
	return out.close(), nil
}

// element is a member with its underscore sibling.
type element struct{ value, underscore rawjson.Node }

func property(root rawjson.Node, name string) element {
	v, u := root.Property(name)
	return element{v, u}
}

func (e element) exists() bool { return e.value.Exists() || e.underscore.Exists() }

// assumed reports whether the element is marked as one that the message did
// not say; see redox.Assumed.
func (e element) assumed() bool {
	return marked(e.underscore, markDepth) || marked(e.value, markDepth)
}

// markDepth is how far below an element its mark may stand: on the actor of
// the only participant.
const markDepth = 3

func marked(n rawjson.Node, depth int) bool {
	if depth == 0 {
		return false
	}
	extensions, _ := n.Member("extension")
	for x := range extensions.Elements() {
		if u, ok := x.Member("url"); ok && strings.HasSuffix(u.String(), "/StructureDefinition/"+redox.Assumed) {
			return true
		}
	}
	for m := range n.Members() {
		if m.Kind() == rawjson.KindObject && marked(m, depth-1) {
			return true
		}
	}
	if n.Len() == 1 {
		for only := range n.Elements() {
			return marked(only, depth-1)
		}
	}
	return false
}

// isEnvelope: what newObject and mergeMeta write.
func isEnvelope(m rawjson.Node) bool {
	return m.NameIs("resourceType") || m.NameIs("id") || m.NameIs("meta")
}

// replacedChoice reports whether the message has the same choice element in
// another type: a deceasedDateTime replaces a deceasedBoolean.
func replacedChoice(d *conformance.Definitions, typ, name string, said rawjson.Node) bool {
	e, _, ok := d.ChoiceElement(typ, name)
	if !ok {
		return false
	}
	for m := range said.Members() {
		if other, _, ok := d.ChoiceElement(typ, m.Name()); ok && other == e {
			return true
		}
	}
	return false
}

// union is all elements of now and those of old that now has no equal for,
// old ones first where they stay.
func union(old, now rawjson.Node, same func(a, b rawjson.Node) bool) []byte {
	b := []byte{'['}
	add := func(raw []byte) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, raw...)
	}
	taken := map[int]bool{}
	for o := range old.Elements() {
		replaced := false
		i := 0
		for n := range now.Elements() {
			if same(o, n) {
				if !taken[i] {
					add(n.Raw())
				}
				taken[i], replaced = true, true
			}
			i++
		}
		if !replaced {
			add(o.Raw())
		}
	}
	i := 0
	for n := range now.Elements() {
		if !taken[i] {
			add(n.Raw())
		}
		i++
	}
	return append(b, ']')
}

func sameIdentifier(a, b rawjson.Node) bool {
	return sameMember(a, b, "system") && sameMember(a, b, "value")
}

func sameExtension(a, b rawjson.Node) bool { return sameMember(a, b, "url") }

func sameLink(a, b rawjson.Node) bool {
	x, _ := a.Member("other")
	y, _ := b.Member("other")
	return sameMember(x, y, "reference")
}

func sameMember(a, b rawjson.Node, name string) bool {
	x, okX := a.Member(name)
	y, okY := b.Member(name)
	return okX == okY && (!okX || x.String() == y.String())
}

// sameContent reports whether a stored text and a merged one say the same:
// the same members with the same bytes, apart from meta.
func sameContent(stored, merged []byte) bool {
	if stored == nil {
		return false
	}
	a, errA := rawjson.Parse(stored, nil)
	b, errB := rawjson.Parse(merged, nil)
	if errA != nil || errB != nil {
		return false
	}
	n := 0
	for m := range a.Root().Members() {
		if m.NameIs("meta") {
			continue
		}
		n++
		other, ok := b.Root().Member(m.Name())
		if !ok || !bytes.Equal(m.Raw(), other.Raw()) {
			return false
		}
	}
	for m := range b.Root().Members() {
		if !m.NameIs("meta") {
			n--
		}
	}
	return n == 0
}

// object writes a JSON object member by member.
type object struct{ b []byte }

func newObject(ref store.Ref) *object {
	return &object{append([]byte(`{"resourceType":"`+ref.Type+`","id":`), strconv.Quote(ref.ID)...)}
}

func (o *object) add(rawName, raw []byte) {
	o.b = append(o.b, ',', '"')
	o.b = append(o.b, rawName...)
	o.b = append(o.b, '"', ':')
	o.b = append(o.b, raw...)
}

func (o *object) addMeta(raw []byte) {
	if raw != nil {
		o.add([]byte("meta"), raw)
	}
}

func (o *object) close() []byte { return append(o.b, '}') }
