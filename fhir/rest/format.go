package rest

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// format is how an answer is written (R4 http, content types).
type format struct {
	contentType string
	xml, pretty bool
}

// contentType of answers when nobody asks for another.
const contentType = "application/fhir+json; charset=utf-8"

var fhirJSON = format{contentType: contentType}

// offers are the types that the server writes, those it prefers first. A
// client that asks for a generic type gets that as its Content-Type.
var offers = []struct {
	mime string
	format
}{
	{"application/fhir+json", fhirJSON},
	{"application/fhir+xml", format{contentType: "application/fhir+xml; charset=utf-8", xml: true}},
	{"application/json", format{contentType: "application/json; charset=utf-8"}},
	{"text/json", format{contentType: "text/json; charset=utf-8"}},
	{"application/json+fhir", fhirJSON}, // as DSTU2 had it
	{"application/xml", format{contentType: "application/xml; charset=utf-8", xml: true}},
	{"text/xml", format{contentType: "text/xml; charset=utf-8", xml: true}},
	{"application/xml+fhir", format{contentType: "application/fhir+xml; charset=utf-8", xml: true}},
}

// fhirVersion is the value of the parameter fhirVersion of a content type that
// the server understands (R4 versioning, MIME type parameter).
const fhirVersion = "4.0"

// acceptable decides how a request is answered and refuses formats that the
// server does not write. _format overrides Accept.
func acceptable(r *request, asked string) error {
	accept := strings.Join(r.Request.Header.Values("Accept"), ",")
	if asked != "" {
		accept = asked
	}
	pretty := r.format.pretty
	defer func() { r.format.pretty = pretty }()
	r.format = fhirJSON
	switch {
	case strings.Contains(r.FullPath(), bulkFile): // which is NDJSON
		return nil
	case r.entry != nil: // what a bundle holds is written with the bundle
		return nil
	case accept == "", accept == "*/*":
		// In the format of the request, if it has one.
		if mt, _, _ := mime.ParseMediaType(r.GetHeader("Content-Type")); isXML(mt) {
			r.format = offers[1].format
		}
		return nil
	case asked == "json":
		return nil
	case asked == "xml":
		r.format = offers[1].format
		return nil
	}
	if f, ok := negotiate(accept); ok {
		r.format = f
		return nil
	}
	return outcome.New(http.StatusNotAcceptable, outcome.CodeNotSupported,
		"This server answers in JSON and XML: ask for application/fhir+json or application/fhir+xml by Accept or _format, and for FHIR %s if for a version.", fhirVersion)
}

// negotiate finds the best offer for an Accept header (RFC 9110 § 12.5.1): the
// greatest quality counts, then being named, then the server's preference.
func negotiate(accept string) (format, bool) {
	type preference struct {
		quality     float64
		specificity int
	}
	best := make([]preference, len(offers))
	for part := range strings.SplitSeq(accept, ",") {
		name, quality, ok := mediaRange(part)
		if !ok {
			continue
		}
		for i, o := range offers {
			specificity := 0
			switch name {
			case o.mime:
				specificity = 3
			case "application/*", "text/*":
				if strings.HasPrefix(o.mime, name[:len(name)-1]) {
					specificity = 2
				}
			case "*/*", "*":
				specificity = 1
			}
			if specificity > best[i].specificity {
				best[i] = preference{quality, specificity}
			}
		}
	}
	found := -1
	for i, p := range best {
		if p.quality > 0 && (found < 0 || p.quality > best[found].quality ||
			p.quality == best[found].quality && p.specificity > best[found].specificity) {
			found = i
		}
	}
	if found < 0 {
		return format{}, false
	}
	return offers[found].format, true
}

// mediaRange reads one range of an Accept header. One for another FHIR
// version, or that is none, is not ok.
func mediaRange(s string) (name string, quality float64, ok bool) {
	name, params, _ := strings.Cut(s, ";")
	name = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), " ", "+")) // a plus that became a space in a URL
	quality = 1
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "q":
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil || !(q >= 0 && q <= 1) { // not a number either
				return name, 0, false
			}
			quality = q
		case "fhirversion":
			if strings.Trim(v, `" `) != fhirVersion {
				return name, 0, false
			}
		}
	}
	return name, quality, true
}

func isJSON(mime string) bool {
	switch mime {
	case "application/fhir+json", "application/json", "text/json", "application/json+fhir":
		return true
	}
	return false
}

func isXML(mime string) bool {
	switch mime {
	case "application/fhir+xml", "application/xml", "text/xml", "application/xml+fhir":
		return true
	}
	return false
}

// sent reads the Content-Type of a request: a body without one is taken for
// JSON.
func (r *request) sent() (xml bool, err error) {
	ct := r.GetHeader("Content-Type")
	if ct == "" {
		return false, nil
	}
	mt, params, err := mime.ParseMediaType(ct)
	charset, version := strings.ToLower(params["charset"]), params["fhirversion"]
	switch {
	case err != nil || !isJSON(mt) && !isXML(mt):
		return false, unsupportedType("This server reads JSON and XML: send application/fhir+json or application/fhir+xml as Content-Type.")
	case charset != "" && charset != "utf-8" && charset != "us-ascii":
		return false, unsupportedType("This server reads UTF-8 only: the charset of the Content-Type is another.")
	case version != "" && version != fhirVersion:
		return false, unsupportedType("This server speaks FHIR %s: the fhirVersion of the Content-Type is another.", fhirVersion)
	}
	return isXML(mt), nil
}

func unsupportedType(format string, args ...any) error {
	return outcome.New(http.StatusUnsupportedMediaType, outcome.CodeNotSupported, format, args...)
}

// fromXML is a resource that was sent in XML, as JSON.
func (r *request) fromXML(body []byte) ([]byte, error) {
	r.sentXML = true
	out, err := fhirxml.AppendJSON(make([]byte, 0, len(body)), body)
	if err != nil {
		return nil, unreadable(err)
	}
	return out, nil
}

// appendXML appends a JSON resource as XML.
func appendXML(dst, resource []byte, f format) ([]byte, error) {
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return dst, err
	}
	return fhirxml.Append(dst, doc.Root(), fhirxml.Options{Indent: f.pretty})
}
