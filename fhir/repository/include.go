package repository

import (
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxIncluded is the most resources that one page brings along by _include
// and _revinclude, and maxRounds how often :iterate is repeated; what is more
// is left out, and Truncated says so.
const (
	maxIncluded = 1000
	maxRounds   = 16
)

// inclusion brings along what a page's resources refer to or are referred to
// by (R4 search, including other resources). It keeps names only: each
// resource is looked at when it passes. What is a match, or was included, is
// not included again.
type inclusion struct {
	result *Result
	base   search.Base
	emit   func(d store.Document, mode Mode) error
	doc    rawjson.Document

	// includes and revincludes apply to what passes in this round.
	includes, revincludes []search.Include
	seen                  map[store.Ref]bool
	sought                map[search.Canonical]bool
	// forward and canonical are what this round's resources refer to, back
	// the resources themselves.
	forward   []store.Ref
	canonical []search.Canonical
	back      []search.Target
	included  int
}

func newInclusion(result *Result, emit func(d store.Document, mode Mode) error) *inclusion {
	return &inclusion{
		result: result, base: result.r.base(result.t), emit: emit,
		includes: result.Request.Include, revincludes: result.Request.Revinclude,
		seen: map[store.Ref]bool{}, sought: map[search.Canonical]bool{},
	}
}

func (in *inclusion) idle() bool { return len(in.includes)+len(in.revincludes) == 0 }

// matched notes a match.
func (in *inclusion) matched(d store.Document) error {
	if in.idle() {
		return nil
	}
	in.seen[d.Ref] = true
	return in.look(d)
}

// look notes what leads on from a resource.
func (in *inclusion) look(d store.Document) error {
	if in.idle() {
		return nil
	}
	if err := in.doc.Parse(d.Body, nil); err != nil {
		return err
	}
	index := in.result.index
	if len(in.revincludes) > 0 {
		in.back = append(in.back, index.Target(d.Ref, in.doc.Root()))
	}
	for _, inc := range in.includes {
		refs, canonicals, err := index.References(inc, d.Ref.Type, in.doc.Root(), in.base)
		if err != nil {
			return err
		}
		in.forward = append(in.forward, refs...)
		in.canonical = append(in.canonical, canonicals...)
	}
	return nil
}

// run includes round by round: each looks at what the one before it brought.
func (in *inclusion) run() error {
	for round := 0; !in.idle() && !in.result.Truncated; round++ {
		forward, canonical, back := in.forward, in.canonical, in.back
		in.forward, in.canonical, in.back = nil, nil, nil
		if len(forward)+len(canonical)+len(back) == 0 {
			return nil
		}
		if round == maxRounds {
			in.result.Truncated = true
			return nil
		}
		revincludes := in.revincludes
		in.includes, in.revincludes = iterating(in.includes), iterating(in.revincludes)
		if err := in.follow(forward); err != nil {
			return err
		}
		if err := in.followCanonical(canonical); err != nil {
			return err
		}
		for _, inc := range revincludes {
			if err := in.find(in.result.index.ReferringTo(inc, back)); err != nil {
				return err
			}
		}
	}
	return nil
}

func iterating(all []search.Include) []search.Include {
	var some []search.Include
	for _, inc := range all {
		if inc.Iterate {
			some = append(some, inc)
		}
	}
	return some
}

// include emits a resource unless it was, and says whether there is room.
func (in *inclusion) include(d store.Document) (room bool, err error) {
	if d.Deleted || in.seen[d.Ref] {
		return true, nil
	}
	if in.included == maxIncluded {
		in.result.Truncated = true
		return false, nil
	}
	in.seen[d.Ref] = true
	in.included++
	if err := in.emit(d, ModeInclude); err != nil {
		return false, err
	}
	return true, in.look(d)
}

// follow includes what references name.
func (in *inclusion) follow(refs []store.Ref) error {
	var wanted []store.Ref
	asked := map[store.Ref]bool{}
	for _, ref := range refs {
		if !in.seen[ref] && !asked[ref] {
			asked[ref] = true
			wanted = append(wanted, ref)
		}
	}
	for len(wanted) > 0 && !in.result.Truncated {
		docs, done, err := in.result.r.o.Store.GetSome(in.result.ctx, in.result.t, wanted, roundBytes)
		if err != nil {
			return err
		}
		for _, d := range docs {
			if room, err := in.include(d); err != nil || !room {
				return err
			}
		}
		wanted = wanted[done:]
	}
	return nil
}

// followCanonical includes what canonical references name by URL and version.
func (in *inclusion) followCanonical(canonicals []search.Canonical) error {
	var wanted []search.Canonical
	for _, c := range canonicals {
		if !in.sought[c] {
			in.sought[c] = true
			wanted = append(wanted, c)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return in.find(in.result.index.Named(wanted))
}

// find includes what a clause selects.
func (in *inclusion) find(where store.Clause) error {
	if or, ok := where.(store.Or); ok && len(or) == 0 {
		return nil
	}
	q := store.Query{Where: where, Limit: maxIncluded + 1, MaxBytes: roundBytes}
	for !in.result.Truncated {
		page, err := in.result.r.o.Store.Search(in.result.ctx, in.result.t, q)
		if err != nil {
			return err
		}
		for _, d := range page.Documents {
			if room, err := in.include(d); err != nil || !room {
				return err
			}
		}
		if q.After = page.Next; page.Next == nil {
			return nil
		}
	}
	return nil
}
