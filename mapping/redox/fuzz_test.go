package redox

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// FuzzParse: whatever comes, Parse does not panic; what it takes can be
// written and read again; what is translated is FHIR that the library takes,
// and comes back.
func FuzzParse(f *testing.F) {
	for _, data := range invented(f) {
		f.Add(data)
	}
	f.Add([]byte(`{"Meta":{"DataModel":"Clinical Summary","EventType":"PatientQuery"},"Patient":{"Identifiers":[{"ID":1,"IDType":"MR"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(marshal(t, m))
		if err != nil {
			t.Fatalf("what Marshal wrote does not parse: %v", err)
		}
		if again.Pair() != m.Pair() {
			t.Fatalf("%s became %s", m.Pair(), again.Pair())
		}
		if !translated(m.DataModel, m.EventType) {
			return
		}
		through(t, m)
		one, _ := m.ToFHIR(testOptions)
		two, _ := m.ToFHIR(testOptions)
		for i := range one.Entries {
			a, err := mapping.MarshalResource(one.Entries[i].Resource)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := mapping.MarshalResource(two.Entries[i].Resource)
			if string(a) != string(b) || one.Entries[i].FullURL != two.Entries[i].FullURL {
				t.Fatal("the same message became two different ones")
			}
		}
	})
}
