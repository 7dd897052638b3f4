package validate

import (
	"runtime"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
)

// TestLoadingFigures prints what FHIRPath's model and the compiled invariants
// take, the definitions being there; it holds their memory to a bound, and not their time.
func TestLoadingFigures(t *testing.T) {
	definitions := conformance.R4()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	model := r4model.New(definitions)
	p, err := compile(definitions, model)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("model and invariants: %v, %.1f MiB; %d types, %d different expressions", took, float64(held)/(1<<20), len(p.shapes), p.rules)
	if held > 20<<20 {
		t.Errorf("they hold %d bytes", held)
	}
	runtime.KeepAlive(p)
}
