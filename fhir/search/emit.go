package search

import (
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/store"
)

// emitter turns the values that a search parameter's expression selected into
// keys of that parameter.
type emitter struct {
	typ, param uint16
	base       Base
	keys       []store.Key
}

func (e *emitter) key(form byte, value string) {
	e.keys = append(e.keys, formKey(e.typ, e.param, form)+value)
}

// value adds the keys of one selected element. A type that the parameter's
// type has no meaning for (R4 search §3.1.1.4) adds none.
func (e *emitter) value(t conformance.SearchType, typeName string, n rawjson.Node) {
	switch t {
	case conformance.SearchToken:
		e.token(typeName, n)
	case conformance.SearchReference:
		e.reference(typeName, n)
	case conformance.SearchString:
		e.text(typeName, n)
	case conformance.SearchDate:
		e.date(typeName, n)
	case conformance.SearchNumber:
		e.number(typeName, n)
	case conformance.SearchQuantity:
		e.quantity(typeName, n)
	case conformance.SearchURI:
		e.key(formURL, bounded(n.String()))
	}
}

func member(n rawjson.Node, name string) string {
	m, ok := n.Member(name)
	if !ok {
		return ""
	}
	return m.String()
}

// token: R4 search §3.1.1.4.9.
func (e *emitter) token(typeName string, n rawjson.Node) {
	switch typeName {
	case "Coding":
		e.coding(n)
	case "CodeableConcept":
		if codings, ok := n.Member("coding"); ok {
			for c := range codings.Elements() {
				e.coding(c)
			}
		}
		e.words(member(n, "text"))
	case "Identifier":
		system, value := member(n, "system"), member(n, "value")
		if value != "" {
			e.code(system, value)
		} else if system != "" {
			e.key(formSystem, bounded(joined(system, "")))
		}
		if kind, ok := n.Member("type"); ok {
			e.words(member(kind, "text"))
			if codings, ok := kind.Member("coding"); ok && value != "" {
				for c := range codings.Elements() {
					e.key(formOfType, bounded(joined(member(c, "system"), member(c, "code"), value)))
				}
			}
		}
	case "ContactPoint":
		if value := member(n, "value"); value != "" {
			e.code(member(n, "system"), value)
		}
	default:
		if n.Kind() == rawjson.KindObject || n.Kind() == rawjson.KindArray {
			return
		}
		if s := scalar(n); s != "" {
			e.code("", s)
		}
	}
}

func (e *emitter) coding(n rawjson.Node) {
	system, code := member(n, "system"), member(n, "code")
	if code != "" || system != "" {
		e.code(system, code)
	}
	e.words(member(n, "display"))
}

func (e *emitter) code(system, code string) {
	if code != "" {
		e.key(formCode, bounded(code))
	}
	e.key(formSystem, bounded(joined(system, code)))
}

func (e *emitter) words(s string) {
	if s != "" {
		e.key(formText, bounded(normalise(s)))
	}
}

// scalar is the text of a primitive as tokens and URIs compare it.
func scalar(n rawjson.Node) string {
	if n.Kind() == rawjson.KindString {
		return n.String()
	}
	return string(n.Raw())
}

// reference: R4 search §3.1.1.4.10.
func (e *emitter) reference(typeName string, n rawjson.Node) {
	if typeName != "Reference" {
		if n.Kind() == rawjson.KindString { // canonical, uri
			e.url(n.String())
		}
		return
	}
	if id, ok := n.Member("identifier"); ok {
		if v := member(id, "value"); v != "" {
			e.key(formIdentifier, bounded(joined(member(id, "system"), v)))
			e.key(formIdentifier, bounded("\x00\x00"+v))
		}
	}
	ref := member(n, "reference")
	if ref == "" || ref[0] == '#' {
		return
	}
	if local, ok := e.base.Local(ref); ok {
		e.key(formReference, local.String())
		return
	}
	e.url(ref)
}

func (e *emitter) url(u string) {
	e.key(formURL, bounded(u))
	if unversioned, _, ok := strings.Cut(u, "|"); ok {
		e.key(formURL, bounded(unversioned))
	}
}

// text: R4 search §3.1.1.4.8. Names and addresses are found by any of their
// parts.
func (e *emitter) text(typeName string, n rawjson.Node) {
	switch typeName {
	case "HumanName", "Address":
		for part := range n.Members() {
			switch part.Name() {
			case "use", "type", "period", "extension", "id":
				continue
			}
			e.parts(part)
		}
	default:
		e.parts(n)
	}
}

func (e *emitter) parts(n rawjson.Node) {
	switch n.Kind() {
	case rawjson.KindString:
		if s := n.String(); s != "" {
			e.key(formNormal, bounded(normalise(s)))
			e.key(formExact, bounded(s))
		}
	case rawjson.KindArray:
		for el := range n.Elements() {
			e.parts(el)
		}
	}
}

// date: R4 search §3.1.1.4.6. Values without an offset are taken as UTC.
func (e *emitter) date(typeName string, n rawjson.Node) {
	switch typeName {
	case "Period":
		i := interval{beginning, never}
		if v, err := parseDate(member(n, "start"), time.UTC); err == nil {
			i.low = v.low
		}
		if v, err := parseDate(member(n, "end"), time.UTC); err == nil {
			i.high = v.high
		}
		if i != (interval{beginning, never}) {
			e.interval(i)
		}
	case "Timing":
		e.timing(n)
	default:
		if v, err := parseDate(n.String(), time.UTC); err == nil {
			e.interval(v)
		}
	}
}

// timing covers everything from its first event to its last.
func (e *emitter) timing(n rawjson.Node) {
	if repeat, ok := n.Member("repeat"); ok {
		if bounds, ok := repeat.Member("boundsPeriod"); ok {
			e.date("Period", bounds)
		}
	}
	events, ok := n.Member("event")
	if !ok {
		return
	}
	var all interval
	for ev := range events.Elements() {
		v, err := parseDate(ev.String(), time.UTC)
		if err != nil {
			continue
		}
		if all.low.IsZero() || v.low.Before(all.low) {
			all.low = v.low
		}
		if v.high.After(all.high) {
			all.high = v.high
		}
	}
	if !all.low.IsZero() {
		e.interval(all)
	}
}

func (e *emitter) interval(i interval) {
	e.key(formLow, encodeTime(i.low))
	e.key(formHigh, encodeTime(i.high))
}

// number: R4 search §3.1.1.4.5.
func (e *emitter) number(_ string, n rawjson.Node) {
	if n.Kind() != rawjson.KindNumber {
		return
	}
	if d, err := encodeDecimal(string(n.Raw())); err == nil {
		e.key(formNormal, d)
	}
}

// quantity: R4 search §3.1.1.4.11. Money's currency is its code.
func (e *emitter) quantity(typeName string, n rawjson.Node) {
	v, ok := n.Member("value")
	if !ok || v.Kind() != rawjson.KindNumber {
		return
	}
	d, err := encodeDecimal(string(v.Raw()))
	if err != nil {
		return
	}
	e.key(formNormal, d)
	system, code, unit := member(n, "system"), member(n, "code"), member(n, "unit")
	if typeName == "Money" {
		system, code = "urn:iso:std:iso:4217", member(n, "currency")
	}
	if code != "" {
		e.key(formSystem, bounded(joined(system, code))+"\x00"+d)
		e.key(formCode, bounded(code)+"\x00"+d)
	}
	if unit != "" && unit != code {
		e.key(formCode, bounded(unit)+"\x00"+d)
	}
}
