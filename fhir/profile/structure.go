package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
)

// The bounds of one StructureDefinition.
const (
	// MaxElements is the most elements of a snapshot.
	MaxElements = 5000
	// maxID is the length of an element's id in bytes.
	maxID = 2000
)

// Error is why a StructureDefinition cannot be used.
type Error struct {
	// URL is the definition's, Element the id of the element at fault, "" for
	// the definition as a whole.
	URL, Element string
	// Rule is what it breaks.
	Rule string
}

func (e *Error) Error() string {
	at := "StructureDefinition " + shorten(e.URL)
	if e.Element != "" {
		at += ", element " + shorten(e.Element)
	}
	return at + ": " + e.Rule
}

// maxName is how much of a name or URL a text holds.
const maxName = 200

func shorten(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "") + "…"
}

// Structure is a StructureDefinition that constrains a type
// (https://hl7.org/fhir/R4/profiling.html), reduced to what R4's own
// definition of the type does not say already. It does not change.
type Structure struct {
	URL, Version string
	// Type is the type that it constrains: Patient, Extension.
	Type string
	// Base is the canonical URL of what it is derived from.
	Base string
	// Extension is set if it defines an extension.
	Extension *validate.Extension
	// MustSupport are the ids of the elements that are flagged so, in order
	// (https://hl7.org/fhir/R4/conformance-rules.html#mustSupport).
	MustSupport []string

	elements []*element
	root     *node
}

// Canonical is url|version, or the URL alone.
func (s *Structure) Canonical() string {
	if s.Version == "" {
		return s.URL
	}
	return s.URL + "|" + s.Version
}

// unset stands for a number that a definition does not give.
const unset = -2

// unbounded is max *.
const unbounded = -1

// element is what an ElementDefinition says
// (https://hl7.org/fhir/R4/elementdefinition.html).
type element struct {
	// id is the element's without the type before it: "", "name",
	// "extension:race.url".
	id                                 string
	min, max                           int
	types                              []typeRef
	content                            string // contentReference without #
	slicing                            *slicing
	fixed, pattern, minValue, maxValue *literal
	maxLength                          int
	binding                            *binding
	constraints                        []constraint
	mustSupport, modifier              bool
}

type typeRef struct {
	code              string
	profiles, targets []string
}

type slicing struct {
	discriminators []discriminator
	rules          string // open, closed or openAtEnd
	ordered        bool
}

type discriminator struct{ kind, path string }

type binding struct {
	strength, valueSet string
	// max is the value set of the extension elementdefinition-maxValueSet.
	max string
}

type constraint struct{ key, severity, expression string }

const coreDefinition = "http://hl7.org/fhir/StructureDefinition/"

// Core is the type that a canonical URL of R4's own definitions of types is of:
// what package conformance checks, with nothing more to be said here.
func Core(url string) (typ string, ok bool) {
	url, version, _ := strings.Cut(url, "|")
	name, ok := strings.CutPrefix(url, coreDefinition)
	if !ok || version != "" && version != conformance.R4().Release() {
		return "", false
	}
	t, ok := conformance.R4().Type(name)
	if !ok || t.Kind == conformance.KindBackbone || t.Profile {
		return "", false
	}
	return name, true
}

// Parse reads a StructureDefinition and compiles it. base finds the profiles
// that it is derived from; it is asked only when the definition has no
// snapshot, and returns nil for what is not held. The error is an *Error, or
// base's.
//
// Nothing of the resource is kept. Definitions of types (derivation
// specialization) and logical models are refused: they constrain nothing of R4.
func Parse(resource rawjson.Node, base func(canonical string) (*Structure, error)) (*Structure, error) {
	s := &Structure{
		URL: text(resource, "url"), Version: text(resource, "version"), Type: text(resource, "type"),
		Base: text(resource, "baseDefinition"),
	}
	fail := func(rule string) (*Structure, error) { return nil, &Error{URL: s.URL, Rule: rule} }
	t, known := conformance.R4().Type(s.Type)
	switch {
	case text(resource, "resourceType") != "StructureDefinition":
		return fail("it must be a StructureDefinition")
	case s.URL == "":
		return fail("it must have a url")
	case text(resource, "derivation") != "constraint":
		return fail("derivation must be constraint: only profiles and extensions can be used")
	case !known || t.Kind == conformance.KindBackbone || t.Profile:
		return fail("type must be the name of a type of R4")
	}
	var err error
	if snapshot, ok := resource.Member("snapshot"); ok {
		s.elements, err = s.readElements(snapshot)
	} else {
		err = s.derive(resource, base)
	}
	if err != nil {
		return nil, err
	}
	s.Extension, _ = validate.ParseExtension(resource)
	for _, e := range s.elements {
		if e.mustSupport {
			s.MustSupport = append(s.MustSupport, joinID(s.Type, e.id))
		}
	}
	if err := s.compile(); err != nil {
		return nil, err
	}
	return s, nil
}

func joinID(typ, id string) string {
	if id == "" {
		return typ
	}
	return typ + "." + id
}

func text(n rawjson.Node, member string) string {
	m, ok := n.Member(member)
	if !ok || m.Kind() != rawjson.KindString {
		return ""
	}
	return strings.Clone(m.String())
}

func isTrue(n rawjson.Node, member string) bool {
	m, _ := n.Member(member)
	return m.Kind() == rawjson.KindTrue
}

func stringsOf(n rawjson.Node, member string) []string {
	m, _ := n.Member(member)
	var all []string
	for item := range m.Elements() {
		if item.Kind() == rawjson.KindString {
			all = append(all, strings.Clone(item.String()))
		}
	}
	return all
}

// readElements reads the elements of a snapshot or differential.
func (s *Structure) readElements(view rawjson.Node) ([]*element, error) {
	list, _ := view.Member("element")
	if list.Len() > MaxElements {
		return nil, &Error{URL: s.URL, Rule: "it has more than " + strconv.Itoa(MaxElements) + " elements"}
	}
	elements := make([]*element, 0, list.Len())
	ids := map[string]string{} // of paths: the last element of each
	for n := range list.Elements() {
		id, err := s.elementID(n, ids)
		if err != nil {
			return nil, err
		}
		e, rule := readElement(n)
		if rule != "" {
			return nil, &Error{URL: s.URL, Element: joinID(s.Type, id), Rule: rule}
		}
		e.id = id
		elements = append(elements, e)
	}
	if len(elements) == 0 {
		return nil, &Error{URL: s.URL, Rule: "it has no elements"}
	}
	return elements, nil
}

// elementID is an element's id, or is made of its path and slice name where it
// has none: an element belongs to the last one before it that has its path's
// parent.
func (s *Structure) elementID(n rawjson.Node, ids map[string]string) (string, error) {
	path, id, slice := text(n, "path"), text(n, "id"), text(n, "sliceName")
	if len(id) > maxID || len(path) > maxID {
		return "", &Error{URL: s.URL, Element: path, Rule: "its id or path is longer than " + strconv.Itoa(maxID) + " bytes"}
	}
	if path == s.Type {
		return "", nil
	}
	rest, ok := strings.CutPrefix(path, s.Type+".")
	if !ok || rest == "" {
		return "", &Error{URL: s.URL, Element: path, Rule: "its path must begin with the type " + s.Type}
	}
	own, ok := strings.CutPrefix(id, s.Type+".")
	if !ok || withoutSlices(own) != rest || slice != "" && !strings.HasSuffix(own, ":"+slice) {
		dot := strings.LastIndexByte(rest, '.')
		own = rest[dot+1:]
		if dot >= 0 {
			parent, ok := ids[rest[:dot]]
			if !ok {
				parent = rest[:dot]
			}
			own = parent + "." + own
		}
		if slice != "" {
			own += ":" + strings.ReplaceAll(slice, ".", "_")
		}
	}
	ids[rest] = own
	return own, nil
}

// withoutSlices takes the names of slices from an id.
func withoutSlices(id string) string {
	if strings.IndexByte(id, ':') < 0 {
		return id
	}
	steps := strings.Split(id, ".")
	for i, step := range steps {
		steps[i], _, _ = strings.Cut(step, ":")
	}
	return strings.Join(steps, ".")
}

// readElement reads one ElementDefinition; rule is what it breaks.
func readElement(n rawjson.Node) (e *element, rule string) {
	e = &element{min: unset, max: unset, mustSupport: isTrue(n, "mustSupport"), modifier: isTrue(n, "isModifier")}
	if m, ok := n.Member("min"); ok {
		v, err := strconv.ParseUint(m.String(), 10, 31)
		if err != nil {
			return nil, "min must be a whole number"
		}
		e.min = int(v)
	}
	switch max := text(n, "max"); max {
	case "":
	case "*":
		e.max = unbounded
	default:
		v, err := strconv.ParseUint(max, 10, 31)
		if err != nil {
			return nil, "max must be a whole number or *"
		}
		e.max = int(v)
	}
	if e.max >= 0 && e.min > e.max {
		return nil, "min must not be greater than max"
	}
	if m, ok := n.Member("maxLength"); ok {
		v, err := strconv.ParseUint(m.String(), 10, 31)
		if err != nil || v == 0 {
			return nil, "maxLength must be a whole number above 0"
		}
		e.maxLength = int(v)
	}
	e.content = text(n, "contentReference")
	e.content = e.content[strings.IndexByte(e.content, '#')+1:]
	list, _ := n.Member("type")
	for t := range list.Elements() {
		e.types = append(e.types, typeRef{typeCode(t), stringsOf(t, "profile"), stringsOf(t, "targetProfile")})
	}
	if rule = e.readSlicing(n); rule != "" {
		return nil, rule
	}
	if rule = e.readLiterals(n); rule != "" {
		return nil, rule
	}
	if b, ok := n.Member("binding"); ok {
		e.binding = &binding{strength: text(b, "strength"), valueSet: text(b, "valueSet")}
		extensions, _ := b.Member("extension")
		for x := range extensions.Elements() {
			if text(x, "url") == coreDefinition+"elementdefinition-maxValueSet" {
				e.binding.max = text(x, "valueCanonical")
			}
		}
		if e.binding.valueSet == "" {
			e.binding = nil
		}
	}
	list, _ = n.Member("constraint")
	for c := range list.Elements() {
		if name, ok := Core(text(c, "source")); ok && name != "" {
			continue // R4's own, which package validate evaluates
		}
		e.constraints = append(e.constraints, constraint{text(c, "key"), text(c, "severity"), text(c, "expression")})
	}
	return e, ""
}

// typeCode is the name of a type; R4 gives FHIRPath's System types where the
// extension has FHIR's.
func typeCode(t rawjson.Node) string {
	code := text(t, "code")
	if !strings.HasPrefix(code, "http://hl7.org/fhirpath/") {
		return code
	}
	extensions, _ := t.Member("extension")
	for x := range extensions.Elements() {
		if strings.HasSuffix(text(x, "url"), "structuredefinition-fhir-type") {
			return text(x, "valueUrl")
		}
	}
	return ""
}

func (e *element) readSlicing(n rawjson.Node) (rule string) {
	m, ok := n.Member("slicing")
	if !ok {
		return ""
	}
	e.slicing = &slicing{rules: text(m, "rules"), ordered: isTrue(m, "ordered")}
	if !slices.Contains([]string{"open", "closed", "openAtEnd"}, e.slicing.rules) {
		return "slicing.rules must be open, closed or openAtEnd"
	}
	list, _ := m.Member("discriminator")
	for d := range list.Elements() {
		kind, path := text(d, "type"), text(d, "path")
		if !slices.Contains([]string{"value", "exists", "pattern", "type", "profile"}, kind) {
			return "slicing.discriminator.type must be value, exists, pattern, type or profile"
		}
		if path == "" {
			return "slicing.discriminator.path is missing"
		}
		e.slicing.discriminators = append(e.slicing.discriminators, discriminator{kind, path})
	}
	return ""
}

func (e *element) readLiterals(n rawjson.Node) (rule string) {
	for m := range n.Members() {
		name := m.Name()
		for prefix, into := range map[string]**literal{"fixed": &e.fixed, "pattern": &e.pattern, "minValue": &e.minValue, "maxValue": &e.maxValue} {
			typ, ok := strings.CutPrefix(name, prefix)
			if !ok || typ == "" || typ[0] < 'A' || typ[0] > 'Z' {
				continue
			}
			l, err := newLiteral(typ, m)
			if err != nil {
				return fmt.Sprintf("%s cannot be read", prefix)
			}
			*into = l
		}
	}
	return ""
}
