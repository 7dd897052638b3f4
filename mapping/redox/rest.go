package redox

import (
	"net/url"
	"reflect"
	"sort"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
)

// Whatever a mapping does not take from a Redox object is kept in extensions
// of the FHIR element that the object became, so that nothing is lost on the
// way there and back:
//
//	<base>/StructureDefinition/<Object>.<Member>
//
// The object is the Redox type, Visit or Provider, and not the data model or
// the path: the same thing has the same URL whichever message brings it, so
// that two messages about one record do not leave it with two extensions.
// A member is kept with its own type: valueString, valueDecimal, valueBoolean,
// valueDateTime, valueDate; an object is a complex extension with an extension
// for every member, a list repeats. Two names are special: <Object>.Unknown
// has members that no data model knows, as JSON text, and Redox's own
// Extensions become FHIR extensions with the same URL (Redox: Extensions).

// isEmpty tells whether nothing is left in an object, at any depth. It takes
// the object or, which saves copying it, a pointer to it.
func isEmpty(object any) bool { return emptyValue(reflect.ValueOf(object)) }

func emptyValue(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return v.Len() == 0
	case reflect.Pointer:
		// A boolean that is false says something; an empty object does not.
		return v.IsNil() || v.Elem().Kind() == reflect.Struct && emptyValue(v.Elem())
	case reflect.Slice:
		if v.Type() == rawType {
			return v.Len() == 0
		}
		for i := range v.Len() {
			if !emptyValue(v.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		for i := range v.NumField() {
			if !emptyValue(v.Field(i)) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

// rest makes extensions of all that is left in an object, given as it is or
// by a pointer.
func (w *writer) rest(object string, left any) []*dtpb.Extension {
	v := reflect.Indirect(reflect.ValueOf(left))
	if emptyValue(v) {
		return nil
	}
	address := func(member string) string { return w.o.url(object + "." + member) }
	return w.members(v, address, principal[object])
}

// principal are the objects that have a FHIR element for themselves, so that
// its extensions are theirs.
var principal = map[string]bool{
	"Scheduling": true, "PatientAdmin": true, "Patient": true, "Visit": true, "Slot": true, "Provider": true,
	"Location": true, "Address": true, "Identifier": true, "Contact": true, "Insurance": true, "Company": true,
	"Results": true, "OrderMessage": true, "Order": true, "Result": true, "Specimen": true, "ClinicalInfo": true, "ReferenceRange": true, "Comment": true, "AltCode": true,
	"Media": true, "Note": true, "FlowsheetObservation": true, "Observation": true, "Vaccination": true,
	"MedicationsOrder": true, "Administration": true, "Allergy": true, "OrderIndication": true,
	"Guarantor": true, "Diagnosis": true, "PatientAllergy": true, "Equipment": true, "Code": true,
}

func (w *writer) members(v reflect.Value, address func(string) string, own bool) (out []*dtpb.Extension) {
	t := v.Type()
	for i := range t.NumField() {
		f := v.Field(i)
		if emptyValue(f) {
			continue
		}
		if object, ok := f.Interface().(Object); ok {
			out = append(out, w.extras(object, address, own)...)
			continue
		}
		out = append(out, w.extend(address(t.Field(i).Name), t.Field(i).Name, f)...)
	}
	return out
}

// extend makes the extensions of one member.
func (w *writer) extend(address, member string, v reflect.Value) []*dtpb.Extension {
	e := &dtpb.Extension{Url: uri(address)}
	switch {
	case v.Kind() == reflect.Slice && v.Type() != rawType:
		var out []*dtpb.Extension
		for i := range v.Len() {
			if !emptyValue(v.Index(i)) {
				out = append(out, w.extend(address, member, v.Index(i))...)
			}
		}
		return out
	case v.Type() == boolPointer:
		e.Value = &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Boolean{Boolean: boolean(v.Elem().Bool())}}
	case v.Kind() == reflect.Pointer:
		return w.extend(address, member, v.Elem())
	case v.Kind() == reflect.Struct:
		e.Extension = w.members(v, func(name string) string { return name }, true)
	case v.Type() == numberType:
		e.Value = &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Decimal{Decimal: &dtpb.Decimal{Value: v.String()}}}
	case v.Type() == rawType:
		e.Value = stringValue(string(v.Bytes()))
	default:
		e.Value = w.stringOrTime(member, v.String())
	}
	return []*dtpb.Extension{e}
}

func stringValue(s string) *dtpb.Extension_ValueX {
	return &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_StringValue{StringValue: str(s)}}
}

// stringOrTime gives members that are times by name their type, when the
// spelling is the one that they come back with.
func (w *writer) stringOrTime(member, s string) *dtpb.Extension_ValueX {
	isDateTime := strings.HasSuffix(member, "DateTime")
	if !isDateTime && !strings.HasSuffix(member, "Date") && member != "DOB" {
		return stringValue(s)
	}
	if m, ok := w.o.parseTime(s); ok && m.text() == s {
		switch {
		case isDateTime:
			return &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_DateTime{DateTime: m.dateTime()}}
		case !m.hasTime():
			return &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Date{
				Date: &dtpb.Date{ValueUs: m.time.UnixMicro(), Timezone: "Z", Precision: dtpb.Date_Precision(m.precision)}}}
		}
	}
	return stringValue(s)
}

// extras makes extensions of an object's Extensions and unknown members. Only
// where the element is the object's own are the former plain FHIR extensions.
func (w *writer) extras(o Object, address func(string) string, own bool) (out []*dtpb.Extension) {
	for _, name := range sorted(o.Extensions) {
		e := (*dtpb.Extension)(nil)
		if own {
			e = foreignExtension(name, o.Extensions[name])
		}
		if e == nil {
			e = jsonExtension(address("Extensions"), name, o.Extensions[name])
		}
		out = append(out, e)
	}
	for _, name := range sorted(o.Unknown) {
		out = append(out, jsonExtension(address("Unknown"), name, o.Unknown[name]))
	}
	return out
}

// jsonExtension keeps a member as JSON text. A complex extension needs an URL
// that is not empty, so the empty name is a lone per cent sign.
func jsonExtension(address, name string, value jsontext.Value) *dtpb.Extension {
	escaped := url.PathEscape(name)
	if name == "" {
		escaped = "%"
	}
	return &dtpb.Extension{Url: uri(address), Extension: []*dtpb.Extension{{Url: uri(escaped), Value: stringValue(string(value))}}}
}

func sorted(m map[string]jsontext.Value) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// restore puts back what rest has kept, and makes Redox Extensions of
// extensions that are nobody else's.
func (r *reader) restore(object string, extensions []*dtpb.Extension, into any) {
	v := reflect.ValueOf(into).Elem()
	prefix := r.o.url(object + ".")
	for _, e := range extensions {
		if member, ok := strings.CutPrefix(e.GetUrl().GetValue(), prefix); ok {
			r.member(v, member, e)
		}
	}
	if principal[object] {
		r.foreign(extensions, v.Field(0).Addr().Interface().(*Object))
	}
}

// foreign makes Redox Extensions of the extensions that no mapping knows.
func (r *reader) foreign(extensions []*dtpb.Extension, into *Object) {
	own := r.o.url("")
	for _, e := range extensions {
		address := e.GetUrl().GetValue()
		if strings.HasPrefix(address, own) || mappedExtensions[address] {
			continue
		}
		if name, value := redoxExtension(e); name != "" {
			if into.Extensions == nil {
				into.Extensions = map[string]jsontext.Value{}
			}
			into.Extensions[name] = value
		}
	}
}

func (r *reader) member(v reflect.Value, name string, e *dtpb.Extension) {
	if name == "Unknown" || name == "Extensions" {
		if len(e.Extension) != 1 {
			return
		}
		extras := v.Field(0).Addr().Interface().(*Object)
		into := &extras.Unknown
		if name == "Extensions" {
			into = &extras.Extensions
		}
		member, err := url.PathUnescape(e.Extension[0].GetUrl().GetValue())
		if err != nil {
			member = ""
		}
		raw := jsontext.Value(e.Extension[0].GetValue().GetStringValue().GetValue())
		if raw.IsValid() {
			if *into == nil {
				*into = map[string]jsontext.Value{}
			}
			(*into)[member] = raw
		}
		return
	}
	i, ok := members(v.Type())[name]
	if !ok {
		return
	}
	field := v.Field(i)
	if field.Kind() == reflect.Slice && field.Type() != rawType {
		item := reflect.New(field.Type().Elem()).Elem()
		if r.value(item, e) {
			field.Set(reflect.Append(field, item))
		}
		return
	}
	r.value(field, e)
}

// value puts an extension's value into a member of the models.
func (r *reader) value(v reflect.Value, e *dtpb.Extension) bool {
	choice := e.GetValue()
	switch {
	case v.Kind() == reflect.Struct:
		for _, m := range e.Extension {
			r.member(v, m.GetUrl().GetValue(), m)
		}
		r.foreign(named(e.Extension), v.Field(0).Addr().Interface().(*Object))
		return true
	case v.Type() == boolPointer:
		if choice.GetBoolean() == nil {
			return false
		}
		b := choice.GetBoolean().GetValue()
		v.Set(reflect.ValueOf(&b))
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return r.value(v.Elem(), e)
	case v.Type() == numberType:
		v.SetString(choice.GetDecimal().GetValue())
	case v.Type() == rawType:
		v.SetBytes([]byte(choice.GetStringValue().GetValue()))
	default:
		s := choice.GetStringValue().GetValue()
		if m, ok := ofDateTime(choice.GetDateTime()); ok {
			s = m.text()
		}
		if m, ok := ofDate(choice.GetDate()); ok {
			s = m.text()
		}
		v.SetString(s)
	}
	return true
}

// named are the extensions with a real URL, among the members of a complex one.
func named(extensions []*dtpb.Extension) (out []*dtpb.Extension) {
	for _, e := range extensions {
		if isURI(e.GetUrl().GetValue()) {
			out = append(out, e)
		}
	}
	return out
}
