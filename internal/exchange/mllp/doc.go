// Package mllp carries HL7 v2 messages over TCP, with or without TLS, in the
// frames of the minimal lower layer protocol.
//
// A [Server] takes messages: what a [Handler] does with one is done before it
// is acknowledged, and the messages of a connection are handled one after the
// other. A [Client] sends messages: one at a time, the next when the one
// before has its acknowledgement, which is what keeps their order.
//
// Sources: HL7 Implementation Guide appendix C; HL7 v2.5.1 § 2.9.
package mllp
