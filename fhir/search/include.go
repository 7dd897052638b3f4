package search

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Include is an _include or _revinclude (R4 search, including other resources).
type Include struct {
	// Source is the type that holds the reference; "" for any.
	Source string
	// Param is the reference's parameter; nil for any.
	Param *conformance.SearchParameter
	// Target, when set, is the only type of target wanted.
	Target string
	// Iterate applies it to what was included, too.
	Iterate bool
}

// IncludeAll are the includes of all that is referred to, of these types; of
// any when there are none.
func IncludeAll(types []string) []Include {
	if len(types) == 0 {
		return []Include{{}}
	}
	var all []Include
	for _, t := range types {
		all = append(all, Include{Target: t})
	}
	return all
}

// maxIncludes is the most _include and _revinclude of a search.
const maxIncludes = 50

// include reads "Type:parameter", "Type:parameter:TargetType", "Type:*" or,
// for _include, "*".
func (p *parser) include(name, value string, iterate bool) error {
	d := p.o.Base.Definitions
	if len(p.r.Include)+len(p.r.Revinclude) == maxIncludes {
		return outcome.BadRequest(outcome.CodeTooCostly, "The search has more than %d _include and _revinclude.", maxIncludes)
	}
	inc := Include{Iterate: iterate}
	parts := strings.Split(value, ":")
	switch {
	case value == "*" && name == "_include":
		p.r.Include = append(p.r.Include, inc)
		return nil
	case value == "*":
		return outcome.BadRequest(outcome.CodeNotSupported, "_revinclude must name a type: Observation:* or Observation:subject.")
	case len(parts) < 2 || len(parts) > 3:
		return outcome.BadRequest(outcome.CodeValue, "The value of %s must be Type:parameter or Type:parameter:TargetType.", name)
	}
	inc.Source = parts[0]
	if !d.IsResourceType(inc.Source) {
		return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a resource type.", name, printable(inc.Source))
	}
	if parts[1] != "*" {
		var ok bool
		if inc.Param, ok = d.SearchParameter(inc.Source, parts[1]); !ok {
			return p.unknown(inc.Source, name, parts[1])
		}
		if inc.Param.Type != conformance.SearchReference {
			return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a reference parameter of %s.", name, inc.Param.Code, inc.Source)
		}
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if !d.IsResourceType(inc.Target) {
			return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a resource type.", name, printable(inc.Target))
		}
	}
	if name == "_include" {
		// Only an iterating include can apply to another type than the matches'.
		if !p.searches(inc.Source) && !iterate {
			return outcome.BadRequest(outcome.CodeValue, "_include names %s, but the search is for %s. For what is included by another _include, use _include:iterate.", inc.Source, p.searched())
		}
		p.r.Include = append(p.r.Include, inc)
		return nil
	}
	if !iterate {
		if inc.Param != nil && !slices.ContainsFunc(p.targets(inc.Param), p.searches) || inc.Target != "" && !p.searches(inc.Target) {
			return outcome.BadRequest(outcome.CodeValue, "_revinclude: %s of %s does not refer to %s.", printable(parts[1]), inc.Source, p.searched())
		}
	}
	p.r.Revinclude = append(p.r.Revinclude, inc)
	return nil
}

// searches reports whether the search is for a type, perhaps among others.
func (p *parser) searches(typ string) bool {
	return slices.ContainsFunc(p.branches, func(b *branch) bool { return b.typ == typ })
}

// searched words the types that the search is for.
func (p *parser) searched() string {
	if len(p.branches) > 5 {
		return "other types"
	}
	var names []string
	for _, b := range p.branches {
		names = append(names, b.typ)
	}
	return strings.Join(names, ", ")
}

// Canonical is a canonical reference to a resource of a type.
type Canonical struct{ Type, URL, Version string }

// Target is a resource that may be referred to, by its name and, if it has
// one, by its canonical URL.
type Target struct {
	Ref          store.Ref
	URL, Version string
}

// Target is what a resource may be referred to by.
func (x *Index) Target(ref store.Ref, resource rawjson.Node) Target {
	t := Target{Ref: ref}
	if _, ok := x.definitions.SearchParameter(ref.Type, "url"); ok {
		t.URL, t.Version = member(resource, "url"), member(resource, "version")
	}
	return t
}

// ReferringTo selects the resources that an Include would bring along in
// reverse for these; an empty Or when there can be none.
func (x *Index) ReferringTo(inc Include, targets []Target) store.Clause {
	number, _ := x.definitions.TypeNumber(inc.Source)
	params := []*conformance.SearchParameter{inc.Param}
	if inc.Param == nil {
		params = x.referenceParameters(inc.Source)
	}
	any := store.Or{}
	for _, sp := range params {
		byURL := formKey(number, sp.Number, formURL)
		for _, t := range targets {
			if inc.Target != "" && inc.Target != t.Ref.Type {
				continue
			}
			any = append(any, store.Exactly(formKey(number, sp.Number, formReference)+t.Ref.String()))
			if t.URL == "" {
				continue
			}
			// A reference without a version is to any; one with a version has
			// a key without it, too, which must not count.
			any = append(any, store.And{
				store.Exactly(byURL + bounded(t.URL)),
				store.Not{Clause: store.Prefix(byURL + cut(t.URL+"|"))},
			})
			if t.Version != "" {
				any = append(any, store.Exactly(byURL+bounded(t.URL+"|"+t.Version)))
			}
		}
	}
	return any
}

// Named selects the resources that canonical references name.
func (x *Index) Named(canonicals []Canonical) store.Clause {
	any := store.Or{}
	for _, c := range canonicals {
		number, _ := x.definitions.TypeNumber(c.Type)
		url, ok := x.definitions.SearchParameter(c.Type, "url")
		if !ok {
			continue
		}
		clause := store.Clause(store.Exactly(formKey(number, url.Number, formURL) + bounded(c.URL)))
		if c.Version != "" {
			version, ok := x.definitions.SearchParameter(c.Type, "version")
			if !ok {
				continue
			}
			clause = store.And{clause, store.Exactly(formKey(number, version.Number, formCode) + bounded(strings.ToLower(c.Version)))}
		}
		any = append(any, clause)
	}
	return any
}

func (x *Index) referenceParameters(typ string) []*conformance.SearchParameter {
	var all []*conformance.SearchParameter
	for _, sp := range x.definitions.SearchParameters(typ) {
		if sp.Type == conformance.SearchReference && Supported(sp) {
			all = append(all, sp)
		}
	}
	return all
}

// References are what an Include selects in a resource: local references and
// canonical ones.
func (x *Index) References(inc Include, typ string, resource rawjson.Node, base Base) (refs []store.Ref, canonicals []Canonical, err error) {
	if inc.Source != "" && inc.Source != typ {
		return nil, nil, nil
	}
	t, err := x.of(typ)
	if err != nil {
		return nil, nil, err
	}
	root, ok := fhirpath.NewResource(x.model, resource)
	if !ok {
		return nil, nil, errNotResource
	}
	ex := x.extractors.Get().(*extractor)
	defer x.release(ex, resource)
	ex.limits(resource)
	for _, p := range t.parameters {
		if p.sp.Type != conformance.SearchReference || inc.Param != nil && p.sp.Number != inc.Param.Number {
			continue
		}
		if ex.values, err = p.expression.AppendTo(ex.values[:0], &ex.ctx, root); err != nil {
			return nil, nil, extraction(typ, p.sp, err)
		}
		for _, v := range ex.values {
			literal, canonical := member(v.Node(), "reference"), false
			if v.TypeName() != "Reference" {
				literal, canonical = v.Node().String(), true
			}
			ref, local := base.Local(literal)
			switch {
			case local && (inc.Target == "" || inc.Target == ref.Type):
				refs = append(refs, ref)
			case !local && canonical && literal != "" && literal[0] != '#':
				canonicals = append(canonicals, x.canonicals(p.sp, inc.Target, literal)...)
			}
		}
	}
	return refs, canonicals, nil
}

// canonicals are what a canonical reference may name: a resource of any of
// the parameter's types that have URLs.
func (x *Index) canonicals(sp *conformance.SearchParameter, target, literal string) []Canonical {
	literal, _, _ = strings.Cut(literal, "#")
	url, version, _ := strings.Cut(literal, "|")
	types := sp.Targets
	if len(types) == 0 || slices.Contains(types, "Resource") {
		types = x.definitions.ResourceTypes()
	}
	var all []Canonical
	for _, t := range types {
		if _, ok := x.definitions.SearchParameter(t, "url"); ok && (target == "" || target == t) {
			all = append(all, Canonical{t, url, version})
		}
	}
	return all
}
