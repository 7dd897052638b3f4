// Package fhirpath evaluates FHIRPath, the path and expression language of FHIR's
// search parameters, invariants and subscription criteria: FHIRPath 2.0
// (http://hl7.org/fhirpath/N1) with what R4 adds to it
// (https://hl7.org/fhir/R4/fhirpath.html).
//
// [Compile] turns the text of an expression into an [Expression] once; it is
// then evaluated on the JSON of resources as package rawjson has read it:
//
//	expression := fhirpath.MustCompile("Patient.telecom.where(system = 'phone')")
//	ctx := &fhirpath.Context{Model: r4model.R4()}
//	patient, ok := fhirpath.NewResource(ctx.Model, document.Root())
//	phones, err := expression.Evaluate(ctx, patient)
//
// With the Context's Units set to [UCUM], quantities are compared and added
// whatever their units, and toQuantity() converts.
//
// The values of a result refer to the document; nothing is decoded unless an
// operation needs it. Types come from a [Model]; package r4model has R4's.
//
// An evaluation cannot hang or exhaust memory, whoever wrote the expression: its
// length and nesting are bounded by Compile, steps and items by the [Context],
// and regular expressions run in linear time.
//
// Simple paths allocate nothing once a Context's memory has grown. Reading the
// JSON of a Synthea resource and evaluating all search parameters of its type, 35
// on average, takes 25 µs on one core:
//
//	go test ./fhir/fhirpath -run '^$' -bench . -benchmem
//
// Where R4's own content and the text of FHIRPath 2.0 differ, R4's content works:
// "as" may be used on collections (29 search parameters do), unless
// Context.Strict is set. That is one of the six cases of HL7's test suite (of
// 935) that end otherwise; official_test.go lists them with their reasons.
package fhirpath
