package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// Routes of jobs and of their files, below the base. They are no part of the
// standard, which leaves the URLs to the server.
const (
	bulkStatus = "/$bulk-status"
	bulkFile   = "/$bulk-file"
)

// bulkInstantiates is what the statement claims of bulk data.
const bulkInstantiates = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"

// Definitions of the operations (Bulk Data Access, artifacts).
const (
	systemExport  = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"
	patientExport = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"
	groupExport   = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"
)

func (a *API) bulkRoutes(on func(method string, h handler, paths ...string)) {
	if a.o.Bulk == nil {
		return
	}
	exports := []string{"/$export", "/:type/$export", "/:type/:id/$export"}
	on(http.MethodGet, a.export, exports...)
	on(http.MethodPost, a.export, exports...)
	on(http.MethodPost, a.importing, "/$import")
	on(http.MethodGet, a.bulkStatus, bulkStatus+"/:job")
	on(http.MethodDelete, a.bulkCancel, bulkStatus+"/:job")
	on(http.MethodGet, a.bulkFile, bulkFile+"/:job/:file")
}

// asynchronous refuses a kick-off that is not asked for as one.
func (r *request) asynchronous(operation string) error {
	if r.entry != nil {
		return outcome.BadRequest(outcome.CodeNotSupported, "%s is asynchronous and no entry of a Bundle.", operation)
	}
	for _, h := range r.Request.Header.Values("Prefer") {
		for _, p := range strings.FieldsFunc(h, func(c rune) bool { return c == ',' || c == ';' }) {
			if strings.TrimSpace(p) == "respond-async" {
				return nil
			}
		}
	}
	return outcome.BadRequest(outcome.CodeRequired,
		"%s is asynchronous: send the header Prefer: respond-async. With Prefer: respond-async, handling=lenient, what is not supported is left out.", operation)
}

// export is the kick-off of an export (Bulk Data Access, kick-off request).
func (a *API) export(r *request) error {
	if err := r.asynchronous("$export"); err != nil {
		return err
	}
	level := bulk.System
	switch {
	case r.typ == "Patient" && r.id == "":
		level = bulk.Patients
	case r.typ == "Group" && r.id != "":
		level = bulk.Group
	case r.typ != "":
		return a.noOperation(r, "$export")
	}
	params, err := a.bulkParameters(r)
	if err != nil {
		return err
	}
	asked, err := bulk.ParseExport(a.o.Repository.Definitions(), level, r.id, params, prefer(r, "handling") == "lenient")
	if err != nil {
		return err
	}
	asked.Base, asked.URL = r.base, a.public(r)+r.Request.URL.RequestURI()
	if err := a.mayExport(r, asked); err != nil {
		return err
	}
	id, err := a.o.Bulk.OrderExport(r.Request.Context(), r.tenant, asked)
	if err != nil {
		return err
	}
	a.accepted(r, id, "The export was accepted. Ask for its status at the URL in Content-Location.")
	return nil
}

// accepted answers a kick-off.
func (a *API) accepted(r *request, id, text string) {
	r.Header("Content-Location", r.base+bulkStatus+"/"+id)
	a.write(r, http.StatusAccepted, outcome.JSON([]outcome.Issue{{
		Severity: outcome.SeverityInformation, Code: outcome.CodeInformation, Diagnostics: text,
	}}))
}

// mayExport asks about the operation, and about each type that is exported.
func (a *API) mayExport(r *request, asked *bulk.Request) error {
	access := Access{Interaction: "operation", Operation: "$export"}
	switch asked.Level {
	case bulk.Patients:
		access.Type = "Patient"
	case bulk.Group:
		access.Type, access.ID = "Group", asked.Group
	}
	if err := a.allowed(r, access); err != nil {
		return err
	}
	for _, typ := range asked.Types {
		if err := a.allowed(r, Access{Interaction: "search-type", Type: typ}); err != nil {
			return err
		}
	}
	return nil
}

// bulkParameters are those of the URL and of a Parameters resource, in which a
// reference is a value too.
func (a *API) bulkParameters(r *request) ([]search.Parameter, error) {
	if r.Request.Method != http.MethodPost || r.Request.ContentLength == 0 {
		return r.query, nil
	}
	body, err := a.body(r)
	if err != nil {
		return nil, err
	}
	doc, typ, err := a.o.Repository.Check(body)
	if err != nil {
		return nil, err
	}
	if typ != "Parameters" {
		return nil, outcome.BadRequest(outcome.CodeInvalid, "An operation takes its parameters in a Parameters resource.").At("resourceType")
	}
	all := r.query
	list, _ := doc.Root().Member("parameter")
	for p := range list.Elements() {
		name, _ := p.Member("name")
		value := ""
		for m := range p.Members() {
			switch {
			case m.NameIs("valueReference"):
				reference, _ := m.Member("reference")
				value = reference.String()
			case strings.HasPrefix(m.Name(), "value"):
				if value = m.String(); value == "" {
					value = string(m.Raw()) // a number or a boolean
				}
			}
		}
		if value == "" || value[0] == '{' || value[0] == '[' {
			return nil, outcome.BadRequest(outcome.CodeValue, "The parameter %s needs a primitive value, or a reference.", shorten(name.String())).At("Parameters.parameter")
		}
		all = append(all, search.Parameter{Name: name.String(), Value: value})
	}
	return all, nil
}

// job finds the job of the URL and asks whether who asks may export, or
// import, what it is about.
func (a *API) job(r *request) (*bulk.Job, error) {
	if r.entry != nil {
		return nil, outcome.BadRequest(outcome.CodeNotSupported, "Jobs are no entries of a Bundle.")
	}
	j, err := a.o.Bulk.Find(r.Request.Context(), r.tenant, r.Param("job"))
	if err != nil {
		return nil, err
	}
	if j.Kind == bulk.Import {
		return j, a.mayImport(r)
	}
	asked, err := bulk.Asked(j)
	if err != nil {
		return nil, err
	}
	return j, a.mayExport(r, asked)
}

// retryAfter is how many seconds a client waits before it asks again.
const retryAfter = 2

// bulkStatus: Bulk Data Access, status request.
func (a *API) bulkStatus(r *request) error {
	j, err := a.job(r)
	if err != nil {
		return err
	}
	switch j.State {
	case bulk.Failed:
		return outcome.New(http.StatusInternalServerError, outcome.CodeException, "%s", j.Error)
	case bulk.Finished:
		var manifest any
		at, token := r.base+bulkFile+"/"+j.ID, a.o.Authorize != nil || r.GetHeader("Authorization") != ""
		if j.Kind == bulk.Import {
			manifest, err = bulk.ImportManifestOf(j, at, token)
		} else {
			manifest, err = bulk.ExportManifest(j, at, token)
		}
		if err != nil {
			return err
		}
		body, err := json.Marshal(manifest)
		if err != nil {
			return err
		}
		r.Header("Expires", j.Expires.UTC().Format(http.TimeFormat))
		r.Data(http.StatusOK, "application/json", body)
		return nil
	}
	progress := "waiting to begin"
	if j.State == bulk.Running {
		progress = fmt.Sprintf("%d resources", j.Done)
		if j.Total > 0 {
			progress = fmt.Sprintf("%d of about %d resources", j.Done, max(j.Total, j.Done))
		}
		if j.Failed > 0 {
			progress += fmt.Sprintf(", %d rejected", j.Failed)
		}
	}
	r.Header("X-Progress", progress)
	r.Header("Retry-After", strconv.Itoa(retryAfter))
	r.Status(http.StatusAccepted)
	r.Writer.WriteHeaderNow()
	return nil
}

// bulkCancel: Bulk Data Access, delete request.
func (a *API) bulkCancel(r *request) error {
	j, err := a.job(r)
	if err != nil {
		return err
	}
	if err := a.o.Bulk.End(r.Request.Context(), r.tenant, j.ID); err != nil {
		return err
	}
	a.write(r, http.StatusAccepted, outcome.JSON([]outcome.Issue{{
		Severity: outcome.SeverityInformation, Code: outcome.CodeInformation, Diagnostics: "The job was ended, and what it has made is removed.",
	}}))
	return nil
}

// bulkFile: Bulk Data Access, output file request. The file is written as it
// is read from the store, in the compression that it is kept in if the client
// takes that.
func (a *API) bulkFile(r *request) error {
	if _, err := a.job(r); err != nil {
		return err
	}
	ctx := r.Request.Context()
	j, file, err := a.o.Bulk.File(ctx, r.tenant, r.Param("job"), r.Param("file"))
	if err != nil {
		return err
	}
	packed := takesGzip(r.GetHeader("Accept-Encoding"))
	r.Header("Content-Type", bulk.NDJSON)
	r.Writer.Header().Add("Vary", "Accept-Encoding")
	r.Header("Expires", j.Expires.UTC().Format(http.TimeFormat))
	if packed {
		r.Header("Content-Encoding", "gzip")
	}
	r.Status(http.StatusOK)
	r.Writer.WriteHeaderNow()
	if r.Request.Method == http.MethodHead {
		return nil
	}
	if err := a.o.Bulk.Copy(ctx, r.tenant, j, file, r.Writer, packed); err != nil {
		_ = r.Error(err)
		// Half a file never looks whole.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// takesGzip reads Accept-Encoding (RFC 9110 § 12.5.3).
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		if name = strings.TrimSpace(name); name != "gzip" && name != "*" {
			continue
		}
		_, quality, ok := strings.Cut(params, "q=")
		q, err := strconv.ParseFloat(strings.TrimSpace(quality), 64)
		return !ok || err != nil || q > 0
	}
	return false
}
