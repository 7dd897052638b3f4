package fhirjson

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"

	apb "github.com/google/fhir/go/proto/google/fhir/proto/annotations_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is how messages of one Go type are written.
type plan struct {
	resource string // `,"resourceType":"Patient"`; empty for elements
	members  []member
}

// member is one field of the struct: `,"name":` and what is below.
type member struct {
	field    int // of the Go struct
	repeated bool
	name     string // `,"birthDate":`
	sibling  string // `,"_birthDate":`, for primitives
	element  element
	// choices, for a oneof, are its members by the type of their wrappers;
	// holder tells that the oneof is in a message of its own, as FHIR's
	// choice types are: Patient.deceased[x].
	choices map[reflect.Type]*member
	holder  bool
	// target, in the choices of a Reference, is what the id is put behind:
	// "Patient/", or "#" for a contained resource.
	target string
}

// element is the type of a field.
type element struct {
	typ       reflect.Type // of the struct
	kind      kind
	plan      *plan
	primitive *primitive
}

type kind uint8

const (
	complexType kind = iota
	primitiveType
	wrapped // ContainedResource
	packed  // Any, with a ContainedResource
)

// plans are the compiled plans: reflect.Type → *plan. Compiling is one at a
// time, since types refer to each other in circles.
var (
	plans     sync.Map
	compiling sync.Mutex
)

func planOf(t reflect.Type) (*plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*plan), nil
	}
	compiling.Lock()
	defer compiling.Unlock()
	c := compiler{}
	p, err := c.plan(t)
	if err != nil {
		return nil, err
	}
	for t, p := range c {
		plans.Store(t, p)
	}
	return p, nil
}

// compiler holds the plans that are not complete yet.
type compiler map[reflect.Type]*plan

func describe(t reflect.Type) (protoreflect.Message, error) {
	m, ok := reflect.New(t).Interface().(proto.Message)
	if !ok {
		return nil, errors.New("fhirjson: not a message type")
	}
	return m.ProtoReflect(), nil
}

func (c compiler) plan(t reflect.Type) (*plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*plan), nil
	}
	if p, ok := c[t]; ok {
		return p, nil
	}
	m, err := describe(t)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	c[t] = p
	d := m.Descriptor()
	if structureKind(d) == apb.StructureDefinitionKindValue_KIND_RESOURCE {
		p.resource = `,"resourceType":"` + string(d.Name()) + `"`
	}
	structs := structFields(t)
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if one := f.ContainingOneof(); one != nil {
			if one.Fields().Get(0) == f {
				m, err := c.oneof(m, one, structs[string(one.Name())], "")
				if err != nil {
					return nil, err
				}
				p.members = append(p.members, m)
			}
			continue
		}
		m, err := c.member(f, t.Field(structs[string(f.Name())]).Type, f.JSONName())
		if err != nil {
			return nil, err
		}
		m.field = structs[string(f.Name())]
		p.members = append(p.members, m)
	}
	return p, nil
}

// member makes the member for a field whose Go type is goType.
func (c compiler) member(f protoreflect.FieldDescriptor, goType reflect.Type, name string) (member, error) {
	m := member{repeated: f.IsList(), name: `,"` + name + `":`, sibling: `,"_` + name + `":`}
	if m.repeated {
		goType = goType.Elem()
	}
	d := f.Message()
	if d == nil || f.IsMap() || goType.Kind() != reflect.Pointer {
		return m, fmt.Errorf("fhirjson: %s is no FHIR element", f.FullName())
	}
	if !m.repeated && proto.GetExtension(d.Options(), apb.E_IsChoiceType).(bool) {
		holder, err := describe(goType.Elem())
		if err != nil {
			return m, err
		}
		one := d.Oneofs().Get(0)
		inner, err := c.oneof(holder, one, structFields(goType.Elem())[string(one.Name())], string(f.Name()))
		if err != nil {
			return m, err
		}
		m.choices, m.holder = inner.choices, true
		m.element.typ = goType.Elem()
		// The holder has nothing but the oneof.
		m.element.plan = &plan{members: []member{inner}}
		return m, nil
	}
	var err error
	m.element, err = c.element(d, goType.Elem())
	return m, err
}

func (c compiler) element(d protoreflect.MessageDescriptor, t reflect.Type) (e element, err error) {
	e.typ = t
	switch {
	case structureKind(d) == apb.StructureDefinitionKindValue_KIND_PRIMITIVE_TYPE:
		e.kind = primitiveType
		e.primitive, err = compilePrimitive(d, t)
	case d.Name() == "ContainedResource":
		e.kind = wrapped
	case d.FullName() == "google.protobuf.Any":
		e.kind = packed
	default:
		e.plan, err = c.plan(t)
	}
	return e, err
}

// oneof makes a member of a oneof. The choices of a choice element are named
// after it and their type, valueQuantity; those of a Reference are all its
// member reference.
func (c compiler) oneof(m protoreflect.Message, one protoreflect.OneofDescriptor, field int, choice string) (member, error) {
	out := member{field: field, choices: map[reflect.Type]*member{}}
	holder := m.New()
	for i := range one.Fields().Len() {
		f := one.Fields().Get(i)
		// The wrapper's type is known only from one that is in its place.
		holder.Set(f, holder.NewField(f))
		wrapper := reflect.ValueOf(holder.Interface()).Elem().Field(field).Elem().Type().Elem()
		name := f.JSONName()
		if choice != "" {
			name = lowerCamel(choice + "_" + snake(name))
		}
		made, err := c.member(f, wrapper.Field(0).Type, name)
		if err != nil {
			return out, err
		}
		if proto.HasExtension(m.Descriptor().Options(), apb.E_FhirReferenceType) {
			types, _ := proto.GetExtension(f.Options(), apb.E_ReferencedFhirType).(string)
			switch {
			case f.Name() == "fragment":
				made.target = "#"
			case types != "":
				made.target = types + "/"
			}
			if made.target != "" {
				made.name = `,"reference":`
			}
		}
		out.choices[reflect.PointerTo(wrapper)] = &made
	}
	return out, nil
}

// structFields finds the Go fields of a generated struct by the names of
// their protobuf fields and oneofs.
func structFields(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if one, ok := t.Field(i).Tag.Lookup("protobuf_oneof"); ok {
			fields[one] = i
			continue
		}
		for part := range strings.SplitSeq(t.Field(i).Tag.Get("protobuf"), ",") {
			if name, ok := strings.CutPrefix(part, "name="); ok {
				fields[name] = i
			}
		}
	}
	return fields
}

func structureKind(d protoreflect.MessageDescriptor) apb.StructureDefinitionKindValue {
	return proto.GetExtension(d.Options(), apb.E_StructureDefinitionKind).(apb.StructureDefinitionKindValue)
}

// snake writes base64Binary as base_6_4_binary, which lowerCamel undoes.
func snake(s string) string {
	var b strings.Builder
	for _, c := range s {
		if !unicode.IsLower(c) && b.Len() > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func lowerCamel(s string) string {
	parts := strings.Split(s, "_")
	for i, p := range parts {
		if i > 0 && p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}
