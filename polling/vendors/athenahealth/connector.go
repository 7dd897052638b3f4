package athenahealth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // Eastern time, and departments' zones, on machines without zone files

	"github.com/fhirfacade/fhirfacade/polling"
)

// Appointments is the action that polls appointments.
const Appointments = "appointments"

// Limits of the vendor, in calls a second.
const (
	previewRate    = 5
	productionRate = 100
)

// Connector polls one practice.
type Connector struct {
	client  *Client
	now     func() time.Time
	eastern *time.Location
	zone    *time.Location // the practice's

	mu         sync.Mutex
	subscribed bool
}

var (
	_ polling.Connector = (*Connector)(nil)
	_ polling.Consumer  = (*Connector)(nil)
	_ polling.Open      = Open
)

// Open makes the connector of a connection; it is a polling.Open.
func Open(c polling.Connection, env polling.Environment) (polling.Connector, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, errors.New("athenahealth: the base URL is not one")
	}
	if c.Practice == "" || c.ClientID == "" || c.ClientSecret == "" {
		return nil, errors.New("athenahealth: practice, client id and client secret are needed")
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("athenahealth: %w", err)
	}
	eastern, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, fmt.Errorf("athenahealth: %w", err)
	}
	rate := c.RatePerSecond
	if rate == 0 {
		rate = productionRate
		if strings.Contains(base.Host, ".preview.") {
			rate = previewRate
		}
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	return &Connector{
		client: NewClient(ClientOptions{
			BaseURL: c.BaseURL, Practice: c.Practice, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
			RatePerSecond: rate, Timeout: timeout, Transport: env.Transport, Now: env.Now, Wait: env.Wait,
		}),
		now: env.Now, eastern: eastern, zone: zone,
	}, nil
}

// Actions implements polling.Connector.
func (c *Connector) Actions() []string { return []string{Appointments} }

// Calls implements polling.Connector.
func (c *Connector) Calls() int64 { return c.client.Calls() }
