package terminology

import (
	"context"
	"errors"
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Translation is what a ConceptMap makes of a code
// (https://hl7.org/fhir/R4/conceptmap-operation-translate.html).
type Translation struct {
	Equivalence string
	Target      Code
	// Product is what goes with the target.
	Product []Product
	// Source is the ConceptMap, by its canonical URL, or ConceptMap/id.
	Source string
}

// Product is an element and the code that it must have.
type Product struct {
	Element string
	Coding
}

// Matches reports whether it says that the target means the same or nearly so,
// rather than that there is none.
func (t Translation) Matches() bool {
	return t.Equivalence != "unmatched" && t.Equivalence != "disjoint"
}

// Translating is what $translate asks for besides codes.
type Translating struct {
	// Map is a ConceptMap by canonical URL or ConceptMap/id. Without one (and
	// without Resource) all that are held are asked that are from Source to
	// Target, where these are given.
	Map      string
	Resource rawjson.Node
	// Source and Target are value sets, TargetSystem a code system.
	Source, Target, TargetSystem string
	// Reverse goes from targets to sources.
	Reverse bool
	// Dependencies are what else is known of what is translated.
	Dependencies []Product
}

// maxMaps is how many ConceptMaps are looked at where none is named.
const maxMaps = 200

// Translate maps the first of the codes that any map lists.
func (s *Service) Translate(ctx context.Context, q Translating, codings []Coding) ([]Translation, error) {
	if len(codings) == 0 {
		return nil, fail(ErrInvalid, "There is no code to translate.")
	}
	maps, err := s.maps(ctx, q)
	elsewhere := false
	switch {
	case q.Map != "" && (s.asks(q.Map) == Always || errors.Is(err, ErrNotHeld) && s.asks(q.Map) == Unheld):
		elsewhere = true
	case err != nil:
		return nil, err
	}
	var all []Translation
	for _, c := range codings {
		if elsewhere {
			if all, err = s.translateElsewhere(ctx, q, c); err != nil {
				return nil, err
			}
		}
		for _, m := range maps {
			found, err := s.translate(ctx, m, q, c, 0)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		if len(all) == 0 && q.Map == "" && !q.Resource.Exists() && s.asks(c.System) != Never {
			if all, err = s.translateElsewhere(ctx, q, c); err != nil {
				return nil, err
			}
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, nil
}

// conceptMap is a ConceptMap and what it is called.
type conceptMap struct {
	name string
	rawjson.Node
}

// maps are the ConceptMaps that are asked.
func (s *Service) maps(ctx context.Context, q Translating) ([]conceptMap, error) {
	if q.Resource.Exists() {
		return q.between([]conceptMap{{text(q.Resource, "url"), q.Resource}}), nil
	}
	if q.Map != "" {
		m, err := s.Resource(ctx, "ConceptMap", q.Map)
		if err != nil {
			return nil, err
		}
		return q.between([]conceptMap{{q.Map, m}}), nil
	}
	bodies, err := s.o.Reader.Maps(ctx, maxMaps+1)
	if err != nil {
		return nil, err
	}
	if len(bodies) > maxMaps {
		return nil, fail(ErrTooCostly, "More than %d concept maps are held; say which is meant by url.", maxMaps)
	}
	var all []conceptMap
	for _, b := range bodies {
		doc, err := rawjson.Parse(b, nil)
		if err != nil {
			return nil, err
		}
		m := conceptMap{text(doc.Root(), "url"), doc.Root()}
		if m.name == "" {
			m.name = "ConceptMap/" + text(doc.Root(), "id")
		}
		if text(m.Node, "status") != "retired" {
			all = append(all, m)
		}
	}
	return q.between(all), nil
}

// between are the maps from and to the value sets that are wanted.
func (q Translating) between(maps []conceptMap) []conceptMap {
	from, to := q.Source, q.Target
	if q.Reverse {
		from, to = to, from
	}
	return slices.DeleteFunc(maps, func(m conceptMap) bool { return !m.is("source", from) || !m.is("target", to) })
}

// is tells whether a map is from or to a value set, with or without |version.
func (m conceptMap) is(end, valueSet string) bool {
	if valueSet == "" {
		return true
	}
	for _, member := range []string{end + "Uri", end + "Canonical"} {
		said := text(m.Node, member)
		url, _ := canonical(said)
		if said == valueSet || url == valueSet {
			return true
		}
	}
	return false
}

// translate is what one map says of a code, so many maps after the first.
func (s *Service) translate(ctx context.Context, m conceptMap, q Translating, c Coding, depth int) ([]Translation, error) {
	if depth == maxImports {
		return nil, fail(ErrInvalid, "The concept map %s leads to itself, or through too many others.", m.name)
	}
	var all []Translation
	for group := range elements(m.Node, "group") {
		from, to := "source", "target"
		if q.Reverse {
			from, to = to, from
		}
		if text(group, from) != c.System || q.TargetSystem != "" && text(group, to) != q.TargetSystem {
			continue
		}
		if v := text(group, from+"Version"); c.Version != "" && v != "" && v != c.Version {
			continue
		}
		if q.Reverse {
			all = append(all, m.backwards(group, c)...)
			continue
		}
		found, listed := m.forwards(group, q, c)
		all = append(all, found...)
		if unmapped, ok := group.Member("unmapped"); ok && !listed {
			more, err := s.unmapped(ctx, m, unmapped, q, c, text(group, "target"), depth)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	return all, nil
}

// forwards are the targets of a code in a group; listed says that the group
// has the code.
func (m conceptMap) forwards(group rawjson.Node, q Translating, c Coding) (all []Translation, listed bool) {
	for el := range elements(group, "element") {
		if text(el, "code") != c.Code {
			continue
		}
		listed = true
		for t := range elements(el, "target") {
			if !depends(t, q.Dependencies) {
				continue
			}
			all = append(all, Translation{
				Equivalence: text(t, "equivalence"), Source: m.name, Product: products(t, "product"),
				Target: Code{System: text(group, "target"), Version: text(group, "targetVersion"), Code: text(t, "code"), Display: text(t, "display")},
			})
		}
	}
	return all, listed
}

// products are ConceptMap.group.element.target.product or dependsOn.
func products(target rawjson.Node, member string) []Product {
	var all []Product
	for p := range elements(target, member) {
		all = append(all, Product{text(p, "property"), Coding{System: text(p, "system"), Code: text(p, "value"), Display: text(p, "display")}})
	}
	return all
}

// depends tells whether all that a target depends on is given.
func depends(target rawjson.Node, given []Product) bool {
	for _, d := range products(target, "dependsOn") {
		if !slices.ContainsFunc(given, func(g Product) bool {
			return g.Element == d.Element && g.Code == d.Code && (d.System == "" || g.System == d.System)
		}) {
			return false
		}
	}
	return true
}

// backwards are the sources that a group maps to a code. What is wider one way
// is narrower the other.
func (m conceptMap) backwards(group rawjson.Node, c Coding) []Translation {
	var all []Translation
	for el := range elements(group, "element") {
		for t := range elements(el, "target") {
			if text(t, "code") != c.Code {
				continue
			}
			all = append(all, Translation{
				Equivalence: inverse(text(t, "equivalence")), Source: m.name,
				Target: Code{System: text(group, "source"), Version: text(group, "sourceVersion"), Code: text(el, "code"), Display: text(el, "display")},
			})
		}
	}
	return all
}

// inverse is the equivalence of a map that is read backwards
// (http://hl7.org/fhir/concept-map-equivalence).
func inverse(equivalence string) string {
	switch equivalence {
	case "wider":
		return "narrower"
	case "narrower":
		return "wider"
	case "subsumes":
		return "specializes"
	case "specializes":
		return "subsumes"
	}
	return equivalence
}

// unmapped is what a group says of codes that it does not list.
func (s *Service) unmapped(ctx context.Context, m conceptMap, n rawjson.Node, q Translating, c Coding, to string, depth int) ([]Translation, error) {
	switch text(n, "mode") {
	case "provided":
		return []Translation{{Equivalence: "inexact", Target: Code{System: to, Code: c.Code}, Source: m.name}}, nil
	case "fixed":
		return []Translation{{Equivalence: "inexact", Target: Code{System: to, Code: text(n, "code"), Display: text(n, "display")}, Source: m.name}}, nil
	case "other-map":
		url := text(n, "url")
		other, err := s.Resource(ctx, "ConceptMap", url)
		q.Map, q.TargetSystem = url, to
		if errors.Is(err, ErrNotHeld) && s.asks(url) != Never {
			return s.translateElsewhere(ctx, q, c)
		}
		if err != nil {
			return nil, err
		}
		return s.translate(ctx, conceptMap{url, other}, q, c, depth+1)
	}
	return nil, fail(ErrInvalid, "The ConceptMap %s has an unmapped mode that R4 does not have.", m.name)
}
