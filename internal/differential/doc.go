// Package differential holds tests only: the structure validator beside that
// of github.com/google/fhir/go, on the official examples and on mutations of
// them. It is a room of its own because google/fhir is kept out of
// conformance, and takes a minute to compile.
package differential
