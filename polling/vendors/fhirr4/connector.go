package fhirr4

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/api"
)

// Connector polls one server.
type Connector struct {
	client *api.Client
	preset preset
	env    polling.Environment
	zone   *time.Location
}

var (
	_ polling.Connector = (*Connector)(nil)
	_ polling.Open      = Open
)

// Open makes the connector of a connection; it is a polling.Open.
func Open(c polling.Connection, env polling.Environment) (polling.Connector, error) {
	p, ok := presets[c.Preset]
	if !ok {
		return nil, fmt.Errorf("fhir: preset is none of %s", strings.Join(Presets(), ", "))
	}
	header := map[string]string{"Accept": "application/fhir+json"}
	for name, value := range c.Header {
		header[name] = value
	}
	if p.practiceHeader != "" {
		if c.Practice == "" {
			return nil, fmt.Errorf("fhir: preset %s needs a practice", c.Preset)
		}
		header[p.practiceHeader] = c.Practice
	}
	for _, a := range c.Actions {
		q, err := url.ParseQuery(a.Query)
		if err != nil {
			return nil, fmt.Errorf("fhir: action %s: query is none", a.Name)
		}
		if need := p.narrowed[a.Name]; need != nil && !slices.ContainsFunc(need, q.Has) {
			return nil, fmt.Errorf("fhir: action %s: %s wants one of %s in query", a.Name, c.Preset, strings.Join(need, ", "))
		}
		for _, name := range []string{"_lastUpdated", "_sort", "_count"} {
			if q.Has(name) {
				return nil, fmt.Errorf("fhir: action %s: query must not have %s, which the poller sets", a.Name, name)
			}
		}
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("fhir: %w", err)
	}
	auth := c.Auth
	if auth.Method == "" && c.ClientID != "" {
		auth.Method, auth.ClientID, auth.ClientSecret = api.ClientCredentials, c.ClientID, c.ClientSecret
	}
	limits := p.limits
	if c.RatePerSecond > 0 {
		limits = append(slices.Clone(limits), api.Limit{Calls: c.RatePerSecond, Per: time.Second})
	}
	client, err := api.New(api.Options{BaseURL: c.BaseURL, Auth: auth, Header: header, Limits: limits, Timeout: c.Timeout, Environment: env})
	if err != nil {
		return nil, fmt.Errorf("fhir: %w", err)
	}
	return &Connector{client: client, preset: p, env: env, zone: zone}, nil
}

// Actions implements polling.Connector.
func (c *Connector) Actions() []string { return types }

// Calls implements polling.Connector.
func (c *Connector) Calls() int64 { return c.client.Calls() }
