package exchange

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxRedoxBody is the most bytes of a message (Redox: limits).
const maxRedoxBody = 10 << 20

// sourceHeader names the source where a credential serves several.
const sourceHeader = "Redox-Source-Id"

// RedoxAPI serves /endpoint, /query and /upload, the data model API, and
// /hl7v2.
type RedoxAPI struct {
	x *Exchange
	// DefaultSource is the source of messages that name none; "" for none.
	DefaultSource string
	// OnlySource is the one source that the request's token serves; "" for none
	// or several.
	OnlySource func(c *gin.Context) string
	// Allowed says whether the request may act for a source.
	Allowed func(c *gin.Context, source string) error
}

// NewRedoxAPI makes the API.
func NewRedoxAPI(x *Exchange) *RedoxAPI { return &RedoxAPI{x: x} }

// Register adds the routes.
func (a *RedoxAPI) Register(e gin.IRoutes) {
	e.POST("/endpoint", a.endpoint)
	e.POST("/query", a.query)
	e.POST("/hl7v2", a.hl7v2)
	e.POST("/upload", a.upload)
	for _, path := range []string{"/endpoint", "/query", "/upload"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			e.Handle(method, path, func(c *gin.Context) { c.String(http.StatusForbidden, "Only POST is served here") })
		}
	}
}

// answerMeta is the Meta of an answer.
type answerMeta struct {
	DataModel     string       `json:"DataModel,omitempty"`
	EventType     string       `json:"EventType,omitempty"`
	EventDateTime string       `json:"EventDateTime,omitempty"`
	Test          *bool        `json:"Test,omitempty"`
	Source        *answerParty `json:"Source,omitempty"`
	Logs          []answerLog  `json:"Logs,omitempty"`
	Errors        []RedoxError `json:"Errors,omitempty"`
}

type answerParty struct {
	ID   string `json:"ID"`
	Name string `json:"Name"`
}

type answerLog struct {
	ID        string `json:"ID"`
	AttemptID string `json:"AttemptID"`
}

// endpoint takes one message (Redox: POST /endpoint). 200 means that it is
// committed.
func (a *RedoxAPI) endpoint(c *gin.Context) {
	raw, t, src, ok := a.receive(c)
	if !ok {
		return
	}
	rc, err := a.x.Ingest(c.Request.Context(), t, src, raw)
	if errors.Is(err, errQuery) {
		a.ask(c, t, src, raw) // Redox takes queries at either address
		return
	}
	meta := answerMeta{
		DataModel: rc.Message.DataModel, EventType: rc.Message.EventType,
		Source: &answerParty{src.ID, src.Name}, Logs: []answerLog{{rc.Message.ID, rc.Message.ID}},
	}
	if rc.Parsed != nil {
		meta.EventDateTime, meta.Test = rc.Parsed.Meta().EventDateTime, rc.Parsed.Meta().Test
	}
	if err != nil {
		f := failureOf(err)
		meta.Errors = f.Errors
		answer(c, f.Status, meta)
		return
	}
	for i, s := range rc.Matched {
		if rc.Message.Seq == 0 {
			break // nobody is told
		}
		l := answerLog{ID: rc.Message.ID, AttemptID: notifications.DeliveryID(t, s.ID, rc.Message.Seq)}
		if i == 0 {
			meta.Logs[0] = l
		} else {
			meta.Logs = append(meta.Logs, l)
		}
	}
	answer(c, http.StatusOK, meta)
}

// query answers a synchronous event. Which of them are answered from the
// store is the business of answers; the others are refused by name.
func (a *RedoxAPI) query(c *gin.Context) {
	if raw, t, src, ok := a.receive(c); ok {
		a.ask(c, t, src, raw)
	}
}

func (a *RedoxAPI) ask(c *gin.Context, t store.Tenant, src Source, raw []byte) {
	meta := answerMeta{Source: &answerParty{src.ID, src.Name}}
	m, err := redox.Parse(raw)
	if err == nil {
		meta.DataModel, meta.EventType = m.DataModel, m.EventType
		var reply []byte
		if reply, err = a.x.reply(c.Request.Context(), t, src, m, raw); err == nil {
			c.Data(http.StatusOK, "application/json; charset=utf-8", reply)
			return
		}
	}
	f := failureOf(err)
	meta.Errors = f.Errors
	answer(c, f.Status, meta)
}

func answer(c *gin.Context, status int, meta answerMeta) {
	if status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "1")
	}
	meta.Errors = withIDs(meta.Errors, time.Now())
	c.JSON(status, struct{ Meta answerMeta }{meta})
}

// receive reads the body and finds the source.
func (a *RedoxAPI) receive(c *gin.Context) (raw []byte, t store.Tenant, src Source, ok bool) {
	fail := func(status int, module, text string) {
		answer(c, status, answerMeta{Errors: failure(status, module, text).Errors})
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxRedoxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		fail(http.StatusRequestEntityTooLarge, moduleServer, "The message is larger than 10 MB. Upload files, and name them by their URI.")
		return nil, "", src, false
	case err != nil:
		fail(http.StatusBadRequest, moduleDataModels, "The body ended early.")
		return nil, "", src, false
	}
	t, src, ok = a.source(c, raw)
	return raw, t, src, ok
}

// source finds who sends: by header, by Meta.Source.ID of the message, nil for
// none, or as the only one that the token serves.
func (a *RedoxAPI) source(c *gin.Context, raw []byte) (t store.Tenant, src Source, ok bool) {
	fail := func(status int, module, text string) {
		answer(c, status, answerMeta{Errors: failure(status, module, text).Errors})
	}
	id := c.GetHeader(sourceHeader)
	if id == "" && raw != nil {
		id = sourceIn(raw)
	}
	if id == "" && a.OnlySource != nil {
		id = a.OnlySource(c)
	}
	var err error
	if id != "" {
		t, err = a.x.sources.Tenant(c.Request.Context(), id)
	}
	if a.DefaultSource != "" && (id == "" || errors.Is(err, ErrUnknownSource) && c.GetHeader(sourceHeader) == "") {
		// A sandbox takes sample messages, which name sources of their own.
		id = a.DefaultSource
		t, err = a.x.sources.Tenant(c.Request.Context(), id)
	}
	if id == "" {
		fail(http.StatusBadRequest, moduleSubscriptions, "No source. Name it in Meta.Source.ID or in the header "+sourceHeader+".")
		return "", src, false
	}
	if err == nil && a.Allowed != nil {
		err = a.Allowed(c, id)
	}
	if err == nil {
		src, err = a.x.sources.Get(c.Request.Context(), t, id)
	}
	switch {
	case err == nil:
		return t, src, true
	case errors.Is(err, ErrUnknownSource):
		fail(http.StatusForbidden, moduleSubscriptions, "This credential does not serve the source that the message names, or there is no such source.")
	default:
		f := failureOf(err)
		answer(c, f.Status, answerMeta{Errors: f.Errors})
	}
	return "", src, false
}

// sourceIn is Meta.Source.ID of a message that may be broken.
func sourceIn(raw []byte) string {
	doc, err := rawjson.Parse(raw, nil)
	if err != nil {
		return ""
	}
	node := doc.Root()
	for _, name := range []string{"Meta", "Source", "ID"} {
		var ok bool
		if node.Kind() != rawjson.KindObject {
			return ""
		}
		if node, ok = node.Member(name); !ok {
			return ""
		}
	}
	if node.Kind() != rawjson.KindString {
		return ""
	}
	return strings.ToLower(node.String())
}

// marshalJSON is for values that cannot fail to be JSON.
func marshalJSON(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
