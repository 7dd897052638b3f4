// Package mongo keeps the store's contract on a MongoDB: a standalone server,
// a replica set, a sharded cluster, or a server that only speaks its protocol
// (FerretDB with DocumentDB). It uses no multi-document transaction, and a
// change stream only to hear of news sooner.
//
// # A commit
//
//  1. Plan. One query reads the documents that the batch names, another, at
//     the same time, what its guards could find.
//  2. Append. One insert of a log document whose id is the tenant and the
//     first sequence number. The id is unique, so of two instances that
//     planned on the same head one loses, catches up and plans again. This
//     insert is the commit point; it carries all that is to be written.
//  3. Apply. One ordered bulk write copies the versions that are replaced to
//     the history and replaces them, each under the condition that what it
//     finds is older.
//
// Applying is idempotent. Whoever finds a log document that may not be
// applied (a writer before it plans, a reader of the log, an instance that
// opens a tenant, and every few seconds every instance) applies it; so a crash
// after the append is repaired without anybody's help. Log documents that are
// known to be applied are settled: they lose their payload.
//
// # What readers see while a commit is applied
//
// Documents of one commit become visible one after the other, within the time
// that one bulk write takes. Entries become visible in the log only when all
// of their documents are.
//
// # An append whose outcome is unknown
//
// When the connection breaks during the insert, the insert is repeated until
// its outcome is known: the log document names its commit, so a repetition
// that finds its own has won. Callers wait as long as their contexts let them.
//
// # Tenants
//
// A tenant has a number, which stands in front of all its ids and keys. Its
// name is in one place, so dropping a tenant takes the name off the number;
// before that, the place behind the end of its log is taken by a row that no
// commit can pass, and afterwards the data is removed.
//
// # Other keys
//
// Rekey writes only rows that hold the version named, and applying replaces
// only rows of an older entry: a batch that is applied again brings no keys
// back.
//
// # Where to start reading
//
// layout.go says what is stored and why; open.go opens it; ledger.go and
// append.go are the commit; filter.go and search.go are the queries; names.go
// has the tenants' numbers, schema.go and migrate.go older databases.
package mongo
