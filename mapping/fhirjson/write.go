package fhirjson

import (
	"errors"
	"reflect"

	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	"google.golang.org/protobuf/types/known/anypb"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
)

var (
	errNoResource = errors.New("fhirjson: a wrapper without a resource")
	errNoChoice   = errors.New("fhirjson: a choice element without a value")
	errPacked     = errors.New("fhirjson: a contained resource cannot be read")

	wrapperType = reflect.TypeFor[crpb.ContainedResource]()
)

// appendResource appends the resource that v is or wraps.
func appendResource(dst []byte, v reflect.Value) ([]byte, error) {
	if v.Type() == wrapperType {
		one := v.FieldByName("OneofResource")
		if one.IsNil() {
			return nil, errNoResource
		}
		inner := one.Elem().Elem().Field(0)
		v = pointed(inner, inner.Type().Elem())
	}
	p, err := planOf(v.Type())
	if err != nil {
		return nil, err
	}
	return p.append(dst, v)
}

// append appends a message as an object. Every member begins with a comma;
// the first comma's place is where the brace belongs.
func (p *plan) append(dst []byte, v reflect.Value) ([]byte, error) {
	start := len(dst)
	dst = append(dst, p.resource...)
	var err error
	for i := range p.members {
		if dst, err = p.members[i].append(dst, v); err != nil {
			return nil, err
		}
	}
	if len(dst) == start {
		return append(dst, '{', '}'), nil
	}
	dst[start] = '{'
	return append(dst, '}'), nil
}

// append appends the member of the struct v if it is there.
func (m *member) append(dst []byte, v reflect.Value) ([]byte, error) {
	f := v.Field(m.field)
	switch {
	case m.repeated:
		if f.Len() == 0 {
			return dst, nil
		}
		if m.element.kind == primitiveType {
			return m.primitives(dst, f)
		}
		return m.list(dst, f)
	case f.IsNil():
		return dst, nil
	case m.holder:
		return m.choice(dst, pointed(f, m.element.typ).Field(m.element.plan.members[0].field))
	case m.choices != nil:
		return m.choice(dst, f)
	}
	return m.value(dst, f)
}

// choice appends the value that is in a oneof.
func (m *member) choice(dst []byte, f reflect.Value) ([]byte, error) {
	if f.IsNil() {
		return nil, errNoChoice
	}
	wrapper := f.Elem()
	one := m.choices[wrapper.Type()]
	value := wrapper.Elem().Field(0)
	if one.target == "" {
		return one.value(dst, value)
	}
	dst = append(dst, one.name...)
	dst = append(dst, '"')
	dst = append(dst, one.target...)
	switch id := value.Interface().(type) {
	case *dtpb.String: // a fragment
		dst = appendText(dst, id.GetValue())
	case *dtpb.ReferenceId:
		dst = appendText(dst, id.GetValue())
		if h := id.GetHistory().GetValue(); h != "" {
			dst = append(dst, "/_history/"...)
			dst = appendText(dst, h)
		}
	}
	return append(dst, '"'), nil
}

// value appends a single element.
func (m *member) value(dst []byte, f reflect.Value) ([]byte, error) {
	v := pointed(f, m.element.typ)
	if m.element.kind != primitiveType {
		return m.element.append(append(dst, m.name...), v)
	}
	at := len(dst)
	p := m.element.primitive
	hidden := p.hidden(v)
	dst, ok, err := p.append(append(dst, m.name...), v, hidden)
	if err != nil {
		return nil, err
	}
	if !ok {
		dst = dst[:at]
	}
	if !p.hasMore(v, hidden) {
		return dst, nil
	}
	return p.appendMore(append(dst, m.sibling...), v, hidden)
}

// append appends an element that is no primitive.
func (e *element) append(dst []byte, v reflect.Value) ([]byte, error) {
	switch e.kind {
	case wrapped:
		return appendResource(dst, v)
	case packed:
		var c crpb.ContainedResource
		if v.Addr().Interface().(*anypb.Any).UnmarshalTo(&c) != nil {
			return nil, errPacked // the reason may quote the content
		}
		return appendResource(dst, reflect.ValueOf(&c).Elem())
	}
	return e.plan.append(dst, v)
}

func (m *member) list(dst []byte, list reflect.Value) ([]byte, error) {
	dst = append(dst, m.name...)
	var err error
	for i := range list.Len() {
		dst = append(dst, separator(i))
		if dst, err = m.element.append(dst, pointed(list.Index(i), m.element.typ)); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// primitives appends the values of a list and, in an array of the same
// length, their ids and extensions; null stands where one has none.
func (m *member) primitives(dst []byte, list reflect.Value) ([]byte, error) {
	p := m.element.primitive
	at, values, more := len(dst), false, false
	dst = append(dst, m.name...)
	for i := range list.Len() {
		v := pointed(list.Index(i), m.element.typ)
		hidden := p.hidden(v)
		more = more || p.hasMore(v, hidden)
		dst = append(dst, separator(i))
		value, ok, err := p.append(dst, v, hidden)
		switch {
		case err != nil:
			return nil, err
		case ok:
			dst, values = value, true
		default:
			dst = append(dst, "null"...)
		}
	}
	dst = append(dst, ']')
	if !values {
		dst = dst[:at]
	}
	if !more {
		return dst, nil
	}
	dst = append(dst, m.sibling...)
	for i := range list.Len() {
		v := pointed(list.Index(i), m.element.typ)
		dst = append(dst, separator(i))
		hidden := p.hidden(v)
		if !p.hasMore(v, hidden) {
			dst = append(dst, "null"...)
			continue
		}
		var err error
		if dst, err = p.appendMore(dst, v, hidden); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func separator(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}

// pointed is what a pointer points to; nil stands for an empty message, as
// everywhere in protobuf.
func pointed(pointer reflect.Value, t reflect.Type) reflect.Value {
	if pointer.IsNil() {
		return reflect.New(t).Elem()
	}
	return pointer.Elem()
}
