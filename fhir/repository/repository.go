// Package repository keeps FHIR resources in a store: it checks them, gives
// them ids, versions and keys, and finds them again. Everything that writes a
// resource goes through it, whether it came by REST, as a Redox message or
// from a poll.
package repository

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/store"
)

// Options are what a repository works with.
type Options struct {
	Store       store.Store
	Definitions *conformance.Definitions
	Index       *search.Index
	// Parameters knows the search parameters that tenants define; one of its
	// own when nil.
	Parameters *parameters.Registry
	// FullText makes keys of the words of resources, for _text and _content.
	// A registry given in Parameters decides that itself.
	FullText bool
	// Now is the clock of searches ("ap" prefix); versions get their time
	// from the store.
	Now func() time.Time
	// NewID makes ids for created resources.
	NewID func() string
	// Pages signs page links.
	Pages search.PageTokens
	// BaseURL is a tenant's absolute FHIR base without a trailing slash, ""
	// when unknown: references below it are local.
	BaseURL func(store.Tenant) string
	// Validation is how a tenant's writes are checked; the structure, for all,
	// when nil.
	Validation func(context.Context, store.Tenant) (validate.Settings, error)
	// Guides are the implementation guides that all tenants know; none when
	// nil.
	Guides *profile.Library
	// MaxCodes is the most codes of a value set that is expanded; 10,000 when 0.
	MaxCodes int
	// TerminologyServer is asked for code systems and value sets that go
	// elsewhere; none when nil.
	TerminologyServer terminology.Server
	// Admission decides, by type, about what clients write: it returns an error,
	// or the resource to store instead, nil for the one that came.
	Admission map[string]Admission
	// DefaultCount and MaxCount bound pages of searches and histories.
	DefaultCount, MaxCount int
}

// Admission decides about a resource that is to be stored under ref. It must not
// depend on being called once for each write.
type Admission func(ctx context.Context, t store.Tenant, ref store.Ref, resource rawjson.Node) (instead []byte, err error)

// Repository keeps FHIR resources in a store. Safe for concurrent use.
type Repository struct {
	o        Options
	compiled *compiledProfiles
}

// New makes a repository.
func New(o Options) *Repository {
	if o.DefaultCount == 0 {
		o.DefaultCount = 50
	}
	if o.MaxCount == 0 {
		o.MaxCount = 1000
	}
	if o.Parameters == nil {
		o.Parameters = parameters.New(parameters.Options{Store: o.Store, Definitions: o.Definitions, Index: o.Index, Now: o.Now, FullText: o.FullText})
	}
	return &Repository{o, &compiledProfiles{}}
}

// Definitions are the FHIR definitions that the repository works by.
func (r *Repository) Definitions() *conformance.Definitions { return r.o.Definitions }

// NewID makes an id for a resource.
func (r *Repository) NewID() string { return r.o.NewID() }

func (r *Repository) base(t store.Tenant) search.Base {
	b := search.Base{Definitions: r.o.Definitions, FullText: r.o.Parameters.FullText()}
	if r.o.BaseURL != nil {
		b.URL = r.o.BaseURL(t)
	}
	return b
}

// Prepared is a resource that was checked and is ready to be stored.
type Prepared struct {
	Ref    store.Ref
	repo   *Repository
	tenant store.Tenant
	doc    *rawjson.Document
	// keys were extracted by index.
	keys  []store.Key
	index *search.Index
	idRaw []byte
}

// Prepare checks a resource and extracts its keys. The resource is to be
// stored under id, whatever id it has itself. The bytes must not change
// afterwards.
func (r *Repository) Prepare(ctx context.Context, t store.Tenant, id string, resource []byte) (*Prepared, error) {
	doc, typ, err := r.checkWritten(ctx, t, resource)
	if err != nil {
		return nil, err
	}
	return r.prepare(ctx, t, store.Ref{Type: typ, ID: id}, doc)
}

// Check reads a resource and validates its structure, whatever is checked of
// what is stored.
func (r *Repository) Check(resource []byte) (doc *rawjson.Document, typ string, err error) {
	doc, err = rawjson.Parse(resource, nil)
	if err != nil {
		// The validator reads the text again and words the fault.
		return nil, "", Invalid(conformance.ValidateStructure(resource))
	}
	issues := conformance.ValidateStructureOf(doc.Root())
	if HasErrors(issues) {
		return nil, "", Invalid(issues)
	}
	m, _ := doc.Root().Member("resourceType")
	return doc, m.String(), nil
}

// Invalid words what validation found as an error.
func Invalid(found []conformance.Issue) *outcome.Error {
	return &outcome.Error{Status: http.StatusBadRequest, Issues: IssuesOf(found)}
}

func (r *Repository) prepare(ctx context.Context, t store.Tenant, ref store.Ref, doc *rawjson.Document) (*Prepared, error) {
	if !search.ValidID(ref.ID) {
		return nil, outcome.BadRequest(outcome.CodeValue, "An id is 1 to 64 letters, digits, '-' and '.'.").At(ref.Type + ".id")
	}
	if ref.Type == parameters.Type {
		if err := r.o.Parameters.CheckResource(ctx, t, ref.ID, doc.Data()); err != nil {
			return nil, err
		}
	}
	if admit := r.o.Admission[ref.Type]; admit != nil {
		instead, err := admit(ctx, t, ref, doc.Root())
		if err != nil {
			return nil, err
		}
		if instead != nil {
			if doc, err = rawjson.Parse(instead, nil); err != nil {
				return nil, err
			}
		}
	}
	return r.admitted(t, ref, doc)
}

// admitted is prepare without asking whether the resource may be stored.
func (r *Repository) admitted(t store.Tenant, ref store.Ref, doc *rawjson.Document) (*Prepared, error) {
	index := r.index(t)
	keys, err := r.contentKeys(index, t, ref, doc.Root())
	if err != nil {
		return nil, err
	}
	return &Prepared{
		Ref: ref, repo: r, tenant: t, doc: doc, keys: keys, index: index, idRaw: strconv.AppendQuote(nil, ref.ID),
	}, nil
}

// Change is the store's change that writes the resource.
func (p *Prepared) Change(expect store.Expect) store.Change {
	return store.Change{Ref: p.Ref, Expect: expect, Render: p.render}
}

func (p *Prepared) render(s store.Stamp) store.Content {
	return store.Content{Body: p.body(s), Keys: p.repo.versionKeys(p.Ref.Type, s.Time, p.currentKeys())}
}

// body puts id, versionId and lastUpdated into the text and leaves all other
// bytes as they came.
func (p *Prepared) body(s store.Stamp) []byte {
	edits := []rawjson.Edit{
		{Name: "id", Value: p.idRaw},
		{Parent: "meta", Name: "versionId", Value: strconv.AppendQuote(nil, strconv.FormatInt(s.Version, 10))},
		{Parent: "meta", Name: "lastUpdated", Value: s.Time.AppendFormat(nil, `"2006-01-02T15:04:05.000Z07:00"`)},
	}
	// Prepare made sure that the root and meta are objects, so this cannot fail.
	body, _ := p.doc.AppendEdited(make([]byte, 0, len(p.doc.Data())+160), edits)
	return body
}

// SourceREST is the source of what came through the FHIR API.
const SourceREST = "fhir"

// Create stores a new resource under a new id.
func (r *Repository) Create(ctx context.Context, t store.Tenant, typ string, resource []byte) (store.Document, error) {
	doc, err := r.checkWrittenType(ctx, t, typ, resource)
	if err != nil {
		return store.Document{}, err
	}
	p, err := r.prepare(ctx, t, store.Ref{Type: typ, ID: r.o.NewID()}, doc)
	if err != nil {
		return store.Document{}, err
	}
	stored, _, err := r.write(ctx, t, p, store.Absent())
	return stored, err
}

// Absent, as the version that a write expects, expects that there is no such
// resource.
const Absent int64 = -1

// Update stores a resource under its id and says whether that made it
// (update-as-create). A version of 0 expects nothing.
func (r *Repository) Update(ctx context.Context, t store.Tenant, ref store.Ref, resource []byte, version int64) (store.Document, bool, error) {
	doc, err := r.checkWrittenType(ctx, t, ref.Type, resource)
	if err != nil {
		return store.Document{}, false, err
	}
	switch id, ok := doc.Root().Member("id"); {
	case !ok:
		return store.Document{}, false, outcome.BadRequest(outcome.CodeRequired, "An update needs the id in the resource, the same as in the URL.").At(ref.Type + ".id")
	case id.String() != ref.ID:
		return store.Document{}, false, outcome.BadRequest(outcome.CodeValue, "The id in the resource is not the one in the URL.").At(ref.Type + ".id")
	}
	p, err := r.prepare(ctx, t, ref, doc)
	if err != nil {
		return store.Document{}, false, err
	}
	return r.write(ctx, t, p, expectVersion(version))
}

func expectVersion(version int64) store.Expect {
	switch version {
	case 0:
		return store.Expect{}
	case Absent:
		return store.Absent()
	}
	return store.AtVersion(version)
}

func (r *Repository) checkType(typ string, resource []byte) (*rawjson.Document, error) {
	doc, found, err := r.Check(resource)
	if err != nil {
		return nil, err
	}
	return ofType(typ, doc, found)
}

func (r *Repository) write(ctx context.Context, t store.Tenant, p *Prepared, expect store.Expect, guards ...store.Guard) (store.Document, bool, error) {
	entry, err := r.Commit(ctx, t, store.Commit{Source: SourceREST, Changes: []store.Change{p.Change(expect)}, Guards: guards})
	if err != nil {
		return store.Document{}, false, err
	}
	ch := entry.Changes[0]
	body := p.body(store.Stamp{Version: ch.Version, Time: entry.Time})
	return store.Document{Ref: p.Ref, Version: ch.Version, Seq: entry.Seq, Time: entry.Time, Body: body}, ch.Method == store.Create, nil
}

// Replace stores what the server itself makes of a version: nobody is asked for
// admission. It fails with store.ErrConflict where that version is no longer
// the current one.
func (r *Repository) Replace(ctx context.Context, t store.Tenant, ref store.Ref, version int64, source string, resource []byte) (store.Document, error) {
	doc, err := r.checkType(ref.Type, resource)
	if err != nil {
		return store.Document{}, err
	}
	p, err := r.admitted(t, ref, doc)
	if err != nil {
		return store.Document{}, err
	}
	entry, err := r.Commit(ctx, t, store.Commit{Source: source, Changes: []store.Change{p.Change(store.AtVersion(version))}})
	if err != nil {
		return store.Document{}, err
	}
	ch := entry.Changes[0]
	body := p.body(store.Stamp{Version: ch.Version, Time: entry.Time})
	return store.Document{Ref: ref, Version: ch.Version, Seq: entry.Seq, Time: entry.Time, Body: body}, nil
}

// Delete deletes a resource; deleting what is not there succeeds. A version
// of 0 expects nothing.
func (r *Repository) Delete(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Entry, error) {
	return r.Commit(ctx, t, store.Commit{
		Source: SourceREST, Changes: []store.Change{{Ref: ref, Expect: expectVersion(version)}},
	})
}

// Read returns the current version; a deleted resource is a 410.
func (r *Repository) Read(ctx context.Context, t store.Tenant, ref store.Ref) (store.Document, error) {
	return live(r.o.Store.Get(ctx, t, ref))
}

// ReadVersion returns one version.
func (r *Repository) ReadVersion(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Document, error) {
	return live(r.o.Store.GetVersion(ctx, t, ref, version))
}

func live(d store.Document, err error) (store.Document, error) {
	if err == nil && d.Deleted {
		return d, outcome.New(http.StatusGone, outcome.CodeDeleted, "The %s was deleted.", d.Ref.Type)
	}
	return d, err
}

// GetMany reads current versions by name, deleted ones included.
func (r *Repository) GetMany(ctx context.Context, t store.Tenant, refs []store.Ref) ([]store.Document, error) {
	return r.o.Store.GetMany(ctx, t, refs)
}

// GetVersion reads one version of a resource as it is in the store.
func (r *Repository) GetVersion(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Document, error) {
	return r.o.Store.GetVersion(ctx, t, ref, version)
}
