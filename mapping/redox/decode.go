package redox

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// decoder reads a message into its typed model. It does not stop at the first
// wrong member but reports it and goes on.
type decoder struct {
	report func(at rawjson.Node, want string)
}

var (
	numberType  = reflect.TypeFor[Number]()
	phoneType   = reflect.TypeFor[PhoneNumber]()
	rawType     = reflect.TypeFor[jsontext.Value]()
	boolPointer = reflect.TypeFor[*bool]()
)

// memberIndexes caches, for every struct of the models, where its members are.
var memberIndexes sync.Map // reflect.Type → map[string]int

func members(t reflect.Type) map[string]int {
	if m, ok := memberIndexes.Load(t); ok {
		return m.(map[string]int)
	}
	m := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if f := t.Field(i); !f.Anonymous {
			m[f.Name] = i
		}
	}
	memberIndexes.Store(t, m)
	return m
}

// object reads the members of a JSON object.
func (d *decoder) object(v reflect.Value, n rawjson.Node) {
	index := members(v.Type())
	for m, ok := n.Child(); ok; m, ok = m.Next() {
		name := m.RawName()
		i, known := index[string(name)]
		if !known && bytes.IndexByte(name, '\\') >= 0 {
			i, known = index[m.Name()]
		}
		if known {
			d.value(v.Field(i), m)
			continue
		}
		extra := v.Field(0).Addr().Interface().(*Object)
		switch {
		case m.NameIs("Extensions") && m.Kind() == rawjson.KindObject:
			extra.Extensions = raw(m)
		case m.Kind() == rawjson.KindNull:
		default:
			if extra.Unknown == nil {
				extra.Unknown = map[string]jsontext.Value{}
			}
			extra.Unknown[m.Name()] = bytes.Clone(m.Raw())
		}
	}
}

// raw reads the members of an object as they are.
func raw(n rawjson.Node) map[string]jsontext.Value {
	all := map[string]jsontext.Value{}
	for m := range n.Members() {
		all[m.Name()] = bytes.Clone(m.Raw())
	}
	return all
}

// value reads one member. Null is absent everywhere, and so is "" where
// something else than a string is expected: senders leave fields empty in
// either way.
func (d *decoder) value(v reflect.Value, n rawjson.Node) {
	kind, t := n.Kind(), v.Type()
	switch {
	case kind == rawjson.KindNull:
		return
	case t == rawType:
		v.SetBytes(bytes.Clone(n.Raw()))
		return
	case t == numberType && kind == rawjson.KindNumber,
		t.Kind() == reflect.String && t != numberType && (kind == rawjson.KindString || kind == rawjson.KindNumber):
		// A number for a string, such as a ZIP code without quotes, occurs
		// in real messages; its digits are the text.
		v.SetString(n.String())
		return
	case t == boolPointer && (kind == rawjson.KindTrue || kind == rawjson.KindFalse):
		b := kind == rawjson.KindTrue
		v.Set(reflect.ValueOf(&b))
		return
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && kind == rawjson.KindObject:
		v.Set(reflect.New(t.Elem()))
		d.object(v.Elem(), n)
		return
	case t.Kind() == reflect.Struct && kind == rawjson.KindObject:
		d.object(v, n)
		return
	case t.Kind() == reflect.Slice && kind == rawjson.KindArray:
		d.array(v, n)
		return
	}
	if kind == rawjson.KindString {
		if text := n.String(); text == "" {
			return
		} else if t.Kind() == reflect.Pointer && t.Elem() == phoneType {
			// Some senders write a single number for PhoneNumber.
			v.Set(reflect.ValueOf(&PhoneNumber{Office: text}))
			return
		}
	}
	d.report(n, expected(t))
}

func (d *decoder) array(v reflect.Value, n rawjson.Node) {
	list := reflect.MakeSlice(v.Type(), n.Len(), n.Len())
	used := 0
	for item, ok := n.Child(); ok; item, ok = item.Next() {
		if item.Kind() != rawjson.KindNull {
			d.value(list.Index(used), item)
			used++
		}
	}
	v.Set(list.Slice(0, used))
}

func expected(t reflect.Type) string {
	switch {
	case t == numberType:
		return "a number"
	case t == boolPointer:
		return "a boolean"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Slice:
		return "an array"
	}
	return "an object"
}

// maxDepth is how deep a message may be nested.
const maxDepth = 1000

// read reads JSON and words, without repeating any of it, why it is none.
func read(data []byte) (rawjson.Node, error) {
	doc, err := rawjson.Parse(data, &rawjson.Options{MaxDepth: maxDepth})
	if err == nil {
		return doc.Root(), nil
	}
	text := "Invalid JSON"
	var broken *rawjson.Error
	if errors.As(err, &broken) {
		at := strconv.Itoa(broken.Offset)
		switch broken.Reason {
		case rawjson.DuplicateName:
			text += " - a member occurs twice in an object, at byte " + at
		case rawjson.UnexpectedEnd:
			text += " - the message ends too early, at byte " + at
		case rawjson.TrailingData:
			text += " - something follows the message"
		case rawjson.TooDeep:
			text += " - too many objects and arrays in each other, at byte " + at
		default:
			text += " - syntax error at byte " + at
		}
	}
	return rawjson.Node{}, one(ErrSyntax, "", text)
}
