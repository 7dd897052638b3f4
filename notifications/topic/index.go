package topic

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// Index finds the watches that an entry may be for. It is not safe for
// concurrent use.
type Index[T comparable] struct {
	types  map[string]*ofType[T]
	events map[string][]T
	places map[T][]place
}

// ofType are the watches of one type, "" for any.
type ofType[T comparable] struct {
	byKey map[store.Key][]T
	// rest are those without a key that they cannot do without, and what they
	// ask of keys.
	rest  []asks[T]
	count int
}

type asks[T comparable] struct {
	of    T
	where store.Clause // nil for nothing that keys alone tell
}

// place is where a watch stands in the index.
type place struct {
	event, typ string
	keys       []store.Key // none: in rest
}

// NewIndex makes an empty index.
func NewIndex[T comparable]() *Index[T] {
	return &Index[T]{types: map[string]*ofType[T]{}, events: map[string][]T{}, places: map[T][]place{}}
}

// Len is how many watches there are.
func (x *Index[T]) Len() int { return len(x.places) }

// Watches reports whether changes of a type may be for anybody.
func (x *Index[T]) Watches(typ string) bool { return x.types[typ] != nil || x.types[""] != nil }

// Add adds a watch, once.
func (x *Index[T]) Add(v T, w *Watch) {
	places := []place{}
	for i := range w.Triggers {
		tr := &w.Triggers[i]
		if tr.Event != "" {
			x.events[tr.Event] = append(x.events[tr.Event], v)
			places = append(places, place{event: tr.Event})
			continue
		}
		s := x.types[tr.Type]
		if s == nil {
			s = &ofType[T]{byKey: map[store.Key][]T{}}
			x.types[tr.Type] = s
		}
		s.count++
		where := tr.needs()
		p := place{typ: tr.Type, keys: s.least(where)}
		if p.keys == nil {
			s.rest = append(s.rest, asks[T]{v, decidable(where)})
		}
		for _, k := range p.keys {
			s.byKey[k] = append(s.byKey[k], v)
		}
		places = append(places, p)
	}
	x.places[v] = places
}

// Remove takes a watch out.
func (x *Index[T]) Remove(v T) {
	without := func(list []T) []T {
		// A new slice: somebody may be going over the old one.
		return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return o == v })
	}
	for _, p := range x.places[v] {
		if p.event != "" {
			if x.events[p.event] = without(x.events[p.event]); len(x.events[p.event]) == 0 {
				delete(x.events, p.event)
			}
			continue
		}
		s := x.types[p.typ]
		for _, k := range p.keys {
			if s.byKey[k] = without(s.byKey[k]); len(s.byKey[k]) == 0 {
				delete(s.byKey, k)
			}
		}
		if p.keys == nil {
			s.rest = slices.DeleteFunc(slices.Clone(s.rest), func(o asks[T]) bool { return o.of == v })
		}
		if s.count--; s.count == 0 {
			delete(x.types, p.typ)
		}
	}
	delete(x.places, v)
}

// Each calls do once for each watch that an entry may be for. Where the keys
// of a change were not loaded, that is every watch of its type.
func (x *Index[T]) Each(e *Entry, event string, do func(T)) {
	var seen map[T]bool
	once := func(v T) {
		if seen[v] {
			return
		}
		if seen == nil {
			seen = map[T]bool{}
		}
		seen[v] = true
		do(v)
	}
	if event != "" {
		for _, v := range x.events[event] {
			once(v)
		}
	}
	for _, c := range e.Changes {
		for _, typ := range [2]string{c.Ref.Type, ""} {
			s := x.types[typ]
			if s == nil {
				continue
			}
			keys, ok := c.known()
			if !ok {
				for _, list := range s.byKey {
					for _, v := range list {
						once(v)
					}
				}
			}
			if ok && len(s.byKey) > 0 {
				for i, k := range keys {
					if i > 0 && keys[i-1] == k {
						continue
					}
					for _, v := range s.byKey[k] {
						once(v)
					}
				}
			}
			for _, a := range s.rest {
				if a.where == nil || !ok || store.MatchKeys(a.where, keys) {
					once(a.of)
				}
			}
		}
	}
}

// needs is what a change must meet by the keys that an index looks at: those
// of the current version, or of the one that was deleted.
func (tr *Trigger) needs() store.Clause {
	var all store.And
	if tr.Current != nil && !tr.Delete && (tr.Previous == nil || tr.RequireBoth) {
		all = append(all, tr.Current)
	}
	if tr.Filter != nil {
		all = append(all, tr.Filter)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// least are the keys of which a change has at least one if it meets a clause:
// of the choices that a clause leaves, those that the fewest watches have. nil
// where there is no such choice.
func (s *ofType[T]) least(c store.Clause) []store.Key {
	switch c := c.(type) {
	case store.Range:
		if k, ok := c.Single(); ok {
			return []store.Key{k}
		}
	case store.And:
		var best []store.Key
		for _, part := range c {
			if keys := s.least(part); keys != nil && (best == nil || s.crowd(keys) < s.crowd(best)) {
				best = keys
			}
		}
		return best
	case store.Or:
		if len(c) > maxKeys {
			return nil
		}
		var all []store.Key
		for _, part := range c {
			keys := s.least(part)
			if keys == nil {
				return nil
			}
			all = append(all, keys...)
		}
		if len(all) > maxKeys {
			return nil
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	return nil
}

// maxKeys is how many keys a watch is found by.
const maxKeys = 64

// crowd is how many watches the keys have.
func (s *ofType[T]) crowd(keys []store.Key) int {
	n := 0
	for _, k := range keys {
		n += len(s.byKey[k])
	}
	return n
}

// decidable is what of a clause keys alone tell, weaker than the clause; nil
// for nothing.
func decidable(c store.Clause) store.Clause {
	switch c := c.(type) {
	case store.Range:
		return c
	case store.And:
		var all store.And
		for _, part := range c {
			if d := decidable(part); d != nil {
				all = append(all, d)
			}
		}
		if len(all) > 0 {
			return all
		}
	case store.Or:
		all := make(store.Or, 0, len(c))
		for _, part := range c {
			d := decidable(part)
			if d == nil {
				return nil
			}
			all = append(all, d)
		}
		return all
	case store.Not:
		if whole(c.Clause) {
			return c
		}
	}
	return nil
}

// whole reports whether keys alone decide a clause.
func whole(c store.Clause) bool {
	switch c := c.(type) {
	case store.Range:
		return true
	case store.And:
		return !slices.ContainsFunc(c, func(p store.Clause) bool { return !whole(p) })
	case store.Or:
		return !slices.ContainsFunc(c, func(p store.Clause) bool { return !whole(p) })
	case store.Not:
		return whole(c.Clause)
	}
	return false
}
