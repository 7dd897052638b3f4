package exchange

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Connection is a vendor's API that is polled, as the JSON API has it.
type Connection struct {
	ID string `json:"id"`
	// Kind is "" for a vendor's API, or KindMLLP.
	Kind         string `json:"kind,omitempty"`
	Vendor       string `json:"vendor,omitempty"`
	BaseURL      string `json:"baseUrl,omitempty"`
	Practice     string `json:"practice,omitempty"`
	ClientID     string `json:"clientId,omitempty"`
	ClientSecret string `json:"clientSecret,omitempty"`
	// Preset names what is peculiar to a vendor, for the connector of FHIR.
	Preset string `json:"preset,omitempty"`
	// Auth is how calls are authorized, where the connector leaves the choice.
	Auth *Auth `json:"auth,omitempty"`
	// Headers are sent with every call.
	Headers map[string]string `json:"headers,omitempty"`
	// RatePerSecond is the most calls a second; the vendor's usual limit when 0.
	RatePerSecond float64  `json:"ratePerSecond,omitempty"`
	TimeZone      string   `json:"timeZone,omitempty"`
	Source        string   `json:"source,omitempty"`
	Actions       []Action `json:"actions,omitempty"`
	// HL7v2 are the settings of KindMLLP.
	HL7v2 *HL7v2 `json:"hl7v2,omitempty"`
}

// Auth is how calls are authorized; see polling.Auth.
type Auth struct {
	Method         string `json:"method"`
	TokenURL       string `json:"tokenUrl,omitempty"`
	ClientID       string `json:"clientId,omitempty"`
	ClientSecret   string `json:"clientSecret,omitempty"`
	SecretInBody   bool   `json:"secretInBody,omitempty"`
	Scope          string `json:"scope,omitempty"`
	PrivateKey     string `json:"privateKey,omitempty"`
	KeyID          string `json:"keyId,omitempty"`
	Username       string `json:"username,omitempty"`
	Password       string `json:"password,omitempty"`
	RefreshToken   string `json:"refreshToken,omitempty"`
	APIKey         string `json:"apiKey,omitempty"`
	Header         string `json:"header,omitempty"`
	QueryParameter string `json:"queryParameter,omitempty"`
}

// secrets are the fields that are not shown.
func (a *Auth) secrets() []*string {
	return []*string{&a.ClientSecret, &a.PrivateKey, &a.Password, &a.RefreshToken, &a.APIKey}
}

// Action is one thing that is polled.
type Action struct {
	Name string `json:"name"`
	// Schedule is a cron line, with or without seconds, or "@every 1s".
	Schedule string `json:"schedule"`
	// Backfill is how far before the first run is looked: "24h".
	Backfill string `json:"backfill,omitempty"`
	PageSize int    `json:"pageSize,omitempty"`
	Parallel int    `json:"parallel,omitempty"`
	// Query are further parameters of the request for changes.
	Query string `json:"query,omitempty"`
	// Overlap, WindowBack and WindowAhead are durations; see
	// polling.ActionConfig.
	Overlap     string `json:"overlap,omitempty"`
	WindowBack  string `json:"windowBack,omitempty"`
	WindowAhead string `json:"windowAhead,omitempty"`
	// Follow are the types of referenced records that are read as well.
	Follow []string `json:"follow,omitempty"`
}

const kindConnection = "connection"

// Poller polls connections: a *polling.Manager.
type Poller interface {
	Apply(ctx context.Context, connections []polling.Connection) error
	RunNow(ctx context.Context, connection, action string) (polling.Report, error)
	Status() []polling.Status
}

// Connections keeps the connections of all tenants and hands them to a poller.
type Connections struct {
	x         *Exchange
	poller    Poller
	listeners *listeners
	applying  sync.Mutex // one Apply after the other: what was read last counts
}

// NewConnections makes them.
func NewConnections(x *Exchange, p Poller) *Connections {
	return &Connections{x: x, poller: p, listeners: &listeners{x: x, all: map[string]*listener{}}}
}

// Register adds the routes:
//
//	GET    connections          POST connections          GET PUT DELETE connections/{id}
//	POST   connections/{id}/actions/{action}/run
//	GET    polls
//	GET    listeners
func (cs *Connections) Register(e gin.IRoutes) {
	e.GET(AdminPath+"/connections", cs.x.admin(cs.list))
	e.POST(AdminPath+"/connections", cs.x.admin(cs.put))
	e.GET(AdminPath+"/connections/:id", cs.x.admin(cs.get))
	e.PUT(AdminPath+"/connections/:id", cs.x.admin(cs.put))
	e.DELETE(AdminPath+"/connections/:id", cs.x.admin(cs.delete))
	e.POST(AdminPath+"/connections/:id/actions/:action/run", cs.x.admin(cs.run))
	e.GET(AdminPath+"/polls", cs.x.admin(cs.polls))
	e.GET(AdminPath+"/listeners", cs.x.admin(func(r *adminRequest) (any, error) { return cs.listeners.status(r.tenant), nil }))
}

// name is a connection's name for the poller, which knows those of all tenants.
func name(t store.Tenant, id string) string { return string(t) + ":" + id }

// polled is the connection as the poller takes it.
func (c Connection) polled(t store.Tenant) (polling.Connection, error) {
	p := polling.Connection{
		Preset: c.Preset, Header: c.Headers, RatePerSecond: c.RatePerSecond,
		ID: name(t, c.ID), Tenant: t, Vendor: c.Vendor, BaseURL: c.BaseURL, Practice: c.Practice,
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, TimeZone: c.TimeZone, Source: c.Source,
	}
	if c.Auth != nil {
		p.Auth = polling.Auth(*c.Auth)
	}
	for _, a := range c.Actions {
		cfg := polling.ActionConfig{
			Name: a.Name, Schedule: a.Schedule, PageSize: a.PageSize, Parallel: a.Parallel, Query: a.Query, Follow: a.Follow,
		}
		for _, d := range []struct {
			field, text string
			into        *time.Duration
		}{
			{"backfill", a.Backfill, &cfg.Backfill}, {"overlap", a.Overlap, &cfg.Overlap},
			{"windowBack", a.WindowBack, &cfg.WindowBack}, {"windowAhead", a.WindowAhead, &cfg.WindowAhead},
		} {
			if d.text == "" {
				continue
			}
			var err error
			if *d.into, err = time.ParseDuration(d.text); err != nil {
				return p, &notifications.FieldError{Field: d.field, Rule: `must be a duration such as "24h"`}
			}
		}
		p.Actions = append(p.Actions, cfg)
	}
	return p, p.Validate()
}

// Apply reads the connections of all tenants and gives them to the poller.
func (cs *Connections) Apply(ctx context.Context) error {
	cs.applying.Lock()
	defer cs.applying.Unlock()
	tenants, err := cs.x.o.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	var all []polling.Connection
	listening := map[string]wantedListener{}
	for _, t := range tenants {
		if t == store.System {
			continue
		}
		of, err := cs.of(ctx, t)
		if err != nil {
			return err
		}
		for _, c := range of {
			if c.Kind == KindMLLP {
				if c.HL7v2 != nil && c.HL7v2.Listen != "" {
					listening[name(t, c.ID)] = wantedListener{t, c}
				}
				continue
			}
			p, err := c.polled(t)
			if err != nil {
				cs.x.o.Logger.ErrorContext(ctx, "connection cannot be used", "tenant", t, "connection", c.ID, "error", err)
				continue
			}
			all = append(all, p)
		}
	}
	cs.listeners.apply(ctx, listening)
	return cs.poller.Apply(ctx, all)
}

func (cs *Connections) of(ctx context.Context, t store.Tenant) ([]Connection, error) {
	return connectionsOf(ctx, cs.x.o.Store, t)
}

func connectionsOf(ctx context.Context, items store.Items, t store.Tenant) ([]Connection, error) {
	return documents.List[Connection](ctx, items, t, kindConnection)
}

func (c Connection) shown() Connection {
	if c.ClientSecret != "" {
		c.ClientSecret = secretHidden
	}
	if c.Auth != nil {
		a := *c.Auth
		for _, secret := range a.secrets() {
			if *secret != "" {
				*secret = secretHidden
			}
		}
		c.Auth = &a
	}
	if c.HL7v2 != nil && c.HL7v2.TLS != nil {
		h, secured := *c.HL7v2, *c.HL7v2.TLS
		secured.PrivateKey, h.TLS = secretHidden, &secured
		c.HL7v2 = &h
	}
	return c
}

// keepSecrets puts those of old in the place of what was shown of them.
func (c *Connection) keepSecrets(old Connection) {
	if c.ClientSecret == secretHidden {
		c.ClientSecret = old.ClientSecret
	}
	if c.Auth == nil || old.Auth == nil {
		return
	}
	known := old.Auth.secrets()
	for i, secret := range c.Auth.secrets() {
		if *secret == secretHidden {
			*secret = *known[i]
		}
	}
}

func (cs *Connections) list(r *adminRequest) (any, error) {
	all, err := cs.of(r.Request.Context(), r.tenant)
	for i := range all {
		all[i] = all[i].shown()
	}
	return all, err
}

func (cs *Connections) load(r *adminRequest) (Connection, error) {
	return documents.Get[Connection](r.Request.Context(), cs.x.o.Store, r.tenant, kindConnection, r.Param("id"))
}

func (cs *Connections) get(r *adminRequest) (any, error) {
	c, err := cs.load(r)
	return c.shown(), err
}

func (cs *Connections) put(r *adminRequest) (any, error) {
	var c Connection
	if err := r.bind(&c); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	if r.Param("id") != "" {
		old, err := cs.load(r)
		if err != nil {
			return nil, err
		}
		c.ID = old.ID
		c.keepSecrets(old)
		if h := c.HL7v2; h != nil && h.TLS != nil && h.TLS.PrivateKey == secretHidden && old.HL7v2 != nil && old.HL7v2.TLS != nil {
			h.TLS.PrivateKey = old.HL7v2.TLS.PrivateKey
		}
	} else if c.ID == "" {
		c.ID = cs.x.o.NewID()
	}
	if c.Source == "" {
		c.Source = DefaultSourceID(r.tenant)
	}
	if err := cs.x.checkSource(ctx, r.tenant, c.Source); err != nil {
		return nil, err
	}
	if c.Kind != "" || c.HL7v2 != nil {
		if err := c.listens(); err != nil {
			return nil, err
		}
	} else if _, err := c.polled(r.tenant); err != nil {
		var field *notifications.FieldError
		if !errors.As(err, &field) {
			err = outcome.BadRequest(outcome.CodeValue, "%s", err)
		}
		return nil, err
	}
	if err := documents.Put(ctx, cs.x.o.Store, r.tenant, store.Item{Kind: kindConnection, ID: c.ID}, c, store.ItemAny); err != nil {
		return nil, err
	}
	return c.shown(), cs.Apply(ctx)
}

func (cs *Connections) delete(r *adminRequest) (any, error) {
	ctx := r.Request.Context()
	if err := cs.x.o.Store.DeleteItem(ctx, r.tenant, kindConnection, r.Param("id"), store.ItemAny); err != nil {
		return nil, err
	}
	return nil, cs.Apply(ctx)
}

func (cs *Connections) run(r *adminRequest) (any, error) {
	if _, err := cs.load(r); err != nil {
		return nil, err
	}
	report, err := cs.poller.RunNow(r.Request.Context(), name(r.tenant, r.Param("id")), r.Param("action"))
	if err != nil {
		return nil, outcome.New(http.StatusBadGateway, outcome.CodeTransient, "The poll failed: %s", err)
	}
	return shownReport(report), nil
}

// Poll says how one action of a connection does.
type Poll struct {
	Connection  string     `json:"connection"`
	Action      string     `json:"action"`
	Vendor      string     `json:"vendor"`
	Schedule    string     `json:"schedule"`
	State       string     `json:"state"`
	LastRun     *time.Time `json:"lastRun,omitempty"`
	LastSuccess *time.Time `json:"lastSuccess,omitempty"`
	NextRun     *time.Time `json:"nextRun,omitempty"`
	Runs        int64      `json:"runs"`
	Errors      int64      `json:"errors"`
	Calls       int64      `json:"calls"`
	Changes     int64      `json:"changes"`
	Delivered   int64      `json:"delivered"`
	Parked      int64      `json:"parked"`
	Kept        int        `json:"kept"`
	Last        PollReport `json:"last"`
}

// PollReport says what one run did; see polling.Report.
type PollReport struct {
	Changes    int   `json:"changes"`
	Duplicates int   `json:"duplicates"`
	Unchanged  int   `json:"unchanged"`
	Delivered  int   `json:"delivered"`
	Kept       int   `json:"kept"`
	Parked     int   `json:"parked"`
	Calls      int64 `json:"calls"`
}

func shownReport(r polling.Report) PollReport {
	return PollReport{r.Changes, r.Duplicates, r.Unchanged, r.Delivered, r.Kept, r.Parked, r.Calls}
}

func (cs *Connections) polls(r *adminRequest) (any, error) {
	mine := []Poll{}
	for _, s := range cs.poller.Status() {
		if s.Tenant != string(r.tenant) {
			continue
		}
		mine = append(mine, Poll{
			Connection: strings.TrimPrefix(s.Connection, name(r.tenant, "")), Action: s.Action, Vendor: s.Vendor,
			Schedule: s.Schedule, State: s.State, LastRun: at(s.LastRun), LastSuccess: at(s.LastSuccess), NextRun: at(s.NextRun),
			Runs: s.Runs, Errors: s.Errors, Calls: s.Calls, Changes: s.Changes, Delivered: s.Delivered,
			Parked: s.Parked, Kept: s.Kept, Last: shownReport(s.Last),
		})
	}
	return mine, nil
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
