// Package store keeps versioned documents that can be found by ordered keys.
//
// It knows bytes and keys and nothing of FHIR: a document is a body with a
// type, an id and a version; a key is a string of bytes whose order means
// something to the caller; a query asks for documents that have keys in given
// ranges. Everything a tenant ever commits is one entry in that tenant's
// change log, and the order of the log is the truth that reads, searches,
// history and notifications follow.
//
// Two engines keep the contract of [Store]: store/pebble (embedded, one
// process) and store/mongo (any MongoDB, many processes). store/storetest
// checks each sentence of the contract against an engine.
//
// # Where to start reading
//
//   - [Store] is the contract.
//   - [Commit] and [Change] are what goes in, [Entry] is what the log says of it.
//   - [Clause] and [Query] are what can be asked.
//   - [Plan] is how an engine decides what a commit becomes; engines share it
//     so that they cannot differ.
package store
