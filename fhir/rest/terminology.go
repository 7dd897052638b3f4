package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// The terminology operations (https://hl7.org/fhir/R4/terminology-service.html)
// take the value set, code system or map by its canonical URL, as the instance,
// or in the request, and a code by system and code, as a Coding or as a
// CodeableConcept. What is not a primitive comes in a Parameters resource.

// takes is what an operation takes as a parameter.
type takes int

const (
	takesOne takes = iota // a primitive
	takesMany
	takesCoding
	takesConcept
	takesResource
	takesParts
)

// kept says why parameters that R4 has are not taken.
var kept = map[string]string{
	"date":             "codes are looked at as they are defined now",
	"context":          "name the value set itself by url",
	"contextDirection": "name the value set itself by url",
}

// asked are the parameters of an operation.
type asked struct {
	texts map[string][]string
	nodes map[string]rawjson.Node
	parts []rawjson.Node
}

// text is a parameter's first value, "" without one.
func (q asked) text(name string) string {
	if all := q.texts[name]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// asks reads the parameters; those not listed are refused by name.
func (a *API) asks(r *request, known map[string]takes) (asked, error) {
	q := asked{map[string][]string{}, map[string]rawjson.Node{}, nil}
	plain, list, err := a.given(r)
	if err != nil {
		return q, err
	}
	for _, p := range plain {
		switch of, ok := known[p.Name]; {
		case !ok:
			return q, unknownParameter(p.Name, known)
		case of > takesMany:
			return q, outcome.BadRequest(outcome.CodeValue, "The parameter %s is sent by POST, in a Parameters resource.", p.Name)
		}
		q.texts[p.Name] = append(q.texts[p.Name], p.Value)
	}
	for p := range list.Elements() {
		if err := q.read(p, known); err != nil {
			return q, err
		}
	}
	for name, values := range q.texts {
		if len(values) > 1 && known[name] != takesMany {
			return q, twice(name)
		}
	}
	return q, nil
}

func twice(name string) error {
	return outcome.BadRequest(outcome.CodeValue, "The parameter %s is given twice.", name)
}

func unknownParameter(name string, known map[string]takes) error {
	if why, ok := kept[name]; ok {
		return outcome.BadRequest(outcome.CodeNotSupported, "The parameter %s is not taken here: %s.", name, why)
	}
	var names []string
	for n := range known {
		names = append(names, n)
	}
	slices.Sort(names)
	return outcome.BadRequest(outcome.CodeNotSupported, "The operation has no parameter %s here; it has %s.", shorten(name), strings.Join(names, ", "))
}

// read takes one Parameters.parameter.
func (q *asked) read(p rawjson.Node, known map[string]takes) error {
	member, _ := p.Member("name")
	name := member.String()
	of, ok := known[name]
	if !ok {
		return unknownParameter(name, known)
	}
	typ, value := valueIn(p)
	wrong := func(what string) error {
		return outcome.BadRequest(outcome.CodeValue, "The parameter %s is %s.", name, what).At("Parameters.parameter")
	}
	switch of {
	case takesOne, takesMany:
		v := plainText(value)
		if v == "" {
			return wrong("a primitive value")
		}
		q.texts[name] = append(q.texts[name], v)
		return nil
	case takesParts:
		parts, ok := p.Member("part")
		if !ok {
			return wrong("made of parts")
		}
		q.parts = append(q.parts, parts)
		return nil
	case takesCoding:
		if typ != "Coding" {
			return wrong("a valueCoding")
		}
	case takesConcept:
		if typ != "CodeableConcept" {
			return wrong("a valueCodeableConcept")
		}
	case takesResource:
		want := strings.ToUpper(name[:1]) + name[1:]
		if value, _ = p.Member("resource"); !value.Exists() {
			return wrong("a resource")
		}
		if t, _ := value.Member("resourceType"); !t.Is(want) {
			return wrong("a " + want)
		}
	}
	if q.nodes[name].Exists() {
		return twice(name)
	}
	q.nodes[name] = value
	return nil
}

// flag is a boolean, false without a value.
func (q asked) flag(name string) (bool, error) {
	switch q.text(name) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, outcome.BadRequest(outcome.CodeValue, "The value of %s must be true or false.", name)
}

// oneOf tells which of some parameters is given; more than one, or none unless
// it may be missing, is refused.
func (q asked) oneOf(optional bool, names ...string) (string, error) {
	found := ""
	for _, n := range names {
		if q.text(n) == "" && !q.nodes[n].Exists() {
			continue
		}
		if found != "" {
			return "", outcome.BadRequest(outcome.CodeValue, "The parameters %s and %s do not go together.", found, n)
		}
		found = n
	}
	if found == "" && !optional {
		return "", outcome.BadRequest(outcome.CodeRequired, "The operation needs the parameter %s.", strings.Join(names, " or "))
	}
	return found, nil
}

// subject is what an operation is about: a canonical URL with its version, the
// instance of the URL, or a resource that came with the request.
func (q asked) subject(r *request, optional bool, version, resource string) (canonical string, given rawjson.Node, err error) {
	const url = "url"
	which, err := q.oneOf(optional || r.instance() != "", url, resource)
	if err != nil {
		return "", given, err
	}
	if id := r.instance(); id != "" {
		if which != "" {
			return "", given, outcome.BadRequest(outcome.CodeValue, "The parameter %s does not go with an instance.", which)
		}
		canonical = r.typ + "/" + id
	} else if which == url {
		canonical = q.text(url)
	}
	switch v := q.text(version); {
	case v == "":
	case which != url:
		return "", given, outcome.BadRequest(outcome.CodeValue, "The parameter %s goes with %s.", version, url)
	case strings.Contains(canonical, "|"):
		return "", given, outcome.BadRequest(outcome.CodeValue, "The parameter %s has a version already; %s does not go with it.", url, version)
	default:
		canonical += "|" + v
	}
	return canonical, q.nodes[resource], nil
}

// codings are the codes that are asked about: by code with the parameter
// system, as coding, or as codeableConcept.
func (q asked) codings(system, version string) ([]terminology.Coding, error) {
	which, err := q.oneOf(false, "code", "coding", "codeableConcept")
	if err != nil {
		return nil, err
	}
	if which != "code" {
		for _, name := range []string{system, version, "display"} {
			if name != "" && q.text(name) != "" {
				return nil, outcome.BadRequest(outcome.CodeValue, "The parameters %s and %s do not go together.", which, name)
			}
		}
	}
	var all []terminology.Coding
	switch which {
	case "code":
		return []terminology.Coding{{System: q.text(system), Version: q.text(version), Code: q.text("code"), Display: q.text("display")}}, nil
	case "coding":
		all = append(all, codingIn(q.nodes[which]))
	default:
		list, _ := q.nodes[which].Member("coding")
		for c := range list.Elements() {
			if c := codingIn(c); c.Code != "" {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 || all[0].Code == "" {
		return nil, outcome.BadRequest(outcome.CodeRequired, "The parameter %s has no code.", which)
	}
	return all, nil
}

func textIn(n rawjson.Node, member string) string {
	m, _ := n.Member(member)
	return m.String()
}

func codingIn(n rawjson.Node) terminology.Coding {
	return terminology.Coding{System: textIn(n, "system"), Version: textIn(n, "version"), Code: textIn(n, "code"), Display: textIn(n, "display")}
}

// systemOf is the code system that the parameters or the URL name.
func (a *API) systemOf(r *request, q asked) (url, version string, err error) {
	id := r.instance()
	if id == "" {
		return q.text("system"), q.text("version"), nil
	}
	for _, name := range []string{"system", "version"} {
		if q.text(name) != "" {
			return "", "", outcome.BadRequest(outcome.CodeValue, "The parameter %s does not go with an instance.", name)
		}
	}
	d, err := a.o.Repository.Read(r.Request.Context(), r.tenant, store.Ref{Type: r.typ, ID: id})
	if err != nil {
		return "", "", err
	}
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return "", "", err
	}
	if url = textIn(doc.Root(), "url"); url == "" {
		return "", "", outcome.New(http.StatusUnprocessableEntity, outcome.CodeInvalid, "The CodeSystem has no url to know its codes by.")
	}
	return url, textIn(doc.Root(), "version"), nil
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

// whole is a whole number from 0 up, missing where it is not given.
func (q asked) whole(name string, missing int) (int, error) {
	if q.text(name) == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(q.text(name))
	if err != nil || n < 0 {
		return 0, outcome.BadRequest(outcome.CodeValue, "The value of %s must be a whole number from 0 up.", name)
	}
	return n, nil
}

// coded is a code as ValueSet.expansion.contains, or as a Coding.
func coded(c terminology.Code) fields {
	f := fields{}
	f.set("system", c.System)
	f.set("version", c.Version)
	f.set("code", c.Code)
	f.set("display", c.Display)
	return f
}
