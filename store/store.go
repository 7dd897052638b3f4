package store

import (
	"context"
	"time"
)

// Store is the contract that every engine keeps. It is safe for concurrent
// use by many goroutines.
//
// # Tenants
//
// Every call but Tenants and Close names a [Tenant]. A document, key, log
// entry or item of one tenant can be neither read, found nor overwritten
// through another; there is no call that spans two.
//
// # Commit
//
// Commit applies all changes of a [Commit] or none. When it returns without
// an error the commit is durable (fsync, or the write concern that the engine
// was opened with) and applied: a read or query that begins afterwards,
// through any instance that has caught up with the returned Seq, sees it; the
// instance that committed sees it at once. Sequence numbers of a tenant begin
// at 1 and have no gaps. Entry times never decrease along the log.
//
// When the context ends before Commit returns, the commit may or may not
// have happened; whoever must know reads the log or repeats the commit with
// preconditions that make repeating harmless. Any other error means that
// nothing of the commit is or will be visible.
//
// A change's expectation and a commit's guards are checked against the state
// that the commit is appended to, not against an earlier one: between the
// check and the append nothing else is committed for the tenant.
//
// # Reads
//
// Get and friends return what the latest applied entry left. A document that
// was deleted is returned with Deleted set and no body; one that never
// existed is [ErrNotFound]. A body is returned byte for byte as Render gave
// it. The bytes returned belong to the caller.
//
// # Queries
//
// Two engines that hold the same commits return the same documents in the
// same order for the same query. See [Query] for order and paging.
//
// # Log
//
// ReadLog returns entries in order of Seq without gaps, and only entries
// whose changes are applied: a reader that follows the log never meets a
// version that it cannot read. WaitLog blocks until the tenant's log has
// grown past a sequence number, without polling the disk while nothing
// happens. A log may be trimmed from its beginning: see [LogTrimmer].
//
// # Items
//
// Items are the small documents of the machinery (leases, positions,
// subscriptions, message logs). They have compare-and-set, an expiry and keys
// of their own; they are not in the change log and a write of one is atomic
// by itself.
//
// # Errors
//
// Errors have identity: see errors.go. An engine must not return an error of
// its driver without wrapping it, must not put bodies, keys or ids into error
// texts (they may name patients), and must answer [ErrUnavailable] for what
// may succeed when repeated later.
type Store interface {
	Committer
	Reader
	Searcher
	Explainer
	Log
	LogTrimmer
	Items
	Rekeyer
	TenantDropper

	// Tenants lists the tenants that have committed something or hold items,
	// in byte order.
	Tenants(ctx context.Context) ([]Tenant, error)

	// Exclusive reports whether this process is the only one that can have
	// the store open, so that a lease left behind by another process is
	// known to be dead.
	Exclusive() bool

	// Ping reports whether the store can serve now; nil means yes.
	Ping(ctx context.Context) error

	// Close waits for commits under way and releases the store. Calls after
	// it, and a WaitLog that is still waiting, return ErrClosed.
	Close() error
}

// Tenant names whose data is meant: "<organization>/<environment>". It is
// not empty, at most 128 bytes long, and holds no NUL byte.
type Tenant string

// System is the tenant of what belongs to the server itself. It takes items
// and no commits.
const System Tenant = "_system"

// Ref names a document within a tenant. Type and ID are not empty and hold
// no NUL byte and no '/'.
type Ref struct{ Type, ID string }

// String is "Type/ID", the form in which reference keys name a document.
func (r Ref) String() string { return r.Type + "/" + r.ID }

// Document is one version of one document.
type Document struct {
	Ref Ref
	// Number is fixed when the document is first committed and never reused;
	// it grows in the order of commits. Queries without a sort return
	// documents in this order.
	Number int64
	// Version counts from 1 and has no gaps; a delete is a version too.
	Version int64
	// Seq is the log entry that made this version.
	Seq int64
	// Time is that entry's time, in UTC with millisecond precision.
	Time    time.Time
	Deleted bool
	Body    []byte
}

// Key is an ordered key: bytes whose order is meaningful to the caller. Any
// bytes are allowed; at most MaxKey of them.
type Key = string

// MaxKey is the longest key in bytes. What must be indexed and is longer is
// cut or hashed by the caller, who knows what it means.
const MaxKey = 1024

// Committer writes.
type Committer interface {
	Commit(ctx context.Context, tenant Tenant, commit Commit) (Entry, error)
}

// Reader reads documents by name.
type Reader interface {
	// Get returns the current version.
	Get(ctx context.Context, tenant Tenant, ref Ref) (Document, error)

	// GetVersion returns one version, current or not.
	GetVersion(ctx context.Context, tenant Tenant, ref Ref, version int64) (Document, error)

	// GetMany returns the current versions of those refs that exist, deleted
	// ones included, in the order of refs. One round trip.
	GetMany(ctx context.Context, tenant Tenant, refs []Ref) ([]Document, error)

	// GetSome is GetMany in rounds of bounded size: it stops before the
	// document whose body would bring those returned above maxBytes, or
	// earlier, and says how many of refs it has dealt with: at least one.
	GetSome(ctx context.Context, tenant Tenant, refs []Ref, maxBytes int) (docs []Document, done int, err error)

	// History returns versions, newest first; none for what never existed.
	History(ctx context.Context, tenant Tenant, query HistoryQuery) (HistoryPage, error)
}

// HistoryQuery selects versions. With Type and ID: of one document; with
// Type alone: of all of that type; with neither: of the tenant.
type HistoryQuery struct {
	Type, ID string
	// Since, when set, leaves out versions made before it.
	Since time.Time
	// Before, when set, leaves out versions that do not come before this
	// place: pass a page's Next to continue it.
	Before HistoryCursor
	// Limit is the most versions returned; at least 1.
	Limit int
}

// HistoryCursor is a place in the history: change Index of entry Seq.
type HistoryCursor struct {
	Seq   int64
	Index int
}

// HistoryPage is a part of a history. Next is zero when nothing follows.
type HistoryPage struct {
	Versions []Version
	Next     HistoryCursor
}

// Version is a version in a history, with how it came about.
type Version struct {
	Document
	Method Method
}

// Searcher answers queries.
type Searcher interface {
	Search(ctx context.Context, tenant Tenant, query Query) (Page, error)
}

// Log reads a tenant's change log.
type Log interface {
	// Head is the sequence number of the last applied entry; 0 before any.
	Head(ctx context.Context, tenant Tenant) (int64, error)

	// ReadLog returns at most limit entries with Seq > after.
	ReadLog(ctx context.Context, tenant Tenant, after int64, limit int) ([]Entry, error)

	// WaitLog returns the head as soon as it is greater than after, or the
	// context's error when that ends first.
	WaitLog(ctx context.Context, tenant Tenant, after int64) (int64, error)
}

// LogTrimmer forgets the beginning of a tenant's log.
type LogTrimmer interface {
	// TrimLog forgets the log entries with Seq < below, or as many of them as
	// there are. ReadLog for entries that were trimmed returns ErrTrimmed;
	// nothing else changes: documents, versions and histories stay complete,
	// and sequence numbers go on. Repeating it is harmless, and what was
	// trimmed never comes back. Who trims sees to it that no position needs
	// the entries any more.
	TrimLog(ctx context.Context, tenant Tenant, below int64) error

	// LogFloor is the first entry that ReadLog still has; 1 when nothing was
	// trimmed.
	LogFloor(ctx context.Context, tenant Tenant) (int64, error)
}

// TenantDropper removes tenants.
type TenantDropper interface {
	// DropTenant removes everything of a tenant for good, in one step. Commits
	// that are under way fail with ErrUnavailable or happen before it. The
	// tenant can be used again at once and is then a new one, whose log
	// begins at 1. Dropping what is not there succeeds; one that was cut
	// short may have happened, and repeating it completes it.
	DropTenant(ctx context.Context, tenant Tenant) error
}
