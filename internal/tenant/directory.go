// Package tenant knows the organizations and their environments. An
// environment of an organization is a tenant of the store: nothing is shared
// between two of them.
package tenant

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Environments of every organization (Redox: environments).
var Environments = []string{"Development", "Staging", "Production"}

// Organization is one customer of the server.
type Organization struct {
	// ID is the slug in URLs and identifier systems: urn:redox:<id>:MR.
	ID   string `json:"id"`
	Name string `json:"name"`
}

const kindOrganization = "organization"

var slug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ErrInvalid: an organization cannot be made like this.
var ErrInvalid = errors.New("an organization's id is 1 to 63 lower-case letters, digits and inner hyphens")

// Directory finds tenants. Organizations are only ever added, so those found
// are remembered.
type Directory struct {
	items store.Items

	mu    sync.RWMutex
	known map[string]Organization
}

// NewDirectory makes a directory on a store's items.
func NewDirectory(items store.Items) *Directory {
	return &Directory{items: items, known: map[string]Organization{}}
}

// Add adds an organization; one that is there keeps its name.
func (d *Directory) Add(ctx context.Context, o Organization) error {
	if !slug.MatchString(o.ID) {
		return ErrInvalid
	}
	if o.Name == "" {
		o.Name = o.ID
	}
	err := documents.Put(ctx, d.items, store.System, store.Item{Kind: kindOrganization, ID: o.ID}, o, 0)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// Organization finds an organization or store.ErrNotFound.
func (d *Directory) Organization(ctx context.Context, id string) (Organization, error) {
	d.mu.RLock()
	o, ok := d.known[id]
	d.mu.RUnlock()
	if ok {
		return o, nil
	}
	if !slug.MatchString(id) {
		return o, store.ErrNotFound
	}
	o, err := documents.Get[Organization](ctx, d.items, store.System, kindOrganization, id)
	if err != nil {
		return o, err
	}
	d.mu.Lock()
	d.known[id] = o
	d.mu.Unlock()
	return o, nil
}

// Organizations lists all organizations by id.
func (d *Directory) Organizations(ctx context.Context) ([]Organization, error) {
	return documents.List[Organization](ctx, d.items, store.System, kindOrganization)
}

// Tenant finds the tenant of an organization's environment; its error is an
// outcome.Error with status 404.
func (d *Directory) Tenant(ctx context.Context, organization, environment string) (store.Tenant, error) {
	if !slices.Contains(Environments, environment) {
		return "", outcome.New(http.StatusNotFound, outcome.CodeNotFound,
			"The URL names no environment after the organization. The environments are %s.", strings.Join(Environments, ", "))
	}
	switch _, err := d.Organization(ctx, organization); {
	case errors.Is(err, store.ErrNotFound):
		return "", outcome.New(http.StatusNotFound, outcome.CodeNotFound, "The URL names an organization that this server does not have.")
	case err != nil:
		return "", err
	}
	return Of(organization, environment), nil
}

// Of is the tenant of an organization's environment.
func Of(organization, environment string) store.Tenant {
	return store.Tenant(organization + "/" + environment)
}

// Split is the organization and environment of a tenant.
func Split(t store.Tenant) (organization, environment string) {
	organization, environment, _ = strings.Cut(string(t), "/")
	return organization, environment
}
