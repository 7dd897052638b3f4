package store

import "strings"

// Clause selects documents by their keys. It is a [Range], [And], [Or],
// [Not], [Refers] or [ReferredBy]. No clause selects a deleted document.
type Clause interface{ clause() }

// Range selects documents that have at least one key k with From <= k < To.
type Range struct{ From, To Key }

// And selects documents that every clause selects. At least one of them must
// be something else than Not, so that a query never starts from everything.
type And []Clause

// Or selects documents that at least one clause selects; an empty Or selects
// nothing. None of them is a Not.
type Or []Clause

// Not, within an And, selects documents that its clause does not select.
type Not struct{ Clause Clause }

// Refers selects documents that have the key Prefix + Ref.String() of some
// document that Query selects: a chain.
type Refers struct {
	Prefix Key
	Query  Clause
}

// ReferredBy selects documents that are named by a key of some document that
// Query selects, the key being Prefix + Ref.String(): a reverse chain.
type ReferredBy struct {
	Prefix Key
	Query  Clause
}

func (Range) clause()      {}
func (And) clause()        {}
func (Or) clause()         {}
func (Not) clause()        {}
func (Refers) clause()     {}
func (ReferredBy) clause() {}

// Exactly is the range that holds one key.
func Exactly(k Key) Range { return Range{From: k, To: k + "\x00"} }

// Prefix is the range of all keys that begin with p.
func Prefix(p Key) Range { return Range{From: p, To: PrefixEnd(p)} }

// PrefixEnd is the least key greater than every key that begins with p. For
// a p of nothing but 0xFF bytes it is a key longer than any allowed one.
func PrefixEnd(p Key) Key {
	b := []byte(p)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xFF {
			b[i]++
			return string(b[:i+1])
		}
	}
	return strings.Repeat("\xFF", MaxKey+1)
}

// Single reports the one key that a range can hold, if there is only one.
func (r Range) Single() (Key, bool) {
	return r.From, len(r.To) == len(r.From)+1 && r.To[len(r.From)] == 0 && r.To[:len(r.From)] == r.From
}

// Contains reports whether k lies in the range.
func (r Range) Contains(k Key) bool { return r.From <= k && k < r.To }

// Query asks for documents in an order. The same query with After set to a
// page's Next gives the next page. While others write, the pages of a query
// neither repeat nor skip a document whose match and sort values stay as
// they are.
type Query struct {
	Where Clause
	// Sort orders by keys; ties, and no sort at all, go by Document.Number.
	Sort []Sort
	// Along, where there is no Sort, says that the order is of no matter, and
	// that every document selected has a key in one of these ranges. An engine
	// that can walk them may return documents in the order of their least key
	// there, instead of that of their numbers, so that a page of what very many
	// match costs no more than itself. It decides by the query alone; a place
	// then has that one key.
	Along []Range
	// After continues behind this place.
	After *Cursor
	// Limit is the most documents returned. 0 returns none, for a count.
	Limit int
	// Count asks for Page.Total.
	Count bool
	// Estimate, with Count, lets an engine answer with an estimate where
	// counting would take long. It says so in Page.Estimated.
	Estimate bool
	// RefsOnly leaves out the bodies.
	RefsOnly bool
	// MaxBytes, when greater than 0, ends a page before the document whose
	// body would bring those of the page above it; the first is returned
	// whatever its size. Page.Cut says when that happened.
	MaxBytes int
}

// Sort orders documents by a key in Range: ascending by the least such key of
// each document, descending by the greatest. Documents that have none come
// last in either direction.
type Sort struct {
	Range      Range
	Descending bool
}

// Cursor is a place in the order of a query: the sort keys, or the key in
// Query.Along, and the number of the last document of a page. A missing sort
// key is nil.
type Cursor struct {
	Keys   []*Key
	Number int64
}

// Page is a part of the answer to a query.
type Page struct {
	Documents []Document
	// Places are the places of the documents in the order of the query, one
	// each: After any of them, the rest follows.
	Places []Cursor
	// Next is nil when nothing follows.
	Next *Cursor
	// Cut says that Query.MaxBytes ended the page before its limit.
	Cut bool
	// Total is the number of matches when Query.Count asked for it, else -1.
	Total int64
	// Estimated says that Total is not exact, as Query.Estimate allows.
	Estimated bool
}

// CheckClause reports, wrapped in ErrInvalid, what is not allowed in a
// clause: a Not outside of an And, an And of nothing but Nots, a nil.
func CheckClause(c Clause) error {
	switch c := c.(type) {
	case Range:
		return nil
	case And:
		positive := false
		for _, part := range c {
			if not, ok := part.(Not); ok {
				part = not.Clause
			} else {
				positive = true
			}
			if err := CheckClause(part); err != nil {
				return err
			}
		}
		if !positive {
			return invalid("an And needs a clause that is not a Not")
		}
		return nil
	case Or:
		for _, part := range c {
			if err := CheckClause(part); err != nil {
				return err
			}
		}
		return nil
	case Refers:
		return CheckClause(c.Query)
	case ReferredBy:
		return CheckClause(c.Query)
	case Not:
		return invalid("a Not stands only within an And")
	}
	return invalid("a clause is missing")
}

// MatchKeys reports whether a document with this set of sorted keys is
// selected by a clause without Refers and ReferredBy (see [Resolve]).
func MatchKeys(c Clause, sorted []Key) bool {
	switch c := c.(type) {
	case Range:
		_, ok := FirstKey(sorted, c)
		return ok
	case And:
		for _, part := range c {
			if !MatchKeys(part, sorted) {
				return false
			}
		}
		return true
	case Or:
		for _, part := range c {
			if MatchKeys(part, sorted) {
				return true
			}
		}
		return false
	case Not:
		return !MatchKeys(c.Clause, sorted)
	}
	return false
}
