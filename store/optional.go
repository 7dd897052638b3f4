package store

import "context"

// What follows is beside the contract of [Store]: an engine may have it, and
// callers ask for it by a type assertion.

// LogTrimmer is an engine that can forget the beginning of a tenant's log.
type LogTrimmer interface {
	// TrimLog forgets the log entries with Seq < below, or as many of them as
	// there are. ReadLog for entries that were trimmed returns ErrTrimmed;
	// nothing else changes: documents, versions and histories stay complete.
	// Who trims sees to it that no position needs the entries any more.
	TrimLog(ctx context.Context, tenant Tenant, below int64) error

	// LogFloor is the first entry that ReadLog still has; 1 when nothing was
	// trimmed.
	LogFloor(ctx context.Context, tenant Tenant) (int64, error)
}

// TenantDropper is an engine that can remove a tenant.
type TenantDropper interface {
	// DropTenant removes everything of a tenant for good, in one step. Commits
	// that are under way fail with ErrUnavailable or happen before it. The
	// tenant can be used again at once and is then a new one, whose log
	// begins at 1.
	DropTenant(ctx context.Context, tenant Tenant) error
}
