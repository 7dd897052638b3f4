package repository

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// Terminology answers by the CodeSystems, ValueSets and ConceptMaps of a
// tenant and by R4's own value sets.
func (r *Repository) Terminology(t store.Tenant) *terminology.Service {
	return terminology.New(terminology.Options{Reader: canonicals{r, t}, Definitions: r.o.Definitions})
}

// canonicals reads the terminology resources of a tenant.
type canonicals struct {
	r *Repository
	t store.Tenant
}

// maxVersions is how many resources with one canonical URL are looked at.
const maxVersions = 200

// Canonical returns the newest resource with a canonical URL: what is retired
// comes last, then the version decides, then when it was first stored.
func (c canonicals) Canonical(ctx context.Context, typ, url, version string) ([]byte, bool, error) {
	documents, err := c.r.Matching(ctx, c.t, c.r.o.Index.Canonical(typ, url), maxVersions)
	if err != nil {
		return nil, false, err
	}
	var best []byte
	var bestVersion string
	var bestRetired bool
	for _, d := range documents {
		doc, err := rawjson.Parse(d.Body, nil)
		if err != nil {
			return nil, false, err
		}
		v, _ := doc.Root().Member("version")
		own := v.String()
		if version != "" && own != version {
			continue
		}
		status, _ := doc.Root().Member("status")
		retired := status.Is("retired")
		if best == nil || bestRetired && !retired || bestRetired == retired && compareVersions(own, bestVersion) >= 0 {
			best, bestVersion, bestRetired = d.Body, own, retired
		}
	}
	return best, best != nil, nil
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

// compareVersions compares part by part, numbers as numbers: 4.0.10 comes
// after 4.0.9.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, err1 := strconv.ParseUint(x, 10, 64)
		n, err2 := strconv.ParseUint(y, 10, 64)
		order := cmp.Compare(x, y)
		if err1 == nil && err2 == nil {
			order = cmp.Compare(m, n)
		}
		if order != 0 {
			return order
		}
	}
	return 0
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
