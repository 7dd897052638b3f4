package redox

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// decoder reads a message into its typed model. It does not stop at the first
// wrong member but reports it and goes on.
type decoder struct {
	*jsontext.Decoder
	report func(path, text string)
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

// object reads the members of a JSON object, whose brace is the next token.
func (d *decoder) object(v reflect.Value, path string) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	index := members(v.Type())
	extra := v.Field(0).Addr().Interface().(*Object)
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		at := name
		if path != "" {
			at = path + "." + name
		}
		i, known := index[name]
		switch {
		case known:
			err = d.value(v.Field(i), at)
		case name == "Extensions" && d.PeekKind() == '{':
			extra.Extensions = map[string]jsontext.Value{}
			err = d.raw(extra.Extensions)
		case d.PeekKind() == 'n':
			err = d.SkipValue()
		default:
			var raw jsontext.Value
			if raw, err = d.ReadValue(); err == nil {
				if extra.Unknown == nil {
					extra.Unknown = map[string]jsontext.Value{}
				}
				extra.Unknown[name] = bytes.Clone(raw)
			}
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// raw reads the members of an object as they are.
func (d *decoder) raw(into map[string]jsontext.Value) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		into[name] = bytes.Clone(value)
	}
	_, err := d.ReadToken()
	return err
}

// value reads one member. Null is absent everywhere, and so is "" where
// something else than a string is expected: senders leave fields empty in
// either way.
func (d *decoder) value(v reflect.Value, path string) error {
	kind := d.PeekKind()
	t := v.Type()
	switch {
	case kind == 'n':
		return d.SkipValue()
	case t == rawType:
		raw, err := d.ReadValue()
		v.SetBytes(bytes.Clone(raw))
		return err
	case t == numberType && kind == '0', t.Kind() == reflect.String && t != numberType && (kind == '"' || kind == '0'):
		// A number for a string, such as a ZIP code without quotes, occurs
		// in real messages; its digits are the text.
		token, err := d.ReadToken()
		if err == nil {
			v.SetString(token.String())
		}
		return err
	case t == boolPointer && (kind == 't' || kind == 'f'):
		token, err := d.ReadToken()
		if err == nil {
			b := token.Bool()
			v.Set(reflect.ValueOf(&b))
		}
		return err
	case t.Kind() == reflect.Pointer && kind == '{':
		v.Set(reflect.New(t.Elem()))
		return d.object(v.Elem(), path)
	case t.Kind() == reflect.Struct && kind == '{':
		return d.object(v, path)
	case t.Kind() == reflect.Slice && kind == '[':
		return d.array(v, path)
	}
	if kind == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		text := token.String()
		switch {
		case text == "":
		case t.Kind() == reflect.Pointer && t.Elem() == phoneType:
			// Some senders write a single number for PhoneNumber.
			v.Set(reflect.ValueOf(&PhoneNumber{Office: text}))
		default:
			d.report(path, expected(t))
		}
		return nil
	}
	if kind == 0 { // broken JSON: the next read says what and where
		_, err := d.ReadToken()
		return err
	}
	d.report(path, expected(t))
	return d.SkipValue()
}

func (d *decoder) array(v reflect.Value, path string) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	list := reflect.MakeSlice(v.Type(), 0, 0)
	for i := 0; d.PeekKind() != ']'; i++ {
		item := reflect.New(v.Type().Elem()).Elem()
		if kind := d.PeekKind(); kind == 'n' {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := d.value(item, path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
		list = reflect.Append(list, item)
	}
	_, err := d.ReadToken()
	v.Set(list)
	return err
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

// syntaxText describes broken JSON without repeating any of it.
func syntaxText(d *jsontext.Decoder, err error) string {
	at := strconv.FormatInt(d.InputOffset(), 10)
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		at = strconv.FormatInt(syntactic.ByteOffset, 10)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return "Invalid JSON - a member occurs twice in an object, at byte " + at
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "Invalid JSON - the message ends too early, at byte " + at
	}
	return "Invalid JSON - syntax error at byte " + at
}
