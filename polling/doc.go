// Package polling asks vendors that cannot push what changed, and delivers it
// as if it had been pushed.
//
// # The walk of a change
//
// A cron line is due. The [Connector] of the vendor names the records that
// changed since the cursor. Each gets one [Container], filled with follow-up
// calls (the patient, the provider, the department of an appointment). What
// the container holds is compared with what was last delivered of the record:
// the same makes no message, a difference makes exactly one, a Redox data
// model message that the [Sink] commits like any other.
//
// # What is kept, and why nothing is lost or told twice
//
// One item a record (record.go) holds the hash and content of what was last
// delivered, and the pending container if there is one. The message is
// written into the item before it is delivered and taken out after: a crash
// in between leaves the very bytes to be delivered again, with the same id in
// Meta.Logs, by which a receiver drops what it already has.
//
// One item an action (cursor.go) holds the cursor. It moves after everything
// it covers is delivered or is kept as a container. Feeds that forget what
// they hand out are read without forgetting first and consumed last, see
// [Consumer].
//
// A container that cannot be filled or delivered is kept and retried alone; a
// message that the sink refuses for good is parked with the record. A poll
// that finds nothing writes nothing.
//
// # One instance
//
// A lease (store/lease) for each connection and action makes one instance
// poll. Items are written by compare-and-set and the cursor carries the
// lease's fence, so that an instance that lost its lease unawares cannot move
// what its successor moves. Keeping a lease costs at most one small write in
// a third of its time to live, and none where the store is exclusive.
//
// # Where to start reading
//
//   - [Manager] is what a program uses.
//   - [Connector] is what a vendor's package implements.
//   - run.go is one poll from beginning to end.
package polling
