package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// The terminology operations (https://hl7.org/fhir/R4/terminology-service.html)
// take the value set, code system or map by its canonical URL or as the
// instance, and a code by system and code.

// asked are the parameters of an operation, by name.
type asked map[string]string

// asks reads the parameters; those not listed are refused by name.
func (a *API) asks(r *request, names ...string) (asked, error) {
	given, err := a.operationParameters(r)
	if err != nil {
		return nil, err
	}
	all := asked{}
	for _, p := range given {
		if !slices.Contains(names, p.Name) {
			return nil, outcome.BadRequest(outcome.CodeNotSupported, "The operation has no parameter %s here; it has %s.", shorten(p.Name), strings.Join(names, ", "))
		}
		if _, twice := all[p.Name]; twice {
			return nil, outcome.BadRequest(outcome.CodeValue, "The parameter %s is given twice.", p.Name)
		}
		all[p.Name] = p.Value
	}
	return all, nil
}

// need refuses a call without a parameter.
func (q asked) need(names ...string) error {
	for _, name := range names {
		if q[name] == "" {
			return outcome.BadRequest(outcome.CodeRequired, "The operation needs the parameter %s.", name)
		}
	}
	return nil
}

// canonicalOf is url|version of the parameters, or the instance of the URL.
func (q asked) canonicalOf(r *request, url, version string) (string, error) {
	if id := r.instance(); id != "" {
		if q[url] != "" {
			return "", outcome.BadRequest(outcome.CodeValue, "The parameter %s does not go with an instance.", url)
		}
		return r.typ + "/" + id, nil
	}
	if err := q.need(url); err != nil {
		return "", err
	}
	if q[version] != "" {
		return q[url] + "|" + q[version], nil
	}
	return q[url], nil
}

// systemOf is the code system that the parameters or the URL name.
func (a *API) systemOf(r *request, q asked, parameter string) (url, version string, err error) {
	id := r.instance()
	if id == "" {
		return q[parameter], q["version"], q.need(parameter)
	}
	if q[parameter] != "" {
		return "", "", outcome.BadRequest(outcome.CodeValue, "The parameter %s does not go with an instance.", parameter)
	}
	d, err := a.o.Repository.Read(r.Request.Context(), r.tenant, store.Ref{Type: r.typ, ID: id})
	if err != nil {
		return "", "", err
	}
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return "", "", err
	}
	if m, ok := doc.Root().Member("url"); ok {
		url = m.String()
	}
	if m, ok := doc.Root().Member("version"); ok {
		version = m.String()
	}
	if url == "" {
		return "", "", outcome.New(http.StatusUnprocessableEntity, outcome.CodeInvalid, "The CodeSystem has no url to know its codes by.")
	}
	return url, version, nil
}

// fields is a JSON object.
type fields map[string]any

// set adds a member unless it is empty.
func (f fields) set(name, value string) {
	if value != "" {
		f[name] = value
	}
}

func (a *API) answer(r *request, resource fields) error {
	body, err := json.Marshal(resource)
	if err == nil {
		a.write(r, http.StatusOK, body)
	}
	return err
}

func parameters(all ...fields) fields {
	kept := slices.DeleteFunc(all, func(f fields) bool { return f == nil })
	return fields{"resourceType": "Parameters", "parameter": kept}
}

// stringParameter is nil without a value.
func stringParameter(name, value string) fields {
	if value == "" {
		return nil
	}
	return fields{"name": name, "valueString": value}
}

// expand: ValueSet/$expand
// (https://hl7.org/fhir/R4/valueset-operation-expand.html). filter is part of
// a display or a code, without regard to case.
func (a *API) expand(r *request) error {
	q, err := a.asks(r, "url", "valueSetVersion", "filter", "offset", "count")
	if err != nil {
		return err
	}
	name, err := q.canonicalOf(r, "url", "valueSetVersion")
	if err != nil {
		return err
	}
	page := map[string]int{"offset": 0, "count": -1}
	expansion := fields{"timestamp": a.o.Now().UTC().Format(time.RFC3339)}
	var used []fields
	for _, p := range []string{"offset", "count"} {
		if q[p] == "" {
			continue
		}
		if page[p], err = strconv.Atoi(q[p]); err != nil || page[p] < 0 {
			return outcome.BadRequest(outcome.CodeValue, "The value of %s must be a whole number from 0 up.", p)
		}
		used = append(used, fields{"name": p, "valueInteger": page[p]})
	}
	codes, err := a.o.Repository.Terminology(r.tenant).Expand(r.Request.Context(), name)
	if err != nil {
		return err
	}
	if filter := strings.ToLower(q["filter"]); filter != "" {
		used = append(used, fields{"name": "filter", "valueString": q["filter"]})
		codes = slices.DeleteFunc(slices.Clone(codes), func(c terminology.Code) bool {
			return !strings.Contains(strings.ToLower(c.Display), filter) && !strings.Contains(strings.ToLower(c.Code), filter)
		})
	}
	expansion["total"], expansion["offset"] = len(codes), page["offset"]
	codes = codes[min(page["offset"], len(codes)):]
	if page["count"] >= 0 {
		codes = codes[:min(page["count"], len(codes))]
	}
	var contains []fields
	for _, c := range codes {
		contains = append(contains, coded(c))
	}
	if len(contains) > 0 {
		expansion["contains"] = contains
	}
	if len(used) > 0 {
		expansion["parameter"] = used
	}
	set := fields{"resourceType": "ValueSet", "status": "active", "expansion": expansion}
	set.set("url", q["url"])
	return a.answer(r, set)
}

// coded is a code as ValueSet.expansion.contains.
func coded(c terminology.Code) fields {
	f := fields{}
	f.set("system", c.System)
	f.set("version", c.Version)
	f.set("code", c.Code)
	f.set("display", c.Display)
	if c.Abstract {
		f["abstract"] = true
	}
	if c.Inactive {
		f["inactive"] = true
	}
	return f
}

// validateCode: ValueSet/$validate-code and CodeSystem/$validate-code.
func (a *API) validateCode(r *request) error {
	service, ctx := a.o.Repository.Terminology(r.tenant), r.Request.Context()
	var v terminology.Validation
	if r.typ == "CodeSystem" {
		q, err := a.asks(r, "url", "version", "code", "display")
		if err != nil {
			return err
		}
		system, version, err := a.systemOf(r, q, "url")
		if err != nil {
			return err
		}
		if err := q.need("code"); err != nil {
			return err
		}
		if v, err = service.ValidateIn(ctx, system, version, q["code"], q["display"]); err != nil {
			return err
		}
	} else {
		q, err := a.asks(r, "url", "valueSetVersion", "code", "system", "display")
		if err != nil {
			return err
		}
		name, err := q.canonicalOf(r, "url", "valueSetVersion")
		if err != nil {
			return err
		}
		if err := q.need("code"); err != nil {
			return err
		}
		if v, err = service.ValidateCode(ctx, name, q["system"], q["code"], q["display"]); err != nil {
			return err
		}
	}
	return a.answer(r, parameters(fields{"name": "result", "valueBoolean": v.Result}, stringParameter("message", v.Message), stringParameter("display", v.Display)))
}

// lookup: CodeSystem/$lookup.
func (a *API) lookup(r *request) error {
	q, err := a.asks(r, "system", "version", "code")
	if err != nil {
		return err
	}
	if err := q.need("system", "code"); err != nil {
		return err
	}
	d, err := a.o.Repository.Terminology(r.tenant).Lookup(r.Request.Context(), q["system"], q["version"], q["code"])
	if err != nil {
		return err
	}
	name, display := d.Name, d.Display
	if name == "" {
		name = d.System // both are required in the answer
	}
	if display == "" {
		display = d.Code.Code
	}
	all := []fields{stringParameter("name", name), stringParameter("version", d.Version), stringParameter("display", display), stringParameter("definition", d.Definition)}
	for _, g := range d.Designations {
		part := []fields{stringParameter("value", g.Value)}
		if g.Language != "" {
			part = append(part, fields{"name": "language", "valueCode": g.Language})
		}
		all = append(all, fields{"name": "designation", "part": part})
	}
	for _, p := range d.Properties {
		all = append(all, fields{"name": "property", "part": []fields{{"name": "code", "valueCode": p.Code}, propertyValue(p)}})
	}
	return a.answer(r, parameters(all...))
}

// propertyValue keeps the type that the value has, where its text is enough.
func propertyValue(p terminology.Property) fields {
	switch p.Type {
	case "boolean", "integer", "decimal":
		return fields{"name": "value", "value" + strings.ToUpper(p.Type[:1]) + p.Type[1:]: json.RawMessage(p.Value)}
	case "dateTime":
		return fields{"name": "value", "valueDateTime": p.Value}
	case "code", "coding":
		return fields{"name": "value", "valueCode": p.Value}
	}
	return fields{"name": "value", "valueString": p.Value}
}

// subsumes: CodeSystem/$subsumes.
func (a *API) subsumes(r *request) error {
	q, err := a.asks(r, "codeA", "codeB", "system", "version")
	if err != nil {
		return err
	}
	system, version, err := a.systemOf(r, q, "system")
	if err != nil {
		return err
	}
	if err := q.need("codeA", "codeB"); err != nil {
		return err
	}
	found, err := a.o.Repository.Terminology(r.tenant).Subsumes(r.Request.Context(), system, version, q["codeA"], q["codeB"])
	if err != nil {
		return err
	}
	return a.answer(r, parameters(fields{"name": "outcome", "valueCode": found}))
}

// translate: ConceptMap/$translate, by the map that is named.
func (a *API) translate(r *request) error {
	q, err := a.asks(r, "url", "conceptMapVersion", "code", "system", "targetsystem")
	if err != nil {
		return err
	}
	name, err := q.canonicalOf(r, "url", "conceptMapVersion")
	if err != nil {
		return err
	}
	if err := q.need("code", "system"); err != nil {
		return err
	}
	found, err := a.o.Repository.Terminology(r.tenant).Translate(r.Request.Context(), name, q["system"], q["code"], q["targetsystem"])
	if err != nil {
		return err
	}
	all := []fields{{"name": "result", "valueBoolean": slices.ContainsFunc(found, terminology.Translation.Matches)}}
	if len(found) == 0 {
		all = append(all, stringParameter("message", "The map has no translation of the code."))
	}
	for _, t := range found {
		part := []fields{{"name": "equivalence", "valueCode": t.Equivalence}}
		if concept := coded(t.Target); t.Target.Code != "" {
			part = append(part, fields{"name": "concept", "valueCoding": concept})
		}
		if !strings.HasPrefix(t.Source, "ConceptMap/") {
			part = append(part, fields{"name": "source", "valueUri": t.Source})
		}
		all = append(all, fields{"name": "match", "part": part})
	}
	return a.answer(r, parameters(all...))
}
