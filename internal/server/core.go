package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/guide"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/fhir/terminology/remote"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// core is what a server has in common with a command that works on its store
// without serving: resources with their keys, and the jobs on them.
type core struct {
	config      Config
	store       store.Store
	definitions *conformance.Definitions
	parameters  *parameters.Registry
	repository  *repository.Repository
	leases      *lease.Leases
	owner       string
	// base is a tenant's FHIR base.
	base   func(store.Tenant) string
	runner *maintenance.Runner
	bulk   *bulk.Service
	// admission decides about what clients write, by type. It is filled before
	// anything is served; commands that work offline admit what they are given.
	admission map[string]repository.Admission
	// api is the REST API on these parts.
	api *rest.API
}

// newCore makes the parts. url is the server's scheme and host, key what page
// links are sealed by.
func newCore(c Config, st store.Store, directory *tenant.Directory, url string, key []byte) (*core, error) {
	k := &core{
		config: c, store: st, definitions: conformance.R4(), admission: map[string]repository.Admission{},
		base: func(t store.Tenant) string { return url + "/fhir/R4/" + string(t) },
	}
	index := search.NewIndex(k.definitions, r4model.R4())
	guides, searchParameters, err := loadGuides(c.Guides)
	if err != nil {
		return nil, err
	}
	k.parameters = parameters.New(parameters.Options{
		Store: st, Definitions: k.definitions, Index: index, Now: time.Now, Logger: c.Logger,
		Life: c.Learn, Allowance: 2 * c.Learn, FullText: c.FullText, Guides: searchParameters,
		Progress: func(ctx context.Context, t store.Tenant, p parameters.Parameter) string {
			return k.runner.Progress(ctx, t, p)
		},
		Changed: func(store.Tenant) { k.runner.Wake() },
	})
	if url, problem, err := k.parameters.CheckGuides(); err != nil || problem != "" {
		return nil, errors.Join(err, fmt.Errorf("a package has the SearchParameter %s, which cannot be used: %s", url, problem))
	}
	server, err := terminologyServer(c)
	if err != nil {
		return nil, err
	}
	k.repository = repository.New(repository.Options{
		Store: st, Definitions: k.definitions, Index: index, Parameters: k.parameters,
		Now: time.Now, NewID: newID, Pages: search.PageTokens{Key: key}, BaseURL: k.base,
		Validation: directory.Validation, Guides: guides, Admission: k.admission,
		MaxCodes: c.MaxCodes, TerminologyServer: server,
	})
	k.bulk = bulk.New(bulk.Options{
		Store: st, Repository: k.repository, BaseURL: k.base, Now: time.Now, NewID: newID, Life: c.BulkLife, Logger: c.Logger,
		MaxLine: int(c.MaxBody), Client: bulk.NewClient(c.Sandbox),
		Transaction: func(ctx context.Context, t store.Tenant, x bulk.Transaction) error {
			return k.api.Transaction(ctx, t, x)
		},
		Jobs: maintenance.NewBulkJobs(maintenance.NewJobs(st, time.Now), func() { k.runner.Wake() }),
	})
	hostname, _ := os.Hostname()
	k.owner = fmt.Sprintf("%s/%d/%s", hostname, os.Getpid(), newID())
	k.leases, err = lease.New(st, lease.Options{Owner: k.owner, TTL: leaseLife, Now: time.Now, Exclusive: st.Exclusive()})
	return k, err
}

// terminologyServer is the one of the settings, nil for none.
func terminologyServer(c Config) (terminology.Server, error) {
	if c.Terminology.URL == "" {
		if c.Terminology.Authorization != "" || len(c.Terminology.Systems) > 0 {
			return nil, errors.New("terminology-authorization and terminology-systems go with terminology-server")
		}
		return nil, nil
	}
	c.Terminology.Now = time.Now
	return remote.New(c.Terminology)
}

// loadGuides reads packages of implementation guides.
func loadGuides(files []string) (*profile.Library, []store.Document, error) {
	library, resources, err := guide.Load(files)
	if err != nil {
		return nil, nil, err
	}
	var searchParameters []store.Document
	for _, r := range resources {
		url, _ := r.Node.Member("url")
		searchParameters = append(searchParameters, store.Document{Ref: store.Ref{Type: parameters.Type, ID: url.String()}, Body: r.Node.Raw()})
	}
	return library, searchParameters, nil
}

// maintain makes the runner of jobs; o is what is different from case to case.
func (k *core) maintain(o maintenance.Options) *maintenance.Runner {
	o.Store, o.Repository, o.Parameters, o.Leases = k.store, k.repository, k.parameters, k.leases
	o.Bulk = k.bulk
	o.Elsewhere = 4 * k.config.Learn
	o.Owner, o.NewID, o.Now, o.Logger = k.owner, newID, time.Now, k.config.Logger
	k.runner = maintenance.New(o)
	return k.runner
}

// forgetting is how long an instance may remember what others can change; 0,
// for ever, where there are no others.
func forgetting(c Config, st store.Store) time.Duration {
	if st.Exclusive() {
		return 0
	}
	return c.Learn
}
