// Package exchange is the traffic around the FHIR store: who sends what to
// whom, in which data model, and what became of it.
//
// A message comes from a source (pushed to /endpoint, or by a poller), is
// logged, translated to FHIR, joined with what is known of the same patients
// and visits, and committed as one event. Notifications and writebacks leave
// through package notifications.
//
//	exchange.go    the parts and how they hang together
//	source.go      sources
//	message.go     the message log
//	ingest.go      one message from its text to a commit
//	identity.go    which stored resource a message speaks of
//	merge.go       what a message leaves out is kept
//	order.go       what was said later stays
//	redelivery.go  a message that is sent again
//	patientmerge.go two patients become one
//	provenance.go  which message gave which version
//	hl7v2*.go      HL7 v2 messages in; listener.go their listeners
//	redoxapi.go    /endpoint and /query; redoxerror.go the form of errors
//	query.go       queries answered from the store; forward.go from a live system
//	upload.go      /upload, and files in the place of their URIs
//	writeback*.go  FHIR writeback operations; operations.go their table
//	carrier.go     HL7 v2 messages out
//	admin*.go      the JSON API to look at and manage all of this
package exchange
