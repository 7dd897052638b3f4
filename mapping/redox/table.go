package redox

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A table says, line by line, which members of a Redox object become which
// element of a FHIR resource, and how. It is read in either direction; what no
// line takes is kept in extensions (see rest.go), so a table is lossless
// whatever it leaves out.
//
// Tables are compiled at first use; a name that is none panics then.
type table struct {
	// object names the Redox type in the extensions of what is left.
	object string
	lines  []line
	plan   func() []compiledLine
	// identified: the resource is known by its identifiers where it has any.
	identified bool
}

// line is one line of a table.
type line struct {
	// members of the object, with blanks between: "Code Codeset Description";
	// those of an object inside it with dots: "Product.LotNumber".
	members string
	// element of the resource by its name in JSON, below it with dots:
	// "code", "collection.collectedDateTime", "content.attachment". Of a list
	// on the way it is the first item.
	element string
	codec
}

// codec makes the values of an element of the members, and reads them.
type codec struct {
	// write takes what it translates out of the members and puts values: data
	// types, strings for codes and texts, moments, filler for backbone elements.
	write func(w *writer, f fields, put func(any))
	// read is called with each value of the element.
	read func(r *reader, f fields, v any)
	// always: write is called though all members are empty.
	always bool
}

// fields are pointers to the members of a line.
type fields []any

func (f fields) text(i int) *string { return f[i].(*string) }

// assumedValue is a value that FHIR requires and nobody said.
type assumedValue struct{ value any }

// filler fills a new backbone element.
type filler func(m proto.Message)

type compiledLine struct {
	members [][]int
	path    []hop
	leaf    hop
	codec
}

// hop is a step from a message to an element of it.
type hop struct {
	field  protoreflect.FieldDescriptor
	choice protoreflect.FieldDescriptor // the type of a choice element
	// value is the field of a primitive's wrapper that holds its value.
	value protoreflect.FieldDescriptor
	codes map[string]protoreflect.EnumNumber
	words map[protoreflect.EnumNumber]string
}

// tableOf makes the table between a Redox object and a FHIR message.
func tableOf[T any, R proto.Message](object string, lines ...line) *table {
	return &table{object: object, lines: lines, plan: sync.OnceValue(func() []compiledLine {
		var r R
		compiled := make([]compiledLine, len(lines))
		for i, l := range lines {
			compiled[i] = compile(reflect.TypeFor[T](), r.ProtoReflect().Descriptor(), l)
		}
		return compiled
	})}
}

// byIdentifier makes it a table of records that are known by their identifiers.
func (t *table) byIdentifier() *table {
	t.identified = true
	return t
}

func compile(object reflect.Type, message protoreflect.MessageDescriptor, l line) compiledLine {
	c := compiledLine{codec: l.codec}
	for _, name := range strings.Fields(l.members) {
		c.members = append(c.members, memberPath(object, name))
	}
	parts := strings.Split(l.element, ".")
	for i, name := range parts {
		h := hopTo(message, name)
		if i == len(parts)-1 {
			h.primitive()
			c.leaf = h
			break
		}
		c.path = append(c.path, h)
		message = h.message()
	}
	return c
}

// hopTo finds an element by its JSON name: value, or valueQuantity of a choice.
func hopTo(message protoreflect.MessageDescriptor, name string) hop {
	fields := message.Fields()
	if f := fields.ByJSONName(name); f != nil {
		return hop{field: f}
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		suffix, ok := strings.CutPrefix(name, f.JSONName())
		if !ok || f.Message() == nil || f.Message().Oneofs().Len() != 1 {
			continue
		}
		choices := f.Message().Oneofs().Get(0).Fields()
		for j := range choices.Len() {
			if c := choices.Get(j); string(c.Message().Name()) == suffix || strings.EqualFold(c.JSONName(), suffix) {
				return hop{field: f, choice: choices.Get(j)}
			}
		}
	}
	panic(fmt.Sprintf("redox: %s has no element %s", message.FullName(), name))
}

func (h hop) message() protoreflect.MessageDescriptor {
	if h.choice != nil {
		return h.choice.Message()
	}
	return h.field.Message()
}

// primitive prepares texts and codes, which codecs have as strings.
func (h *hop) primitive() {
	h.value = h.message().Fields().ByName("value")
	if h.value == nil {
		return
	}
	switch h.value.Kind() {
	case protoreflect.StringKind:
		if n := h.message().Name(); n == "Decimal" {
			h.value = nil
		}
	case protoreflect.EnumKind:
		h.codes, h.words = map[string]protoreflect.EnumNumber{}, map[protoreflect.EnumNumber]string{}
		values := h.value.Enum().Values()
		for i := range values.Len() {
			v := values.Get(i)
			if v.Number() == 0 {
				continue
			}
			code := strings.ReplaceAll(strings.ToLower(string(v.Name())), "_", "-")
			h.codes[code], h.words[v.Number()] = v.Number(), code
		}
	case protoreflect.BoolKind:
	default:
		h.value = nil
	}
}

// into goes to an element on the way, and makes it where it is missing.
func (h hop) into(m protoreflect.Message) protoreflect.Message {
	if h.field.IsList() {
		list := m.Mutable(h.field).List()
		if list.Len() == 0 {
			return list.AppendMutable().Message()
		}
		return list.Get(0).Message()
	}
	m = m.Mutable(h.field).Message()
	if h.choice != nil {
		m = m.Mutable(h.choice).Message()
	}
	return m
}

// from goes to an element on the way; ok is false where there is none.
func (h hop) from(m protoreflect.Message) (_ protoreflect.Message, ok bool) {
	if !m.Has(h.field) {
		return nil, false
	}
	if h.field.IsList() {
		return m.Get(h.field).List().Get(0).Message(), true
	}
	m = m.Get(h.field).Message()
	if h.choice != nil {
		if !m.Has(h.choice) {
			return nil, false
		}
		m = m.Get(h.choice).Message()
	}
	return m, true
}

// put sets the element, or appends to it where it is a list.
func (h hop) put(w *writer, m protoreflect.Message, v any) {
	value := h.build(w, m, v)
	switch {
	case h.field.IsList():
		m.Mutable(h.field).List().Append(protoreflect.ValueOfMessage(value))
	case h.choice != nil:
		m.Mutable(h.field).Message().Set(h.choice, protoreflect.ValueOfMessage(value))
	default:
		m.Set(h.field, protoreflect.ValueOfMessage(value))
	}
}

func (h hop) build(w *writer, m protoreflect.Message, v any) protoreflect.Message {
	var value protoreflect.Message
	fresh := func() protoreflect.Message {
		switch {
		case h.field.IsList():
			return m.NewField(h.field).List().NewElement().Message()
		case h.choice != nil:
			return m.NewField(h.field).Message().NewField(h.choice).Message()
		}
		return m.NewField(h.field).Message()
	}
	switch v := v.(type) {
	case proto.Message:
		value = v.ProtoReflect()
	case filler:
		if h.field.IsList() {
			value = fresh()
		} else { // several lines may fill one element
			value = h.into(m)
		}
		v(value.Interface())
	case moment:
		if h.message().Name() == "Instant" {
			return v.instant().ProtoReflect()
		}
		return v.dateTime().ProtoReflect()
	case string:
		value = fresh()
		if h.codes != nil {
			code, ok := h.codes[v]
			if !ok {
				panic("redox: " + string(h.field.FullName()) + " has no code " + v)
			}
			value.Set(h.value, protoreflect.ValueOfEnum(code))
		} else {
			value.Set(h.value, protoreflect.ValueOfString(v))
		}
	case bool:
		value = fresh()
		value.Set(h.value, protoreflect.ValueOfBool(v))
	case assumedValue:
		if shared, ok := v.value.(proto.Message); ok {
			v.value = proto.Clone(shared) // a table's own
		}
		value = h.build(w, m, v.value)
		setExtensions(value, w.assumed())
	default:
		panic(fmt.Sprintf("redox: %T is no value of an element", v))
	}
	return value
}

// get is a value as codecs have it; nil for one that nobody said.
func (h hop) get(r *reader, m protoreflect.Message) any {
	if e, ok := m.Interface().(interface{ GetExtension() []*dtpb.Extension }); ok && len(e.GetExtension()) > 0 && r.assumed(e.GetExtension()) {
		return nil
	}
	switch {
	case h.codes != nil:
		return h.words[m.Get(h.value).Enum()]
	case h.value != nil && h.value.Kind() == protoreflect.BoolKind:
		return m.Get(h.value).Bool()
	case h.value != nil:
		return m.Get(h.value).String()
	}
	return m.Interface()
}

func setExtensions(m protoreflect.Message, extensions []*dtpb.Extension) {
	if len(extensions) == 0 {
		return
	}
	field := m.Descriptor().Fields().ByName("extension")
	list := m.Mutable(field).List()
	for _, e := range extensions {
		list.Append(protoreflect.ValueOfMessage(e.ProtoReflect()))
	}
}

// fill writes an object, given by a pointer, into a resource or an element.
// What is left goes into its extensions.
func (w *writer) fill(t *table, object any, into proto.Message) {
	v, m := reflect.ValueOf(object).Elem(), into.ProtoReflect()
	for i := range t.plan() {
		l := &t.plan()[i]
		if !l.always && l.empty(v) {
			continue
		}
		at := m
		reached := false
		l.write(w, l.fields(v), func(value any) {
			if !reached {
				for _, h := range l.path {
					at = h.into(at)
				}
				reached = true
			}
			l.leaf.put(w, at, value)
		})
	}
	setExtensions(m, w.rest(t.object, object))
}

// read reads a resource or an element into an object, given by a pointer.
func (r *reader) read(t *table, from proto.Message, object any) {
	v, m := reflect.ValueOf(object).Elem(), from.ProtoReflect()
	if e, ok := from.(interface{ GetExtension() []*dtpb.Extension }); ok {
		r.restore(t.object, e.GetExtension(), object)
	}
next:
	for i := range t.plan() {
		l := &t.plan()[i]
		at := m
		for _, h := range l.path {
			var ok bool
			if at, ok = h.from(at); !ok {
				continue next
			}
		}
		if !at.Has(l.leaf.field) {
			continue
		}
		if !l.leaf.field.IsList() {
			value, ok := l.leaf.from(at)
			if !ok {
				continue
			}
			if got := l.leaf.get(r, value); got != nil {
				l.codec.read(r, l.fields(v), got)
			}
			continue
		}
		list := at.Get(l.leaf.field).List()
		for j := range list.Len() {
			if got := l.leaf.get(r, list.Get(j).Message()); got != nil {
				l.codec.read(r, l.fields(v), got)
			}
		}
	}
}

// memberPath finds a member by its path.
func memberPath(object reflect.Type, path string) (indexes []int) {
	for name := range strings.SplitSeq(path, ".") {
		if object.Kind() == reflect.Pointer {
			object = object.Elem()
		}
		i, ok := members(object)[name]
		if !ok {
			panic(fmt.Sprintf("redox: %s has no member %s", object, name))
		}
		indexes = append(indexes, i)
		object = object.Field(i).Type
	}
	return indexes
}

func (l *compiledLine) empty(v reflect.Value) bool {
	for _, path := range l.members {
		if at := peek(v, path); at.IsValid() && !at.IsZero() {
			return false
		}
	}
	return true
}

// peek looks at a member; it is not valid where an object on the way is
// missing.
func peek(v reflect.Value, path []int) reflect.Value {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

func (l *compiledLine) fields(v reflect.Value) fields {
	f := make(fields, len(l.members))
	for i, path := range l.members {
		f[i] = reach(v, path).Addr().Interface()
	}
	return f
}

// reach goes to a member to change it. The objects on the way are copied, as
// they may be somebody else's.
func reach(v reflect.Value, path []int) reflect.Value {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			object := reflect.New(v.Type().Elem())
			if !v.IsNil() {
				object.Elem().Set(v.Elem())
			}
			v.Set(object)
			v = object.Elem()
		}
		v = v.Field(i)
	}
	return v
}
