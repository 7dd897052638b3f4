package fhirpatch

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// location is where an element stands in the resource's JSON.
type location struct {
	// object holds the element under name, and what a primitive has besides
	// its value under "_" and name.
	object  rawjson.Node
	name    string
	index   int
	repeats bool
}

// bare is a member's name without the underscore of a primitive's id and
// extensions.
func bare(name string) string { return strings.TrimPrefix(name, "_") }

// locate finds where a value of the document stands, which is not the root.
func (p *patcher) locate(n rawjson.Node) location {
	chain := p.chain(n)
	parent := chain[len(chain)-2]
	if parent.Kind() == rawjson.KindObject {
		return location{object: parent, name: bare(n.Name())}
	}
	at := location{object: chain[len(chain)-3], name: bare(parent.Name()), repeats: true}
	for e := range parent.Elements() {
		if e == n {
			break
		}
		at.index++
	}
	return at
}

// chain are the values that hold n, from the root to n itself.
func (p *patcher) chain(n rawjson.Node) []rawjson.Node {
	at := p.doc.Root()
	chain := []rawjson.Node{at}
	for at != n {
		// Values lie in document order: the last child that does not begin
		// behind n is n or holds it.
		child, _ := at.Child()
		for next, ok := child.Next(); ok && next.Index() <= n.Index(); next, ok = child.Next() {
			child = next
		}
		at = child
		chain = append(chain, at)
	}
	return chain
}

// members are what an object has of one element: the texts of its values and
// of their ids and extensions, "" for none, side by side.
type members struct {
	// was are the names of the members before, is their name now: they differ
	// when a choice changes its type.
	was, is        string
	repeats        bool
	values, unders []string
}

// members are those at a location.
func (at location) members() *members {
	m := &members{was: at.name, is: at.name, repeats: at.repeats}
	value, under := at.object.Property(at.name)
	m.values, m.unders = texts(value, at.repeats), texts(under, at.repeats)
	for len(m.values) < len(m.unders) {
		m.values = append(m.values, "")
	}
	for len(m.unders) < len(m.values) {
		m.unders = append(m.unders, "")
	}
	return m
}

// texts are those of a list's values, or of the one value.
func texts(n rawjson.Node, repeats bool) []string {
	var all []string
	if !repeats {
		if n.Exists() {
			all = append(all, string(n.Raw()))
		}
		return all
	}
	for e := range n.Elements() {
		if e.Kind() == rawjson.KindNull {
			all = append(all, "")
		} else {
			all = append(all, string(e.Raw()))
		}
	}
	return all
}

// membersOf are those of the element that a value is for.
func (p *patcher) membersOf(object rawjson.Node, v value) *members {
	return location{object: object, name: v.name, repeats: v.repeats}.members()
}

// membersFor are those of an element that is not there yet.
func membersFor(v value) *members {
	return &members{was: v.name, is: v.name, values: []string{v.text}, unders: []string{v.under}}
}

func (m *members) len() int { return len(m.values) }

func (m *members) insert(i int, v value) {
	m.values, m.unders = slices.Insert(m.values, i, v.text), slices.Insert(m.unders, i, v.under)
}

func (m *members) remove(i int) {
	m.values, m.unders = slices.Delete(m.values, i, i+1), slices.Delete(m.unders, i, i+1)
}

func (m *members) set(i int, v value) {
	m.values[i], m.unders[i], m.is = v.text, v.under, v.name
}

// text is the JSON of a member, "" for one that is not there.
func (m *members) text(of []string) string {
	if !slices.ContainsFunc(of, func(s string) bool { return s != "" }) {
		return ""
	}
	if !m.repeats {
		return of[0]
	}
	var b strings.Builder
	for i, s := range of {
		if s == "" {
			s = "null"
		}
		b.WriteByte("[,"[min(i, 1)])
		b.WriteString(s)
	}
	b.WriteByte(']')
	return b.String()
}

func (m *members) writeTo(b *strings.Builder) {
	writeMember(b, m.is, m.text(m.values))
	writeMember(b, "_"+m.is, m.text(m.unders))
}

// writeMember writes a member of an object, after a brace or a comma.
func writeMember(b *strings.Builder, name, text string) {
	if text == "" {
		return
	}
	b.WriteByte("{,"[min(b.Len(), 1)])
	b.WriteString(`"` + name + `":` + text)
}

// write returns the resource with an object that has these members. An object
// that has none left goes, and so on upwards.
func (p *patcher) write(object rawjson.Node, m *members) []byte {
	var b strings.Builder
	written := false
	for n := range object.Members() {
		if bare(n.Name()) != m.was {
			writeMember(&b, string(n.RawName()), string(n.Raw()))
		} else if !written {
			m.writeTo(&b)
			written = true
		}
	}
	if !written {
		m.writeTo(&b)
	}
	if b.Len() > 0 {
		data := p.doc.Data()
		out := make([]byte, 0, len(data)+b.Len())
		out = append(append(out, data[:object.Offset()]...), b.String()...)
		return append(append(out, '}'), data[object.End():]...)
	}
	at := p.locate(object)
	left := at.members()
	if strings.HasPrefix(p.memberName(object), "_") {
		if left.unders[at.index] = ""; left.values[at.index] != "" {
			return p.write(at.object, left)
		}
	}
	left.remove(at.index)
	return p.write(at.object, left)
}

// memberName is the name under which a value stands, or the list it is in.
func (p *patcher) memberName(n rawjson.Node) string {
	chain := p.chain(n)
	if parent := chain[len(chain)-2]; parent.Kind() == rawjson.KindArray {
		return parent.Name()
	}
	return n.Name()
}
