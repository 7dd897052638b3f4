package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// request is one HTTP request with what every interaction needs of it.
type request struct {
	*gin.Context
	tenant store.Tenant
	base   string
	// typ, id and sub are the first three segments of the URL behind the base.
	typ, id, sub string
	// query are the URL's parameters without those about the answer's form.
	query []search.Parameter
	// format is how the answer is written.
	format format
	// sentXML: the body came as XML, so lines of its JSON mean nothing.
	sentXML bool
	// entry is set when this is an entry of a batch or transaction.
	entry *entryOf
}

// entryOf is what the request of an entry has of its bundle, and brings back.
type entryOf struct {
	bundle *request
	// err is why the entry was refused.
	err error
}

// entryKey finds the entryOf in a request's context.
type entryKey struct{}

// prepare finds the tenant, reads the query and checks the type and id in the
// URL.
func (a *API) prepare(r *request) error {
	if err := a.locate(r); err != nil {
		return err
	}
	if err := r.readQuery(); err != nil {
		return err
	}
	if r.typ != "" && r.typ != "_search" && !a.o.Repository.Definitions().IsResourceType(r.typ) {
		return outcome.New(http.StatusNotFound, outcome.CodeNotSupported,
			"The URL names %q where a FHIR R4 resource type is expected, such as Patient.", shorten(r.typ)).At("url")
	}
	if r.id != "" && r.id[0] != '$' && r.id != "_search" && !search.ValidID(r.id) {
		return outcome.New(http.StatusNotFound, outcome.CodeNotFound, "The URL holds no valid id: 1 to 64 letters, digits, '-' and '.'.").At("url")
	}
	return nil
}

// locate finds the tenant and the base of a request.
func (a *API) locate(r *request) error {
	if e, ok := r.Request.Context().Value(entryKey{}).(*entryOf); ok {
		r.tenant, r.base, r.entry = e.bundle.tenant, e.bundle.base, e
		return nil
	}
	organization, environment := r.Param("organization"), r.Param("environment")
	var err error
	if r.tenant, err = a.o.Tenant(r.Request.Context(), organization, environment); err != nil {
		return err
	}
	r.base = a.public(r) + "/fhir/R4/" + organization + "/" + environment
	return nil
}

// public is the scheme and host of links.
func (a *API) public(r *request) string {
	if a.o.PublicURL != "" {
		return a.o.PublicURL
	}
	scheme := "http"
	if r.Request.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Request.Host
}

// maxQuery is the longest query string or form.
const maxQuery = 1 << 20

// readQuery reads the URL's parameters and takes out _format and _pretty.
func (r *request) readQuery() error {
	if len(r.Request.URL.RawQuery) > maxQuery {
		return outcome.New(http.StatusRequestURITooLong, outcome.CodeTooLong, "The URL is too long. Search by POST to _search.")
	}
	all, err := search.ParseQuery(r.Request.URL.RawQuery)
	if err != nil {
		return err
	}
	format := ""
	if r.query, format, err = r.form(all); err != nil {
		return err
	}
	return acceptable(r, format)
}

// form takes the parameters about the answer's form out of others.
func (r *request) form(all []search.Parameter) (rest []search.Parameter, format string, err error) {
	for _, p := range all {
		switch p.Name {
		case "_format":
			format = p.Value
		case "_pretty":
			if p.Value != "true" && p.Value != "false" {
				return nil, "", outcome.BadRequest(outcome.CodeValue, "The value of _pretty must be true or false.")
			}
			r.format.pretty = p.Value == "true" && r.entry == nil
		default:
			rest = append(rest, p)
		}
	}
	return rest, format, nil
}

// noQuery refuses parameters where an interaction has none.
func (r *request) noQuery() error {
	if len(r.query) == 0 {
		return nil
	}
	return outcome.BadRequest(outcome.CodeNotSupported, "The parameter %q is not supported here.", shorten(r.query[0].Name))
}

// indented is body as people read it: _pretty.
func indented(body []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return body
	}
	return b.Bytes()
}

// shorten keeps a name from a URL fit for an error text.
func shorten(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' {
			return '?'
		}
		return c
	}, s)
}
