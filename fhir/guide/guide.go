package guide

import (
	_ "embed"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
)

//go:generate go run ./internal/gen -shared ../../../shared/data -out definitions.json

//go:embed definitions.json
var definitions []byte

// Builtin are US Core 6.1.0 and the profiles of R4 itself. They are read at the
// first call, and each profile is compiled when it is first needed; all callers
// share them.
func Builtin() *profile.Library { return builtin() }

var builtin = sync.OnceValue(read)

func read() *profile.Library {
	l := profile.NewLibrary(nil)
	doc, err := rawjson.Parse(definitions, nil)
	if err == nil {
		for resource := range doc.Root().Elements() {
			if _, err = l.Add(resource); err != nil {
				break
			}
		}
	}
	if err != nil {
		// The definitions are part of the program: this is a broken build,
		// which the package's tests find, not a condition to handle.
		panic("guide: embedded definitions: " + err.Error())
	}
	return l
}
