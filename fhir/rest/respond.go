package rest

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// fail writes an error as an OperationOutcome and logs what only the log may
// know.
func (a *API) fail(r *request, err error) {
	e := outcome.From(err)
	_ = r.Error(err) // for the access log
	if r.entry != nil {
		r.entry.err = err
	}
	if e.Status >= http.StatusInternalServerError {
		a.o.Logger.ErrorContext(r.Request.Context(), "fhir request failed", "status", e.Status, "method", r.Request.Method, "type", r.typ, "error", errors.Unwrap(e))
	}
	if e.Status == http.StatusServiceUnavailable {
		r.Header("Retry-After", "1")
	}
	if r.format.contentType == "" {
		_ = acceptable(r, "") // it failed before a format was agreed on
	}
	a.write(r, e.Status, outcome.JSON(r.issues(e, err)))
}

// write answers with a resource, which is JSON, in the format of the request.
func (a *API) write(r *request, status int, body []byte) {
	switch {
	case r.format.xml:
		inXML, err := appendXML(nil, body, r.format)
		if err != nil {
			// A write was done all the same; who wants to read is told why not.
			e := unwritable(err)
			if m := r.Request.Method; m == http.MethodGet || m == http.MethodHead {
				status = e.Status
			}
			if inXML, err = appendXML(nil, outcome.JSON(e.Issues), r.format); err != nil {
				inXML = nil
			}
		}
		body = inXML
	case r.format.pretty:
		body = indented(body)
	}
	h := r.Writer.Header()
	h.Set("Content-Type", r.format.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	r.Status(status)
	r.Writer.WriteHeaderNow()
	if r.Request.Method != http.MethodHead {
		_, _ = r.Writer.Write(body)
	}
}

// forCaches tells caches what an answer depends on beside its URL: the format
// is negotiated, and Prefer decides what of a search is an error (RFC 9110 §
// 12.5.5, RFC 7240 § 2). It is for the client that asked alone, and asked for
// again before it is shown: from Last-Modified a browser would guess for how
// long a resource stays as it is (RFC 9111 § 4.2.2). ETag makes that cheap.
func (r *request) forCaches() {
	h := r.Writer.Header()
	h.Add("Vary", "Accept, Prefer")
	h.Set("Cache-Control", "private, no-cache")
}

// versionHeaders: R4 http, versioning.
func versionHeaders(r *request, d store.Document) {
	r.Header("ETag", etag(d.Version))
	r.Header("Last-Modified", d.Time.UTC().Format(http.TimeFormat))
}

// stored answers a write with what Prefer asks for (R4 http, return).
func (a *API) stored(r *request, status int, d store.Document) {
	versionHeaders(r, d)
	if status == http.StatusCreated {
		r.Header("Location", location(r.base, d))
	}
	switch prefer(r, "return") {
	case "minimal":
		r.Status(status)
		r.Writer.WriteHeaderNow()
	case "OperationOutcome":
		a.write(r, status, outcome.JSON([]outcome.Issue{{
			Severity: outcome.SeverityInformation, Code: outcome.CodeInformation, Diagnostics: "The resource was stored.",
		}}))
	default:
		a.write(r, status, d.Body)
	}
}

func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

func location(base string, d store.Document) string {
	return base + "/" + d.Ref.String() + "/_history/" + strconv.FormatInt(d.Version, 10)
}

// prefer reads one preference of the Prefer headers (RFC 7240).
func prefer(r *request, name string) string {
	for _, h := range r.Request.Header.Values("Prefer") {
		for _, p := range strings.FieldsFunc(h, func(c rune) bool { return c == ',' || c == ';' }) {
			if k, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && k == name {
				return strings.Trim(v, `"`)
			}
		}
	}
	return ""
}

// ifMatch reads the version that If-Match asks for; 0 without the header.
func ifMatch(r *request) (int64, error) {
	v, err := versionOf(r.GetHeader("If-Match"))
	if err != nil {
		return 0, outcome.BadRequest(outcome.CodeValue, `If-Match must hold a version: W/"3".`)
	}
	return v, nil
}

// ifMatchOrNone also understands If-None-Match: *, by which an update creates
// only (RFC 9110 § 13.1.2).
func ifMatchOrNone(r *request) (int64, error) {
	version, err := ifMatch(r)
	switch none := r.GetHeader("If-None-Match"); {
	case err != nil || none == "":
		return version, err
	case none != "*" || version != 0:
		return 0, outcome.BadRequest(outcome.CodeNotSupported, "With an update, If-None-Match must be * and go without If-Match.")
	}
	return repository.Absent, nil
}

var errVersion = errors.New("not a version")

// versionOf reads the version of an ETag; 0 for none.
func versionOf(tag string) (int64, error) {
	if tag == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), 10, 64)
	if err != nil || v < 1 {
		return 0, errVersion
	}
	return v, nil
}

// notModified answers conditional reads (R4 http, conditional read).
func notModified(r *request, d store.Document) bool {
	if none := strings.Join(r.Request.Header.Values("If-None-Match"), ","); none != "" {
		for _, tag := range strings.Split(none, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag(d.Version), "W/") {
				return true
			}
		}
		return false
	}
	if since, err := http.ParseTime(r.GetHeader("If-Modified-Since")); err == nil {
		return !d.Time.Truncate(time.Second).After(since)
	}
	return false
}

// body reads a resource within the limit, as JSON.
func (a *API) body(r *request) ([]byte, error) {
	xml, err := r.sent()
	if err != nil {
		return nil, err
	}
	body, err := a.readBody(r)
	if err == nil && xml {
		return r.fromXML(body)
	}
	return body, err
}

// issues are those of an error. Lines in a JSON that was made of XML mean
// nothing to the client.
func (r *request) issues(e *outcome.Error, err error) []outcome.Issue {
	var inXML *fhirxml.Error
	if !r.sentXML || errors.As(err, &inXML) {
		return e.Issues
	}
	issues := slices.Clone(e.Issues)
	for i := range issues {
		issues[i].Line, issues[i].Column = 0, 0
	}
	return issues
}

// readBody reads a body that must be there.
func (a *API) readBody(r *request) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Request.Body, a.o.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, outcome.New(http.StatusRequestEntityTooLarge, outcome.CodeTooLong, "The body is larger than the %d bytes that this server takes.", tooLarge.Limit)
	case err != nil:
		return nil, outcome.BadRequest(outcome.CodeIncomplete, "The body ended early.")
	case len(b) == 0:
		return nil, outcome.BadRequest(outcome.CodeRequired, "The request has no body; a FHIR resource is expected.")
	}
	return b, nil
}
