package validate

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// MaxIssues bounds the issues of one resource.
const MaxIssues = 100

// The steps of FHIRPath on one resource: stepsFloor and stepsPerValue for each
// JSON value of its document.
const (
	stepsFloor    = 1_000_000
	stepsPerValue = 500
)

// Options are what a validator works with.
type Options struct {
	// Extensions knows definitions of extensions; nil for none.
	Extensions Extensions
	// ModifierExtension says what an unknown modifier extension means.
	ModifierExtension Modifiers
	// Units compares quantities of different units; without it they do not
	// compare.
	Units fhirpath.Units
}

// Resource checks a resource in full: its structure and everything else. It is
// the root of a document or a resource within it; lines and columns are those
// of the document. The error is that of Options.Extensions.
func Resource(ctx context.Context, resource rawjson.Node, o Options) ([]conformance.Issue, error) {
	issues := conformance.ValidateStructureOf(resource)
	further, err := Rules(ctx, resource, o)
	if err != nil || len(further) == 0 {
		return issues, err
	}
	issues = append(issues, further...)
	slices.SortStableFunc(issues, func(a, b conformance.Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return issues, nil
}

// Rules checks what [conformance.ValidateStructure] does not. What is not
// shaped as R4 says is passed over: the structure's issues tell of it.
func Rules(ctx context.Context, resource rawjson.Node, o Options) ([]conformance.Issue, error) {
	w := walkers.Get().(*walker)
	defer w.release()
	w.options = o
	w.path.Units = o.Units
	w.steps = stepsFloor + stepsPerValue*resource.Document().Len()
	w.resource(resource, nil, nil)
	if err := w.extensions(ctx); err != nil {
		return nil, err
	}
	return w.issues(resource.Document().Data()), nil
}

var walkers = sync.Pool{New: func() any {
	p := r4Plan()
	w := &walker{plan: p}
	w.path.Model = p.model
	return w
}}

func (w *walker) release() {
	clear(w.pending)
	w.path.Resource, w.path.RootResource, w.path.Units = fhirpath.Value{}, fhirpath.Value{}, nil
	w.at, w.findings, w.pending, w.frames = w.at[:0], w.findings[:0], w.pending[:0], w.frames[:0]
	w.options, w.scope, w.more, w.costly = Options{}, nil, false, false
	walkers.Put(w)
}

func (w *walker) report(offset int, severity conformance.Severity, code conformance.IssueCode, text string) {
	w.reportAt(w.at.Expression(), offset, severity, code, text)
}

func (w *walker) reportAt(expression string, offset int, severity conformance.Severity, code conformance.IssueCode, text string) {
	f := conformance.Finding{
		Issue:  conformance.Issue{Severity: severity, Code: code, Expression: expression, Diagnostics: text},
		Offset: offset,
	}
	if w.findings.Add(f, MaxIssues) {
		w.more = true
	}
}

// issues gives the findings in the order of the text.
func (w *walker) issues(data []byte) []conformance.Issue {
	issues := w.findings.Issues(data)
	if w.more {
		issues = append(issues, conformance.Issue{
			Severity: conformance.SeverityInformation, Code: conformance.IssueIncomplete, Line: 1, Column: 1,
			Diagnostics: "only " + strconv.Itoa(MaxIssues) + " issues of invariants are listed",
		})
	}
	return issues
}
