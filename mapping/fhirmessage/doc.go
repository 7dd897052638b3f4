// Package fhirmessage reads and writes FHIR messages, Bundles of type message
// (https://hl7.org/fhir/R4/messaging.html), by which a server's resources
// are told of as they are there.
//
// The event is Redox's: MessageHeader.eventCoding has the system [System] and
// a code such as "Scheduling:New". An entry's fullUrl is the resource's
// address at the sender's, "https://ehr.example/r4/Appointment/7". So the
// sender's ids become identifiers: the system is the address without the id,
// the value the id. References between the sender's resources, relative or
// absolute, follow what becomes of them.
//
// # Who is who
//
// Every record is known by that identifier; a record of a type that has no
// identifiers, by a key made of the address. A Patient is known by its own
// identifiers as well, and a Practitioner by its NPI, because other sources
// may speak of the same person; what is said of those is laid over what is
// known. Of all other records the sender's state is the whole.
package fhirmessage
