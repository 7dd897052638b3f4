package exchange

import (
	"context"
	"net/http"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/store"
)

// summary answers a query for a clinical summary: the latest document about
// the visit that it names, else all that there is of the patient.
func (x *Exchange) summary(ctx context.Context, t store.Tenant, o redox.Options, m *redox.Message, ask redox.Summary) (*redox.Message, error) {
	patients, err := x.search(ctx, t, ask.Patient)
	if err != nil {
		return nil, err
	}
	switch {
	case len(patients) == 0:
		return answered(m, &mapping.Message{}, o)
	case len(patients) > 1:
		return nil, failure(http.StatusConflict, moduleIdentity, "Patient.Identifiers belong to different patients.")
	}
	if ask.Documents.Type != "" {
		documents, err := x.search(ctx, t, ask.Documents)
		if err != nil {
			return nil, err
		}
		if len(documents) > 0 {
			said, err := x.said(ctx, t, documents[:1])
			if err != nil {
				return nil, err
			}
			return answered(m, said, o)
		}
	}
	found := patients
	for _, typ := range ask.Types {
		of, err := x.ofPatient(ctx, t, typ, patients[0])
		if err != nil {
			return nil, err
		}
		found = append(found, of...)
	}
	said, err := x.said(ctx, t, found)
	if err != nil {
		return nil, err
	}
	said.Focus = said.Focus[:1]
	return answered(m, said, o)
}
