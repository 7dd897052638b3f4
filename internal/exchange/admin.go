package exchange

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// AdminPath is the route of a tenant's exchange.
const AdminPath = "/exchange/:organization/:environment"

// Register adds the routes by which an exchange is looked at and managed:
//
//	GET    sources                          POST sources                 PUT sources/{id}
//	POST   sources/{id}/keys
//	GET    destinations                     POST destinations            GET PUT DELETE destinations/{id}
//	POST   destinations/{id}/verify
//	GET    subscriptions                    POST subscriptions           GET PUT DELETE subscriptions/{id}
//	POST   subscriptions/{id}/pause|resume|retry
//	GET    messages[/{id}[/body]]
//	GET    transmissions[/{id}]
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
		{"GET", "/destinations", x.listDestinations},
		{"POST", "/destinations", x.putDestination},
		{"GET", "/destinations/:id", x.getDestination},
		{"PUT", "/destinations/:id", x.putDestination},
		{"DELETE", "/destinations/:id", x.deleteDestination},
		{"POST", "/destinations/:id/verify", x.verifyDestination},
		{"GET", "/subscriptions", x.listSubscriptions},
		{"POST", "/subscriptions", x.putSubscription},
		{"GET", "/subscriptions/:id", x.getSubscription},
		{"PUT", "/subscriptions/:id", x.putSubscription},
		{"DELETE", "/subscriptions/:id", x.deleteSubscription},
		{"POST", "/subscriptions/:id/pause", x.pause(true)},
		{"POST", "/subscriptions/:id/resume", x.pause(false)},
		{"POST", "/subscriptions/:id/retry", x.retrySubscription},
		{"GET", "/messages", x.listMessages},
		{"GET", "/messages/:id", x.getMessage},
		{"GET", "/messages/:id/body", x.getMessageBody},
		{"GET", "/transmissions", x.listTransmissions},
		{"GET", "/transmissions/:id", x.getTransmission},
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

func (x *Exchange) listSources(r *adminRequest) (any, error) {
	return x.sources.List(r.Request.Context(), r.tenant)
}

func (x *Exchange) putSource(r *adminRequest) (any, error) {
	var s Source
	if err := r.bind(&s); err != nil {
		return nil, err
	}
	if id := r.Param("id"); id != "" {
		s.ID = id
	} else if s.ID == "" {
		s.ID = x.o.NewID()
	}
	if s.Name == "" {
		return nil, &notifications.FieldError{Field: "name", Rule: "is required"}
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		return nil, &notifications.FieldError{Field: "timeZone", Rule: "must be a name of the IANA time zone database, such as America/New_York"}
	}
	return s, x.sources.Put(r.Request.Context(), r.tenant, s)
}

// newKey makes an API key for a source (Redox: legacy API keys).
func (x *Exchange) newKey(r *adminRequest) (any, error) {
	src, err := x.sources.Get(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	key, secret, err := x.o.NewKey(r.Request.Context(), src.ID)
	return gin.H{"source": src.ID, "apiKey": key, "secret": secret}, err
}

func (x *Exchange) rules(t store.Tenant) notifications.Rules {
	_, env := tenant.Split(t)
	return notifications.Rules{Environment: notifications.Environment(env), Sandbox: x.o.Sandbox}
}

// secretHidden stands for a secret in answers.
const secretHidden = "********"

// shown is a destination as answers show it.
func shown(d notifications.Destination) notifications.Destination {
	if d.Secret != "" {
		d.Secret = secretHidden
	}
	if d.VerificationToken != "" {
		d.VerificationToken = secretHidden
	}
	return d
}

func (x *Exchange) listDestinations(r *adminRequest) (any, error) {
	all, err := x.o.Registry.Destinations(r.Request.Context(), r.tenant)
	for i := range all {
		all[i] = shown(all[i])
	}
	return all, err
}

func (x *Exchange) getDestination(r *adminRequest) (any, error) {
	d, err := x.o.Registry.Destination(r.Request.Context(), r.tenant, r.Param("id"))
	return shown(d), err
}

// putDestination stores a destination and asks its endpoint for the challenge
// at once. One that does not answer is stored, unverified, and the answer
// says so.
func (x *Exchange) putDestination(r *adminRequest) (any, error) {
	var d notifications.Destination
	if err := r.bind(&d); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	if id := r.Param("id"); id != "" {
		old, err := x.o.Registry.Destination(ctx, r.tenant, id)
		if err != nil {
			return nil, err
		}
		if d.Secret == secretHidden {
			d.Secret = old.Secret
		}
		if d.VerificationToken == secretHidden {
			d.VerificationToken = old.VerificationToken
		}
		d.ID = id
	} else if d.ID == "" {
		d.ID = x.o.NewID()
	}
	d.Verified = false
	if err := d.Validate(x.rules(r.tenant)); err != nil {
		return nil, err
	}
	if err := x.o.Registry.PutDestination(ctx, r.tenant, d); err != nil {
		return nil, err
	}
	var failed *notifications.Failure
	v, err := x.verify(r, d)
	if errors.As(err, &failed) {
		return struct {
			notifications.Destination
			Verification string `json:"verification"`
		}{shown(d), failed.Reason + "; POST to destinations/" + d.ID + "/verify when it is ready"}, nil
	}
	return v, err
}

func (x *Exchange) verifyDestination(r *adminRequest) (any, error) {
	d, err := x.o.Registry.Destination(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	return x.verify(r, d)
}

func (x *Exchange) verify(r *adminRequest, d notifications.Destination) (any, error) {
	ctx := r.Request.Context()
	challenge := make([]byte, 18)
	if _, err := rand.Read(challenge); err != nil {
		return nil, err
	}
	if err := x.o.Sender.Verify(ctx, d, base64.RawURLEncoding.EncodeToString(challenge)); err != nil {
		return nil, err
	}
	d.Verified = true
	return shown(d), x.o.Registry.PutDestination(ctx, r.tenant, d)
}

func (x *Exchange) deleteDestination(r *adminRequest) (any, error) {
	return nil, x.o.Registry.DeleteDestination(r.Request.Context(), r.tenant, r.Param("id"))
}

func (x *Exchange) listSubscriptions(r *adminRequest) (any, error) {
	return x.o.Registry.Subscriptions(r.Request.Context(), r.tenant)
}

func (x *Exchange) getSubscription(r *adminRequest) (any, error) {
	return x.o.Registry.Subscription(r.Request.Context(), r.tenant, r.Param("id"))
}

func (x *Exchange) putSubscription(r *adminRequest) (any, error) {
	var s notifications.Subscription
	if err := r.bind(&s); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	if id := r.Param("id"); id != "" {
		if _, err := x.o.Registry.Subscription(ctx, r.tenant, id); err != nil {
			return nil, err
		}
		s.ID = id
	} else if s.ID == "" {
		s.ID = x.o.NewID()
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if _, err := x.o.Registry.Destination(ctx, r.tenant, s.Destination); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = &notifications.FieldError{Field: "destination", Rule: "names no destination of this environment"}
		}
		return nil, err
	}
	if s.Source != "" {
		if _, err := x.sources.Get(ctx, r.tenant, s.Source); err != nil {
			if errors.Is(err, ErrUnknownSource) {
				err = &notifications.FieldError{Field: "source", Rule: "names no source of this environment"}
			}
			return nil, err
		}
	}
	head, err := x.o.Store.Head(ctx, r.tenant)
	if err != nil {
		return nil, err
	}
	return s, x.o.Registry.PutSubscription(ctx, r.tenant, s, head)
}

func (x *Exchange) deleteSubscription(r *adminRequest) (any, error) {
	return nil, x.o.Registry.DeleteSubscription(r.Request.Context(), r.tenant, r.Param("id"))
}

func (x *Exchange) pause(paused bool) func(r *adminRequest) (any, error) {
	return func(r *adminRequest) (any, error) {
		s, err := x.o.Registry.Subscription(r.Request.Context(), r.tenant, r.Param("id"))
		if err != nil {
			return nil, err
		}
		s.Paused = paused
		return s, x.o.Registry.PutSubscription(r.Request.Context(), r.tenant, s, 0)
	}
}

func (x *Exchange) retrySubscription(r *adminRequest) (any, error) {
	if _, err := x.o.Registry.Subscription(r.Request.Context(), r.tenant, r.Param("id")); err != nil {
		return nil, err
	}
	if !x.o.RetryNow(r.tenant, r.Param("id")) {
		return nil, outcome.New(http.StatusConflict, outcome.CodeConflict, "This subscription's queue does not run here: it is paused, its destination is not verified, or another instance has it.")
	}
	return gin.H{"retry": "now"}, nil
}

// page reads ?after= and ?limit=.
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

func (x *Exchange) listMessages(r *adminRequest) (any, error) {
	after, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	found, next, err := x.messages.List(r.Request.Context(), r.tenant, after, limit)
	return listing{found, base64.RawURLEncoding.EncodeToString([]byte(next))}, err
}

func (x *Exchange) getMessage(r *adminRequest) (any, error) {
	m, err := x.messages.Get(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	sent, _, err := x.o.Transmissions.List(r.Request.Context(), r.tenant, notifications.TransmissionFilter{Message: m.ID, Limit: 1000})
	return struct {
		Message
		Transmissions []notifications.Transmission `json:"transmissions"`
	}{m, sent}, err
}

func (x *Exchange) getMessageBody(r *adminRequest) (any, error) {
	b, err := x.messages.Body(r.Request.Context(), r.tenant, r.Param("id"))
	return raw(b), err
}

func (x *Exchange) listTransmissions(r *adminRequest) (any, error) {
	after, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	found, next, err := x.o.Transmissions.List(r.Request.Context(), r.tenant, notifications.TransmissionFilter{
		Subscription: r.Query("subscription"), Message: r.Query("message"), After: after, Limit: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("transmissions: %w", err)
	}
	return listing{found, base64.RawURLEncoding.EncodeToString([]byte(next))}, nil
}

func (x *Exchange) getTransmission(r *adminRequest) (any, error) {
	return x.o.Transmissions.Get(r.Request.Context(), r.tenant, r.Param("id"))
}
