package redox

import (
	"reflect"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
)

// Clinical documents name a code by Code, CodeSystem (an OID), CodeSystemName,
// Name and AltCodes, as CDA does. A FHIR system stands for the OID and the
// usual name together; where a message has another name or only one of them,
// the coding says so in extensions.

// clinicalCoding makes a coding, nil for what has no code.
func (w *writer) clinicalCoding(k AltCode) *dtpb.Coding {
	if !isCodeValue(k.Code) {
		return nil
	}
	system := k.CodeSystem
	give(&system, k.CodeSystemName)
	out := coding(w.o.system(system), take(&k.Code), take(&k.Name))
	if oid, name := w.o.codeSystem(out.GetSystem().GetValue()); oid == k.CodeSystem && name == k.CodeSystemName {
		k.CodeSystem, k.CodeSystemName = "", ""
	} else if k.CodeSystem == "" && k.CodeSystemName == "" {
		out.Extension = flagged(w.o.url(noCodeSystem))
	}
	out.Extension = append(out.Extension, w.rest("AltCode", &k)...)
	return out
}

// noCodeSystem is the name of the extension on codings whose system nobody
// said though it is a known one.
const noCodeSystem = "no-code-system"

func (r *reader) clinicalCoding(in *dtpb.Coding) AltCode {
	k := AltCode{}
	r.restore("AltCode", in.Extension, &k)
	k.Code = in.GetCode().GetValue()
	give(&k.Name, in.GetDisplay().GetValue())
	if k.CodeSystem == "" && k.CodeSystemName == "" && !hasExtension(in.Extension, r.o.url(noCodeSystem)) {
		k.CodeSystem, k.CodeSystemName = r.o.codeSystem(in.GetSystem().GetValue())
	}
	return k
}

// codeMembers are an object's members of a code; AltCodes is nil where it has
// none.
type codeMembers struct {
	code, system, systemName, name *string
	alternatives                   *[]AltCode
}

func codeMembersOf(object reflect.Value) (c codeMembers) {
	index := members(object.Type())
	at := func(name string) *string {
		if i, ok := index[name]; ok {
			return object.Field(i).Addr().Interface().(*string)
		}
		return new(string)
	}
	c.code, c.system, c.systemName, c.name = at("Code"), at("CodeSystem"), at("CodeSystemName"), at("Name")
	if i, ok := index["AltCodes"]; ok {
		c.alternatives = object.Field(i).Addr().Interface().(*[]AltCode)
	}
	return c
}

// concept takes a code; nil where there is none. Without a code the words
// alone are taken.
func (w *writer) clinical(c codeMembers) *dtpb.CodeableConcept {
	first := w.clinicalCoding(AltCode{Code: *c.code, CodeSystem: *c.system, CodeSystemName: *c.systemName, Name: *c.name})
	if first == nil {
		return inWords(take(c.name))
	}
	*c.code, *c.system, *c.systemName, *c.name = "", "", "", ""
	out := &dtpb.CodeableConcept{Coding: []*dtpb.Coding{first}}
	if c.alternatives == nil {
		return out
	}
	for _, a := range *c.alternatives {
		if isEmpty(a) {
			continue
		}
		k := w.clinicalCoding(a)
		if k == nil { // their order counts, so all stay
			out.Coding = out.Coding[:1]
			return out
		}
		out.Coding = append(out.Coding, k)
	}
	*c.alternatives = nil
	return out
}

func (r *reader) clinical(in *dtpb.CodeableConcept, c codeMembers) {
	for i, k := range in.GetCoding() {
		one := r.clinicalCoding(k)
		switch {
		case i == 0:
			give(c.code, one.Code)
			if *c.system == "" && *c.systemName == "" {
				*c.system, *c.systemName = one.CodeSystem, one.CodeSystemName
			}
			give(c.name, one.Name)
		case c.alternatives != nil:
			*c.alternatives = append(*c.alternatives, one)
		}
	}
	give(c.name, in.GetText().GetValue())
}

// clinicalCode is the code that an object has itself: its members Code,
// CodeSystem, CodeSystemName and Name, and AltCodes if a fifth is named.
var clinicalCode = codec{
	write: func(w *writer, f fields, put func(any)) {
		if c := w.clinical(f.code()); c != nil {
			put(c)
		}
	},
	read: func(r *reader, f fields, v any) { r.clinical(v.(*dtpb.CodeableConcept), f.code()) },
}

func (f fields) code() codeMembers {
	c := codeMembers{code: f.text(0), system: f.text(1), systemName: f.text(2), name: f.text(3)}
	if len(f) > 4 {
		c.alternatives = f[4].(*[]AltCode)
	}
	return c
}

// clinicalObject is an object that is a code, whatever its type.
var clinicalObject = codec{
	write: func(w *writer, f fields, put func(any)) {
		at := reflect.ValueOf(f[0]).Elem()
		if c := w.objectConcept(at); c != nil {
			put(c)
			at.SetZero()
		}
	},
	read: func(r *reader, f fields, v any) {
		at := reflect.ValueOf(f[0]).Elem()
		if !at.IsNil() {
			return
		}
		object := reflect.New(at.Type().Elem())
		r.objectOf(v.(*dtpb.CodeableConcept), object)
		if !isEmpty(object.Interface()) {
			at.Set(object)
		}
	},
}

// objectConcept makes a concept of an object, given by a pointer; nil for an
// empty one.
func (w *writer) objectConcept(at reflect.Value) *dtpb.CodeableConcept {
	if at.IsNil() || emptyValue(at.Elem()) {
		return nil
	}
	left := reflect.New(at.Type().Elem())
	left.Elem().Set(at.Elem())
	c := w.clinical(codeMembersOf(left.Elem()))
	if c == nil {
		c = &dtpb.CodeableConcept{}
	}
	c.Extension = w.rest("Code", left.Interface())
	return c
}

func (r *reader) objectOf(c *dtpb.CodeableConcept, object reflect.Value) {
	r.restore("Code", c.GetExtension(), object.Interface())
	r.clinical(c, codeMembersOf(object.Elem()))
}

// clinicalList is a list of objects that are codes.
var clinicalList = codec{
	write: func(w *writer, f fields, put func(any)) {
		list := reflect.ValueOf(f[0]).Elem()
		for i := range list.Len() {
			if c := w.objectConcept(list.Index(i).Addr()); c != nil {
				put(c)
			}
		}
		list.SetZero()
	},
	read: func(r *reader, f fields, v any) {
		list := reflect.ValueOf(f[0]).Elem()
		object := reflect.New(list.Type().Elem())
		r.objectOf(v.(*dtpb.CodeableConcept), object)
		list.Set(reflect.Append(list, object.Elem()))
	},
}

// comments are Comment objects, each an annotation, if all have a text.
var comments = codec{
	write: func(w *writer, f fields, put func(any)) {
		list := f[0].(*[]Comment)
		for _, c := range *list {
			if c.Text == "" && !isEmpty(c) {
				return
			}
		}
		for _, c := range take(list) {
			if c.Text == "" {
				continue
			}
			a := annotation(take(&c.Text))
			a.Extension = w.rest("Comment", &c)
			put(a)
		}
	},
	read: func(r *reader, f fields, v any) {
		a, c := v.(*dtpb.Annotation), Comment{}
		if hasExtension(a.Extension, r.o.url(commentMark)) {
			return
		}
		r.restore("Comment", a.Extension, &c)
		give(&c.Text, a.GetText().GetValue())
		list := f[0].(*[]Comment)
		*list = append(*list, c)
	},
}

// remark is a single comment beside the Comments.
var remark = codec{
	write: func(w *writer, f fields, put func(any)) {
		a := annotation(take(f.text(0)))
		a.Extension = flagged(w.o.url(commentMark))
		put(a)
	},
	read: func(r *reader, f fields, v any) {
		if a := v.(*dtpb.Annotation); hasExtension(a.Extension, r.o.url(commentMark)) {
			give(f.text(0), a.GetText().GetValue())
		}
	},
}

// clinicalStatus is the code of a status that FHIR requires: of its SNOMED CT
// code, or of its words. The object itself stays, as it says it in its own
// codes. HL7 C-CDA: problem and allergy status.
func clinicalStatus(system string, t words, other string) codec {
	word := func(at reflect.Value) string {
		if at.Kind() == reflect.String {
			return at.String()
		}
		if at.IsNil() {
			return ""
		}
		c := codeMembersOf(at.Elem())
		if t.code(*c.code) != "" {
			return *c.code
		}
		return *c.name
	}
	return codec{always: true,
		write: func(w *writer, f fields, put func(any)) {
			if c := t.code(word(reflect.ValueOf(f[0]).Elem())); c != "" {
				put(concept(system, c, "", ""))
				return
			}
			c := concept(system, other, "", "")
			c.Extension = w.assumed()
			put(c)
		},
		read: func(_ *reader, f fields, v any) {
			at := reflect.ValueOf(f[0]).Elem()
			said := t.word(codeIn(v.(*dtpb.CodeableConcept), system))
			switch {
			case said == "":
			case at.Kind() == reflect.String:
				if at.Len() == 0 {
					at.SetString(said)
				}
			case at.IsNil():
				object := reflect.New(at.Type().Elem())
				*codeMembersOf(object.Elem()).name = said
				at.Set(object)
			}
		},
	}
}
