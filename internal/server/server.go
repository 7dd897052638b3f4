package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/terminology/remote"
	"github.com/fhirfacade/fhirfacade/internal/auth"
	"github.com/fhirfacade/fhirfacade/internal/exchange"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/internal/telemetry"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth"
	"github.com/fhirfacade/fhirfacade/polling/vendors/fhirr4"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/mongo"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// SandboxOrganization is the organization that a sandbox starts with.
const SandboxOrganization = "sandbox"

// Config says how a server runs.
type Config struct {
	// Listen is the address to listen on, "127.0.0.1:8080".
	Listen string
	// Data is the folder of the embedded store, when MongoDBURI is "".
	Data string
	// MongoDBURI and MongoDBDatabase name a MongoDB.
	MongoDBURI, MongoDBDatabase string
	// Sandbox needs no credentials and listens on loopback only.
	Sandbox bool
	// AdminToken is the administrator's bearer token; needed without Sandbox.
	AdminToken string
	// PublicURL is the scheme and host that clients use; "" to take it from
	// requests, and from Listen for what the server sends by itself.
	PublicURL string
	// LogRetention is how long change logs are kept; 0 for ever, and at least
	// maintenance.MinRetention otherwise.
	LogRetention time.Duration
	// Learn is how long an instance may not know what another one changed; 5 s
	// when zero. It matters where instances share a store.
	Learn time.Duration
	// BulkLife is how long the files of an export are kept; 24 h when zero.
	BulkLife time.Duration
	// FullText makes the words of resources searchable by _text and _content.
	FullText bool
	// PrivateHL7v2 lets HL7 v2 be delivered to private addresses, where most
	// systems that take it are.
	PrivateHL7v2 bool
	// Guides are the files of packages of implementation guides, which all
	// organizations know besides US Core.
	Guides []string
	// Terminology is the terminology server that is asked for what goes
	// elsewhere; none without an address.
	Terminology remote.Settings
	// MaxCodes is the most codes of a value set that is expanded; 10,000 when 0.
	MaxCodes int
	// MaxBody is the most bytes of a FHIR resource; 0 for 50 MiB, and never
	// more than the store takes.
	MaxBody int64
	// CacheSize is the block cache of the embedded store in bytes; 0 for its
	// default.
	CacheSize int64
	Logger    *slog.Logger
	Version   string
}

// Server is a server that was opened.
type Server struct {
	config      Config
	listener    net.Listener
	store       store.Store
	http        *http.Server
	engine      *notifications.Engine
	keeper      *notifications.Keeper
	compiler    *topic.Compiler
	queries     *notifications.Queries
	catalog     topic.Stored
	manager     *polling.Manager
	connections *exchange.Connections
	carrier     *exchange.Carrier
	maintenance *maintenance.Runner
	base        string
}

const defaultMaxBody = 50 << 20

// defaultLearn is Config.Learn's default.
const defaultLearn = 5 * time.Second

// leaseLife is how long another instance waits before it takes over from one
// that is gone.
const leaseLife = 8 * time.Second

// Open opens the store and listens. Nothing is served before Run.
func Open(ctx context.Context, c Config) (*Server, error) {
	if c.LogRetention != 0 && c.LogRetention < maintenance.MinRetention {
		return nil, ErrRetention
	}
	if c.Learn == 0 {
		c.Learn = defaultLearn
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.MongoDBURI != "" {
		c.MaxBody = min(c.MaxBody, mongo.LargestBody)
	}
	if c.Sandbox {
		if err := onlyLoopback(c.Listen); err != nil {
			return nil, err
		}
	} else if c.AdminToken == "" {
		return nil, auth.ErrNoAdminToken
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", c.Listen, errors.Unwrap(err))
	}
	st, err := openStore(ctx, c)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &Server{config: c, listener: listener, store: st, base: c.PublicURL}
	if s.base == "" {
		s.base = "http://" + listener.Addr().String()
	}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, st.Close(), listener.Close())
	}
	return s, nil
}

// ErrRetention: message records need the log for as long as they are kept.
var ErrRetention = errors.New("the log retention must be at least 30d, since the records of messages, which are kept for 30 days, read from the log; leave it out to keep everything")

// ErrSandboxAddress: a sandbox is open to everyone who reaches it.
var ErrSandboxAddress = errors.New("a sandbox needs no credentials, so it listens on the loopback interface only, such as 127.0.0.1:8080; run without --sandbox to listen elsewhere")

func onlyLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen %q: must be host:port", listen)
	}
	if host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return ErrSandboxAddress
	}
	return nil
}

func openStore(ctx context.Context, c Config) (store.Store, error) {
	if c.MongoDBURI != "" {
		return mongo.Open(ctx, mongo.Options{
			URI: c.MongoDBURI, Database: c.MongoDBDatabase, MaxBody: int(c.MaxBody), Logger: c.Logger,
		})
	}
	return pebble.Open(c.Data, pebble.Options{MaxBody: int(c.MaxBody), CacheSize: c.CacheSize, Logger: c.Logger})
}

func newID() string { return uuid.NewString() }

func (s *Server) build(ctx context.Context) error {
	gin.SetMode(gin.ReleaseMode) // before anything makes a router, which would print its routes
	c, now := s.config, time.Now
	directory := tenant.NewDirectory(s.store, now, forgetting(c, s.store))
	authority, err := auth.New(s.store, now, c.AdminToken, c.Sandbox)
	if err != nil {
		return err
	}
	authority.PublicURL = c.PublicURL
	key, err := secret(ctx, s.store, "page-links")
	if err != nil {
		return err
	}
	core, err := newCore(c, s.store, directory, s.base, key)
	if err != nil {
		return err
	}
	repo, definitions, leases, owner, base := core.repository, core.definitions, core.leases, core.owner, core.base
	metrics := telemetry.NewMetrics()
	registry := notifications.NewRegistry(s.store)
	transmissions := notifications.NewTransmissions(s.store, now)
	sender := notifications.NewSender(c.Sandbox, now)
	s.carrier = exchange.NewCarrier(c.Sandbox || c.PrivateHL7v2, now)
	x := exchange.New(exchange.Options{
		Carrier:    s.carrier,
		Repository: repo, Store: s.store, Directory: directory, Registry: registry, Transmissions: transmissions,
		Sender: sender, Sandbox: c.Sandbox, Now: now, NewID: newID, Logger: c.Logger, NewKey: authority.NewKey,
		PutClient: authority.PutClient, PublicURL: c.PublicURL,
		Backlog:  func(ctx context.Context) ([]notifications.Backlog, error) { return s.engine.Backlog(ctx) },
		RetryNow: func(t store.Tenant, subscription string) bool { return s.engine.RetryNow(t, subscription) },
		Count: func(d exchange.Direction, model, event string, status notifications.Status) {
			metrics.Message(string(d), model, event, string(status))
		},
	})
	renderer := &notifications.Renderer{
		Reader: s.store, Definitions: definitions, Base: base, RedoxMessage: x.RedoxMessage, WritebackBundle: x.WritebackBundle,
	}
	s.topics(core, registry, sender, renderer)
	s.engine = notifications.NewEngine(notifications.Options{
		Store: s.store, Registry: registry, Transmissions: transmissions, Sender: sender, Leases: leases,
		Renderer: renderer, Topics: s.compiler, Outcome: s.keeper.Outcome,
		Carry: s.carrier.Carry, Ended: x.WritebackEnded,
		Environment: notifications.EnvironmentOf, Now: now, After: time.After, Logger: c.Logger, Meter: metrics,
	})
	metrics.Backlog(s.engine.Backlog, now)
	s.manager, err = polling.New(polling.Options{
		Items: s.store, Sink: x, Vendors: map[string]polling.Open{"athenahealth": athenahealth.Open, "fhir": fhirr4.Open},
		Owner: owner, Exclusive: s.store.Exclusive(), Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	s.connections = exchange.NewConnections(x, s.manager)
	s.maintenance = core.maintain(maintenance.Options{
		Retention: c.LogRetention, Readers: []maintenance.LogReader{subscriptions{registry, s.keeper}},
		Dropper: &dropper{directory, s.connections, s.engine, s.keeper, authority}, Data: embedded(c),
	})
	metrics.Logs(func() []telemetry.Log { return logsOf(s.maintenance) })
	if c.Sandbox {
		if err := s.sandbox(ctx, directory, x); err != nil {
			return err
		}
	}
	if err := s.maintenance.Check(ctx); err != nil {
		return err
	}
	api := rest.New(rest.Options{
		Repository: repo, Tenant: directory.Tenant, PublicURL: c.PublicURL, MaxBody: c.MaxBody,
		Operations: x.Operations(), Reads: subscriptionReads(s.queries), Topics: s.catalog.List, Bulk: core.bulk, Now: now, NewID: newID, Logger: c.Logger, Version: c.Version,
	})
	core.api = api
	redox := exchange.NewRedoxAPI(x)
	redox.Allowed = func(c *gin.Context, source string) error {
		err := authority.Source(c, source)
		if errors.Is(err, auth.ErrUnauthorized) {
			return exchange.ErrUnknownSource // a foreign source is answered like one that is not there
		}
		return err
	}
	redox.OnlySource = authority.OnlySource
	if c.Sandbox {
		redox.DefaultSource = exchange.DefaultSourceID(tenant.Of(SandboxOrganization, tenant.Environments[0]))
	}
	s.http = &http.Server{
		Handler: routes(parts{
			api: api, exchange: x, connections: s.connections, redox: redox, auth: authority,
			maintenance: maintenance.NewAPI(s.maintenance, directory),
			directory:   directory, metrics: metrics, store: s.store, logger: c.Logger,
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    2 << 20,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	return nil
}

// sandbox makes the sandbox's organization and its sources.
func (s *Server) sandbox(ctx context.Context, directory *tenant.Directory, x *exchange.Exchange) error {
	if err := directory.Add(ctx, tenant.Organization{ID: SandboxOrganization, Name: "Sandbox"}); err != nil {
		return err
	}
	return x.Sources().EnsureDefaults(ctx, SandboxOrganization)
}

// secret is a key that all instances on a store share; made when it is new.
func secret(ctx context.Context, items store.Items, name string) ([]byte, error) {
	const kind = "secret"
	for {
		it, err := items.GetItem(ctx, store.System, kind, name)
		if err == nil {
			return it.Body, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		if _, err := items.PutItem(ctx, store.System, store.Item{Kind: kind, ID: name, Body: key}, 0); err == nil {
			return key, nil
		} else if !errors.Is(err, store.ErrConflict) {
			return nil, err
		}
	}
}

// URL is where the server is reached.
func (s *Server) URL() string { return s.base }

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// shutdownTime is how long requests under way may take when the server stops.
const shutdownTime = 15 * time.Second

// reapply is how often connections are read again for what other instances
// changed.
const reapply = 10 * time.Second

// Run serves until ctx ends, then stops in order: no new requests, the queues
// and polls, the store.
func (s *Server) Run(ctx context.Context) error {
	if err := s.connections.Apply(ctx); err != nil {
		return errors.Join(err, s.store.Close(), s.listener.Close())
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	for _, run := range []func(context.Context){s.engine.Run, s.keeper.Run, s.manager.Run, s.connections.Run, s.follow, s.maintenance.Run} {
		all.Add(1)
		go func() {
			defer all.Done()
			run(work)
		}()
	}
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		limit, cancel := context.WithTimeout(context.Background(), shutdownTime)
		err = s.http.Shutdown(limit)
		cancel()
	}
	stop()
	all.Wait()
	s.carrier.Close()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.store.Close())
}

// follow takes over what other instances change in connections.
func (s *Server) follow(ctx context.Context) {
	tick := time.NewTicker(reapply)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.store.Exclusive() {
				continue
			}
			if err := s.connections.Apply(ctx); err != nil && ctx.Err() == nil {
				s.config.Logger.Error("connections cannot be read", "error", err)
			}
		}
	}
}

// Banner is what the server says of itself when it starts.
func (s *Server) Banner() string {
	var b strings.Builder
	where := "Pebble in " + s.config.Data
	if s.config.MongoDBURI != "" {
		where = "MongoDB, database " + s.config.MongoDBDatabase
	}
	organization := "{organization}"
	if s.config.Sandbox {
		organization = SandboxOrganization
	}
	fmt.Fprintf(&b, "fhirfacade %s is ready (%s)\n", s.config.Version, where)
	fmt.Fprintf(&b, "  FHIR base       %s/fhir/R4/%s/Development\n", s.base, organization)
	fmt.Fprintf(&b, "  Redox endpoint  %s/endpoint\n", s.base)
	fmt.Fprintf(&b, "  Health          %s/health/ready\n", s.base)
	auth := ""
	if !s.config.Sandbox {
		auth = ` -H "Authorization: Bearer $FHIRFACADE_ADMIN_TOKEN"`
	}
	fmt.Fprintf(&b, "Try: curl -s%s '%s/fhir/R4/%s/Development/Patient?_count=5'\n", auth, s.base, organization)
	return b.String()
}
