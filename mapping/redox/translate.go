package redox

import (
	"encoding/binary"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// writer makes FHIR of one message.
type writer struct {
	o    Options
	m    *mapping.Message
	said map[string]int // what has an entry already → its index
	key  []byte         // of once; its memory is used again
	// Where tables are: the entry that is being filled, its patient and its
	// visit, -1 for none.
	at, subject, visitAt int
	attach               func(*dtpb.Attachment) // takes the documents among results
}

// once makes an entry for an object, or finds the one it has already: a
// provider with two roles is one Practitioner. The whole object is the key, so
// that each comes back as it was.
func (w *writer) once(kind string, object any, make func() int) int {
	w.key = appendKey(append(w.key[:0], kind...), reflect.ValueOf(object))
	if i, ok := w.said[string(w.key)]; ok {
		return i
	}
	key := string(w.key) // make comes here again for what is inside
	i := make()
	w.said[key] = i
	return i
}

// appendKey appends bytes that are the same for the same values only: every
// string with its length, every field with its number.
func appendKey(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return append(binary.AppendUvarint(b, uint64(v.Len())), v.String()...)
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int:
		return binary.AppendVarint(b, v.Int())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, 0)
		}
		return appendKey(append(b, 1), v.Elem())
	case reflect.Slice:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		if v.Type() == rawType {
			return append(b, v.Bytes()...)
		}
		for i := range v.Len() {
			b = appendKey(b, v.Index(i))
		}
		return b
	case reflect.Map:
		named := v.Interface().(map[string]jsontext.Value)
		b = binary.AppendUvarint(b, uint64(len(named)))
		for _, name := range sorted(named) {
			b = appendKey(b, reflect.ValueOf(name))
			b = appendKey(b, reflect.ValueOf(named[name]))
		}
		return b
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				b = appendKey(binary.AppendUvarint(b, uint64(i+1)), f)
			}
		}
		return append(b, 0)
	}
	panic("redox: a key of " + v.Kind().String()) // no model has another kind
}

func (w *writer) add(resource proto.Message, e mapping.Entry) int { return w.m.Add(resource, e) }
func (w *writer) ref(i int) *dtpb.Reference                       { return w.m.Ref(i) }

// alone is the identity of a record that only this message knows.
var alone = mapping.Entry{Parent: mapping.NoParent}

func child(parent int, key string) mapping.Entry { return mapping.Entry{Parent: parent, Key: key} }

// known is the identity by identifiers.
func known(ids []*dtpb.Identifier) mapping.Entry {
	e := alone
	for _, id := range ids {
		if s, v := id.GetSystem().GetValue(), id.GetValue().GetValue(); s != "" && v != "" {
			e.Identifiers = append(e.Identifiers, mapping.Identifier{System: s, Value: v})
		}
	}
	return e
}

// assumed marks a value that FHIR requires and the message does not have; the
// way back leaves it out, and a merge must not put it over a known value.
func (w *writer) assumed() []*dtpb.Extension {
	return []*dtpb.Extension{{
		Url:   uri(w.o.url(Assumed)),
		Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Boolean{Boolean: boolean(true)}},
	}}
}

// Assumed is the name of the extension on values that a message did not say:
// <Base>/StructureDefinition/assumed.
const Assumed = "assumed"

// reader makes a Redox message of FHIR.
type reader struct {
	o Options
	m *mapping.Message
	// attached are the documents of the report that is being read.
	attached []*dtpb.Attachment
}

func (r *reader) assumed(extensions []*dtpb.Extension) bool {
	for _, e := range extensions {
		if e.GetUrl().GetValue() == r.o.url(Assumed) {
			return e.GetValue().GetBoolean().GetValue()
		}
	}
	return false
}

// target finds the resource of a reference in the message, nil if it is not
// there.
func target[T proto.Message](r *reader, ref *dtpb.Reference) (out T, index int) {
	i := r.m.Find(ref)
	if i < 0 {
		return out, -1
	}
	t, ok := mapping.Typed(r.m.Entries[i].Resource).(T)
	if !ok {
		return out, -1
	}
	return t, i
}

// all lists the resources of one type.
func all[T proto.Message](r *reader) (out []T) {
	for _, e := range r.m.Entries {
		if t, ok := mapping.Typed(e.Resource).(T); ok {
			out = append(out, t)
		}
	}
	return out
}

// focused lists the resources of one type that the message is about; where it
// does not say which, all of them.
func focused[T proto.Message](r *reader) (out []T) {
	for _, i := range r.m.Focus {
		if t, ok := mapping.Typed(r.m.Entries[i].Resource).(T); ok {
			out = append(out, t)
		}
	}
	if len(r.m.Focus) == 0 {
		return all[T](r)
	}
	return out
}

// profile is the meta of a resource that claims a US Core profile.
func profile(name string) *dtpb.Meta {
	return &dtpb.Meta{Profile: []*dtpb.Canonical{{Value: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-" + name}}}
}
