// Package maintenance is what an operator does with a running store, and what
// a server does to it by itself: search keys built anew, logs trimmed,
// organizations removed, copies made.
//
//	job.go         a piece of work that outlives the process: its record
//	runner.go      which instance does it, and when
//	reindex.go     the walk that gives stored resources their keys
//	ensure.go      which reindexing is needed
//	retention.go   how far a tenant's log is kept, and who holds it
//	drop.go        an organization and all that belongs to it, removed
//	backup.go      a copy of the embedded store
//	bulk.go        exports and imports as jobs (fhir/bulk does them)
//	http.go        the routes of all this
//
// A job is an item in the store. One instance does it, under a lease, and
// writes now and then how far it is; whoever takes the lease next goes on from
// there. What is done twice is harmless.
package maintenance
