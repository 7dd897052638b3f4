package topic

import (
	"net/http"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// PathContext is what FHIRPath criteria are evaluated with.
type PathContext struct {
	Model fhirpath.Model
	Now   func() time.Time
}

// truth evaluates a criterion with %current and %previous, each of which is
// empty where there is no such version. The root is the current version, or the
// previous one of what was deleted. Only true is true: empty, and an expression
// that fails on this resource, are not.
func (p PathContext) truth(e *fhirpath.Expression, now, before *version) (bool, error) {
	ctx := &fhirpath.Context{Model: p.Model, Now: p.Now, Units: fhirpath.UCUM{}}
	var root fhirpath.Value
	ctx.Variables = map[string]fhirpath.Collection{"current": {}, "previous": {}}
	for _, side := range []struct {
		name string
		v    *version
	}{{"previous", before}, {"current", now}} {
		if !side.v.is {
			continue
		}
		doc, err := rawjson.Parse(side.v.doc.Body, nil)
		if err != nil {
			return false, err
		}
		v, ok := fhirpath.NewResource(p.Model, doc.Root())
		if !ok {
			continue
		}
		ctx.Variables[side.name] = fhirpath.Collection{v}
		root = v
	}
	truth, ok, err := e.Truth(ctx, root)
	return truth && ok && err == nil, nil
}

// refOf reads "Type/id".
func refOf(name string) (store.Ref, bool) {
	typ, id, ok := strings.Cut(name, "/")
	return store.Ref{Type: typ, ID: id}, ok && typ != "" && id != ""
}

// compilePath compiles a criterion of a topic.
func compilePath(text string) (*fhirpath.Expression, error) {
	e, err := fhirpath.Compile(text)
	if err != nil {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeInvalid, "fhirPathCriteria is not an expression of FHIRPath: %s.", err)
	}
	return e, nil
}
