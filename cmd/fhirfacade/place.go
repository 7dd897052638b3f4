package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/operate"
	"github.com/fhirfacade/fhirfacade/internal/server"
)

// adminFlags name a server that runs.
type adminFlags struct {
	Server     string `help:"Scheme and host of the server, http://127.0.0.1:8080; found by --listen when not given." env:"FHIRFACADE_SERVER" placeholder:"URL"`
	AdminToken string `help:"The administrator's bearer token; none for a sandbox." env:"FHIRFACADE_ADMIN_TOKEN" placeholder:"TOKEN" aliases:"token"`
	Listen     string `help:"Address that the server on this machine listens on." default:"127.0.0.1:8080" env:"FHIRFACADE_LISTEN"`
}

func (a adminFlags) client() operate.Client {
	return operate.Client{URL: operate.ServerURL(a.Server, a.Listen), Token: a.AdminToken}
}

// placeFlags name a server, or the store to work on when none runs.
type placeFlags struct {
	adminFlags
	Data            string   `help:"Folder of the embedded store." default:"data" type:"path" env:"FHIRFACADE_DATA"`
	MongodbURI      string   `name:"mongodb-uri" help:"The MongoDB, instead of the embedded store." env:"FHIRFACADE_MONGODB_URI,MONGODB_URI" placeholder:"URI"`
	MongodbDatabase string   `name:"mongodb-database" help:"Database in MongoDB." default:"fhirfacade" env:"FHIRFACADE_MONGODB_DATABASE"`
	PublicURL       string   `name:"public-url" help:"Scheme and host under which clients reach the server." env:"FHIRFACADE_PUBLIC_URL" placeholder:"URL"`
	FullText        bool     `help:"The server's setting for _text and _content, for work on the store itself." env:"FHIRFACADE_FULL_TEXT"`
	IG              []string `name:"ig" help:"The server's packages of implementation guides, for work on the store itself." type:"existingfile" env:"FHIRFACADE_IG" placeholder:"FILE"`
}

func (p placeFlags) place() operate.Place {
	return operate.Place{Server: p.Server, Token: p.AdminToken, Config: server.Config{
		Listen: p.Listen, Data: p.Data, MongoDBURI: p.MongodbURI, MongoDBDatabase: p.MongodbDatabase, PublicURL: p.PublicURL, FullText: p.FullText, Guides: p.IG,
		Logger: slog.New(slog.DiscardHandler),
	}}
}

// parseDays reads "90d" or "2160h"; "" is 0.
func parseDays(flag, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%s: %q is no time such as 90d or 2160h", flag, s)
}
