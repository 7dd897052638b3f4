package redox

import (
	"reflect"
	"strconv"
	"time"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// plainText is a string as it is.
var plainText = codec{
	write: func(_ *writer, f fields, put func(any)) { put(take(f.text(0))) },
	read:  func(_ *reader, f fields, v any) { give(f.text(0), v.(string)) },
}

// yesNo is a boolean as it is.
var yesNo = codec{
	write: func(_ *writer, f fields, put func(any)) { put(*take(f[0].(**bool))) },
	read: func(_ *reader, f fields, v any) {
		if b := f[0].(**bool); *b == nil {
			*b = Bool(v.(bool))
		}
	},
}

// fixed is an element that the resource has whatever the message says.
func fixed(value any) codec {
	return codec{always: true,
		write: func(_ *writer, _ fields, put func(any)) { put(value) },
		read:  func(*reader, fields, any) {}}
}

// category is a fixed concept.
func category(system, code, display string) codec {
	return codec{always: true,
		write: func(_ *writer, _ fields, put func(any)) { put(concept(system, code, display, "")) },
		read:  func(*reader, fields, any) {}}
}

// dateTime is a time that FHIR can hold, in any precision.
var dateTime = codec{
	write: func(w *writer, f fields, put func(any)) {
		if t := w.dateTime(f.text(0)); t != nil {
			put(t)
		}
	},
	read: func(r *reader, f fields, v any) {
		m, ok := ofDateTime(v.(*dtpb.DateTime))
		r.giveTime(f.text(0), m, ok)
	},
}

// date is a date; of a time the day alone.
var date = codec{
	write: func(w *writer, f fields, put func(any)) {
		if d := w.date(f.text(0)); d != nil {
			put(d)
		}
	},
	read: func(r *reader, f fields, v any) { r.giveDate(f.text(0), v.(*dtpb.Date)) },
}

// instant is a time of day with an offset.
var instant = codec{
	write: func(w *writer, f fields, put func(any)) {
		if m, ok := w.o.parseTime(*f.text(0)); ok && m.hasTime() {
			*f.text(0) = ""
			put(m.instant())
		}
	},
	read: func(r *reader, f fields, v any) {
		m, ok := ofInstant(v.(*dtpb.Instant))
		r.giveTime(f.text(0), m, ok)
	},
}

// span is a period of two members.
var span = codec{
	write: func(w *writer, f fields, put func(any)) {
		start, end := w.dateTime(f.text(0)), w.dateTime(f.text(1))
		if start != nil || end != nil {
			put(&dtpb.Period{Start: start, End: end})
		}
	},
	read: func(r *reader, f fields, v any) {
		m, ok := ofDateTime(v.(*dtpb.Period).GetStart())
		r.giveTime(f.text(0), m, ok)
		m, ok = ofDateTime(v.(*dtpb.Period).GetEnd())
		r.giveTime(f.text(1), m, ok)
	},
}

// code is a code of a table of words. An unknown word stays where it is.
func code(t words) codec {
	return codec{
		write: func(_ *writer, f fields, put func(any)) {
			if c := t.take(f.text(0)); c != "" {
				put(c)
			}
		},
		read: func(_ *reader, f fields, v any) { t.give(f.text(0), v.(string)) },
	}
}

// status is a code that FHIR requires: other where the message says none.
func status(t words, other string) codec {
	return codec{always: true,
		write: func(_ *writer, f fields, put func(any)) {
			if c := t.take(f.text(0)); c != "" {
				put(c)
			} else {
				put(assumedValue{other})
			}
		},
		read: func(_ *reader, f fields, v any) { t.give(f.text(0), v.(string)) },
	}
}

// wordsIn is a table's word as a concept of a system, whose text is the word
// of the message.
func wordsIn(system string, t, displays words) codec {
	return codec{
		write: func(_ *writer, f fields, put func(any)) {
			word := take(f.text(0))
			if c := t.code(word); c != "" {
				put(concept(system, c, displays.word(c), word))
			} else {
				put(inWords(word))
			}
		},
		read: func(_ *reader, f fields, v any) {
			c := v.(*dtpb.CodeableConcept)
			give(f.text(0), c.GetText().GetValue())
			give(f.text(0), t.word(codeIn(c, system)))
			give(f.text(0), wordsOf(c))
		},
	}
}

// inText is a concept in words alone.
var inText = codec{
	write: func(_ *writer, f fields, put func(any)) { put(inWords(take(f.text(0)))) },
	read:  func(_ *reader, f fields, v any) { give(f.text(0), wordsOf(v.(*dtpb.CodeableConcept))) },
}

// coded is a concept of Code, Codeset and the member with its words.
var coded = codec{
	write: func(w *writer, f fields, put func(any)) {
		if c := w.code(f.text(0), f.text(1), f.text(2)); c != nil {
			put(c)
		}
	},
	read: func(r *reader, f fields, v any) {
		r.code(v.(*dtpb.CodeableConcept), f.text(0), f.text(1), f.text(2))
	},
}

// described is a Code object whose words are in Description.
var described = codec{
	write: func(w *writer, f fields, put func(any)) {
		if c := w.concept(take(f[0].(**Code))); c != nil {
			put(c)
		}
	},
	read: func(r *reader, f fields, v any) {
		if p := f[0].(**Code); *p == nil {
			*p = r.concept(v.(*dtpb.CodeableConcept), true)
		}
	},
}

// notes are texts, each an annotation.
var notes = codec{
	write: func(_ *writer, f fields, put func(any)) {
		for _, n := range take(f[0].(*[]string)) {
			if n != "" {
				put(annotation(n))
			}
		}
	},
	read: func(_ *reader, f fields, v any) {
		list := f[0].(*[]string)
		*list = append(*list, v.(*dtpb.Annotation).GetText().GetValue())
	},
}

func annotation(text string) *dtpb.Annotation {
	return &dtpb.Annotation{Text: &dtpb.Markdown{Value: text}}
}

// provider is a reference to a practitioner, who is known by name below the
// record that names him where he has no identifier.
var provider = codec{
	write: func(w *writer, f fields, put func(any)) {
		if p := take(f[0].(**Provider)); p != nil && !isEmpty(p) {
			put(w.provider(*p, child(w.at, "provider")))
		}
	},
	read: func(r *reader, f fields, v any) {
		if p := f[0].(**Provider); *p == nil {
			*p = r.provider(v.(*dtpb.Reference))
		}
	},
}

// identifier is a number with a type of its own. Others of the element's
// identifiers are not it.
func identifier(idType string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			if id := w.number(idType, take(f.text(0))); id != nil {
				put(id)
			}
		},
		read: func(r *reader, f fields, v any) {
			id := v.(*dtpb.Identifier)
			if r.o.idType(id.GetSystem().GetValue()) == idType || codeIn(id.Type, v2+"0203") == idType {
				give(f.text(0), id.GetValue().GetValue())
			}
		},
	}
}

// identifiers are a list of Identifier objects.
var identifiers = codec{
	write: func(w *writer, f fields, put func(any)) {
		for _, id := range w.identifiers(take(f[0].(*[]Identifier))) {
			put(id)
		}
	},
	read: func(r *reader, f fields, v any) {
		list := f[0].(*[]Identifier)
		*list = append(*list, r.identifier(v.(*dtpb.Identifier)))
	},
}

// company is an organization that is known by a number or a name.
var company = codec{
	write: func(w *writer, f fields, put func(any)) {
		if p := take(f[0].(**Producer)); p != nil && !isEmpty(p) {
			put(w.ref(w.company(Company{Object: p.Object, ID: p.ID, IDType: p.IDType, Name: p.Name, Address: p.Address})))
		}
	},
	read: func(r *reader, f fields, v any) {
		p := f[0].(**Producer)
		if *p != nil {
			return
		}
		if c := r.company(v.(*dtpb.Reference)); c != nil {
			*p = &Producer{Object: c.Object, ID: c.ID, IDType: c.IDType, Name: c.Name, Address: c.Address}
		}
	},
}

// inside is an object that is a backbone element of the resource.
func inside(t *table) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			at := reflect.ValueOf(f[0]).Elem()
			if isEmpty(at.Interface()) {
				return
			}
			object := reflect.New(at.Type().Elem())
			object.Elem().Set(at.Elem())
			at.SetZero()
			put(filler(func(m proto.Message) { w.fill(t, object.Interface(), m) }))
		},
		read: func(r *reader, f fields, v any) {
			at := reflect.ValueOf(f[0]).Elem()
			if !at.IsNil() {
				return
			}
			object := reflect.New(at.Type().Elem())
			r.read(t, v.(proto.Message), object.Interface())
			if !isEmpty(object.Interface()) {
				at.Set(object)
			}
		},
	}
}

// each is a list of objects that are backbone elements of the resource.
func each(t *table) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			list := reflect.ValueOf(f[0]).Elem()
			items := reflect.ValueOf(list.Interface())
			list.SetZero()
			for i := range items.Len() {
				if emptyValue(items.Index(i)) {
					continue
				}
				object := reflect.New(items.Type().Elem())
				object.Elem().Set(items.Index(i))
				put(filler(func(m proto.Message) { w.fill(t, object.Interface(), m) }))
			}
		},
		read: func(r *reader, f fields, v any) {
			list := reflect.ValueOf(f[0]).Elem()
			object := reflect.New(list.Type().Elem())
			r.read(t, v.(proto.Message), object.Interface())
			list.Set(reflect.Append(list, object.Elem()))
		},
	}
}

// wholeNumber is a number of things: a JSON number without a fraction.
var wholeNumber = codec{
	write: func(_ *writer, f fields, put func(any)) {
		n := f[0].(*Number)
		i, err := strconv.ParseUint(string(*n), 10, 31)
		if err != nil || strconv.FormatUint(i, 10) != string(*n) {
			return
		}
		*n = ""
		put(filler(func(m proto.Message) {
			switch m := m.(type) {
			case *dtpb.UnsignedInt:
				m.Value = uint32(i)
			case *dtpb.PositiveInt:
				m.Value = uint32(i)
			}
		}))
	},
	read: func(_ *reader, f fields, v any) {
		n := f[0].(*Number)
		if u, ok := v.(interface{ GetValue() uint32 }); ok && *n == "" {
			*n = Number(strconv.FormatUint(uint64(u.GetValue()), 10))
		}
	},
}

// record makes a resource of an object, given by a pointer. It is known by its
// identifiers, or else as e says.
func (w *writer) record(t *table, object any, resource proto.Message, e mapping.Entry) int {
	i := w.add(resource, e)
	defer func(at int) { w.at = at }(w.at)
	w.at = i
	w.fill(t, object, resource)
	if t.identified && e.Key != "" {
		if ids := known(identifiersOf(resource)).Identifiers; len(ids) > 0 {
			w.m.Entries[i].Identifiers, w.m.Entries[i].Parent, w.m.Entries[i].Key = ids, mapping.NoParent, ""
		}
	}
	return i
}

func identifiersOf(resource proto.Message) []*dtpb.Identifier {
	switch m := resource.(type) {
	case interface{ GetIdentifier() []*dtpb.Identifier }:
		return m.GetIdentifier()
	case interface{ GetIdentifier() *dtpb.Identifier }:
		return []*dtpb.Identifier{m.GetIdentifier()}
	}
	return nil
}

// subject refers to the patient of what is being written.
func (w *writer) subjectRef() *dtpb.Reference {
	if w.subject < 0 {
		return &dtpb.Reference{Display: str("unknown"), Extension: w.assumed()}
	}
	return w.ref(w.subject)
}

// subject is the reference to the patient.
var subject = codec{always: true,
	write: func(w *writer, _ fields, put func(any)) { put(w.subjectRef()) },
	read:  func(*reader, fields, any) {},
}

// encounter is the reference to the visit of the message, where it has one.
var encounterOf = codec{always: true,
	write: func(w *writer, _ fields, put func(any)) {
		if w.visitAt >= 0 {
			put(w.ref(w.visitAt))
		}
	},
	read: func(*reader, fields, any) {},
}

func clock(s string) *dtpb.Time {
	for _, layout := range []struct {
		layout    string
		precision dtpb.Time_Precision
	}{{"15:04:05", dtpb.Time_SECOND}, {"15:04:05.000", dtpb.Time_MILLISECOND}} {
		t, err := time.Parse(layout.layout, s)
		if err == nil && t.Format(layout.layout) == s {
			at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
			return &dtpb.Time{ValueUs: at.Microseconds(), Precision: layout.precision}
		}
	}
	return nil
}

func readClock(t *dtpb.Time) string {
	at := time.UnixMicro(t.GetValueUs()).UTC()
	if t.GetPrecision() >= dtpb.Time_MILLISECOND {
		return at.Format("15:04:05.000")
	}
	return at.Format("15:04:05")
}
