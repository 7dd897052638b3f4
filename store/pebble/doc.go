// Package pebble is the embedded engine of package store: one process, one
// folder, no server. It keeps the contract of store.Store on
// github.com/cockroachdb/pebble.
//
// A commit is one synced batch that holds the log entry, the new versions,
// the index keys and what they replace, so there is nothing to repair after a
// crash. Concurrent commits of a tenant share a batch, and batches of all
// tenants share the write-ahead log's syncs.
//
// The layout of every key is in layout.go.
package pebble
