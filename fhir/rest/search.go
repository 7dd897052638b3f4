package rest

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// search: R4 http §3.1.0.9, GET [type]?… and POST [type]/_search.
func (a *API) search(r *request) error {
	params, err := a.parameters(r)
	if err != nil {
		return err
	}
	handling := prefer(r, "handling")
	result, err := a.o.Repository.Search(r.Request.Context(), r.tenant, r.typ, params, handling == "lenient")
	if err != nil {
		return err
	}
	a.searchset(r, result)
	return nil
}

func (a *API) searchset(r *request, result *repository.Result) {
	self := r.base + "/" + r.typ
	links := []link{{"self", withQuery(self, result.Request.Applied)}}
	if result.Next != nil {
		links = append(links, link{"next", withQuery(self, append(result.Request.Applied[:len(result.Request.Applied):len(result.Request.Applied)], *result.Next))})
	}
	b := a.startBundle(r, "searchset", result.Total, links)
	for _, d := range result.Matches {
		b.match(r.base, d, "match")
	}
	for _, d := range result.Included {
		b.match(r.base, d, "include")
	}
	issues := result.Request.Warnings
	if result.Truncated {
		issues = append(issues, outcome.Issue{
			Severity: outcome.SeverityWarning, Code: outcome.CodeTooCostly,
			Diagnostics: "More resources would be included than fit on a page; some were left out. Use a smaller _count.",
		})
	}
	b.issues(issues)
	b.end()
}

// maxQuery is the longest query string or form.
const maxQuery = 1 << 20

// parameters reads the search parameters of the URL and of a form in the body,
// in order. _format and _pretty are about the answer's form, not the search.
func (a *API) parameters(r *request) ([]search.Parameter, error) {
	if len(r.Request.URL.RawQuery) > maxQuery {
		return nil, outcome.New(http.StatusRequestURITooLong, outcome.CodeTooLong, "The URL is too long. Use POST %s/_search.", r.typ)
	}
	params, err := parseQuery(r.Request.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if r.Request.Method != http.MethodPost {
		return params, nil
	}
	if ct := r.GetHeader("Content-Type"); ct != "" {
		if mt, _, _ := mime.ParseMediaType(ct); mt != "application/x-www-form-urlencoded" {
			return nil, outcome.New(http.StatusUnsupportedMediaType, outcome.CodeNotSupported,
				"_search takes its parameters as application/x-www-form-urlencoded.")
		}
	}
	form, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Request.Body, maxQuery))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, outcome.New(http.StatusRequestEntityTooLarge, outcome.CodeTooLong, "The form is larger than %d bytes.", tooLarge.Limit)
	}
	more, err := parseQuery(string(form))
	return append(params, more...), err
}

// parseQuery keeps the order of parameters, which url.ParseQuery loses.
func parseQuery(query string) ([]search.Parameter, error) {
	var params []search.Parameter
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err := errors.Join(err1, err2); err != nil {
			return nil, outcome.BadRequest(outcome.CodeInvalid, "The query string is not properly encoded: '%%' must be followed by two hexadecimal digits.")
		}
		if name == "_format" || name == "_pretty" {
			continue
		}
		params = append(params, search.Parameter{Name: name, Value: value})
	}
	return params, nil
}

func withQuery(u string, params []search.Parameter) string {
	var b strings.Builder
	b.WriteString(u)
	for i, p := range params {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(url.QueryEscape(p.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.Value))
	}
	return b.String()
}

// appendJSON appends a JSON string.
func appendJSON(dst []byte, s string) []byte {
	q, _ := json.Marshal(s) // a string: cannot fail
	return append(dst, q...)
}
