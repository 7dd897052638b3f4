package fhirjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	apb "github.com/google/fhir/go/proto/google/fhir/proto/annotations_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// primitive is how values of a primitive type are written.
type primitive struct {
	// write appends the value; false means that there is none.
	write         func(dst []byte, v reflect.Value) ([]byte, bool, error)
	id, extension int // fields of the Go struct, -1 for none
}

// Extensions by which google/fhir/go keeps what its types have no place for.
const (
	noValue         = "https://g.co/fhir/StructureDefinition/primitiveHasNoValue"
	separatorStride = "https://g.co/fhir/StructureDefinition/base64Binary-separatorStride"
)

var (
	errDecimal   = errors.New("fhirjson: a decimal that is no number")
	errPrecision = errors.New("fhirjson: a time without a precision")
	errZone      = errors.New("fhirjson: a time zone that is not known")
)

func compilePrimitive(d protoreflect.MessageDescriptor, t reflect.Type) (*primitive, error) {
	fields := structFields(t)
	p := &primitive{id: -1, extension: -1}
	if i, ok := fields["id"]; ok {
		p.id = i
	}
	if i, ok := fields["extension"]; ok {
		p.extension = i
	}
	value := fields["value"]
	switch d.Name() {
	case "Base64Binary":
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			return appendBase64(dst, v.Addr().Interface().(*dtpb.Base64Binary)), true, nil
		}
	case "Boolean":
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			return strconv.AppendBool(dst, v.Field(value).Bool()), true, nil
		}
	case "Integer":
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			return strconv.AppendInt(dst, v.Field(value).Int(), 10), true, nil
		}
	case "PositiveInt", "UnsignedInt":
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			return strconv.AppendUint(dst, v.Field(value).Uint(), 10), true, nil
		}
	case "Decimal":
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			s := v.Field(value).String()
			if !isNumber(s) {
				return dst, false, errDecimal
			}
			return append(dst, s...), true, nil
		}
	case "Date":
		p.write = timeWriter(func(dst []byte, v reflect.Value) ([]byte, error) {
			return appendDate(dst, v.Addr().Interface().(*dtpb.Date))
		})
	case "DateTime":
		p.write = timeWriter(func(dst []byte, v reflect.Value) ([]byte, error) {
			return appendDateTime(dst, v.Addr().Interface().(*dtpb.DateTime))
		})
	case "Instant":
		p.write = timeWriter(func(dst []byte, v reflect.Value) ([]byte, error) {
			return appendInstant(dst, v.Addr().Interface().(*dtpb.Instant))
		})
	case "Time":
		p.write = timeWriter(func(dst []byte, v reflect.Value) ([]byte, error) {
			return appendTime(dst, v.Addr().Interface().(*dtpb.Time))
		})
	default:
		return p, p.coded(d, value)
	}
	return p, nil
}

// coded compiles the types whose value is a text or an enum of codes.
func (p *primitive) coded(d protoreflect.MessageDescriptor, value int) error {
	f := d.Fields().ByName("value")
	switch {
	case f == nil:
	case f.Kind() == protoreflect.StringKind:
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			return appendString(dst, v.Field(value).String()), true, nil
		}
	case f.Kind() == protoreflect.EnumKind:
		codes := map[int64]string{}
		values := f.Enum().Values()
		for i := range values.Len() {
			ev := values.Get(i)
			code, _ := proto.GetExtension(ev.Options(), apb.E_FhirOriginalCode).(string)
			if code == "" {
				code = strings.ReplaceAll(strings.ToLower(string(ev.Name())), "_", "-")
			}
			codes[int64(ev.Number())] = string(appendString(nil, code))
		}
		name := d.FullName()
		p.write = func(dst []byte, v reflect.Value) ([]byte, bool, error) {
			n := v.Field(value).Int()
			if n == 0 { // the enum's "not set"
				return dst, false, nil
			}
			code, ok := codes[n]
			if !ok {
				return dst, false, fmt.Errorf("fhirjson: %s has no code %d", name, n)
			}
			return append(dst, code...), true, nil
		}
	}
	if p.write == nil {
		return fmt.Errorf("fhirjson: %s is no known primitive type", d.FullName())
	}
	return nil
}

// append appends the value; false means that there is none.
func (p *primitive) append(dst []byte, v reflect.Value, hidden string) ([]byte, bool, error) {
	if hidden == noValue {
		return dst, false, nil
	}
	return p.write(dst, v)
}

func (p *primitive) extensions(v reflect.Value) []*dtpb.Extension {
	if p.extension < 0 {
		return nil
	}
	return *v.Field(p.extension).Addr().Interface().(*[]*dtpb.Extension)
}

// hidden is the URL of those extensions that are the library's own and no
// part of the resource.
func (p *primitive) hidden(v reflect.Value) string {
	hidden := ""
	for _, e := range p.extensions(v) {
		switch e.GetUrl().GetValue() {
		case noValue:
			return noValue
		case separatorStride:
			if v.Type() == base64Type {
				hidden = separatorStride
			}
		}
	}
	return hidden
}

// hasMore reports whether the element has an id or extensions.
func (p *primitive) hasMore(v reflect.Value, hidden string) bool {
	if p.id >= 0 && !v.Field(p.id).IsNil() {
		return true
	}
	for _, e := range p.extensions(v) {
		if hidden == "" || e.GetUrl().GetValue() != hidden {
			return true
		}
	}
	return false
}

// appendMore appends the object with the element's id and extensions.
func (p *primitive) appendMore(dst []byte, v reflect.Value, hidden string) ([]byte, error) {
	start := len(dst)
	if p.id >= 0 && !v.Field(p.id).IsNil() {
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, v.Field(p.id).Interface().(*dtpb.String).GetValue())
	}
	n := 0
	for _, e := range p.extensions(v) {
		if hidden != "" && e.GetUrl().GetValue() == hidden {
			continue
		}
		if n == 0 {
			dst = append(dst, `,"extension":`...)
		}
		dst = append(dst, separator(n))
		n++
		plan, err := planOf(extensionType)
		if err != nil {
			return nil, err
		}
		if dst, err = plan.append(dst, pointed(reflect.ValueOf(e), extensionType)); err != nil {
			return nil, err
		}
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	dst[start] = '{'
	return append(dst, '}'), nil
}

var (
	extensionType = reflect.TypeFor[dtpb.Extension]()
	base64Type    = reflect.TypeFor[dtpb.Base64Binary]()
)

// appendBase64 appends binary data, with the blanks between its groups if it
// was read with some.
func appendBase64(dst []byte, b *dtpb.Base64Binary) []byte {
	dst = append(dst, '"')
	between, stride := "", 0
	for _, e := range b.GetExtension() {
		if e.GetUrl().GetValue() != separatorStride {
			continue
		}
		for _, part := range e.GetExtension() {
			switch part.GetUrl().GetValue() {
			case "separator":
				between = part.GetValue().GetStringValue().GetValue()
			case "stride":
				stride = int(part.GetValue().GetPositiveInt().GetValue())
			}
		}
		break
	}
	if stride == 0 {
		return append(base64.StdEncoding.AppendEncode(dst, b.GetValue()), '"')
	}
	text := base64.StdEncoding.EncodeToString(b.GetValue())
	for len(text) > stride {
		dst = append(dst, text[:stride]...)
		dst = appendText(dst, between)
		text = text[stride:]
	}
	return append(append(dst, text...), '"')
}
