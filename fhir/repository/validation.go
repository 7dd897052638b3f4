package repository

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/store"
)

// checkWritten reads a resource that is to be stored and checks it as far as
// the tenant wants. What is less than an error is not in the way.
func (r *Repository) checkWritten(ctx context.Context, t store.Tenant, resource []byte) (doc *rawjson.Document, typ string, err error) {
	settings, err := r.Validation(ctx, t)
	if err != nil {
		return nil, "", err
	}
	doc, err = rawjson.Parse(resource, nil)
	if err != nil {
		return nil, "", Invalid(conformance.ValidateStructure(resource))
	}
	var issues []conformance.Issue
	switch settings.Level {
	case validate.Off:
		issues = validate.Storable(doc.Root())
	case validate.Full:
		issues, err = r.validate(ctx, t, doc.Root(), settings, profile.Options{})
	default:
		issues = conformance.ValidateStructureOf(doc.Root())
	}
	if err != nil {
		return nil, "", err
	}
	if HasErrors(issues) {
		return nil, "", Invalid(issues)
	}
	m, _ := doc.Root().Member("resourceType")
	return doc, m.String(), nil
}

// checkWrittenType is checkWritten for a resource of one type.
func (r *Repository) checkWrittenType(ctx context.Context, t store.Tenant, typ string, resource []byte) (*rawjson.Document, error) {
	doc, found, err := r.checkWritten(ctx, t, resource)
	if err != nil {
		return nil, err
	}
	return ofType(typ, doc, found)
}

func ofType(typ string, doc *rawjson.Document, found string) (*rawjson.Document, error) {
	if found != typ {
		return nil, outcome.BadRequest(outcome.CodeInvalid, "The URL is for %s, but the resource in the body is a %s.", typ, found).At("resourceType")
	}
	return doc, nil
}

// HasErrors tells whether a resource with these issues is invalid.
func HasErrors(issues []conformance.Issue) bool {
	for _, i := range issues {
		if i.Severity == conformance.SeverityError || i.Severity == conformance.SeverityFatal {
			return true
		}
	}
	return false
}

// IssuesOf are the issues that validation found as they are answered: what
// makes the resource invalid stands first, each in the order of the text.
func IssuesOf(found []conformance.Issue) []outcome.Issue {
	issues := make([]outcome.Issue, 0, len(found))
	for _, invalid := range [2]bool{true, false} {
		for _, i := range found {
			if HasErrors([]conformance.Issue{i}) != invalid {
				continue
			}
			issues = append(issues, outcome.Issue{
				Severity: outcome.Severity(i.Severity), Code: outcome.Code(i.Code),
				Expression: i.Expression, Diagnostics: i.Diagnostics, Line: i.Line, Column: i.Column,
			})
		}
	}
	return issues
}

// Validation is how a tenant's writes are checked.
func (r *Repository) Validation(ctx context.Context, t store.Tenant) (validate.Settings, error) {
	if r.o.Validation == nil {
		return validate.Settings{}, nil
	}
	return r.o.Validation(ctx, t)
}

// Validate checks a resource in full, whatever the tenant's writes are checked
// for, and against profiles besides those that it claims. It says what could
// not be checked.
func (r *Repository) Validate(ctx context.Context, t store.Tenant, resource rawjson.Node, profiles ...string) ([]conformance.Issue, error) {
	settings, err := r.Validation(ctx, t)
	if err != nil {
		return nil, err
	}
	return r.validate(ctx, t, resource, settings, profile.Options{Profiles: profiles, Thorough: true})
}

func (r *Repository) validate(ctx context.Context, t store.Tenant, resource rawjson.Node, s validate.Settings, o profile.Options) ([]conformance.Issue, error) {
	issues, err := validate.Resource(ctx, resource, validate.Options{
		Extensions: canonicals{r, t}, ModifierExtension: s.ModifierExtension, Units: validate.Units{},
	})
	if err != nil {
		return nil, err
	}
	o.Source, o.Units = r.profiles(t), validate.Units{}
	further, err := profile.Resource(ctx, resource, o)
	if err != nil || len(further) == 0 {
		return issues, err
	}
	issues = append(issues, further...)
	slices.SortStableFunc(issues, func(a, b conformance.Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return issues, nil
}

// Acceptable tells why a resource that is valid would not be stored under an
// id, nil if it would.
func (r *Repository) Acceptable(ctx context.Context, t store.Tenant, ref store.Ref, resource []byte) error {
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return err
	}
	_, err = r.prepare(ctx, t, ref, doc)
	return err
}

// Extensions finds definitions of extensions among the StructureDefinitions of
// the tenant, all in one query: the newest that is not retired, as Canonical
// does; and then among those of the implementation guides. It implements validate.Extensions.
func (c canonicals) Extensions(ctx context.Context, urls []string) (map[string]*validate.Extension, error) {
	const typ = "StructureDefinition"
	var any store.Or
	for _, url := range urls {
		any = append(any, c.r.o.Index.Canonical(typ, url))
	}
	documents, err := c.r.Matching(ctx, c.t, any, maxVersions)
	if err != nil {
		return nil, err
	}
	known := map[string]*validate.Extension{}
	if c.r.o.Guides != nil {
		guides, err := c.r.o.Guides.Extensions(ctx, urls)
		if err != nil {
			return nil, err
		}
		maps.Copy(known, guides)
	}
	type candidate struct {
		version string
		retired bool
	}
	chosen := map[string]candidate{}
	for _, d := range documents {
		doc, err := rawjson.Parse(d.Body, nil)
		if err != nil {
			return nil, err
		}
		e, ok := validate.ParseExtension(doc.Root())
		if !ok {
			continue
		}
		version, _ := doc.Root().Member("version")
		status, _ := doc.Root().Member("status")
		now := candidate{version.String(), status.Is("retired")}
		was, seen := chosen[e.URL]
		if !seen || was.retired && !now.retired || was.retired == now.retired && profile.CompareVersions(now.version, was.version) >= 0 {
			known[e.URL], chosen[e.URL] = e, now
		}
	}
	return known, nil
}
