package rest

import (
	"encoding/json"
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// explain: [type]/$explain, an operation of this server's own. It runs the
// first page of a search and says what the search asked for and how the store
// went about it. The values in it are those of the search, and go to nobody
// but who asked.
func (a *API) explain(r *request) error {
	params, err := a.operationParameters(r)
	if err != nil {
		return err
	}
	req, err := a.o.Repository.Parse(r.Request.Context(), r.tenant, repository.Scope{Type: r.typ, Lenient: prefer(r, "handling") == "lenient"}, params)
	if err != nil {
		return err
	}
	began := a.o.Now()
	x, err := a.o.Repository.Explain(r.Request.Context(), r.tenant, req)
	if err != nil {
		return err
	}
	took := a.o.Now().Sub(began)
	list := []parameter{
		{"search": search.AppendQuery(r.base+"/"+r.typ, req.Applied)},
		{"order": x.Order}, {"steps": x.Steps}, {"documents": x.Documents}, {"seconds": took.Seconds()},
	}
	for _, d := range search.Describe(a.o.Repository.Definitions(), req.Where) {
		list = append(list, parameter{"asked": []parameter{{"where": d.Where}, {"text": d.Text}}})
	}
	for _, c := range x.Clauses {
		list = append(list, parameter{"decided": []parameter{
			{"where": c.Where}, {"kind": c.Kind}, {"use": c.Use}, {"postings": c.Postings}, {"exact": c.Exact},
		}})
	}
	body, err := json.Marshal(map[string]any{"resourceType": "Parameters", "parameter": list})
	if err != nil {
		return err
	}
	a.write(r, http.StatusOK, body)
	return nil
}

// parameter is a Parameters.parameter of one name: a primitive, or parts.
type parameter map[string]any

// MarshalJSON writes it as FHIR does.
func (p parameter) MarshalJSON() ([]byte, error) {
	out := map[string]any{}
	for name, value := range p {
		out["name"] = name
		switch v := value.(type) {
		case []parameter:
			out["part"] = v
		case string:
			if v == "" {
				v = "-" // FHIR has no empty strings
			}
			out["valueString"] = v
		case int:
			out["valueInteger"] = v
		case bool:
			out["valueBoolean"] = v
		case float64:
			out["valueDecimal"] = v
		}
	}
	return json.Marshal(out)
}
