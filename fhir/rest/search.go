package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// search: R4 http, search, of a type or across types: GET [type]?…,
// POST [type]/_search, GET ?_type=…, POST _search.
func (a *API) search(r *request) error {
	self := r.base
	if r.typ != "" {
		self += "/" + r.typ
	}
	return a.searchAt(r, self, nil, r.typ)
}

// searchCompartment: R4 http, search of a compartment: Patient/1/Observation,
// Patient/1/*.
func (a *API) searchCompartment(r *request, typ string) error {
	d := a.o.Repository.Definitions()
	if _, ok := d.Compartment(r.typ); !ok || typ != "*" && !d.IsResourceType(typ) {
		return a.noRoute(r)
	}
	self := r.base + "/" + r.typ + "/" + r.id + "/" + typ
	if typ == "*" {
		typ = ""
	}
	return a.searchAt(r, self, &search.Compartment{Type: r.typ, ID: r.id}, typ)
}

func (a *API) searchAt(r *request, self string, in *search.Compartment, typ string) error {
	params, err := a.parameters(r)
	if err != nil {
		return err
	}
	result, err := a.o.Repository.SearchIn(r.Request.Context(), r.tenant, repository.Scope{
		Type: typ, Compartment: in, Lenient: prefer(r, "handling") == "lenient",
	}, params)
	if err != nil {
		return err
	}
	if result.Request.Contained != nil {
		// Resources of any type may contain what is searched for.
		if err := a.allowed(r, Access{Interaction: "search-system"}); err != nil {
			return err
		}
	}
	var built []store.Document
	if in == nil {
		if built, err = a.definedBy(r, params, result); err != nil {
			return err
		}
	}
	return a.searchset(r, self, result.Request.Applied, result, built...)
}

// searchset writes a page while it is read, and behind it matches that are not
// stored. applied are the parameters of its links.
func (a *API) searchset(r *request, self string, applied []search.Parameter, result *repository.Result, more ...store.Document) error {
	b := a.startBundle(r, "searchset", result.Total, pageLinks(self, applied, result))
	subset := result.Request.Subset
	included := subset
	included.Elements = nil // those named are of the type searched for
	write := func(d store.Document, mode repository.Mode) error {
		s := subset
		if mode == repository.ModeInclude {
			s = included
		}
		var err error
		if d.Body, err = a.o.Repository.Subset(d, s); err != nil {
			return err
		}
		b.match(r.base, d, mode)
		return b.failed()
	}
	err := result.Each(write)
	for i := 0; err == nil && i < len(more); i++ {
		err = write(more[i], repository.ModeMatch)
	}
	if err != nil {
		return b.abort(err)
	}
	issues := result.Request.Warnings
	if result.Truncated {
		issues = append(issues, outcome.Issue{
			Severity: outcome.SeverityWarning, Code: outcome.CodeTooCostly,
			Diagnostics: "More resources would be included than fit on a page; some were left out. Use a smaller _count.",
		})
	}
	if result.Unfinished {
		issues = append(issues, outcome.Issue{
			Severity: outcome.SeverityWarning, Code: outcome.CodeTooCostly,
			Diagnostics: "The page ends early, since many resources contain something of this type and were looked at one by one. The next link goes on.",
		})
	}
	b.issues(issues)
	b.end()
	return nil
}

// pageLinks: R4 http, paging. The last page is known when it is this one.
func pageLinks(self string, applied []search.Parameter, result *repository.Result) []link {
	at := func(more ...search.Parameter) string {
		return search.AppendQuery(self, append(applied[:len(applied):len(applied)], more...))
	}
	here, first := at(), at()
	if p := result.Request.Page; p != nil {
		here = at(*p)
	}
	links := []link{{"self", here}, {"first", first}}
	if back, ok := result.Previous(); ok {
		links = append(links, link{"previous", at(back...)})
	}
	if result.Next != nil {
		return append(links, link{"next", at(*result.Next)})
	}
	if result.Request.CountOnly {
		return links
	}
	return append(links, link{"last", here})
}

// parameters are those of the URL and then those of a form in the body.
func (a *API) parameters(r *request) ([]search.Parameter, error) {
	if r.Request.Method != http.MethodPost {
		return r.query, nil
	}
	if ct := r.GetHeader("Content-Type"); ct != "" {
		if mt, _, _ := mime.ParseMediaType(ct); mt != "application/x-www-form-urlencoded" {
			return nil, outcome.New(http.StatusUnsupportedMediaType, outcome.CodeNotSupported,
				"_search takes its parameters as application/x-www-form-urlencoded.")
		}
	}
	form, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Request.Body, maxQuery))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, outcome.New(http.StatusRequestEntityTooLarge, outcome.CodeTooLong, "The form is larger than %d bytes.", tooLarge.Limit)
	case err != nil:
		return nil, outcome.BadRequest(outcome.CodeIncomplete, "The body ended early.")
	}
	all, err := search.ParseQuery(string(form))
	if err != nil {
		return nil, err
	}
	more, format, err := r.form(all)
	if err != nil {
		return nil, err
	}
	if format != "" {
		err = acceptable(r, format)
	}
	return append(r.query, more...), err
}
