package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

type typeFact struct {
	name        string // "Patient", "HumanName", "Patient.contact", "SimpleQuantity"
	kind        string // resource, complex-type, primitive-type, backbone
	base        string // "" for Element and Resource
	abstract    bool
	profile     bool // a constraint on base rather than a type of its own
	constraints []constraintFact
	elements    []elementFact
}

type elementFact struct {
	path             string // as HL7 writes it: "Observation.value[x]"
	min              int
	max              string
	types            []string // "Reference(Patient|Group)", "Quantity[SimpleQuantity]"
	contentReference string   // "#Questionnaire.item"
	summary          bool
	modifier         bool
	bindingStrength  string
	bindingValueSet  string
	constraints      []constraintFact
}

type constraintFact struct{ key, severity, expression string }

// readTypes returns all types: datatypes, resources and their backbones, each
// group sorted by name so that a diff of the tables shows what changed.
func readTypes(dir string) ([]typeFact, error) {
	var definitions []structureDefinition
	for _, file := range []string{"profiles-types.json", "profiles-resources.json"} {
		err := readBundle(dir, file, func(resourceType string, raw json.RawMessage) error {
			if resourceType != "StructureDefinition" {
				return nil
			}
			var sd structureDefinition
			if err := json.Unmarshal(raw, &sd); err != nil {
				return err
			}
			// Of the profiles on datatypes only those that elements name as
			// their type's profile count; the others describe extensions and
			// documents.
			if sd.Derivation == "constraint" && sd.Name != "SimpleQuantity" && sd.Name != "MoneyQuantity" {
				return nil
			}
			definitions = append(definitions, sd)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	sort.Slice(definitions, func(i, j int) bool { return definitions[i].Name < definitions[j].Name })

	r := typeReader{byName: map[string]*structureDefinition{}, inherited: map[string]elementFact{}}
	for i := range definitions {
		r.byName[definitions[i].Name] = &definitions[i]
	}
	// Bases first: an element is left out where its base already says the same.
	done := map[string]bool{}
	byRoot := map[string][]typeFact{}
	var visit func(name string) error
	visit = func(name string) error {
		if done[name] {
			return nil
		}
		done[name] = true
		sd, ok := r.byName[name]
		if !ok {
			return fmt.Errorf("structure %s is named as a base but not defined", name)
		}
		if base := lastSegment(sd.BaseDefinition); base != "" {
			if err := visit(base); err != nil {
				return err
			}
		}
		// Backbones inherit from these two whatever the base of their root is.
		if sd.Kind == "resource" || sd.Kind == "complex-type" && name != "Element" && name != "BackboneElement" && name != "Extension" {
			for _, base := range []string{"Element", "BackboneElement"} {
				if err := visit(base); err != nil {
					return err
				}
			}
		}
		types, err := r.read(sd)
		byRoot[name] = types
		return err
	}
	for _, sd := range definitions {
		if err := visit(sd.Name); err != nil {
			return nil, err
		}
	}
	var all []typeFact
	for _, name := range slices.Sorted(maps.Keys(byRoot)) {
		all = append(all, byRoot[name]...)
	}
	return all, nil
}

type typeReader struct {
	byName    map[string]*structureDefinition
	inherited map[string]elementFact // by path where it was defined
}

func (r *typeReader) read(sd *structureDefinition) ([]typeFact, error) {
	root := typeFact{
		name: sd.Name, kind: sd.Kind, base: lastSegment(sd.BaseDefinition),
		abstract: sd.Abstract, profile: sd.Derivation == "constraint",
	}
	types := []typeFact{root}
	index := map[string]int{sd.Type: 0}
	for i, e := range sd.Snapshot.Element {
		constraints := ownConstraints(sd, &e)
		if i == 0 {
			types[0].constraints = constraints
			continue
		}
		fact, backbone, err := r.element(sd, &e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Path, err)
		}
		fact.constraints = constraints
		parent, name := e.Path[:strings.LastIndexByte(e.Path, '.')], e.Path[strings.LastIndexByte(e.Path, '.'):]
		owner, ok := index[parent]
		if !ok {
			return nil, fmt.Errorf("%s: no type for its parent", e.Path)
		}
		if backbone != "" {
			index[e.Path] = len(types)
			types = append(types, typeFact{name: e.Path, kind: "backbone", base: backbone})
		}
		if e.Base.Path != e.Path || root.profile {
			// Inherited. Leave it out unless it was narrowed.
			was, ok := r.find(types[owner].base, name)
			if ok && fact.sameAs(was) {
				continue
			}
		}
		types[owner].elements = append(types[owner].elements, fact)
		r.inherited[types[owner].name+name] = fact
	}
	return types, nil
}

// find looks an element up along the bases of a type.
func (r *typeReader) find(typeName, element string) (elementFact, bool) {
	for typeName != "" {
		if e, ok := r.inherited[typeName+element]; ok {
			return e, true
		}
		sd := r.byName[typeName]
		if sd == nil {
			break
		}
		typeName = lastSegment(sd.BaseDefinition)
	}
	return elementFact{}, false
}

func (e elementFact) sameAs(o elementFact) bool {
	return e.min == o.min && e.max == o.max && slices.Equal(e.types, o.types) &&
		e.summary == o.summary && e.modifier == o.modifier &&
		e.bindingStrength == o.bindingStrength && e.bindingValueSet == o.bindingValueSet &&
		len(e.constraints) == 0
}

// element reads one element definition; backbone is BackboneElement or Element
// where the element's children are defined in place.
func (r *typeReader) element(sd *structureDefinition, e *elementDefinition) (fact elementFact, backbone string, err error) {
	if e.SliceName != "" {
		return fact, "", fmt.Errorf("a slice in a base definition")
	}
	fact = elementFact{
		path: e.Path, min: e.Min, max: e.Max, contentReference: e.ContentReference,
		summary: e.IsSummary, modifier: e.IsModifier,
	}
	if e.Max != "0" && e.Max != "1" && e.Max != "*" {
		return fact, "", fmt.Errorf("max %q: the tables know 0, 1 and *", e.Max)
	}
	if b := e.Binding; b != nil && (b.Strength == "required" || b.Strength == "extensible") {
		fact.bindingStrength, fact.bindingValueSet = b.Strength, withoutVersion(b.ValueSet)
	}
	for _, t := range e.Type {
		code := t.Code
		if system, ok := strings.CutPrefix(code, "http://hl7.org/fhirpath/"); ok {
			code = system
			// id, url and the like are plain attributes in XML; HL7 says their
			// FHIR type in an extension. A primitive's value keeps its FHIRPath
			// type.
			if sd.Kind == "primitive-type" && strings.HasSuffix(e.Path, ".value") {
				// R4 says System.String for these two although they specialize
				// integer, whose value is a System.Integer.
				if sd.Name == "positiveInt" || sd.Name == "unsignedInt" {
					code = "System.Integer"
				}
			} else {
				code = "string"
				for _, x := range t.Extension {
					if strings.HasSuffix(x.URL, "structuredefinition-fhir-type") {
						code = x.ValueURL
					}
				}
			}
			// R4 says string for Resource.id although https://hl7.org/fhir/R4/resource.html#id makes it an id
			// (corrected in R4B's and R5's definitions).
			if e.Base.Path == "Resource.id" {
				code = "id"
			}
		}
		if (code == "BackboneElement" || code == "Element") && !strings.HasSuffix(e.Path, "[x]") {
			backbone = code
			continue
		}
		targets, err := r.targets(t.TargetProfile)
		if err != nil {
			return fact, "", err
		}
		if len(targets) > 0 {
			code += "(" + strings.Join(targets, "|") + ")"
		}
		if len(t.Profile) == 1 {
			profile := lastSegment(t.Profile[0])
			if r.byName[profile] == nil {
				return fact, "", fmt.Errorf("type profile %s is not among the types", profile)
			}
			code += "[" + profile + "]"
		}
		fact.types = append(fact.types, code)
	}
	if (len(fact.types) == 0) == (backbone == "" && e.ContentReference == "") {
		return fact, "", fmt.Errorf("neither a type, nor children, nor a content reference, or several of them")
	}
	return fact, backbone, nil
}

func (r *typeReader) targets(profiles []string) ([]string, error) {
	var targets []string
	for _, p := range profiles {
		name := lastSegment(p)
		if sd := r.byName[name]; sd == nil || sd.Kind != "resource" {
			return nil, fmt.Errorf("reference target %s is not a resource type", p)
		}
		targets = append(targets, name)
	}
	slices.Sort(targets)
	return slices.Compact(targets), nil
}

// ownConstraints leaves out the constraints that snapshots repeat from the type
// that defines them (ele-1 on every element): they are found at that type.
func ownConstraints(sd *structureDefinition, e *elementDefinition) []constraintFact {
	var own []constraintFact
	for _, c := range e.Constraint {
		if c.Source != "" && lastSegment(c.Source) != sd.Name {
			continue
		}
		// Element itself gives ele-1 without a source on its root and again on
		// its children with one.
		if e.Path != sd.Type && (c.Key == "ele-1" || c.Key == "ext-1") {
			continue
		}
		own = append(own, constraintFact{c.Key, c.Severity, c.Expression})
	}
	return own
}
