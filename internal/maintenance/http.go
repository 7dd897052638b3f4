package maintenance

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
)

// Path is the route of a tenant's maintenance.
const Path = "/maintenance/:organization/:environment"

// API is maintenance over HTTP, for the administrator.
type API struct {
	runner    *Runner
	directory *tenant.Directory
}

// NewAPI makes the API.
func NewAPI(r *Runner, d *tenant.Directory) *API { return &API{r, d} }

// Register adds the routes. Below Path:
//
//	POST   reindex                          {"types": ["Patient"]}; all types without
//	GET    jobs[/{id}]                      POST jobs/{id}/cancel
//	GET    search-parameters                what the tenant has defined, and how far it is
//	GET    log                              how far the log is kept, and who holds it
//
// And for the whole server:
//
//	POST   /maintenance/backup              {"folder": "/backups/monday"}
//	GET    /maintenance/jobs[/{id}]
//	DELETE /organizations/{organization}[/environments/{environment}]
//	       ?dry-run=true, or ?confirm= with organization[/environment] once more
func (a *API) Register(e gin.IRoutes) {
	e.POST(Path+"/reindex", a.in(a.reindex))
	e.GET(Path+"/jobs", a.in(a.list))
	e.GET(Path+"/jobs/:id", a.in(a.get))
	e.POST(Path+"/jobs/:id/cancel", a.in(a.cancel))
	e.GET(Path+"/search-parameters", a.in(a.searchParameters))
	e.GET(Path+"/log", a.in(a.log))
	e.POST("/maintenance/backup", a.system(a.backup))
	e.GET("/maintenance/jobs", a.system(a.list))
	e.GET("/maintenance/jobs/:id", a.system(a.get))
	e.DELETE("/organizations/:organization", a.system(a.drop))
	e.DELETE("/organizations/:organization/environments/:environment", a.system(a.drop))
}

type call struct {
	*gin.Context
	tenant store.Tenant
}

type handler func(c *call) (status int, answer any, err error)

// in serves a tenant's route, system one of the whole server.
func (a *API) in(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		t, err := a.directory.Tenant(c.Request.Context(), c.Param("organization"), c.Param("environment"))
		if err != nil {
			fail(c, err)
			return
		}
		answer(c, t, h)
	}
}

func (a *API) system(h handler) gin.HandlerFunc {
	return func(c *gin.Context) { answer(c, store.System, h) }
}

func answer(c *gin.Context, t store.Tenant, h handler) {
	status, body, err := h(&call{c, t})
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(status, body)
}

// fail answers as the exchange's routes do: {"error": {"field", "text"}}.
func fail(c *gin.Context, err error) {
	type text struct {
		Field string `json:"field,omitempty"`
		Text  string `json:"text"`
	}
	_ = c.Error(err)
	o := outcome.From(err)
	t := text{Field: o.Issues[0].Expression, Text: o.Issues[0].Diagnostics}
	status := o.Status
	switch {
	case errors.Is(err, store.ErrNotFound):
		t.Text = "There is no such thing here. List what there is with a GET one level up."
	case errors.Is(err, ErrEnded):
		status, t.Text = http.StatusConflict, "The job has ended already."
	}
	c.JSON(status, gin.H{"error": t})
}

func invalid(field, rule string) error {
	return outcome.BadRequest(outcome.CodeValue, "%s %s", field, rule).At(field)
}

// bind reads a JSON body strictly; none is an empty object.
func (c *call) bind(v any) error {
	d := json.NewDecoder(io.LimitReader(c.Request.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return outcome.BadRequest(outcome.CodeStructure, "The body is not as expected: %v.", err)
	}
	return nil
}

func (a *API) reindex(c *call) (int, any, error) {
	var in struct {
		Types []string `json:"types"`
	}
	if err := c.bind(&in); err != nil {
		return 0, nil, err
	}
	d := a.runner.o.Parameters.Definitions()
	for _, t := range in.Types {
		if !d.IsResourceType(t) {
			return 0, nil, invalid("types", "names what is no FHIR R4 resource type.")
		}
	}
	slices.Sort(in.Types)
	j, err := a.runner.Order(c.Request.Context(), c.tenant, slices.Compact(in.Types), "requested")
	return http.StatusCreated, j, err
}

func (a *API) list(c *call) (int, any, error) {
	limit := 50
	if l := c.Query("limit"); l != "" {
		var err error
		if limit, err = strconv.Atoi(l); err != nil || limit < 1 || limit > 1000 {
			return 0, nil, invalid("limit", "must be from 1 to 1000.")
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(c.Query("after"))
	if err != nil {
		return 0, nil, invalid("after", "must be the next of an earlier page.")
	}
	jobs, next, err := a.runner.jobs.List(c.Request.Context(), c.tenant, string(after), limit)
	return http.StatusOK, struct {
		Items []*Job `json:"items"`
		Next  string `json:"next,omitempty"`
	}{jobs, base64.RawURLEncoding.EncodeToString([]byte(next))}, err
}

func (a *API) get(c *call) (int, any, error) {
	j, err := a.runner.jobs.Get(c.Request.Context(), c.tenant, c.Param("id"))
	return http.StatusOK, j, err
}

func (a *API) cancel(c *call) (int, any, error) {
	j, err := a.runner.jobs.Cancel(c.Request.Context(), c.tenant, c.Param("id"))
	return http.StatusOK, j, err
}

func (a *API) searchParameters(c *call) (int, any, error) {
	ctx := c.Request.Context()
	// What this instance goes by, which may be seconds behind the record.
	view, err := a.runner.o.Parameters.View(ctx, c.tenant)
	if err != nil {
		return 0, nil, err
	}
	rec := view.Record
	type shown struct {
		parameters.Parameter
		Progress string `json:"progress,omitempty"`
	}
	all := []shown{}
	for _, p := range rec.Parameters {
		s := shown{Parameter: p}
		if waiting(p) {
			s.Progress = a.runner.Progress(ctx, c.tenant, p)
		}
		all = append(all, s)
	}
	return http.StatusOK, gin.H{"rebuilding": rec.Rebuilding != "", "items": all}, nil
}

func (a *API) log(c *call) (int, any, error) {
	s, err := a.runner.LogState(c.Request.Context(), c.tenant)
	return http.StatusOK, s, err
}

func (a *API) backup(c *call) (int, any, error) {
	var in struct {
		Folder string `json:"folder"`
	}
	if err := c.bind(&in); err != nil {
		return 0, nil, err
	}
	if in.Folder == "" {
		return 0, nil, invalid("folder", "is required.")
	}
	err := a.runner.Backup(c.Request.Context(), in.Folder)
	var known *outcome.Error
	if err != nil && !errors.As(err, &known) && !errors.Is(err, store.ErrClosed) {
		// The administrator is told what the file system says.
		err = outcome.New(http.StatusInternalServerError, outcome.CodeException, "The backup failed: %v.", err)
	}
	return http.StatusCreated, in, err
}

func (a *API) drop(c *call) (int, any, error) {
	ctx := c.Request.Context()
	organization, environment := c.Param("organization"), c.Param("environment")
	name := organization
	if environment != "" {
		name += "/" + environment
		if !slices.Contains(tenant.Environments, environment) {
			return 0, nil, store.ErrNotFound
		}
	}
	if _, err := a.directory.Organization(ctx, organization); err != nil {
		return 0, nil, err
	}
	if c.Query("dry-run") == "true" {
		contents, err := a.runner.Contents(ctx, organization, environment)
		return http.StatusOK, gin.H{"items": contents}, err
	}
	if c.Query("confirm") != name {
		return 0, nil, invalid("confirm", "must be the name once more: "+name+". What is removed cannot be brought back; ?dry-run=true counts it.")
	}
	j, err := a.runner.OrderDrop(ctx, organization, environment)
	return http.StatusAccepted, j, err
}
