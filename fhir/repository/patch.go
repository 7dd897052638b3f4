package repository

import (
	"context"
	"errors"
	"net/http"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Patch changes a resource by a JSON Patch (RFC 6902;
// https://hl7.org/fhir/R4/http.html#patch). A version of 0 expects nothing:
// the patch is then applied to whatever version is current.
func (r *Repository) Patch(ctx context.Context, t store.Tenant, ref store.Ref, patch []byte, version int64) (d store.Document, err error) {
	for range attempts {
		var p *Prepared
		var current int64
		if p, current, err = r.patched(ctx, t, ref, patch, version); err != nil {
			return store.Document{}, err
		}
		d, _, err = r.write(ctx, t, p, store.AtVersion(current))
		if version > 0 || !errors.Is(err, store.ErrConflict) {
			return d, err
		}
	}
	return d, err
}

// PatchWhere patches the resource that matches the criteria.
func (r *Repository) PatchWhere(ctx context.Context, t store.Tenant, typ string, patch []byte, params []search.Parameter, version int64) (store.Document, error) {
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

// patched is the resource that a patch makes of the current version.
func (r *Repository) patched(ctx context.Context, t store.Tenant, ref store.Ref, patch []byte, version int64) (*Prepared, int64, error) {
	current, err := r.Read(ctx, t, ref)
	if err != nil {
		return nil, 0, err
	}
	if version > 0 && version != current.Version {
		return nil, 0, &store.ConflictError{Ref: ref, Current: current.Version}
	}
	body, err := applyPatch(current.Body, patch)
	if err != nil {
		return nil, 0, err
	}
	doc, err := r.checkType(ref.Type, body)
	if err != nil {
		return nil, 0, err
	}
	if id, ok := doc.Root().Member("id"); !ok || !id.Is(ref.ID) {
		return nil, 0, outcome.BadRequest(outcome.CodeValue, "A patch must not change the id.").At(ref.Type + ".id")
	}
	p, err := r.prepare(ctx, t, ref, doc)
	return p, current.Version, err
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
