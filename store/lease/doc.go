// Package lease lets one of several instances own something for a while: a
// subscription's delivery, a connection's poll, a compaction.
//
// A lease is one item in the store, written by compare-and-set. Whoever takes
// it gets a fencing number that is greater than every one before it, so that
// whatever the owner writes can be told from what an earlier owner, stopped
// for a long while and not aware of it, writes late.
//
// # Whose clock
//
// No two clocks are compared. The owner counts its time to live from before
// its own write; a taker counts it from when it first saw that very write.
// The taker's count therefore ends after the owner's, however far apart the
// clocks are set, as long as both run at about the same speed. A taker that
// looks seldom waits longer, never shorter.
//
// # One process only
//
// Where the store is open in this process alone ([store.Store.Exclusive]), a
// lease that nobody in this process holds was left behind by a process that
// is gone: it is taken at once, and a lease once taken cannot be lost, so
// that keeping it costs no writes.
//
// # What the owner must do
//
// Renew before the time to live is over ([Lease.Keep] does it), ask
// [Lease.Valid] before an effect that cannot be undone, and carry
// [Lease.Fence] in what is written. A lease makes doing the same thing twice
// rare; only the fence, or a compare-and-set, makes it harmless.
package lease
