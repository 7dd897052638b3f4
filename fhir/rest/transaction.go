package rest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/store"
)

// transaction does all entries or none (R4 http, transaction): first what
// changes something, in one commit, then what reads and sees that. What reads
// is tried before the commit too, for an entry that fails fails them all.
func (a *API) transaction(r *request, bundle rawjson.Node) error {
	if err := a.allowed(r, Access{Interaction: "transaction"}); err != nil {
		return err
	}
	settings, err := a.o.Repository.Validation(r.Request.Context(), r.tenant)
	if err != nil {
		return err
	}
	issues := conformance.ValidateStructureOf(bundle)
	if settings.Level == validate.Off {
		// The resources are the repository's to check.
		issues = slices.DeleteFunc(issues, func(i conformance.Issue) bool {
			_, below, ok := entryOfPath(i.Expression)
			return ok && strings.HasPrefix(below, "resource")
		})
	}
	if repository.HasErrors(issues) {
		return repository.Invalid(issues)
	}
	all, err := entries(bundle)
	if err != nil {
		return err
	}
	var writes []repository.Write
	for _, e := range all {
		if e.reads() {
			continue
		}
		w, err := a.writeOf(r, e)
		if err != nil {
			return err
		}
		if err := a.allowed(r, Access{Interaction: byMethod[w.Method], Type: w.Ref.Type, ID: w.Ref.ID}); err != nil {
			return e.refused(err)
		}
		writes = append(writes, w)
	}
	for _, e := range all {
		if e.reads() {
			if err := a.readable(r, e, writes); err != nil {
				return err
			}
		}
	}
	done, err := a.o.Repository.Transaction(r.Request.Context(), r.tenant, writes)
	if err != nil {
		return err
	}
	answers := make([]answer, len(all))
	for i, w := range writes {
		answers[w.Entry] = answerOf(r, done[i])
	}
	for i, e := range all {
		if e.reads() {
			answers[i] = a.perform(r, e)
		}
	}
	a.answers(r, "transaction-response", answers)
	return nil
}

func (e entry) reads() bool { return e.method == http.MethodGet || e.method == http.MethodHead }

// readable refuses an entry that reads what cannot be read, unless the
// transaction is going to write it.
func (a *API) readable(r *request, e entry, writes []repository.Write) error {
	path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(e.url, r.base), "/"), "?")
	for _, w := range writes {
		switch {
		case w.Ref.ID == "" || w.Ref.String() != path:
		case w.Method == http.MethodDelete:
			return outcome.New(http.StatusGone, outcome.CodeDeleted, "The entry reads what the transaction deletes.").At(e.path())
		case w.Method == http.MethodPut:
			return nil
		}
	}
	w := a.perform(r, e)
	if w.status < http.StatusBadRequest {
		return nil
	}
	return e.refused(w.err)
}

// refused is an error about the entry as a whole.
func (e entry) refused(err error) error {
	refused := *outcome.From(err)
	refused.Cause, refused.Issues = err, slices.Clone(refused.Issues)
	for i := range refused.Issues {
		refused.Issues[i].Expression = e.path()
	}
	return &refused
}

// writeOf reads an entry that changes something.
func (a *API) writeOf(r *request, e entry) (repository.Write, error) {
	w := repository.Write{Entry: e.index, Method: e.method, FullURL: e.fullURL}
	if e.method == "" {
		return w, e.fault(outcome.CodeRequired, "An entry of a transaction needs a request.")
	}
	path, query, asked := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(e.url, r.base), "/"), "?")
	path, err := url.PathUnescape(path)
	if err != nil {
		return w, e.fault(outcome.CodeValue, "request.url is not a URL relative to the base.")
	}
	typ, id, named := strings.Cut(path, "/")
	switch {
	case !a.o.Repository.Definitions().IsResourceType(typ):
		return w, e.fault(outcome.CodeNotSupported, "request.url must begin with a resource type: Patient, Patient/1, Patient?identifier=…")
	case named && !search.ValidID(id):
		return w, e.fault(outcome.CodeNotSupported, "request.url is no resource: a transaction holds no operations, and an id is 1 to 64 letters, digits, '-' and '.'.")
	case e.method == http.MethodPost && (named || asked):
		return w, e.fault(outcome.CodeNotSupported, "A POST in a transaction creates: its request.url is a type.")
	case e.method != http.MethodPost && named == (asked && query != ""):
		return w, e.fault(outcome.CodeRequired, "request.url must hold an id, or search parameters instead.")
	case e.ifNoneMatch != "" || e.ifModifiedSince != "":
		return w, e.fault(outcome.CodeNotSupported, "ifNoneMatch and ifModifiedSince are for reading.")
	case e.ifNoneExist != "" && e.method != http.MethodPost:
		return w, e.fault(outcome.CodeNotSupported, "ifNoneExist is for POST.")
	case e.ifMatch != "" && e.method == http.MethodPost:
		return w, e.fault(outcome.CodeNotSupported, "ifMatch is not for POST.")
	}
	w.Ref = store.Ref{Type: typ, ID: id}
	if e.method == http.MethodPost {
		query = strings.TrimPrefix(e.ifNoneExist, "?")
	}
	if w.Conditional = query != ""; w.Conditional {
		if w.Criteria, err = search.ParseQuery(query); err != nil {
			return w, e.fault(outcome.CodeInvalid, "The search parameters are not properly encoded.")
		}
	}
	if w.Version, err = versionOf(e.ifMatch); err != nil {
		return w, e.fault(outcome.CodeValue, `ifMatch must hold a version: W/"3".`)
	}
	switch {
	case e.method == http.MethodPatch:
		w.Patch, err = e.patch()
		return w, err
	case e.method == http.MethodDelete:
		return w, nil
	case !e.resource.Exists():
		return w, e.fault(outcome.CodeRequired, "An entry with this request.method needs a resource.")
	}
	w.Body = e.resource.Raw()
	return w, nil
}

// patch is the patch of an entry: the data of a Binary for a JSON Patch (R4
// http, patch), a Parameters resource for a FHIRPath Patch.
func (e entry) patch() (repository.Patch, error) {
	typ, _ := e.resource.Member("resourceType")
	if typ.Is("Parameters") {
		return repository.Patch{Format: repository.FHIRPathPatch, Body: e.resource.Raw()}, nil
	}
	content, _ := e.resource.Member("contentType")
	if !typ.Is("Binary") || !content.Is(jsonPatch) {
		return repository.Patch{}, e.fault(outcome.CodeNotSupported,
			"A PATCH needs as its resource a Binary with the contentType "+jsonPatch+", or the Parameters of a FHIRPath Patch.")
	}
	data, _ := e.resource.Member("data")
	patch, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data.String()), ""))
	if err != nil || len(patch) == 0 {
		return repository.Patch{}, e.fault(outcome.CodeValue, "The Binary of a PATCH holds no data.")
	}
	return repository.Patch{Body: patch}, nil
}

// modifiedSince is ifModifiedSince, an instant, as the header has it.
func (e entry) modifiedSince() string {
	t, err := time.Parse(time.RFC3339Nano, e.ifModifiedSince)
	if err != nil {
		return ""
	}
	return t.UTC().Format(http.TimeFormat)
}

// written is the header that marks an answer to a write among those to reads.
const written = "X-Written"

// answerOf is what a write is answered with.
func answerOf(r *request, w repository.Written) answer {
	a := answer{status: w.Status, header: http.Header{written: {"true"}}}
	if w.Document.Version > 0 {
		a.header.Set("ETag", etag(w.Document.Version))
		a.header.Set("Last-Modified", w.Document.Time.UTC().Format(http.TimeFormat))
	}
	if w.Status != http.StatusNoContent {
		a.header.Set("Location", location(r.base, w.Document))
		a.body.Write(w.Document.Body)
	}
	return a
}
