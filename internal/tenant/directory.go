// Package tenant knows the organizations and their environments. An
// environment of an organization is a tenant of the store: nothing is shared
// between two of them.
package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
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
	// Validation is how what is written is checked, in all environments.
	Validation validate.Settings `json:"validation,omitzero"`
	// Closed are environments whose data is being removed: nobody may enter.
	Closed []string `json:"closed,omitempty"`
}

const kindOrganization = "organization"

var slug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ErrInvalid: an organization cannot be made like this.
var ErrInvalid = errors.New("an organization's id is 1 to 63 lower-case letters, digits and inner hyphens")

// ErrClosed: an organization of this id is being removed.
var ErrClosed = errors.New("an organization of this id is being removed; try again when that has finished")

// Directory finds tenants. Organizations found are remembered: where other
// instances share the store, which may close one, for a while only.
type Directory struct {
	items store.Items
	now   func() time.Time
	life  time.Duration

	mu    sync.RWMutex
	known map[string]seen
}

type seen struct {
	Organization
	at time.Time
}

// NewDirectory makes a directory on a store's items. life is how long it does
// not look at an organization again; 0 is for ever, where no other process can
// change it.
func NewDirectory(items store.Items, now func() time.Time, life time.Duration) *Directory {
	return &Directory{items: items, now: now, life: life, known: map[string]seen{}}
}

// Add adds an organization; one that is there keeps its name.
func (d *Directory) Add(ctx context.Context, o Organization) error {
	if !slug.MatchString(o.ID) {
		return ErrInvalid
	}
	if err := o.Validation.Check(); err != nil {
		return err
	}
	if o.Name == "" {
		o.Name = o.ID
	}
	o.Closed = nil
	err := documents.Put(ctx, d.items, store.System, store.Item{Kind: kindOrganization, ID: o.ID}, o, 0)
	if errors.Is(err, store.ErrConflict) {
		was, err := documents.Get[Organization](ctx, d.items, store.System, kindOrganization, o.ID)
		if err == nil && len(was.Closed) > 0 {
			return ErrClosed
		}
		return err
	}
	return err
}

// Close makes environments of an organization unknown: here at once, and to
// other instances within seconds.
func (d *Directory) Close(ctx context.Context, id string, environments []string) error {
	return d.change(ctx, id, func(o *Organization) {
		o.Closed = slices.Compact(slices.Sorted(slices.Values(append(o.Closed, environments...))))
	})
}

// Remove ends what Close began, when what the environments held is gone. With
// all of them goes the organization; one that is not there is fine.
func (d *Directory) Remove(ctx context.Context, id string, environments []string) error {
	var err error
	if len(environments) == len(Environments) {
		err = d.items.DeleteItem(ctx, store.System, kindOrganization, id, store.ItemAny)
	} else {
		err = d.change(ctx, id, func(o *Organization) {
			o.Closed = slices.DeleteFunc(o.Closed, func(e string) bool { return slices.Contains(environments, e) })
		})
	}
	d.forget(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// SetValidation says how an organization's writes are checked from now on: here
// at once, and by other instances within seconds. What is stored already is not
// looked at.
func (d *Directory) SetValidation(ctx context.Context, id string, s validate.Settings) error {
	if err := s.Check(); err != nil {
		return err
	}
	return d.change(ctx, id, func(o *Organization) { o.Validation = s })
}

// Validation is how a tenant's writes are checked; by default for one that is
// not known, such as one that was removed meanwhile.
func (d *Directory) Validation(ctx context.Context, t store.Tenant) (validate.Settings, error) {
	id, _ := Split(t)
	o, err := d.Organization(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return validate.Settings{}, nil
	}
	return o.Validation, err
}

func (d *Directory) change(ctx context.Context, id string, change func(*Organization)) error {
	defer d.forget(id)
	for {
		item, err := d.items.GetItem(ctx, store.System, kindOrganization, id)
		if err != nil {
			return err
		}
		var o Organization
		if err := json.Unmarshal(item.Body, &o); err != nil {
			return err
		}
		change(&o)
		err = documents.Put(ctx, d.items, store.System, store.Item{Kind: kindOrganization, ID: id}, o, item.Version)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (d *Directory) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, id)
}

// Organization finds an organization or store.ErrNotFound.
func (d *Directory) Organization(ctx context.Context, id string) (Organization, error) {
	d.mu.RLock()
	o, ok := d.known[id]
	d.mu.RUnlock()
	if ok && !(d.life > 0 && d.now().Sub(o.at) >= d.life) {
		return o.Organization, nil
	}
	if !slug.MatchString(id) {
		return Organization{}, store.ErrNotFound
	}
	looked := d.now()
	found, err := documents.Get[Organization](ctx, d.items, store.System, kindOrganization, id)
	if err != nil {
		d.forget(id)
		return found, err
	}
	d.mu.Lock()
	d.known[id] = seen{found, looked}
	d.mu.Unlock()
	return found, nil
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
	switch o, err := d.Organization(ctx, organization); {
	case errors.Is(err, store.ErrNotFound):
		return "", outcome.New(http.StatusNotFound, outcome.CodeNotFound, "The URL names an organization that this server does not have.")
	case err != nil:
		return "", err
	case slices.Contains(o.Closed, environment):
		return "", outcome.New(http.StatusNotFound, outcome.CodeNotFound, "What the URL names is being removed.")
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
