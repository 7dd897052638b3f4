package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// release is the FHIR version of the definitions that gen is written for.
const release = "4.0.1"

// write renders the facts as lines of tab-separated fields. The first field is
// the kind of the line; a line belongs to the nearest line above it of the kind
// in brackets. Lists within a field are separated by spaces, an absent value is
// an empty field.
//
//	release <version>
//	type    <name> <kind> <base> <flags: a abstract, p profile>
//	el      <name> <min> <max> <flags: s summary, m modifier> <types> <binding> <content reference>   [type]
//	inv     <key> <severity> <FHIRPath>                                                                [type or el]
//	sp      <url> <code> <type> <usage> <flags: o no or, a no and> <targets> <comparators> <modifiers> <chain>
//	on      <base type> <FHIRPath>                                                                     [sp]
//	co      <definition> <FHIRPath>                                                                    [sp]
//	cd      <code> <url>
//	in      <resource type> <parameter codes>                                                          [cd]
//	op      <code> <url> <flags: s system, t type, i instance, a affects state> <resource types>
//	vs      <url>
//	sys     <system> <code> <code> ...                                                                 [vs]
//
// An element's type is a name, with reference targets in parentheses and a
// profile in brackets: Reference(Group|Patient), Quantity[SimpleQuantity].
func (f *facts) write(b *bytes.Buffer) error {
	w := lineWriter{b: b}
	b.WriteString("# Facts of the FHIR R4 definitions, written by conformance/internal/gen. Do not edit.\n")
	w.line("release", release)
	for _, t := range f.types {
		w.line("type", t.name, t.kind, t.base, flags("a", t.abstract, "p", t.profile))
		w.constraints(t.constraints)
		for _, e := range t.elements {
			binding := ""
			if e.bindingStrength != "" {
				binding = e.bindingStrength + " " + e.bindingValueSet
			}
			w.line("el", e.path[strings.LastIndexByte(e.path, '.')+1:], strconv.Itoa(e.min), e.max,
				flags("s", e.summary, "m", e.modifier), strings.Join(e.types, " "), binding, e.contentReference)
			w.constraints(e.constraints)
		}
	}
	for _, p := range f.parameters {
		w.line("sp", p.url, p.code, p.kind, p.usage, flags("o", p.noMultipleOr, "a", p.noMultipleAnd),
			strings.Join(p.targets, " "), strings.Join(p.comparators, " "), strings.Join(p.modifiers, " "), strings.Join(p.chain, " "))
		for _, on := range p.on {
			w.line("on", on.Base, on.Expression)
		}
		for _, c := range p.components {
			w.line("co", c.definition, c.expression)
		}
	}
	for _, c := range f.compartments {
		w.line("cd", c.code, c.url)
		for _, r := range c.resources {
			w.line("in", r.code, strings.Join(r.params, " "))
		}
	}
	for _, o := range f.operations {
		w.line("op", o.code, o.url, flags("s", o.system, "t", o.onType, "i", o.instance, "a", o.affectsFHIR), strings.Join(o.resources, " "))
	}
	for _, v := range f.valueSets {
		w.line("vs", v.url)
		for _, s := range v.systems {
			w.line(append([]string{"sys", s.system}, s.codes...)...)
		}
	}
	return w.err
}

type lineWriter struct {
	b   *bytes.Buffer
	err error
}

func (w *lineWriter) line(fields ...string) {
	for _, field := range fields {
		if strings.ContainsAny(field, "\t\n\r") && w.err == nil {
			w.err = fmt.Errorf("field %q does not fit the line format", field)
		}
	}
	w.b.WriteString(strings.Join(fields, "\t"))
	w.b.WriteByte('\n')
}

func (w *lineWriter) constraints(list []constraintFact) {
	for _, c := range list {
		w.line("inv", c.key, c.severity, c.expression)
	}
}

// flags joins the letters whose condition holds: flags("a", true, "p", false).
func flags(pairs ...any) string {
	var s strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1].(bool) {
			s.WriteString(pairs[i].(string))
		}
	}
	return s.String()
}
