package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/internal/auth"
	"github.com/fhirfacade/fhirfacade/internal/exchange"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/internal/telemetry"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
)

type parts struct {
	api         *rest.API
	exchange    *exchange.Exchange
	connections *exchange.Connections
	redox       *exchange.RedoxAPI
	auth        *auth.Auth
	directory   *tenant.Directory
	maintenance *maintenance.API
	metrics     *telemetry.Metrics
	store       store.Store
	logger      *slog.Logger
}

// routes puts the parts behind their paths.
func routes(p parts) http.Handler {
	e := gin.New()
	e.HandleMethodNotAllowed = true
	_ = e.SetTrustedProxies(nil) // no addresses: cannot fail
	e.Use(requestID, p.metrics.Requests(p.logger), recovery(p.logger))
	e.NoRoute(fault(http.StatusNotFound, outcome.CodeNotFound, "The server has nothing at this path. The FHIR base is /fhir/R4/{organization}/{environment}."))
	e.NoMethod(fault(http.StatusMethodNotAllowed, outcome.CodeNotSupported, "This path does not take this method."))

	e.GET("/health/live", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "live"}) })
	e.GET("/health/ready", func(c *gin.Context) {
		if err := p.store.Ping(c.Request.Context()); err != nil {
			c.Header("Retry-After", "1")
			c.JSON(http.StatusServiceUnavailable, gin.H{"status": "store unavailable"})
			return
		}
		c.JSON(http.StatusOK, gin.H{"status": "ready"})
	})
	p.auth.Register(e)
	p.api.RegisterMetadata(e)
	admin := e.Group("", p.auth.RequireAdmin)
	admin.GET("/metrics", gin.WrapH(p.metrics.Handler()))
	p.api.Register(admin)
	p.exchange.Register(admin)
	p.connections.Register(admin)
	p.maintenance.Register(admin)
	admin.GET("/organizations", p.listOrganizations)
	admin.POST("/organizations", p.addOrganization)
	admin.PUT("/organizations/:organization/validation", p.setValidation)
	p.redox.Register(e.Group("", p.auth.RequireToken))
	return e
}

// requestID names each request, for the log and the client.
func requestID(c *gin.Context) { c.Header("X-Request-Id", newID()) }

func fault(status int, code outcome.Code, text string) gin.HandlerFunc {
	body := outcome.JSON(outcome.New(status, code, "%s", text).Issues)
	return func(c *gin.Context) { c.Data(status, "application/fhir+json; charset=utf-8", body) }
}

// recovery answers a panic with a 500 and keeps the server alive. The panic's
// value may hold data of a patient, so it is logged at debug level only; its
// place is what helps.
func recovery(logger *slog.Logger) gin.HandlerFunc {
	answer := fault(http.StatusInternalServerError, outcome.CodeException, "The server failed to answer. Its log has the reason.")
	return func(c *gin.Context) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this
				panic(v)
			}
			logger.Error("panic in a handler", "route", c.FullPath(), "type", fmt.Sprintf("%T", v), "stack", stack())
			logger.Debug("panic in a handler", "value", fmt.Sprint(v))
			c.Abort()
			if !c.Writer.Written() {
				answer(c)
			}
		}()
		c.Next()
	}
}

// stack is the stack without the arguments of its calls.
func stack() string {
	var b strings.Builder
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		if i := strings.LastIndexByte(line, '('); i > 0 && !strings.HasPrefix(line, "\t") {
			line = line[:i]
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func (p parts) listOrganizations(c *gin.Context) {
	all, err := p.directory.Organizations(c.Request.Context())
	if err != nil {
		e := outcome.From(err)
		c.Data(e.Status, "application/fhir+json; charset=utf-8", outcome.JSON(e.Issues))
		return
	}
	c.JSON(http.StatusOK, all)
}

func (p parts) addOrganization(c *gin.Context) {
	var o tenant.Organization
	err := c.ShouldBindJSON(&o)
	if err == nil {
		err = p.directory.Add(c.Request.Context(), o)
	}
	if err == nil {
		err = p.exchange.Sources().EnsureDefaults(c.Request.Context(), o.ID)
	}
	if err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": gin.H{"text": err.Error()}})
		return
	}
	c.JSON(http.StatusCreated, o)
}

// setValidation is how an organization's writes are checked from now on.
func (p parts) setValidation(c *gin.Context) {
	var s validate.Settings
	decoder := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 1<<16))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&s)
	if err == nil {
		err = p.directory.SetValidation(c.Request.Context(), c.Param("organization"), s)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.JSON(http.StatusNotFound, gin.H{"error": gin.H{"text": "there is no such organization"}})
	case err != nil:
		c.JSON(http.StatusBadRequest, gin.H{"error": gin.H{"text": err.Error()}})
	default:
		c.JSON(http.StatusOK, s)
	}
}
