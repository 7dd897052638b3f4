package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// The CapabilityStatement's parts that are the same in every resource type.
// resttest walks what is claimed here and tries it.
var (
	typeInteractions = []capabilityCode{
		{"read"}, {"vread"}, {"update"}, {"patch"}, {"delete"}, {"history-instance"}, {"history-type"}, {"create"}, {"search-type"},
	}
	systemInteractions = []capabilityCode{{"transaction"}, {"batch"}, {"history-system"}, {"search-system"}}
)

// documentation says what the statement has no elements for.
const documentation = "Searches also take _filter, _has (nested and chained), _list, chains of any parameter, " +
	"_sort by any parameters but composites, _count, _total, _include and _revinclude with :iterate and *, _summary and _elements, _contained and _containedType, " +
	"on a type, in a compartment and across types (_type, or all). " +
	"The SearchParameters, OperationDefinitions and StructureDefinitions named here are read by id and found by url. " +
	"What is not known is refused, unless Prefer: handling=lenient asks for a warning instead. " +
	"Not supported: $graphql, which this server leaves out on purpose, named queries (_query), and functional lists ($current-problems and such)."

type capabilityResource struct {
	Extension         []capabilityTopic     `json:"extension,omitempty"`
	Type              string                `json:"type"`
	SupportedProfile  []string              `json:"supportedProfile,omitempty"`
	Interaction       []capabilityCode      `json:"interaction"`
	Versioning        string                `json:"versioning"`
	ReadHistory       bool                  `json:"readHistory"`
	UpdateCreate      bool                  `json:"updateCreate"`
	ConditionalCreate bool                  `json:"conditionalCreate"`
	ConditionalRead   string                `json:"conditionalRead"`
	ConditionalUpdate bool                  `json:"conditionalUpdate"`
	ConditionalDelete string                `json:"conditionalDelete"`
	ReferencePolicy   []string              `json:"referencePolicy"`
	SearchInclude     []string              `json:"searchInclude,omitempty"`
	SearchRevInclude  []string              `json:"searchRevInclude,omitempty"`
	SearchParam       []capabilityParam     `json:"searchParam,omitempty"`
	Operation         []capabilityOperation `json:"operation,omitempty"`
}

// capabilityTopic names a topic (Subscriptions R5 Backport IG for R4,
// capabilitystatement-subscriptiontopic-canonical).
type capabilityTopic struct {
	URL       string `json:"url"`
	Canonical string `json:"valueCanonical"`
}

// Canonicals of the Subscriptions R5 Backport IG for R4.
const (
	backport             = "http://hl7.org/fhir/uv/subscriptions-backport/"
	topicExtension       = backport + "StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
	backportSubscription = backport + "StructureDefinition/backport-subscription"
	backportInstantiates = backport + "CapabilityStatement/backport-subscription-server-r4"
)

type capabilityCode struct {
	Code string `json:"code"`
}

type capabilityParam struct {
	Name       string                 `json:"name"`
	Definition string                 `json:"definition"`
	Type       conformance.SearchType `json:"type"`
}

type capabilityOperation struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

// resourceOperations are HL7's operations on any resource.
var resourceOperations = []capabilityOperation{
	{"meta", "http://hl7.org/fhir/OperationDefinition/Resource-meta"},
	{"meta-add", "http://hl7.org/fhir/OperationDefinition/Resource-meta-add"},
	{"meta-delete", "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete"},
	{"validate", "http://hl7.org/fhir/OperationDefinition/Resource-validate"},
}

// metadata: R4 http, capabilities. It is made from what the code goes by: the
// interactions that are routed and the parameters that are indexed.
func (a *API) metadata(r *request) error {
	for _, p := range r.query {
		if p.Name != "mode" || p.Value != "full" {
			return outcome.BadRequest(outcome.CodeNotSupported, "The parameter %q is not supported here, except mode=full.", shorten(p.Name))
		}
	}
	d, err := a.o.Repository.DefinitionsOf(r.Request.Context(), r.tenant)
	if err != nil {
		return err
	}
	reverse := a.reverseIncludes(d)
	supported := map[string][]string{}
	for _, p := range a.o.Repository.Profiles() {
		if p.Resource {
			supported[p.Type] = append(supported[p.Type], p.URL)
		}
	}
	var resources []capabilityResource
	for _, typ := range d.ResourceTypes() {
		res := capabilityResource{
			Type: typ, SupportedProfile: supported[typ], Interaction: typeInteractions, Versioning: "versioned-update",
			ReadHistory: true, UpdateCreate: true, ConditionalCreate: true, ConditionalRead: "full-support",
			ConditionalUpdate: true, ConditionalDelete: "single", ReferencePolicy: []string{"literal", "logical"},
			SearchRevInclude: reverse[typ], Operation: a.operationsOf(r, typ),
		}
		if typ == "Subscription" && a.o.Topics != nil {
			topics, err := a.o.Topics(r.Request.Context(), r.tenant)
			if err != nil {
				return err
			}
			res.SupportedProfile = append(slices.Clip(res.SupportedProfile), backportSubscription)
			for _, canonical := range topics {
				res.Extension = append(res.Extension, capabilityTopic{topicExtension, canonical})
			}
		}
		for _, sp := range d.SearchParameters(typ) {
			if !a.o.Repository.Searchable(sp) {
				continue
			}
			res.SearchParam = append(res.SearchParam, capabilityParam{sp.Code, sp.URL, sp.Type})
			if sp.Type == conformance.SearchReference {
				res.SearchInclude = append(res.SearchInclude, typ+":"+sp.Code)
			}
		}
		resources = append(resources, res)
	}
	statement := map[string]any{
		"resourceType": "CapabilityStatement",
		"status":       "active",
		"date":         instant(a.o.Now()),
		"kind":         "instance",
		"software":     map[string]any{"name": "fhirfacade", "version": a.o.Version},
		"implementation": map[string]any{
			"description": "fhirfacade", "url": r.base,
		},
		"fhirVersion": d.Release(),
		"format":      []string{"application/fhir+json", "application/fhir+xml", "json", "xml"},
		"patchFormat": []string{jsonPatch, "application/fhir+json", "application/fhir+xml"},
		"rest": []any{map[string]any{
			"mode":          "server",
			"documentation": documentation,
			"resource":      resources,
			"interaction":   systemInteractions,
			"operation":     a.systemOperations(r),
			"compartment":   compartments(d),
		}},
	}
	if is := a.instantiates(supported); len(is) > 0 {
		statement["instantiates"] = is
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(statement); err != nil {
		return err
	}
	a.write(r, http.StatusOK, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
	return nil
}

// usCoreInstantiates is US Core's CapabilityStatement of a server, and
// usCorePatient one of its profiles, which are there together.
const (
	usCoreInstantiates = "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"
	usCorePatient      = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
)

// instantiates are the CapabilityStatements of guides whose requirements tests
// hold this server against: internal/uscore and fhir/bulk.
func (a *API) instantiates(supported map[string][]string) []string {
	var all []string
	if slices.Contains(supported["Patient"], usCorePatient) {
		all = append(all, usCoreInstantiates)
	}
	if a.o.Bulk != nil {
		all = append(all, bulkInstantiates)
	}
	if a.o.Topics != nil {
		all = append(all, backportInstantiates)
	}
	return all
}

func (a *API) operationsOf(r *request, typ string) []capabilityOperation {
	var all []capabilityOperation
	all = append(all, resourceOperations...)
	for _, op := range operations {
		switch {
		case op.typ != "" && op.typ != typ:
		case op.definition == explainDefinition:
			all = append(all, capabilityOperation{op.name, r.base + op.definition})
		default:
			all = append(all, capabilityOperation{op.name, op.definition})
		}
	}
	for _, op := range a.o.Reads {
		if op.Type == typ {
			all = append(all, capabilityOperation{op.Name, op.Definition})
		}
	}
	if a.o.Bulk != nil {
		switch typ {
		case "Patient":
			all = append(all, capabilityOperation{"export", patientExport})
		case "Group":
			all = append(all, capabilityOperation{"export", groupExport})
		}
	}
	for name := range a.o.Operations {
		if op, ok := strings.CutPrefix(name, typ+"/$"); ok {
			all = append(all, capabilityOperation{op, r.base + "/OperationDefinition/" + typ + "-" + op})
		}
	}
	slices.SortFunc(all, func(x, y capabilityOperation) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// reverseIncludes are the parameters that name a type as their target.
// Parameters that may refer to anything are left out of the list, though they
// work: each type would have them all.
func (a *API) reverseIncludes(d *conformance.Definitions) map[string][]string {
	all := map[string][]string{}
	for _, source := range d.ResourceTypes() {
		for _, sp := range d.SearchParameters(source) {
			if sp.Type != conformance.SearchReference || !a.o.Repository.Searchable(sp) {
				continue
			}
			for _, target := range sp.Targets {
				all[target] = append(all[target], source+":"+sp.Code)
			}
		}
	}
	return all
}

func compartments(d *conformance.Definitions) []string {
	var all []string
	for _, typ := range d.ResourceTypes() {
		if c, ok := d.Compartment(typ); ok {
			all = append(all, c.URL)
		}
	}
	return all
}

// systemOperations are those on the base.
func (a *API) systemOperations(r *request) []capabilityOperation {
	all := []capabilityOperation{
		resourceOperations[0], // $meta
		{"versions", "http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions"},
	}
	if a.o.Bulk != nil {
		all = append(all, capabilityOperation{"export", systemExport}, capabilityOperation{"import", r.base + importDefinition})
	}
	return all
}
