// Package definitions makes resources of the compiled definitions, so that a
// server can show what it works by: SearchParameter, OperationDefinition and
// StructureDefinition. They hold the facts of the tables and none of the
// specification's prose; what the tables do not have (invariants' texts,
// examples, operations' parameters) is not in them.
//
// The id of a definition is the last part of its URL, as in HL7's own files. A
// StructureDefinition lists what its type adds to its base, or narrows, as a
// differential; the base is readable in the same way.
package definitions

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// The types of definitions that there are.
const (
	SearchParameter     = "SearchParameter"
	OperationDefinition = "OperationDefinition"
	StructureDefinition = "StructureDefinition"
)

// structures is what URLs of StructureDefinitions begin with.
const structures = "http://hl7.org/fhir/StructureDefinition/"

// usCore is what URLs of US Core's definitions begin with, and its version.
const (
	usCore        = "http://hl7.org/fhir/us/core/"
	usCoreVersion = "6.1.0"
)

// IsType reports whether resources of a type are made here.
func IsType(typ string) bool {
	return typ == SearchParameter || typ == OperationDefinition || typ == StructureDefinition
}

// ID is the id of the definition with a canonical URL.
func ID(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// Definition is a resource that was made of the tables.
type Definition struct {
	ID, URL, Version string
	Body             []byte
}

// Is reports whether a canonical URL, with |version or without, is of the
// definition.
func (d Definition) Is(canonical string) bool {
	url, version, with := strings.Cut(canonical, "|")
	return url == d.URL && (!with || version == d.Version)
}

// Set are the definitions of a server.
type Set struct {
	d          *conformance.Definitions
	parameters map[string]string // the URL of each id
	operations map[string]Operation
	profiles   map[string]Profile
}

// Profile is a StructureDefinition of an implementation guide.
type Profile struct {
	URL, Version string
	// Body is the resource, of which guides that are built in have only the
	// facts: no id, name, or status.
	Body []byte
}

// New makes definitions, without operations.
func New(d *conformance.Definitions, profiles []Profile) *Set {
	s := &Set{d: d, parameters: map[string]string{}, profiles: map[string]Profile{}}
	for _, p := range profiles {
		s.profiles[ID(p.URL)] = p
	}
	for _, typ := range d.ResourceTypes() {
		for _, sp := range d.SearchParameters(typ) {
			if sp.Number < conformance.FirstCustomParameterNumber {
				s.parameters[ID(sp.URL)] = sp.URL
			}
		}
	}
	return s
}

// With are the definitions of a server that has these operations.
func (s *Set) With(operations []Operation) *Set {
	with := &Set{d: s.d, parameters: s.parameters, profiles: s.profiles, operations: map[string]Operation{}}
	for _, o := range operations {
		with.operations[ID(o.URL)] = o
	}
	return with
}

// Find is the definition of a type with an id.
func (s *Set) Find(typ, id string) (Definition, bool) {
	var resource any
	def := Definition{ID: id}
	switch typ {
	case SearchParameter:
		url, ok := s.parameters[id]
		if !ok {
			return def, false
		}
		of := s.d.SearchParametersByURL(url)
		def.URL, def.Version = url, versionOf(s.d, url)
		resource = searchParameter(of, def)
	case OperationDefinition:
		o, ok := s.operations[id]
		if !ok {
			return def, false
		}
		def.URL, def.Version = o.URL, versionOf(s.d, o.URL)
		resource = operation(s.d, o, def)
	case StructureDefinition:
		if p, ok := s.profiles[id]; ok {
			def.URL, def.Version = p.URL, p.Version
			var err error
			if resource, err = constraint(s.d, p, def); err != nil {
				return def, false
			}
			break
		}
		t, ok := s.d.Type(id)
		if !ok || t.Kind == conformance.KindBackbone {
			return def, false
		}
		def.URL, def.Version = structures+id, s.d.Release()
		resource = structure(s.d, t, def)
	default:
		return def, false
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(resource); err != nil {
		return def, false // strings and numbers only: it cannot fail
	}
	def.Body = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return def, true
}

// ByURL is the definition of a type with a canonical URL, with |version or
// without.
func (s *Set) ByURL(typ, canonical string) (Definition, bool) {
	url, _, _ := strings.Cut(canonical, "|")
	def, ok := s.Find(typ, ID(url))
	return def, ok && def.Is(canonical)
}

func versionOf(d *conformance.Definitions, url string) string {
	if strings.HasPrefix(url, usCore) {
		return usCoreVersion
	}
	return d.Release()
}

// head is what all definitions begin with.
type head struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Meta         meta   `json:"meta"`
	URL          string `json:"url"`
	Version      string `json:"version"`
	Name         string `json:"name"`
	Status       string `json:"status"`
}

type meta struct {
	VersionID string `json:"versionId"`
}

func headOf(typ, name string, def Definition) head {
	return head{typ, def.ID, meta{def.Version}, def.URL, def.Version, nameOf(name), "active"}
}

// nameOf makes a name that a program can use of a code
// (https://hl7.org/fhir/R4/searchparameter.html, invariant spd-0).
func nameOf(code string) string {
	var b strings.Builder
	upper := true
	for _, c := range code {
		switch {
		case c >= 'a' && c <= 'z' && upper:
			b.WriteRune(c - 'a' + 'A')
			upper = false
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && b.Len() > 0:
			b.WriteRune(c)
			upper = false
		default:
			upper = true
		}
	}
	return b.String()
}
