package definitions

import "github.com/fhirfacade/fhirfacade/conformance"

// Operation is an operation that a server has. Where HL7's definitions have
// one with its URL, they say the rest.
type Operation struct {
	Code, URL              string
	Types                  []string
	System, Type, Instance bool
}

type operationResource struct {
	head
	Kind         string   `json:"kind"`
	AffectsState bool     `json:"affectsState,omitempty"`
	Code         string   `json:"code"`
	Resource     []string `json:"resource,omitempty"`
	System       bool     `json:"system"`
	Type         bool     `json:"type"`
	Instance     bool     `json:"instance"`
}

func operation(d *conformance.Definitions, o Operation, def Definition) operationResource {
	r := operationResource{
		head: headOf(OperationDefinition, o.Code, def), Kind: "operation", Code: o.Code,
		Resource: o.Types, System: o.System, Type: o.Type, Instance: o.Instance,
	}
	for _, hl7 := range d.Operations() {
		if hl7.URL == o.URL {
			r.Resource, r.System, r.Type, r.Instance, r.AffectsState = hl7.Resources, hl7.System, hl7.Type, hl7.Instance, hl7.AffectsState
		}
	}
	return r
}
