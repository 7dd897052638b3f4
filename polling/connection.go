package polling

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/fhirfacade/fhirfacade/store"
)

// Connection is a vendor's API as one organization uses it.
type Connection struct {
	// ID names the connection for good: what is known of records is kept
	// under it.
	ID     string
	Tenant store.Tenant
	// Vendor selects the connector, by the name it was registered with.
	Vendor string
	// BaseURL is the vendor's, without the practice.
	BaseURL                string
	Practice               string
	ClientID, ClientSecret string
	// Auth is how calls are authorized, for connectors that leave the choice.
	Auth Auth
	// Preset names what is peculiar to a vendor, for connectors of several.
	Preset string
	// Header is sent with every call.
	Header map[string]string
	// TimeZone is the practice's, an IANA name; vendors send local times.
	TimeZone string
	// Source is the id of the source that messages are delivered as.
	Source  string
	Actions []ActionConfig
	// RatePerSecond is the most calls a second; the vendor's usual limit when
	// zero.
	RatePerSecond float64
	// Timeout is for one call; 30 s when zero.
	Timeout time.Duration
}

// ActionConfig is one thing that is polled, with an interval of its own.
type ActionConfig struct {
	Name string
	// Schedule is a cron line, with seconds or without, or "@every 1s". Times
	// are UTC unless the line begins with CRON_TZ=.
	Schedule string
	// Backfill is how far before its first run an action looks, as far as the
	// vendor can still tell.
	Backfill time.Duration
	// PageSize is how many changes are asked for at once; the vendor's most
	// when zero.
	PageSize int
	// Query are further parameters of the request for changes, as in a URL:
	// "location=7&status=booked".
	Query string
	// Overlap is how far behind its cursor an action looks again, for changes
	// that show late; the connector's own choice when zero.
	Overlap time.Duration
	// WindowBack and WindowAhead are the days around now that are compared
	// where a vendor does not say what changed; the connector's own choice
	// when both are zero.
	WindowBack, WindowAhead time.Duration
	// Follow are the types of referenced records that fill a container; the
	// connector's own choice when nil.
	Follow []string
	// Parallel is how many containers are filled at once; 4 when zero.
	Parallel int
}

// Auth is how calls are authorized.
type Auth struct {
	// Method is "none", "basic", "apiKey", "clientCredentials",
	// "privateKeyJwt", "password" or "refreshToken".
	Method string
	// TokenURL is where tokens are; the server's SMART configuration tells
	// when it is empty.
	TokenURL               string
	ClientID, ClientSecret string
	// SecretInBody sends the client's secret in the form, not by Basic.
	SecretInBody bool
	Scope        string
	// PrivateKey is PEM: RSA for RS384, P-384 for ES384. KeyID is its "kid".
	PrivateKey, KeyID  string
	Username, Password string
	RefreshToken       string
	// APIKey goes into Header, "X-API-Key" when empty, or QueryParameter.
	APIKey, Header, QueryParameter string
}

// schedules are lines with seconds, lines without, and descriptors.
func parseSchedule(line string) (cron.Schedule, error) {
	return cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(line)
}

// Validate says what in a connection cannot work.
func (c Connection) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("connection %q: "+format, append([]any{c.ID}, args...)...))
	}
	if c.ID == "" || len(c.ID) > 128 || strings.ContainsRune(c.ID, 0) {
		wrong("the id is empty, longer than 128 bytes or holds a NUL byte")
	}
	if err := store.CheckTenant(c.Tenant); err != nil {
		wrong("%w", err)
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "" {
		wrong("no such time zone: %q", c.TimeZone)
	}
	if c.RatePerSecond < 0 || c.Timeout < 0 {
		wrong("rate and timeout must not be negative")
	}
	if len(c.Actions) == 0 {
		wrong("no actions")
	}
	seen := map[string]bool{}
	for _, a := range c.Actions {
		switch {
		case a.Name == "" || len(a.Name) > 64 || strings.ContainsRune(a.Name, 0):
			wrong("an action has no name, or one longer than 64 bytes")
		case seen[a.Name]:
			wrong("action %q is there twice", a.Name)
		case a.Backfill < 0 || a.PageSize < 0 || a.Parallel < 0 || a.Overlap < 0 || a.WindowBack < 0 || a.WindowAhead < 0:
			wrong("action %q has a negative number", a.Name)
		}
		seen[a.Name] = true
		if _, err := parseSchedule(a.Schedule); err != nil {
			wrong("action %q: schedule %q: %w", a.Name, a.Schedule, err)
		}
	}
	return errors.Join(errs...)
}
