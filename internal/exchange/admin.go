package exchange

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// AdminPath is the route of a tenant's exchange.
const AdminPath = "/exchange/:organization/:environment"

// Register adds the routes by which an exchange is looked at and managed:
//
//	GET    sources                          POST sources                 PUT sources/{id}
//	POST   sources/{id}/keys                POST sources/{id}/clients
//	GET    destinations                     POST destinations            GET PUT DELETE destinations/{id}
//	POST   destinations/{id}/verify
//	POST   destinations/{id}/dry-run
//	GET    subscriptions                    POST subscriptions           GET PUT DELETE subscriptions/{id}
//	POST   subscriptions/{id}/pause|resume|retry
//	POST   subscriptions/{id}/replay        {"seq": 17} or {"since": "2026-01-31T10:00:00Z"}
//	GET    backlog
//	GET    messages[/{id}[/body]]
//	GET    transmissions[/{id}]
//	POST   transmissions/{id}/skip          {"reason": "…"}
func (x *Exchange) Register(e gin.IRoutes) {
	type route struct {
		method, path string
		handle       func(r *adminRequest) (any, error)
	}
	for _, r := range []route{
		{"GET", "/sources", x.listSources},
		{"POST", "/sources", x.putSource},
		{"PUT", "/sources/:id", x.putSource},
		{"POST", "/sources/:id/keys", x.newKey},
		{"POST", "/sources/:id/clients", x.newClient},
		{"GET", "/destinations", x.listDestinations},
		{"POST", "/destinations", x.putDestination},
		{"GET", "/destinations/:id", x.getDestination},
		{"PUT", "/destinations/:id", x.putDestination},
		{"DELETE", "/destinations/:id", x.deleteDestination},
		{"POST", "/destinations/:id/verify", x.verifyDestination},
		{"POST", "/destinations/:id/dry-run", x.dryRunHL7v2},
		{"GET", "/subscriptions", x.listSubscriptions},
		{"POST", "/subscriptions", x.putSubscription},
		{"GET", "/subscriptions/:id", x.getSubscription},
		{"PUT", "/subscriptions/:id", x.putSubscription},
		{"DELETE", "/subscriptions/:id", x.deleteSubscription},
		{"POST", "/subscriptions/:id/pause", x.pause(true)},
		{"POST", "/subscriptions/:id/resume", x.pause(false)},
		{"POST", "/subscriptions/:id/retry", x.retrySubscription},
		{"POST", "/subscriptions/:id/replay", x.replaySubscription},
		{"GET", "/backlog", x.backlog},
		{"GET", "/messages", x.listMessages},
		{"GET", "/messages/:id", x.getMessage},
		{"GET", "/messages/:id/body", x.getMessageBody},
		{"GET", "/transmissions", x.listTransmissions},
		{"GET", "/transmissions/:id", x.getTransmission},
		{"POST", "/transmissions/:id/skip", x.skipTransmission},
	} {
		e.Handle(r.method, AdminPath+r.path, x.admin(r.handle))
	}
}

type adminRequest struct {
	*gin.Context
	tenant store.Tenant
}

// raw is an answer that is sent as it is.
type raw []byte

// admin finds the tenant and writes the answer or the error: for people and
// scripts, as {"error": {"field", "text"}}.
func (x *Exchange) admin(handle func(r *adminRequest) (any, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		t, err := x.o.Directory.Tenant(c.Request.Context(), c.Param("organization"), c.Param("environment"))
		var result any
		if err == nil {
			result, err = handle(&adminRequest{c, t})
		}
		if err != nil {
			adminError(c, err)
			return
		}
		switch v := result.(type) {
		case nil:
			c.Status(http.StatusNoContent)
		case raw:
			c.Data(http.StatusOK, "application/json", v)
		default:
			status := http.StatusOK
			if c.Request.Method == http.MethodPost && c.Param("id") == "" {
				status = http.StatusCreated
			}
			c.JSON(status, v)
		}
	}
}

func adminError(c *gin.Context, err error) {
	type text struct {
		Field string `json:"field,omitempty"`
		Text  string `json:"text"`
	}
	var field *notifications.FieldError
	var failed *notifications.Failure
	status, t := http.StatusBadRequest, text{Text: err.Error()}
	switch {
	case errors.As(err, &field):
		t.Field = field.Field
	case errors.As(err, &failed):
		status, t.Text = http.StatusUnprocessableEntity, failed.Reason
	case errors.Is(err, ErrUnknownSource):
		status = http.StatusNotFound
	default:
		o := outcome.From(err)
		status, t.Text = o.Status, o.Issues[0].Diagnostics
		if errors.Is(err, store.ErrNotFound) {
			t.Text = "There is no such thing here. List what there is with a GET one level up."
		}
	}
	_ = c.Error(err)
	c.JSON(status, gin.H{"error": t})
}

// bind reads a JSON body strictly: a field that is not known is a mistake.
func (r *adminRequest) bind(v any) error {
	d := json.NewDecoder(io.LimitReader(r.Request.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return outcome.BadRequest(outcome.CodeStructure, "The body is not as expected: %v.", err)
	}
	return nil
}

// page reads ?after= and ?limit=; see listed.
func (r *adminRequest) page() (after string, limit int, err error) {
	limit = 50
	if l := r.Query("limit"); l != "" {
		if limit, err = strconv.Atoi(l); err != nil || limit < 1 || limit > 1000 {
			return "", 0, &notifications.FieldError{Field: "limit", Rule: "must be from 1 to 1000"}
		}
	}
	b, err := base64.RawURLEncoding.DecodeString(r.Query("after"))
	if err != nil {
		return "", 0, &notifications.FieldError{Field: "after", Rule: "must be the next of an earlier page"}
	}
	return string(b), limit, nil
}

type listing struct {
	Items any    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// listed is a page of a list and the ?after= of the page behind it.
func listed(items any, next string) listing {
	return listing{items, base64.RawURLEncoding.EncodeToString([]byte(next))}
}
