// Package pebble is the embedded engine of package store: one process, one
// folder, no server. It keeps the contract of store.Store on
// github.com/cockroachdb/pebble.
//
// A commit is one synced batch that holds the log entry, the new versions,
// the index keys and what they replace, so there is nothing to repair after a
// crash. Concurrent commits of a tenant share a batch, and batches of all
// tenants share the write-ahead log's syncs.
//
// # Where to start reading
//
//   - layout.go has every key of the folder, ordered.go and codec.go how keys
//     and values are written, tuning.go how pebble is set up.
//   - commit.go is the way in, rekey.go gives what is there other keys.
//   - search.go is the way of a query: resolve.go takes chains out of it,
//     plan.go chooses what drives it, gather.go and numbers.go walk postings,
//     sorting.go brings matches into order, count.go counts them. What may be
//     held in memory is in limits.go and at searcher.
//   - room.go keeps writes off a disk that is nearly full.
//   - check.go, backup.go, compact.go, trim.go and drop.go are for operators.
package pebble
