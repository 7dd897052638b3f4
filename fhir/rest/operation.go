package rest

import (
	"mime"
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// operationOn is an operation of HL7's that reads.
type operationOn struct {
	name, typ string
	// onType and onInstance say where it is called.
	onType, onInstance bool
	definition         string
	run                func(a *API, r *request) error
}

// explainDefinition is where $explain is defined, below the base.
const explainDefinition = "/OperationDefinition/explain"

// operations are HL7's operations that read. They are called by GET and by
// POST.
var operations = []operationOn{
	{"everything", "Patient", true, true, "http://hl7.org/fhir/OperationDefinition/Patient-everything", (*API).everything},
	{"everything", "Encounter", false, true, "http://hl7.org/fhir/OperationDefinition/Encounter-everything", (*API).everything},
	{"everything", "Group", false, true, "http://hl7.org/fhir/OperationDefinition/Group-everything", (*API).everything},
	{"lastn", "Observation", true, false, "http://hl7.org/fhir/OperationDefinition/Observation-lastn", (*API).lastn},
	{"docref", "DocumentReference", true, false, docrefDefinition, (*API).docref},
	{"explain", "", true, false, explainDefinition, (*API).explain},
	{"expand", "ValueSet", true, true, "http://hl7.org/fhir/OperationDefinition/ValueSet-expand", (*API).expand},
	{"validate-code", "ValueSet", true, true, "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code", (*API).validateCode},
	{"validate-code", "CodeSystem", true, true, "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code", (*API).validateCode},
	{"lookup", "CodeSystem", true, false, "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup", (*API).lookup},
	{"subsumes", "CodeSystem", true, true, "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes", (*API).subsumes},
	{"translate", "ConceptMap", true, true, "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate", (*API).translate},
}

// searchOperation is GET or POST of [type]/$name and [type]/[id]/$name.
func (a *API) searchOperation(r *request, name string) error {
	if name == "$validate" {
		return a.validate(r)
	}
	for _, op := range operations {
		if "$"+op.name != name || op.typ != "" && op.typ != r.typ {
			continue
		}
		if r.instance() == "" && op.onType || r.instance() != "" && op.onInstance {
			return op.run(a, r)
		}
	}
	for _, op := range a.o.Reads {
		if op.Type != r.typ || "$"+op.Name != name || r.instance() == "" && !op.OnType || r.instance() != "" && !op.OnInstance {
			continue
		}
		params, err := a.operationParameters(r)
		if err != nil {
			return err
		}
		body, err := op.Run(r.Request.Context(), ReadCall{Tenant: r.tenant, Base: r.base, ID: r.instance(), Parameters: params})
		if err != nil {
			return err
		}
		a.write(r, http.StatusOK, body)
		return nil
	}
	return a.noOperation(r, name)
}

// instance is the id in the URL, "" when there is none.
func (r *request) instance() string {
	if strings.HasPrefix(r.id, "$") {
		return ""
	}
	return r.id
}

// at is the URL of an operation on what the request's URL names.
func (r *request) at(operation string) string {
	u := r.base + "/" + r.typ
	if id := r.instance(); id != "" {
		u += "/" + id
	}
	return u + "/" + operation
}

// given are the parameters of the URL and of a form, and the list of those of
// a Parameters resource, where a POST has one.
func (a *API) given(r *request) (plain []search.Parameter, list rawjson.Node, err error) {
	if r.Request.Method != http.MethodPost || r.Request.ContentLength == 0 {
		return r.query, list, nil
	}
	if ct, _, _ := mime.ParseMediaType(r.GetHeader("Content-Type")); ct == "application/x-www-form-urlencoded" {
		plain, err = a.parameters(r)
		return plain, list, err
	}
	body, err := a.body(r)
	if err != nil {
		return nil, list, err
	}
	doc, _, err := a.o.Repository.Check(body)
	if err != nil {
		return nil, list, err
	}
	if t, _ := doc.Root().Member("resourceType"); !t.Is("Parameters") {
		return nil, list, outcome.BadRequest(outcome.CodeInvalid, "An operation takes its parameters in a Parameters resource.").At("resourceType")
	}
	list, _ = doc.Root().Member("parameter")
	return r.query, list, nil
}

// valueIn is the value[x] of a Parameters.parameter.
func valueIn(p rawjson.Node) (typ string, value rawjson.Node) {
	for m := range p.Members() {
		if of, ok := strings.CutPrefix(m.Name(), "value"); ok {
			return of, m
		}
	}
	return "", value
}

// plainText is a primitive as it stands in a URL; "" for anything else.
func plainText(v rawjson.Node) string {
	switch v.Kind() {
	case rawjson.KindString:
		return v.String()
	case rawjson.KindObject, rawjson.KindArray:
		return ""
	}
	return string(v.Raw())
}

// operationParameters are those of the URL and, of a POST, those of a form or
// of a Parameters resource, whose values are primitives, or a Coding as
// system|code.
func (a *API) operationParameters(r *request) ([]search.Parameter, error) {
	all, list, err := a.given(r)
	if err != nil {
		return nil, err
	}
	for p := range list.Elements() {
		name, _ := p.Member("name")
		typ, v := valueIn(p)
		value := plainText(v)
		if typ == "Coding" {
			value = coding(v)
		}
		if value == "" {
			return nil, outcome.BadRequest(outcome.CodeValue, "The parameter %s needs a primitive value.", shorten(name.String())).At("Parameters.parameter")
		}
		all = append(all, search.Parameter{Name: name.String(), Value: value})
	}
	return all, nil
}

// coding is a Coding as a token of a search; "" without a code.
func coding(n rawjson.Node) string {
	system, _ := n.Member("system")
	code, _ := n.Member("code")
	switch escape := strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`); {
	case code.String() == "":
		return ""
	case system.String() == "":
		return escape.Replace(code.String())
	default:
		return escape.Replace(system.String()) + "|" + escape.Replace(code.String())
	}
}

func (a *API) noOperation(r *request, name string) error {
	if name == "$graphql" {
		return graphQL(r)
	}
	return outcome.New(http.StatusNotFound, outcome.CodeNotSupported,
		"%s has no operation %q here. See /metadata for those it has.", r.typ, shorten(name))
}

// graphQL: https://hl7.org/fhir/R4/graphql.html is left out on purpose.
func graphQL(*request) error {
	return outcome.New(http.StatusNotImplemented, outcome.CodeNotSupported,
		"$graphql is left out here. Searches with _include, _revinclude and _elements answer what it is asked for most.")
}

// operation is POST [type]/$name and POST [type]/[id]/$name.
func (a *API) operation(r *request, name string) error {
	if name == "$validate" {
		return a.validate(r)
	}
	op, ok := a.o.Operations[r.typ+"/"+name]
	if !ok || r.sub != "" {
		return a.searchOperation(r, name)
	}
	if err := r.noQuery(); err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	status, resource, err := op(r.Request.Context(), Call{
		Tenant: r.tenant, Base: r.base, Body: body, RequestID: r.Writer.Header().Get("X-Request-Id"),
	})
	if err != nil {
		return err
	}
	a.write(r, status, resource)
	return nil
}
