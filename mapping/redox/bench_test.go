package redox

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping"
)

func benchSample(b *testing.B) ([]byte, *Message) { return benchMessage(b, "Scheduling", "New") }

func benchMessage(b *testing.B, model, event string) ([]byte, *Message) {
	data, ok := Sample(model, event)
	if !ok {
		b.Fatal("no sample")
	}
	m, err := Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return data, m
}

func BenchmarkParse(b *testing.B) {
	data, _ := benchSample(b)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	_, m := benchSample(b)
	for b.Loop() {
		if _, err := Marshal(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToFHIR(b *testing.B) {
	_, m := benchSample(b)
	for b.Loop() {
		if _, err := m.ToFHIR(testOptions); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromFHIR(b *testing.B) {
	_, m := benchSample(b)
	f, err := m.ToFHIR(testOptions)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := FromFHIR(f, testOptions); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMarshalFHIR writes all resources of the message as JSON.
func BenchmarkMarshalFHIR(b *testing.B) {
	_, m := benchSample(b)
	f, err := m.ToFHIR(testOptions)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, e := range f.Entries {
			if _, err := mapping.MarshalResource(e.Resource); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkSummaryToFHIR and BenchmarkSummaryFromFHIR are the translation of a
// clinical summary alone, without reading and writing JSON.
func BenchmarkSummaryToFHIR(b *testing.B) {
	data, m := benchMessage(b, "ClinicalSummary", "PatientPush")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := m.ToFHIR(testOptions); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSummaryFromFHIR(b *testing.B) {
	data, m := benchMessage(b, "ClinicalSummary", "PatientPush")
	f, err := m.ToFHIR(testOptions)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := FromFHIR(f, testOptions); err != nil {
			b.Fatal(err)
		}
	}
}

// mapOnce appends the JSON of all resources of a message.
func mapOnce(b *testing.B, data, out []byte) []byte {
	m, err := Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	f, err := m.ToFHIR(testOptions)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range f.Entries {
		if out, err = mapping.AppendResource(out, e.Resource); err != nil {
			b.Fatal(err)
		}
	}
	return out
}
