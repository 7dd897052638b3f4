package search

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// ParseQuery reads a query string or a form. It keeps the order of
// parameters, which url.ParseQuery loses.
func ParseQuery(query string) ([]Parameter, error) {
	var params []Parameter
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
		params = append(params, Parameter{Name: name, Value: value})
	}
	return params, nil
}

// AppendQuery writes parameters as a query string with a leading '?', if
// there are any. Characters that stand for themselves in a query are not
// escaped, so that links read as people write them.
func AppendQuery(u string, params []Parameter) string {
	var b strings.Builder
	b.WriteString(u)
	for i, p := range params {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(unreserved.Replace(url.QueryEscape(p.Name)))
		b.WriteByte('=')
		b.WriteString(unreserved.Replace(url.QueryEscape(p.Value)))
	}
	return b.String()
}

// unreserved are characters that QueryEscape escapes and RFC 3986 § 3.4
// allows in a query.
var unreserved = strings.NewReplacer("%3A", ":", "%2F", "/", "%2C", ",", "%24", "$")

// SubsetOf reads _summary and _elements of an interaction on one resource;
// other parameters are refused.
func SubsetOf(typ string, params []Parameter, d *conformance.Definitions) (Subset, error) {
	p := parser{o: Options{Base: Base{Definitions: d}}, r: &Request{Type: typ}}
	for _, param := range params {
		var err error
		switch {
		case param.Name == "_summary" && param.Value != "count":
			err = p.summary(param.Value)
		case param.Name == "_elements":
			err = p.elements(param.Value)
		default:
			err = outcome.BadRequest(outcome.CodeNotSupported, "The parameter %s is not supported here.", printable(param.Name))
		}
		if err != nil {
			return Subset{}, err
		}
	}
	return p.r.Subset, p.agree()
}

// Wants reports whether the subset has an element of a resource. Elements
// that must be there, or that change the meaning of others, always are
// (R4 search, summary and elements).
func (s Subset) Wants(name string, e *conformance.Element) bool {
	switch {
	case name == "resourceType", name == "id", name == "meta", e == nil:
		return true
	case s.Summary == "data":
		return name != "text"
	case s.Summary == "text":
		return name == "text" || e.Min > 0
	case s.Summary == "true":
		return e.Summary || e.Min > 0
	}
	return e.Min > 0 || e.Modifier || slices.Contains(s.Elements, e.Name)
}
