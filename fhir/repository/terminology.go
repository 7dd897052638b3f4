package repository

import (
	"context"
	"errors"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// Terminology answers by the CodeSystems, ValueSets and ConceptMaps of a
// tenant and by R4's own value sets.
func (r *Repository) Terminology(t store.Tenant) *terminology.Service {
	return terminology.New(terminology.Options{Reader: canonicals{r, t}, Definitions: r.o.Definitions, MaxCodes: r.o.MaxCodes, Server: r.o.TerminologyServer})
}

// canonicals reads the terminology resources of a tenant.
type canonicals struct {
	r *Repository
	t store.Tenant
}

// maxVersions is how many resources with one canonical URL are looked at.
const maxVersions = 200

// Canonical returns the newest resource with a canonical URL, of the tenant or
// else of the implementation guides.
func (c canonicals) Canonical(ctx context.Context, typ, url, version string) ([]byte, bool, error) {
	name := url
	if version != "" {
		name += "|" + version
	}
	d, ok, err := c.newest(ctx, typ, name)
	if err != nil || ok || c.r.o.Guides == nil {
		return d.Body, ok, err
	}
	return c.r.o.Guides.Canonical(ctx, typ, url, version)
}

// newest is the tenant's newest resource with a canonical URL: what is retired
// comes last, then the version decides, then when it was first stored.
func (c canonicals) newest(ctx context.Context, typ, canonical string) (best store.Document, found bool, err error) {
	url, version, _ := strings.Cut(canonical, "|")
	documents, err := c.r.Matching(ctx, c.t, c.r.o.Index.Canonical(typ, url), maxVersions)
	if err != nil {
		return best, false, err
	}
	var bestVersion string
	var bestRetired bool
	for _, d := range documents {
		doc, err := rawjson.Parse(d.Body, nil)
		if err != nil {
			return best, false, err
		}
		v, _ := doc.Root().Member("version")
		own := v.String()
		if version != "" && own != version {
			continue
		}
		status, _ := doc.Root().Member("status")
		retired := status.Is("retired")
		if !found || bestRetired && !retired || bestRetired == retired && profile.CompareVersions(own, bestVersion) >= 0 {
			best, bestVersion, bestRetired, found = d, own, retired, true
		}
	}
	return best, found, nil
}

// Resource returns the resource with an id.
func (c canonicals) Resource(ctx context.Context, typ, id string) ([]byte, bool, error) {
	d, err := c.r.Read(ctx, c.t, store.Ref{Type: typ, ID: id})
	switch {
	case err == nil:
		return d.Body, true, nil
	case errors.Is(err, store.ErrNotFound) || d.Deleted:
		return nil, false, nil
	}
	return nil, false, err
}

// Maps returns the tenant's current ConceptMaps.
func (c canonicals) Maps(ctx context.Context, max int) ([][]byte, error) {
	documents, err := c.r.Matching(ctx, c.t, search.Everything(c.r.o.Definitions, "ConceptMap"), max)
	if err != nil {
		return nil, err
	}
	bodies := make([][]byte, len(documents))
	for i, d := range documents {
		bodies[i] = d.Body
	}
	return bodies, nil
}

// vocabulary is the terminology of a search.
type vocabulary struct {
	ctx context.Context
	s   *terminology.Service
}

func (v vocabulary) Expand(valueSet string) ([]terminology.Code, error) {
	return v.s.Expand(v.ctx, valueSet)
}

func (v vocabulary) Below(system, code string) ([]terminology.Code, error) {
	return v.s.Below(v.ctx, system, code)
}

func (v vocabulary) Above(system, code string) ([]terminology.Code, error) {
	return v.s.Above(v.ctx, system, code)
}
