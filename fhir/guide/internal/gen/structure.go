package main

import (
	"reflect"
	"strings"
)

const coreDefinition = "http://hl7.org/fhir/StructureDefinition/"

// structure reduces a StructureDefinition.
func (s *sources) structure(sd object) object {
	r := only(sd, "resourceType", "url", "version", "kind", "abstract", "type", "baseDefinition", "derivation", "contextInvariant")
	var contexts []any
	for _, c := range list(sd, "context") {
		contexts = append(contexts, only(c, "type", "expression"))
	}
	if contexts != nil {
		r["context"] = contexts
	}
	var kept []any
	for i, e := range elements(sd) {
		// The root is what makes the snapshot one, and says that an extension
		// is a modifier.
		if facts := s.element(e); i == 0 || len(facts) > 2 {
			kept = append(kept, facts)
		}
	}
	r["snapshot"] = object{"element": kept}
	return r
}

// element keeps what an element says that R4 does not.
func (s *sources) element(e object) object {
	kept := only(e, "id", "path", "sliceName", "min", "max", "contentReference", "slicing", "maxLength", "mustSupport", "isModifier")
	for name, value := range e {
		for _, prefix := range []string{"fixed", "pattern", "minValue", "maxValue"} {
			if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
				kept[name] = value
			}
		}
	}
	if types := typesOf(e); types != nil {
		kept["type"] = types
	}
	if b := bindingOf(e); b != nil {
		kept["binding"] = b
	}
	if c := constraintsOf(e); c != nil {
		kept["constraint"] = c
	}
	if slicing, ok := kept["slicing"].(object); ok {
		kept["slicing"] = only(slicing, "discriminator", "ordered", "rules")
		if kept["slicing"].(object)["ordered"] == false {
			delete(kept["slicing"].(object), "ordered")
		}
	}
	if kept["mustSupport"] == false {
		delete(kept, "mustSupport")
	}
	if kept["isModifier"] == false {
		delete(kept, "isModifier")
	}
	of := s.base(str(e, "path"))
	if of == nil || kept["sliceName"] != nil {
		return kept
	}
	base := only(of, "min", "max", "contentReference", "maxLength", "isModifier")
	base["type"], base["binding"] = any(typesOf(of)), any(bindingOf(of))
	for name, value := range base {
		if reflect.DeepEqual(kept[name], value) {
			delete(kept, name)
		}
	}
	return kept
}

func typesOf(e object) []any {
	var all []any
	for _, t := range list(e, "type") {
		kept := only(t, "code", "profile", "targetProfile")
		if strings.HasPrefix(str(t, "code"), "http://hl7.org/fhirpath/") {
			return nil // the value of a primitive, whose type nothing narrows
		}
		all = append(all, kept)
	}
	return all
}

func bindingOf(e object) object {
	b, _ := e["binding"].(object)
	if b == nil || str(b, "strength") == "example" || str(b, "valueSet") == "" {
		return nil
	}
	// R4's own value sets are named with and without its version.
	kept := object{"strength": b["strength"], "valueSet": strings.TrimSuffix(str(b, "valueSet"), "|4.0.1")}
	for _, x := range list(b, "extension") {
		if str(x, "url") == coreDefinition+"elementdefinition-maxValueSet" {
			kept["extension"] = []any{only(x, "url", "valueCanonical")}
		}
	}
	return kept
}

func constraintsOf(e object) []any {
	var all []any
	for _, c := range list(e, "constraint") {
		source := strings.TrimPrefix(str(c, "source"), coreDefinition)
		if source != "" && source[0] >= 'A' && source[0] <= 'Z' && !strings.Contains(source, "/") {
			continue // a type of R4
		}
		all = append(all, only(c, "key", "severity", "expression"))
	}
	return all
}

// base is R4's element at a path: of the type that the path begins with, or of
// the types that the elements on the way have.
func (s *sources) base(path string) object {
	if e, ok := s.elements[path]; ok {
		return e
	}
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return nil
	}
	parent := s.base(path[:dot])
	if parent == nil {
		return nil
	}
	if ref := str(parent, "contentReference"); ref != "" {
		return s.elements[strings.TrimPrefix(ref, "#")+path[dot:]]
	}
	types := list(parent, "type")
	if len(types) != 1 {
		return nil
	}
	return s.elements[str(types[0], "code")+path[dot:]]
}
