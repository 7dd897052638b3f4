package rest

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// importDefinition is where $import is defined, below the base: HL7 has not
// published one.
const importDefinition = "/OperationDefinition/import"

// importing is the kick-off of an import: a list of URLs, in a Parameters
// resource or in the JSON of the bulk import proposal; or the file itself,
// NDJSON or a Bundle.
func (a *API) importing(r *request) error {
	if err := r.asynchronous("$import"); err != nil {
		return err
	}
	asked := &bulk.ImportRequest{URL: a.public(r) + r.Request.URL.RequestURI(), Base: r.base}
	// What the files write is known when they are read, and who asks is gone.
	if a.o.Authorize != nil {
		err := asked.Ask(a.o.Repository.Definitions().ResourceTypes(), func(interaction, typ string) error {
			return a.allowed(r, Access{Interaction: interaction, Type: typ})
		})
		if err != nil {
			return err
		}
	}
	for _, p := range r.query {
		if err := asked.Set(p.Name, p.Value); err != nil {
			return err
		}
	}
	var in io.Reader
	whole := false
	switch ct, _, _ := mime.ParseMediaType(r.GetHeader("Content-Type")); ct {
	case bulk.NDJSON, "application/ndjson", "application/x-ndjson":
		in = r.Request.Body
		if r.GetHeader("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(in)
			if err != nil {
				return outcome.BadRequest(outcome.CodeInvalid, "The body is not gzip, as its Content-Encoding says.")
			}
			in = z
		}
	default:
		if isXML(ct) {
			return unsupportedType("$import takes NDJSON, or JSON.")
		}
		body, err := a.body(r)
		if err != nil {
			return err
		}
		doc, err := rawjson.Parse(body, nil)
		if err != nil {
			return repository.Invalid(conformance.ValidateStructure(body))
		}
		if typ, _ := doc.Root().Member("resourceType"); typ.Is("Bundle") {
			in, whole = bytes.NewReader(body), true
			break
		}
		if err := asked.ParseManifest(a.o.Repository.Definitions(), doc.Root()); err != nil {
			return err
		}
	}
	id, err := a.o.Bulk.OrderImport(r.Request.Context(), r.tenant, asked, in, whole, r.GetHeader("Idempotency-Key"))
	if err != nil {
		return err
	}
	a.accepted(r, id, "The import was accepted. Ask for its status at the URL in Content-Location.")
	return nil
}

// mayImport asks about what an import does.
func (a *API) mayImport(r *request) error {
	return a.allowed(r, Access{Interaction: "operation", Operation: "$import"})
}

// Transaction stores a transaction Bundle, for imports: its entries write.
func (a *API) Transaction(ctx context.Context, t store.Tenant, x bulk.Transaction) error {
	doc, err := rawjson.Parse(x.Bundle, nil)
	if err != nil {
		return repository.Invalid(conformance.ValidateStructure(x.Bundle))
	}
	if issues := conformance.ValidateStructureOf(doc.Root()); repository.HasErrors(issues) {
		return repository.Invalid(issues)
	}
	all, err := entries(doc.Root())
	if err != nil {
		return err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, x.Base, nil)
	if err != nil {
		return err
	}
	r := &request{Context: &gin.Context{Request: post}, tenant: t, base: x.Base}
	writes := make([]repository.Write, 0, len(all))
	for _, e := range all {
		if e.reads() {
			return e.fault(outcome.CodeNotSupported, "An imported transaction writes only.")
		}
		w, err := a.writeOf(r, e)
		if err != nil {
			return err
		}
		if err := x.May(byMethod[w.Method], w.Ref.Type); err != nil {
			return e.refused(err)
		}
		writes = append(writes, w)
	}
	if x.DryRun {
		return a.o.Repository.TryTransaction(ctx, t, writes)
	}
	_, err = a.o.Repository.TransactionOf(ctx, t, x.Source, x.Info, writes)
	return err
}
