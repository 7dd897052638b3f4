package repository

import (
	"context"

	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Result is a page of a search. Its resources are read while they are walked,
// some megabytes at a time (see roundBytes).
type Result struct {
	Request *search.Request
	// Total is -1 when it was not asked for.
	Total int64
	// Estimated says that Total is not exact.
	Estimated bool
	// Next continues the search; nil at its end.
	Next *search.Parameter
	// Truncated says, after Each, that more would have been included.
	Truncated bool
	// Unfinished says that the page ended before it was full, since what
	// contains resources had to be looked at one by one; Next goes on.
	Unfinished bool

	r   *Repository
	ctx context.Context
	t   store.Tenant
	// index is of the parameters that the search goes by.
	index *search.Index
	// read are the first matches, unread those that follow, without bodies.
	read, unread []store.Document
	// within are, for a search of contained resources, the matches of each of
	// unread.
	within []containers
}

// Mode is why a resource is in a searchset (R4 bundle, search.mode).
type Mode string

// Modes.
const (
	ModeMatch   Mode = "match"
	ModeInclude Mode = "include"
)

func (result *Result) next(c store.Cursor) {
	next := result.r.o.Pages.Next(result.Request, c)
	result.Next = &next
}

// Previous is the parameter of the page before; none, and ok, when that is the
// first, and not ok when there is no way back.
func (result *Result) Previous() (back []search.Parameter, ok bool) {
	return result.r.o.Pages.Previous(result.Request)
}

// Each calls f with every resource of the page: the matches, and then what is
// included. A match is shown in the version that was found, even if another
// was written since. It can be called once.
func (result *Result) Each(f func(d store.Document, mode Mode) error) error {
	if result.Request.Contained != nil {
		return result.eachContained(f)
	}
	in := newInclusion(result, f)
	match := func(d store.Document) error {
		if err := f(d, ModeMatch); err != nil {
			return err
		}
		return in.matched(d)
	}
	for i, d := range result.read {
		result.read[i] = store.Document{} // so that it can be forgotten
		if err := match(d); err != nil {
			return err
		}
	}
	if err := result.readRest(match); err != nil {
		return err
	}
	return in.run()
}

// readRest reads the bodies that are still missing.
func (result *Result) readRest(f func(d store.Document) error) error {
	refs := make([]store.Ref, len(result.unread))
	for i, d := range result.unread {
		refs[i] = d.Ref
	}
	for rest := result.unread; len(rest) > 0; {
		docs, done, err := result.r.o.Store.GetSome(result.ctx, result.t, refs, roundBytes)
		if err != nil {
			return err
		}
		for _, found := range rest[:done] {
			var d store.Document
			if len(docs) > 0 && docs[0].Ref == found.Ref {
				d, docs = docs[0], docs[1:]
			}
			if d.Version != found.Version {
				// Written since.
				if d, err = result.r.o.Store.GetVersion(result.ctx, result.t, found.Ref, found.Version); err != nil {
					return err
				}
			}
			if err := f(d); err != nil {
				return err
			}
		}
		rest, refs = rest[done:], refs[done:]
	}
	return nil
}

// Matches reads all matches of the page.
func (result *Result) Matches() ([]store.Document, error) {
	all := result.read
	err := result.readRest(func(d store.Document) error {
		all = append(all, d)
		return nil
	})
	return all, err
}
