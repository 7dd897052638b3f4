package guide

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
)

func compact(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What US Core's profiles cost on Synthea's resources, parsed already.
func BenchmarkProfiles(b *testing.B) {
	resources, profiles := syntheaResources(b, 4)
	var docs []*rawjson.Document
	size := 0
	for _, r := range resources {
		doc, err := rawjson.Parse(r, nil)
		if err != nil {
			b.Fatal(err)
		}
		docs = append(docs, doc)
		size += len(r)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for i, doc := range docs {
			if _, err := profile.Resource(context.Background(), doc.Root(), profile.Options{
				Source: Builtin(), Units: validate.Units{}, Profiles: profiles[i : i+1],
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What it costs to read the definitions that are part of the program, and to
// compile all of them.
func BenchmarkBuiltin(b *testing.B) {
	for _, all := range []bool{false, true} {
		b.Run(map[bool]string{false: "read", true: "compiled"}[all], func(b *testing.B) {
			for b.Loop() {
				l := read()
				if all {
					if err := l.Compile(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
