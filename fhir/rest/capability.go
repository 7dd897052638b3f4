package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

type capabilityResource struct {
	Type             string                `json:"type"`
	Interaction      []capabilityCode      `json:"interaction"`
	Versioning       string                `json:"versioning"`
	ReadHistory      bool                  `json:"readHistory"`
	UpdateCreate     bool                  `json:"updateCreate"`
	ConditionalRead  string                `json:"conditionalRead"`
	SearchInclude    []string              `json:"searchInclude,omitempty"`
	SearchRevInclude []string              `json:"searchRevInclude,omitempty"`
	SearchParam      []capabilityParam     `json:"searchParam,omitempty"`
	Operation        []capabilityOperation `json:"operation,omitempty"`
}

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

// metadata: capabilities, R4 http §3.1.0.11. It says what the code does: the
// interactions that are routed and the parameters that are indexed.
func (a *API) metadata(r *request) error {
	d := a.o.Repository.Definitions()
	interactions := []capabilityCode{{"read"}, {"vread"}, {"update"}, {"delete"}, {"history-instance"}, {"history-type"}, {"create"}, {"search-type"}}
	var resources []capabilityResource
	for _, typ := range d.ResourceTypes() {
		res := capabilityResource{
			Type: typ, Interaction: interactions, Versioning: "versioned-update",
			ReadHistory: true, UpdateCreate: true, ConditionalRead: "full-support",
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
		for name := range a.o.Operations {
			if op, ok := strings.CutPrefix(name, typ+"/$"); ok {
				res.Operation = append(res.Operation, capabilityOperation{op, r.base + "/OperationDefinition/" + typ + "-" + op})
			}
		}
		slices.SortFunc(res.Operation, func(x, y capabilityOperation) int { return strings.Compare(x.Name, y.Name) })
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
		"format":      []string{"application/fhir+json", "json"},
		"rest": []any{map[string]any{
			"mode":        "server",
			"resource":    resources,
			"interaction": []capabilityCode{{"history-system"}},
		}},
	}
	body, err := json.Marshal(statement)
	if err != nil {
		return err
	}
	a.write(r, http.StatusOK, body)
	return nil
}
