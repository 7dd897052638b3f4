package rest

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
)

// maxEntries is the most entries of a batch or transaction.
const maxEntries = 10_000

// bundle is POST [base]: R4 http, batch and transaction.
func (a *API) bundle(r *request) error {
	if err := r.noQuery(); err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return repository.Invalid(conformance.ValidateStructure(body))
	}
	root := doc.Root()
	if t, _ := root.Member("resourceType"); !t.Is("Bundle") {
		return outcome.BadRequest(outcome.CodeInvalid, "At the base a Bundle is expected, of type batch or transaction. POST other resources to their type: /Patient.").At("resourceType")
	}
	typ, _ := root.Member("type")
	switch {
	case typ.Is("batch"):
		return a.batch(r, root)
	case typ.Is("transaction"):
		return a.transaction(r, root)
	}
	return outcome.BadRequest(outcome.CodeNotSupported, "At the base a Bundle of type batch or transaction is expected.").At("Bundle.type")
}

// entry is a Bundle.entry that was sent.
type entry struct {
	index       int
	fullURL     string
	method, url string
	ifMatch, ifNoneMatch,
	ifModifiedSince, ifNoneExist string
	resource rawjson.Node
}

// entries reads the entries of a bundle.
func entries(bundle rawjson.Node) ([]entry, error) {
	list, _ := bundle.Member("entry")
	if list.Len() > maxEntries {
		return nil, outcome.New(http.StatusRequestEntityTooLarge, outcome.CodeTooCostly, "The bundle has more than %d entries.", maxEntries)
	}
	var all []entry
	for n := range list.Elements() {
		request, _ := n.Member("request")
		text := func(of rawjson.Node, name string) string {
			m, _ := of.Member(name)
			return m.String()
		}
		e := entry{
			index: len(all), fullURL: text(n, "fullUrl"), method: text(request, "method"), url: text(request, "url"),
			ifMatch: text(request, "ifMatch"), ifNoneMatch: text(request, "ifNoneMatch"),
			ifModifiedSince: text(request, "ifModifiedSince"), ifNoneExist: text(request, "ifNoneExist"),
		}
		e.resource, _ = n.Member("resource")
		all = append(all, e)
	}
	return all, nil
}

func (e entry) fault(code outcome.Code, text string) *outcome.Error {
	return outcome.BadRequest(code, "%s", text).At(e.path())
}

// path is the FHIRPath of the entry.
func (e entry) path() string { return "Bundle.entry[" + strconv.Itoa(e.index) + "]" }

// batch does each entry by itself, in order. What is wrong with an entry is
// that entry's alone; its resource is left to the interaction to check.
func (a *API) batch(r *request, bundle rawjson.Node) error {
	if err := a.allowed(r, Access{Interaction: "batch"}); err != nil {
		return err
	}
	all, err := entries(bundle)
	if err != nil {
		return err
	}
	faults := map[int][]conformance.Issue{}
	for _, issue := range conformance.ValidateStructureOf(bundle) {
		i, below, ok := entryOfPath(issue.Expression)
		switch {
		case !ok:
			return repository.Invalid([]conformance.Issue{issue})
		case !strings.HasPrefix(below, "resource"):
			faults[i] = append(faults[i], issue)
		}
	}
	answers := make([]answer, len(all))
	for i, e := range all {
		if len(faults[i]) > 0 {
			answers[i] = refusal(r, repository.Invalid(faults[i]))
			continue
		}
		answers[i] = a.perform(r, e)
	}
	a.answers(r, "batch-response", answers)
	return nil
}

// answer is what an entry's request was answered with.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	// err is why it was refused.
	err error
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) { w.status = status }

func (w *answer) Write(b []byte) (int, error) { return w.body.Write(b) }

// entryOfPath splits Bundle.entry[3].request.url.
func entryOfPath(expression string) (index int, below string, ok bool) {
	rest, ok := strings.CutPrefix(expression, "Bundle.entry[")
	if !ok {
		return 0, "", false
	}
	number, below, _ := strings.Cut(rest, "]")
	index, err := strconv.Atoi(number)
	return index, strings.TrimPrefix(below, "."), err == nil
}

// refusal is the answer to an entry of a bundle that cannot be done.
func refusal(bundle *request, err error) answer {
	o := outcome.From(err)
	w := answer{status: o.Status, header: http.Header{}, err: err}
	w.body.Write(outcome.JSON(bundle.issues(o, err)))
	return w
}

// perform does one entry as a request of its own. One that fails is answered
// with nothing but why, also when it had begun to write a searchset.
func (a *API) perform(r *request, e entry) answer {
	of := &entryOf{bundle: r}
	request, err := e.request(r, of)
	if err != nil {
		return refusal(r, err)
	}
	w := answer{status: http.StatusOK, header: http.Header{}}
	if a.inner.ServeHTTP(&w, request); of.err != nil {
		return refusal(r, of.err)
	}
	return w
}

// request is an entry as a request for the inner router.
func (e entry) request(r *request, of *entryOf) (*http.Request, error) {
	switch e.method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, e.fault(outcome.CodeRequired, "An entry needs a request.method.")
	}
	path := strings.TrimPrefix(strings.TrimPrefix(e.url, r.base), "/")
	if path == "" || e.method == http.MethodPost && path[0] == '?' {
		return nil, e.fault(outcome.CodeRequired, "An entry needs a request.url, relative to the base.")
	}
	content, body := "application/fhir+json", []byte(nil)
	if e.resource.Exists() {
		body = e.resource.Raw()
	}
	if e.method == http.MethodPatch {
		patch, err := e.patch()
		if err != nil {
			return nil, err
		}
		if body = patch.Body; patch.Format == repository.JSONPatch {
			content = jsonPatch
		}
	}
	ctx := context.WithValue(r.Request.Context(), entryKey{}, of)
	request, err := http.NewRequestWithContext(ctx, e.method, "/"+path, bytes.NewReader(body))
	if err != nil || request.URL.Host != "" {
		return nil, e.fault(outcome.CodeValue, "request.url is not a URL relative to the base.")
	}
	request.Header.Set("Content-Type", content)
	for name, value := range map[string]string{
		"If-Match": e.ifMatch, "If-None-Match": e.ifNoneMatch, "If-None-Exist": e.ifNoneExist, "If-Modified-Since": e.modifiedSince(),
	} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	if p := prefer(r, "handling"); p != "" {
		request.Header.Add("Prefer", "handling="+p)
	}
	if p := prefer(r, "return"); p != "" {
		request.Header.Add("Prefer", "return="+p)
	}
	return request, nil
}

// answers writes what became of the entries (R4 http, batch response).
func (a *API) answers(r *request, typ string, all []answer) {
	b := a.startBundle(r, typ, -1, nil)
	for i := range all {
		b.answer(&all[i], prefer(r, "return") == "representation")
	}
	b.end()
}

// answer adds an entry of a batch-response or transaction-response. What was
// written is sent back only when asked for.
func (b *bundle) answer(w *answer, representation bool) {
	b.next()
	b.raw(`{`)
	body := w.body.Bytes()
	failed := w.status >= http.StatusBadRequest
	isOutcome := bytes.HasPrefix(body, []byte(`{"resourceType":"OperationOutcome"`))
	read := w.header.Get("Location") == "" && w.header.Get(written) == ""
	if len(body) > 0 && !failed && (read || representation) {
		b.raw(`"resource":`)
		b.w.Write(body)
		b.raw(`,`)
	}
	b.raw(`"response":{"status":`)
	b.quote(strings.TrimSpace(strconv.Itoa(w.status) + " " + http.StatusText(w.status)))
	if l := w.header.Get("Location"); l != "" {
		b.raw(`,"location":`)
		b.quote(l)
	}
	if e := w.header.Get("ETag"); e != "" {
		b.raw(`,"etag":`)
		b.quote(e)
	}
	if t, err := http.ParseTime(w.header.Get("Last-Modified")); err == nil {
		b.raw(`,"lastModified":`)
		b.quote(instant(t))
	}
	if len(body) > 0 && isOutcome && (failed || !read && !representation) {
		b.raw(`,"outcome":`)
		b.w.Write(body)
	}
	b.raw(`}}`)
}
