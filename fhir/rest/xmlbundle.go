package rest

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// unreadable words what keeps XML from being a resource.
func unreadable(err error) error {
	var e *fhirxml.Error
	if !errors.As(err, &e) {
		return err
	}
	o := outcome.BadRequest(outcome.CodeStructure, "%s", e.Diagnostics)
	o.Cause = err
	o.Issues[0].Expression, o.Issues[0].Line, o.Issues[0].Column = e.Expression, e.Line, e.Column
	return o
}

// unwritable words what keeps a resource from being XML.
func unwritable(err error) *outcome.Error {
	o := outcome.New(http.StatusNotAcceptable, outcome.CodeNotSupported, "The resource cannot be written as XML. Ask for JSON.")
	var e *fhirxml.Error
	if errors.As(err, &e) {
		o.Issues[0].Diagnostics = "The resource cannot be written as XML: " + e.Diagnostics + ". Ask for JSON."
		o.Issues[0].Expression = e.Expression
	}
	return o
}

// xmlParts turns the parts of a bundle, which come as JSON, into XML one by
// one: its beginning, then each entry.
type xmlParts struct {
	part  bytes.Buffer
	out   []byte
	doc   rawjson.Document
	begun bool
	o     fhirxml.Options
}

// next returns the XML of the part that is complete.
func (x *xmlParts) next() []byte {
	part := x.part.Bytes()
	defer x.part.Reset()
	x.out = x.out[:0]
	if !x.begun {
		// The beginning is written here and always valid.
		x.begun = true
		if err := x.doc.Parse(append(part, '}'), nil); err == nil {
			x.out, _ = fhirxml.AppendStart(x.out, x.doc.Root(), x.o)
		}
		return x.out
	}
	err := x.entry(part)
	if err == nil {
		return x.out
	}
	// A resource that cannot be written is one that the client cannot read:
	// what keeps its place says so.
	_ = x.entry(instead(part, outcome.JSON(unwritable(err).Issues)))
	return x.out
}

func (x *xmlParts) entry(part []byte) (err error) {
	if err = x.doc.Parse(part, &deeper); err == nil {
		x.out, err = fhirxml.AppendElement(x.out[:0], "Bundle", "entry", x.doc.Root(), x.o)
	}
	return err
}

// deeper allows for the entry around a resource, which may be as deep as
// rawjson takes.
var deeper = rawjson.Options{MaxDepth: rawjson.DefaultMaxDepth + 4}

func (x *xmlParts) end() []byte {
	return fhirxml.AppendEnd(x.out[:0], "Bundle", x.o)
}

// instead is an entry with an outcome in place of its resource.
func instead(entry, issues []byte) []byte {
	doc, err := rawjson.Parse(entry, &deeper)
	if err != nil {
		return append(append([]byte(`{"resource":`), issues...), '}')
	}
	out := []byte{'{'}
	for m := range doc.Root().Members() {
		value := m.Raw()
		switch m.Name() {
		case "fullUrl":
			continue
		case "resource":
			value = issues
		case "search":
			value = []byte(`{"mode":"outcome"}`)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), m.RawName()...), `":`...), value...)
	}
	return append(out, '}')
}
