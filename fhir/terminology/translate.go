package terminology

import (
	"context"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Translation is what a ConceptMap makes of a code
// (https://hl7.org/fhir/R4/conceptmap-operation-translate.html).
type Translation struct {
	Equivalence string
	Target      Code
	// Source is the ConceptMap.
	Source string
}

// Matches reports whether it says that the target means the same or nearly so,
// rather than that there is none.
func (t Translation) Matches() bool {
	return t.Equivalence != "unmatched" && t.Equivalence != "disjoint"
}

// Translate maps a code by a ConceptMap: by canonical URL or ConceptMap/id. With
// a target, only codes of that system are wanted.
func (s *Service) Translate(ctx context.Context, conceptMap, system, code, target string) ([]Translation, error) {
	return s.translate(ctx, conceptMap, system, code, target, 0)
}

// translate is Translate, so many maps after the first.
func (s *Service) translate(ctx context.Context, conceptMap, system, code, target string, depth int) ([]Translation, error) {
	if depth == maxImports {
		return nil, fail(ErrInvalid, "The concept map %s leads to itself, or through too many others.", conceptMap)
	}
	url, version := canonical(conceptMap)
	read := s.o.Reader.Canonical
	if id, relative := strings.CutPrefix(conceptMap, "ConceptMap/"); relative {
		read = func(ctx context.Context, typ, _, _ string) ([]byte, bool, error) {
			return s.o.Reader.Resource(ctx, typ, id)
		}
	}
	body, ok, err := read(ctx, "ConceptMap", url, version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notHeld("concept map", url, version)
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return nil, fail(ErrInvalid, "The ConceptMap %s is not JSON.", url)
	}
	var all []Translation
	for group := range elements(doc.Root(), "group") {
		to := text(group, "target")
		if source := text(group, "source"); source != system || target != "" && to != target {
			continue
		}
		found := false
		for el := range elements(group, "element") {
			if text(el, "code") != code {
				continue
			}
			found = true
			for t := range elements(el, "target") {
				all = append(all, Translation{
					Equivalence: text(t, "equivalence"), Source: conceptMap,
					Target: Code{System: to, Version: text(group, "targetVersion"), Code: text(t, "code"), Display: text(t, "display")},
				})
			}
		}
		if unmapped, ok := group.Member("unmapped"); ok && !found {
			more, err := s.unmapped(ctx, conceptMap, unmapped, Code{System: system, Code: code}, to, depth)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	return all, nil
}

// unmapped is what a group says of codes that it does not list.
func (s *Service) unmapped(ctx context.Context, conceptMap string, n rawjson.Node, from Code, to string, depth int) ([]Translation, error) {
	switch text(n, "mode") {
	case "provided":
		return []Translation{{"inexact", Code{System: to, Code: from.Code}, conceptMap}}, nil
	case "fixed":
		return []Translation{{"inexact", Code{System: to, Code: text(n, "code"), Display: text(n, "display")}, conceptMap}}, nil
	case "other-map":
		return s.translate(ctx, text(n, "url"), from.System, from.Code, to, depth+1)
	}
	return nil, fail(ErrInvalid, "The ConceptMap %s has an unmapped mode that R4 does not have.", conceptMap)
}
