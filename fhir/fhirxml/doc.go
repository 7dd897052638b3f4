// Package fhirxml turns FHIR JSON into FHIR XML and back
// (https://hl7.org/fhir/R4/xml.html), by the compiled definitions.
//
// Both forms hold the same resource; they differ in what the definitions
// know: the order of elements, which elements repeat, which are attributes in
// XML (Element.id and Extension.url), which primitives are numbers in JSON,
// and where the type of a resource is written. So neither direction builds
// anything but the other text:
//
//	[Append], [AppendElement]  JSON, as rawjson has read it, to XML
//	[AppendJSON]               XML to JSON
//
// What JSON can say and XML cannot, and the other way round, is an [*Error]:
// nothing is left out in silence. The exceptions are those that R4 makes:
// comments, processing instructions and white space between elements are not
// part of a resource, and an XML processor reads any line end as a line feed.
// Decimals keep their digits, narratives their text.
//
// The reader takes no document type, no entities but XML's five, UTF-8 only,
// and as much nesting as rawjson does. It is strict about order, as the
// schemas of R4 are.
//
// The speed, on one core of a two-core cloud machine, is in
// docs/performance.md:
//
//	go test ./fhir/fhirxml -run '^$' -bench . -benchmem
package fhirxml
