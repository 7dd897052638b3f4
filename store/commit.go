package store

import "time"

// Commit is a set of changes that happen together or not at all.
type Commit struct {
	// Source says where the changes come from ("rest", a source's id).
	Source string
	// Event names what happened in the caller's terms; "" for a plain write.
	Event string
	// Info is kept with the log entry as it is; small, opaque to the store.
	Info []byte
	// Changes name each document at most once.
	Changes []Change
	// Guards must all hold for the commit to happen.
	Guards []Guard
}

// Change writes a new version of one document, or deletes it.
type Change struct {
	Ref Ref
	// Expect is checked against the document's current version.
	Expect Expect
	// Render makes the content of the new version. It is called when the
	// version is known, perhaps more than once, and must be quick and pure.
	// nil deletes the document; deleting what is not there changes nothing
	// and leaves no trace in the log.
	Render func(Stamp) Content
}

// Stamp is what the store decides about a version.
type Stamp struct {
	Version int64
	Time    time.Time
}

// Content is a body and all the keys by which it is to be found. Keys may be
// in any order and hold duplicates.
type Content struct {
	Body []byte
	Keys []Key
}

// Expect is a precondition on a document's current version.
type Expect struct {
	kind    expectKind
	version int64
}

type expectKind uint8

const (
	expectAnything expectKind = iota
	expectAbsent
	expectVersion
)

// Absent expects that the document does not exist or was deleted.
func Absent() Expect { return Expect{kind: expectAbsent} }

// AtVersion expects that the document exists, is not deleted, and that its
// current version is this one.
func AtVersion(version int64) Expect { return Expect{kind: expectVersion, version: version} }

// Guard is a precondition on a query: when the commit is appended, the
// documents that match Where are exactly those in Matches. A conditional
// create is guarded by no match, a conditional update by the one it found.
type Guard struct {
	Where   Clause
	Matches []Ref
}

// Method is what a change did to its document.
type Method uint8

// Methods of a change.
const (
	// Create made the first version, or the first after a delete.
	Create Method = iota + 1
	// Update replaced a version.
	Update
	// Delete made a version without content.
	Delete
)

// String is the HTTP method that FHIR's history bundles use for it.
func (m Method) String() string {
	switch m {
	case Create:
		return "POST"
	case Update:
		return "PUT"
	case Delete:
		return "DELETE"
	}
	return "unknown"
}

// Entry is one commit in a tenant's change log.
type Entry struct {
	Seq           int64
	Time          time.Time
	Source, Event string
	Info          []byte
	Changes       []EntryChange
}

// EntryChange says which version of which document a commit made. An entry
// without changes is not appended; Commit then returns it with Seq 0.
type EntryChange struct {
	Ref     Ref
	Version int64
	Method  Method
}

// MaxChanges is the most changes that one commit takes.
const MaxChanges = 1 << 20

// NumberOf is the [Document.Number] of a document that change index of
// entry seq creates.
func NumberOf(seq int64, index int) int64 { return seq<<20 | int64(index) }
