package repository

import (
	"context"
	"errors"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// profiles knows the definitions and value sets of a tenant: those that it has
// stored come first, then those of the implementation guides. It is for one
// validation: what it has read it remembers. It implements profile.Source.
type profiles struct {
	canonicals
	structures map[string]*profile.Structure
	// expansions are value sets of the tenant; nil for those that cannot be
	// expanded, or are not the tenant's.
	expansions map[string][]terminology.Code
	// own says of a type whether the tenant has stored any resource of it, so
	// that most look-ups of most tenants read nothing.
	own map[string]bool
}

func (r *Repository) profiles(t store.Tenant) *profiles {
	return &profiles{
		canonicals: canonicals{r, t}, structures: map[string]*profile.Structure{},
		expansions: map[string][]terminology.Code{}, own: map[string]bool{},
	}
}

// any tells whether the tenant has stored resources of a type.
func (p *profiles) any(ctx context.Context, typ string) (bool, error) {
	if has, known := p.own[typ]; known {
		return has, nil
	}
	page, err := p.r.o.Store.Search(ctx, p.t, store.Query{Where: search.Everything(p.r.o.Definitions, typ), Limit: 1})
	if err != nil {
		return false, err
	}
	p.own[typ] = len(page.Documents) > 0
	return p.own[typ], nil
}

// Structure implements profile.Source.
func (p *profiles) Structure(ctx context.Context, canonical string) (*profile.Structure, error) {
	return p.structure(ctx, canonical, 0)
}

// maxDerived is how many profiles without a snapshot may be derived from each
// other.
const maxDerived = 20

func (p *profiles) structure(ctx context.Context, canonical string, depth int) (*profile.Structure, error) {
	if s, known := p.structures[canonical]; known {
		return s, nil
	}
	const typ = "StructureDefinition"
	has, err := p.any(ctx, typ)
	if err != nil {
		return nil, err
	}
	var d store.Document
	found := false
	if has {
		if d, found, err = p.newest(ctx, typ, canonical); err != nil {
			return nil, err
		}
	}
	var s *profile.Structure
	switch {
	case found && depth == maxDerived:
		return nil, &profile.Error{URL: canonical, Rule: "too many profiles are derived from each other, or one from itself"}
	case found:
		s, err = p.r.compiled.structure(p.t, d, func(base string) (*profile.Structure, error) {
			return p.structure(ctx, base, depth+1)
		})
	case p.r.o.Guides != nil:
		s, err = p.r.o.Guides.Structure(ctx, canonical)
	}
	if err == nil {
		p.structures[canonical] = s
	}
	return s, err
}

// Member implements profile.Source.
func (p *profiles) Member(ctx context.Context, valueSet, system, code string, implied bool) (profile.Membership, error) {
	has, err := p.any(ctx, "ValueSet")
	if err != nil {
		return profile.Unknown, err
	}
	if has {
		codes, err := p.expansion(ctx, valueSet)
		if err != nil {
			return profile.Unknown, err
		}
		for _, c := range codes {
			if c.Code == code && (implied || c.System == system) {
				return profile.In, nil
			}
		}
		if codes != nil {
			return profile.Out, nil
		}
	}
	in := profile.Unknown
	if p.r.o.Guides != nil {
		if in, err = p.r.o.Guides.Member(ctx, valueSet, system, code, implied); err != nil {
			return profile.Unknown, err
		}
	}
	if in != profile.Unknown || p.r.o.TerminologyServer == nil {
		return in, nil
	}
	return p.memberElsewhere(ctx, valueSet, system, code)
}

// memberElsewhere asks with the terminology server's help. What is not held
// there either stays unknown; that the server fails is an error, because an
// unanswered question must not let a code through, nor refuse it.
func (p *profiles) memberElsewhere(ctx context.Context, valueSet, system, code string) (profile.Membership, error) {
	v, err := p.r.Terminology(p.t).ValidateCode(ctx, terminology.ValueSet{Canonical: valueSet}, []terminology.Coding{{System: system, Code: code}}, terminology.Rules{})
	switch {
	case errors.Is(err, terminology.ErrNotHeld), errors.Is(err, terminology.ErrInvalid), errors.Is(err, terminology.ErrTooCostly):
		return profile.Unknown, nil
	case err != nil:
		return profile.Unknown, err
	case v.Known:
		return profile.In, nil
	}
	return profile.Out, nil
}

// expansion are the codes of a value set that the tenant has stored.
func (p *profiles) expansion(ctx context.Context, valueSet string) ([]terminology.Code, error) {
	if codes, known := p.expansions[valueSet]; known {
		return codes, nil
	}
	var codes []terminology.Code
	_, found, err := p.newest(ctx, "ValueSet", valueSet)
	if err != nil {
		return nil, err
	}
	if found {
		var unanswered *terminology.Error
		if codes, err = p.r.Terminology(p.t).Expand(ctx, valueSet); err != nil && !errors.As(err, &unanswered) {
			return nil, err
		}
		if err == nil && codes == nil {
			codes = []terminology.Code{}
		}
	}
	p.expansions[valueSet] = codes
	return codes, nil
}

// maxCompiled is how many compiled profiles of tenants are remembered.
const maxCompiled = 500

// compiledProfiles are profiles that tenants have stored, by their version.
type compiledProfiles struct {
	mu  sync.Mutex
	all map[compiledKey]compiledProfile
}

type compiledKey struct {
	tenant store.Tenant
	id     string
	// A tenant that was dropped and made again counts versions anew; times
	// differ.
	version, time int64
}

type compiledProfile struct {
	structure *profile.Structure
	err       error
}

// structure compiles a stored StructureDefinition, or takes what was made of
// the same version before. One without a snapshot is made from others, which
// may change, so it is not remembered.
func (c *compiledProfiles) structure(t store.Tenant, d store.Document, base func(string) (*profile.Structure, error)) (*profile.Structure, error) {
	key := compiledKey{t, d.Ref.ID, d.Version, d.Time.UnixNano()}
	c.mu.Lock()
	known, ok := c.all[key]
	c.mu.Unlock()
	if ok {
		return known.structure, known.err
	}
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return nil, err
	}
	s, err := profile.Parse(doc.Root(), base)
	if _, whole := doc.Root().Member("snapshot"); !whole {
		return s, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= maxCompiled {
		c.all = map[compiledKey]compiledProfile{}
	}
	c.all[key] = compiledProfile{s, err}
	return s, err
}

// Profile is the type that a held profile is for.
func (r *Repository) Profile(ctx context.Context, t store.Tenant, canonical string) (typ string, held bool, err error) {
	if typ, ok := profile.Core(canonical); ok {
		return typ, r.o.Definitions.Inherits(typ, "Resource"), nil
	}
	s, err := r.profiles(t).Structure(ctx, canonical)
	if s == nil || err != nil {
		return "", false, err
	}
	return s.Type, true, nil
}

// Profiles are the profiles and extensions of the implementation guides.
func (r *Repository) Profiles() []profile.Definition {
	if r.o.Guides == nil {
		return nil
	}
	return r.o.Guides.Definitions()
}
