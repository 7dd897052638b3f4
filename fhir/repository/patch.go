package repository

import (
	"context"
	"errors"
	"net/http"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/fhirfacade/fhirfacade/fhir/fhirpatch"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// PatchFormat is how a patch is written.
type PatchFormat uint8

// The formats of patches (https://hl7.org/fhir/R4/http.html#patch).
const (
	// JSONPatch is RFC 6902.
	JSONPatch PatchFormat = iota
	// FHIRPathPatch is a Parameters resource, in JSON
	// (https://hl7.org/fhir/R4/fhirpatch.html).
	FHIRPathPatch
)

// Patch is a change of a resource.
type Patch struct {
	Format PatchFormat
	Body   []byte
}

// Patch changes a resource. A version of 0 expects nothing: the patch is then
// applied to whatever version is current.
func (r *Repository) Patch(ctx context.Context, t store.Tenant, ref store.Ref, patch Patch, version int64) (store.Document, error) {
	return r.modify(ctx, t, ref, version, r.change(patch))
}

// PatchWhere patches the resource that matches the criteria.
func (r *Repository) PatchWhere(ctx context.Context, t store.Tenant, typ string, patch Patch, params []search.Parameter, version int64) (store.Document, error) {
	c, err := r.match(ctx, t, typ, params)
	switch {
	case err != nil:
		return store.Document{}, err
	case c.count == 0:
		return store.Document{}, outcome.New(http.StatusNotFound, outcome.CodeNotFound, "No %s matches the criteria.", typ)
	case c.count > 1:
		return store.Document{}, several(typ)
	}
	return r.Patch(ctx, t, c.one.Ref, patch, version)
}

// change makes a new text of a resource's.
type change func(resource []byte) ([]byte, error)

// errUnchanged says that a change leaves the resource as it is.
var errUnchanged = errors.New("unchanged")

// change is what a patch does.
func (r *Repository) change(p Patch) change {
	if p.Format == JSONPatch {
		return func(resource []byte) ([]byte, error) { return applyPatch(resource, p.Body) }
	}
	return func(resource []byte) ([]byte, error) {
		parameters, err := r.checkType("Parameters", p.Body)
		if err != nil {
			return nil, err
		}
		return fhirpatch.Apply(resource, parameters.Root(), fhirpatch.Options{
			Definitions: r.o.Definitions, Model: r4model.R4(), Now: r.o.Now,
		})
	}
}

// modify stores what a change makes of the current version, and starts over
// when someone else was first, unless a version was asked for.
func (r *Repository) modify(ctx context.Context, t store.Tenant, ref store.Ref, version int64, do change) (d store.Document, err error) {
	for range attempts {
		var p *Prepared
		var current store.Document
		if p, current, err = r.modified(ctx, t, ref, version, do); err != nil {
			if errors.Is(err, errUnchanged) {
				return current, nil
			}
			return store.Document{}, err
		}
		d, _, err = r.write(ctx, t, p, store.AtVersion(current.Version))
		if version > 0 || !errors.Is(err, store.ErrConflict) {
			return d, err
		}
	}
	return d, err
}

// modified is the resource that a change makes of the current version.
func (r *Repository) modified(ctx context.Context, t store.Tenant, ref store.Ref, version int64, do change) (*Prepared, store.Document, error) {
	current, err := r.Read(ctx, t, ref)
	if err != nil {
		return nil, current, err
	}
	if version > 0 && version != current.Version {
		return nil, current, &store.ConflictError{Ref: ref, Current: current.Version}
	}
	body, err := do(current.Body)
	if err != nil {
		return nil, current, err
	}
	doc, err := r.checkWrittenType(ctx, t, ref.Type, body)
	if err != nil {
		return nil, current, err
	}
	if id, ok := doc.Root().Member("id"); !ok || !id.Is(ref.ID) {
		return nil, current, outcome.BadRequest(outcome.CodeValue, "A patch must not change the id.").At(ref.Type + ".id")
	}
	p, err := r.prepare(ctx, t, ref, doc)
	return p, current, err
}

// maxPatchCopies bounds what the copy operations of a patch add.
const maxPatchCopies = 16 << 20

func applyPatch(body, patch []byte) ([]byte, error) {
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, outcome.BadRequest(outcome.CodeInvalid, "The body is not a JSON Patch: an array of operations is expected.")
	}
	for i, op := range operations {
		// The library's errors would quote paths and values, so faults are
		// worded here.
		if _, err := op.Path(); err != nil || !patchOperations[op.Kind()] {
			return nil, outcome.BadRequest(outcome.CodeInvalid, "Operation %d of the patch is none: it needs an op (add, remove, replace, move, copy or test) and a path.", i)
		}
	}
	o := jsonpatch.NewApplyOptions()
	o.EscapeHTML = false
	o.SupportNegativeIndices = false
	o.AccumulatedCopySizeLimit = maxPatchCopies
	out, err := operations.ApplyWithOptions(body, o)
	var tooLarge *jsonpatch.AccumulatedCopySizeError
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, jsonpatch.ErrTestFailed):
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeConflict, "A test operation of the patch failed, so nothing was changed.")
	case errors.As(err, &tooLarge):
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeTooCostly, "The patch copies too much.")
	}
	return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeInvalid, "The patch cannot be applied to the resource: a path does not exist in it, or a value is missing.")
}

var patchOperations = map[string]bool{"add": true, "remove": true, "replace": true, "move": true, "copy": true, "test": true}
