// Package interop tests the server with public FHIR clients: what they send
// is what apps send, and what they make of the answers is nothing that this
// repository wrote.
//
// The clients come from npm (see scripts/clients); a session with each is in
// the folder clients.
package interop
