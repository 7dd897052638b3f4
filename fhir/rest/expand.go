package rest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
)

// expansionTakes are the parameters of $expand.
var expansionTakes = map[string]takes{
	"url": takesOne, "valueSetVersion": takesOne, "valueSet": takesResource, "filter": takesOne, "offset": takesOne, "count": takesOne,
	"activeOnly": takesOne, "includeDesignations": takesOne, "designation": takesMany, "includeDefinition": takesOne,
	"excludeNested": takesOne, "excludeNotForUI": takesOne, "excludePostCoordinated": takesOne, "displayLanguage": takesOne,
	"exclude-system": takesMany, "system-version": takesMany, "check-system-version": takesMany, "force-system-version": takesMany,
}

// expand: ValueSet/$expand
// (https://hl7.org/fhir/R4/valueset-operation-expand.html). filter is part of
// a display or a code, without regard to case. Expansions are flat and have no
// post-coordinated codes, whatever excludeNested and excludePostCoordinated say.
func (a *API) expand(r *request) error {
	q, err := a.asks(r, expansionTakes)
	if err != nil {
		return err
	}
	e, err := readExpanding(r, q)
	if err != nil {
		return err
	}
	service := a.o.Repository.Terminology(r.tenant)
	x, err := service.ExpandBy(r.Request.Context(), e.of, e.versions)
	if err != nil {
		return err
	}
	definition := e.of.Resource
	if !definition.Exists() {
		definition, err = service.Resource(r.Request.Context(), "ValueSet", e.of.Canonical)
		if err != nil && !errors.Is(err, terminology.ErrNotHeld) {
			return err
		}
	}
	set, err := e.head(definition)
	if err != nil {
		return err
	}
	set["expansion"] = e.expansion(x, a.o.Now())
	return a.answer(r, set)
}

// expanding is what $expand is asked for.
type expanding struct {
	q        asked
	of       terminology.ValueSet
	versions terminology.Versions
	offset   int
	count    int // -1 for all

	activeOnly, designations, definition, selectable bool
}

func readExpanding(r *request, q asked) (e expanding, err error) {
	e.q = q
	if e.of.Canonical, e.of.Resource, err = q.subject(r, false, "valueSetVersion", "valueSet"); err != nil {
		return e, err
	}
	if e.offset, err = q.whole("offset", 0); err != nil {
		return e, err
	}
	if e.count, err = q.whole("count", -1); err != nil {
		return e, err
	}
	var nested, composed bool
	for name, to := range map[string]*bool{
		"activeOnly": &e.activeOnly, "includeDesignations": &e.designations, "includeDefinition": &e.definition,
		"excludeNotForUI": &e.selectable, "excludeNested": &nested, "excludePostCoordinated": &composed,
	} {
		if *to, err = q.flag(name); err != nil {
			return e, err
		}
	}
	for name, to := range map[string]*map[string]string{
		"system-version": &e.versions.Default, "check-system-version": &e.versions.Check, "force-system-version": &e.versions.Force,
	} {
		*to = map[string]string{}
		for _, v := range q.texts[name] {
			url, version, ok := strings.Cut(v, "|")
			if !ok || url == "" || version == "" {
				return e, outcome.BadRequest(outcome.CodeValue, "The value of %s must be system|version.", name)
			}
			(*to)[url] = version
		}
	}
	return e, nil
}

// head is the ValueSet around an expansion: what says which it is, or, with
// includeDefinition, all of it.
func (e expanding) head(definition rawjson.Node) (fields, error) {
	set := fields{}
	if definition.Exists() {
		if err := json.Unmarshal(definition.Raw(), &set); err != nil {
			return nil, err
		}
	}
	if !e.definition {
		for name := range set {
			if !slices.Contains([]string{"url", "version", "name", "title", "status", "experimental"}, name) {
				delete(set, name)
			}
		}
	}
	set["resourceType"] = "ValueSet"
	if set["url"] == nil && e.q.text("url") != "" {
		set["url"] = e.q.text("url")
	}
	if set["status"] == nil {
		set["status"] = "active"
	}
	return set, nil
}

// expansion is the page that is asked for.
func (e expanding) expansion(x terminology.Expansion, now time.Time) fields {
	language := e.q.text("displayLanguage")
	filter := strings.ToLower(e.q.text("filter"))
	codes := slices.Clone(x.Codes)
	for i := range codes {
		codes[i].Display = codes[i].DisplayIn(language)
	}
	codes = slices.DeleteFunc(codes, func(c terminology.Code) bool {
		return e.activeOnly && c.Inactive || e.selectable && c.Abstract || e.excludes(c) ||
			!strings.Contains(strings.ToLower(c.Display), filter) && !strings.Contains(strings.ToLower(c.Code), filter)
	})
	f := fields{"timestamp": now.UTC().Format(time.RFC3339), "total": len(codes)}
	if e.q.text("offset") != "" || e.count >= 0 {
		f["offset"] = e.offset
	}
	codes = codes[min(e.offset, len(codes)):]
	if e.count >= 0 {
		codes = codes[:min(e.count, len(codes))]
	}
	var contains []fields
	for _, c := range codes {
		contains = append(contains, e.contained(c))
	}
	if len(contains) > 0 {
		f["contains"] = contains
	}
	if used := e.used(x); len(used) > 0 {
		f["parameter"] = used
	}
	return f
}

// excludes tells whether exclude-system names the code's system.
func (e expanding) excludes(c terminology.Code) bool {
	return slices.ContainsFunc(e.q.texts["exclude-system"], func(v string) bool {
		url, version, _ := strings.Cut(v, "|")
		return url == c.System && (version == "" || version == c.Version)
	})
}

// contained is a code as ValueSet.expansion.contains.
func (e expanding) contained(c terminology.Code) fields {
	f := coded(c)
	if c.Abstract {
		f["abstract"] = true
	}
	if c.Inactive {
		f["inactive"] = true
	}
	var all []fields
	for _, d := range c.Designations {
		if e.wants(d) {
			all = append(all, designated(d))
		}
	}
	if len(all) > 0 {
		f["designation"] = all
	}
	return f
}

// wants: includeDesignations asks for all, designation for those of a language
// (urn:ietf:bcp:47|de) or of a use (system|code).
func (e expanding) wants(d terminology.Designation) bool {
	wanted := e.q.texts["designation"]
	if len(wanted) == 0 {
		return e.designations
	}
	return slices.ContainsFunc(wanted, func(w string) bool {
		system, code, _ := strings.Cut(w, "|")
		return system == "urn:ietf:bcp:47" && strings.EqualFold(code, d.Language) || system == d.Use.System && code == d.Use.Code
	})
}

// designated is a designation as ValueSet has it.
func designated(d terminology.Designation) fields {
	f := fields{"value": d.Value}
	f.set("language", d.Language)
	if d.Use.Code != "" {
		f["use"] = codingFields(d.Use)
	}
	return f
}

func codingFields(c terminology.Coding) fields {
	return coded(terminology.Code{System: c.System, Version: c.Version, Code: c.Code, Display: c.Display})
}

// used are the parameters that the expansion was made by, and the versions of
// code systems that it was made of.
func (e expanding) used(x terminology.Expansion) []fields {
	var all []fields
	for _, name := range []string{"filter", "displayLanguage", "designation"} {
		for _, v := range e.q.texts[name] {
			all = append(all, fields{"name": name, "valueString": v})
		}
	}
	for _, name := range []string{"offset", "count"} {
		if e.q.text(name) != "" {
			all = append(all, fields{"name": name, "valueInteger": json.Number(e.q.text(name))})
		}
	}
	for _, name := range []string{"activeOnly", "includeDesignations", "includeDefinition", "excludeNested", "excludeNotForUI", "excludePostCoordinated"} {
		if v := e.q.text(name); v != "" {
			all = append(all, fields{"name": name, "valueBoolean": v == "true"})
		}
	}
	for _, name := range []string{"exclude-system", "system-version", "check-system-version", "force-system-version"} {
		for _, v := range e.q.texts[name] {
			all = append(all, fields{"name": name, "valueUri": v})
		}
	}
	for _, v := range x.Used {
		all = append(all, fields{"name": "version", "valueUri": v})
	}
	return all
}
