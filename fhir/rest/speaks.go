package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// speaks: R4 capabilitystatement-operation-versions, which FHIR versions the
// server speaks: one, whatever the client asks with.
func (a *API) speaks(r *request) error {
	if len(r.query) > 0 {
		return outcome.BadRequest(outcome.CodeNotSupported, "$versions takes no parameters.")
	}
	release := a.o.Repository.Definitions().Release() // 4.0.1
	version := release[:strings.LastIndexByte(release, '.')]
	type parameter struct {
		Name  string `json:"name"`
		Value string `json:"valueCode"`
	}
	body, err := json.Marshal(struct {
		ResourceType string      `json:"resourceType"`
		Parameter    []parameter `json:"parameter"`
	}{"Parameters", []parameter{{"version", version}, {"default", version}}})
	if err != nil {
		return err
	}
	a.write(r, http.StatusOK, body)
	return nil
}
