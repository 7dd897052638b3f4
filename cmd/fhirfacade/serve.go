package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/terminology/remote"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/internal/telemetry"
)

type serveCommand struct {
	Listen                   string        `help:"Address to listen on." default:"127.0.0.1:8080" env:"FHIRFACADE_LISTEN"`
	Data                     string        `help:"Folder of the embedded store." default:"data" type:"path" env:"FHIRFACADE_DATA"`
	MongodbURI               string        `name:"mongodb-uri" help:"Use this MongoDB instead of the embedded store." env:"FHIRFACADE_MONGODB_URI,MONGODB_URI" placeholder:"URI"`
	MongodbDatabase          string        `name:"mongodb-database" help:"Database in MongoDB." default:"fhirfacade" env:"FHIRFACADE_MONGODB_DATABASE"`
	Sandbox                  bool          `help:"Try it on one machine: no credentials, loopback only, an organization named sandbox." env:"FHIRFACADE_SANDBOX"`
	AdminToken               string        `help:"The administrator's bearer token; required without --sandbox." env:"FHIRFACADE_ADMIN_TOKEN" placeholder:"TOKEN"`
	PublicURL                string        `name:"public-url" help:"Scheme and host under which clients reach the server." env:"FHIRFACADE_PUBLIC_URL" placeholder:"URL"`
	LogRetention             string        `help:"How long change logs are kept, such as 90d; everything when not set. Subscriptions that have not delivered keep what they need." env:"FHIRFACADE_LOG_RETENTION" placeholder:"DAYS"`
	BulkLife                 string        `help:"How long the files of a bulk export are kept, such as 24h or 7d; 24h when not set." env:"FHIRFACADE_BULK_LIFE" placeholder:"TIME"`
	FullText                 bool          `help:"Make the words of resources searchable by _text and _content. It makes several times as many index keys." env:"FHIRFACADE_FULL_TEXT"`
	CacheMiB                 int64         `name:"cache" help:"Cache of the embedded store in MiB. A quarter of the size of the data folder is a good one; more than the folder is of no use." default:"256" env:"FHIRFACADE_CACHE_MIB" placeholder:"MIB"`
	IG                       []string      `name:"ig" help:"Package of an implementation guide (package.tgz) whose profiles, value sets, code systems and search parameters all organizations know; can be repeated. US Core 6.1.0 is built in." type:"existingfile" env:"FHIRFACADE_IG" placeholder:"FILE"`
	TerminologyServer        string        `help:"FHIR R4 terminology server that is asked for code systems, value sets and concept maps that are not held here." env:"FHIRFACADE_TERMINOLOGY_SERVER" placeholder:"URL"`
	TerminologySystems       []string      `help:"Code systems that are asked for there, always and no others: http://snomed.info/sct,http://loinc.org. Value sets below their URLs go with them." env:"FHIRFACADE_TERMINOLOGY_SYSTEMS" placeholder:"URL"`
	TerminologyAuthorization string        `help:"Value of the Authorization header for it: Bearer ... or Basic ..." env:"FHIRFACADE_TERMINOLOGY_AUTHORIZATION" placeholder:"VALUE"`
	TerminologyTimeout       time.Duration `help:"How long one question to it may take." default:"10s" env:"FHIRFACADE_TERMINOLOGY_TIMEOUT" placeholder:"TIME"`
	TerminologyCacheLife     time.Duration `help:"How long its answers are remembered." default:"1h" env:"FHIRFACADE_TERMINOLOGY_CACHE_LIFE" placeholder:"TIME"`
	MaxCodes                 int           `help:"The most codes that a value set is expanded to." default:"10000" env:"FHIRFACADE_MAX_CODES" placeholder:"N"`
	PrivateHL7v2             bool          `name:"private-hl7v2" help:"Deliver HL7 v2 to private addresses too, where most systems that take it are. Whoever administers destinations can then reach them." env:"FHIRFACADE_PRIVATE_HL7V2"`
	LogFormat                string        `help:"Form of the log on standard error: text or json." enum:"text,json" default:"text" env:"FHIRFACADE_LOG_FORMAT"`
}

// minCacheMiB is what a search needs to hold the blocks that it is reading.
const minCacheMiB = 8

// Help is shown by fhirfacade serve --help.
func (serveCommand) Help() string {
	return `Every flag can also be set in the environment (see above) or in the file given by --config.

Examples:
  fhirfacade serve --sandbox
  FHIRFACADE_ADMIN_TOKEN=$(openssl rand -hex 24) fhirfacade serve --listen :8080
  fhirfacade serve --sandbox --ig hl7.fhir.us.mcode.tgz --ig hl7.fhir.us.davinci-pdex.tgz
  fhirfacade serve --sandbox --mongodb-uri mongodb://127.0.0.1:27017/?replicaSet=rs0`
}

func (c serveCommand) Run(ctx context.Context) error {
	logger, err := telemetry.NewLogger(os.Stderr, c.LogFormat)
	if err != nil {
		return err
	}
	retention, err := parseDays("--log-retention", c.LogRetention)
	if err != nil {
		return err
	}
	life, err := parseDays("--bulk-life", c.BulkLife)
	if err != nil {
		return err
	}
	if c.CacheMiB < minCacheMiB {
		return fmt.Errorf("--cache is %d MiB: give at least %d", c.CacheMiB, minCacheMiB)
	}
	if c.MaxCodes < 1 || c.TerminologyTimeout <= 0 || c.TerminologyCacheLife <= 0 {
		return errors.New("--max-codes, --terminology-timeout and --terminology-cache-life must be more than 0")
	}
	s, err := server.Open(ctx, server.Config{
		Listen: c.Listen, Data: c.Data, MongoDBURI: c.MongodbURI, MongoDBDatabase: c.MongodbDatabase,
		Sandbox: c.Sandbox, AdminToken: c.AdminToken, PublicURL: c.PublicURL, FullText: c.FullText, LogRetention: retention, CacheSize: c.CacheMiB << 20, BulkLife: life, Guides: c.IG, PrivateHL7v2: c.PrivateHL7v2, Logger: logger, Version: version, MaxCodes: c.MaxCodes,
		Terminology: remote.Settings{
			URL: c.TerminologyServer, Systems: c.TerminologySystems, Authorization: c.TerminologyAuthorization,
			Timeout: c.TerminologyTimeout, CacheLife: c.TerminologyCacheLife,
		},
	})
	if err != nil {
		return err
	}
	fmt.Print(s.Banner())
	return s.Run(ctx)
}
