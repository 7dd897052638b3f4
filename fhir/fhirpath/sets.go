package fhirpath

import (
	"hash/maphash"
	"math"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// smallSet is the number of items up to which sets compare each with each:
// nearly all of them, and it takes no memory.
const smallSet = 16

// set finds equal items among those of the stack from an offset on. It looks at
// each while they are few and hashes them when they are many, so that distinct()
// of many thousand items stays quick.
type set struct {
	start  int
	hashes map[uint64][]int32
	hashed int // stack[start:hashed] is in hashes
}

// seed makes hashes differ from process to process.
var seed = maphash.MakeSeed()

// find looks for an item equal to v in stack[s.start:end].
func (s *set) find(m *machine, end int, v *Value, pos int) (bool, error) {
	if end-s.start <= smallSet {
		for i := s.start; i < end; i++ {
			if err := m.step(pos); err != nil {
				return false, err
			}
			if m.equal(&m.stack[i], v) == yes {
				return true, nil
			}
		}
		return false, nil
	}
	if s.hashes == nil {
		s.hashes, s.hashed = make(map[uint64][]int32), s.start
	}
	for ; s.hashed < end; s.hashed++ {
		h := m.stack[s.hashed].hash()
		s.hashes[h] = append(s.hashes[h], int32(s.hashed))
	}
	for _, i := range s.hashes[v.hash()] {
		if err := m.step(pos); err != nil {
			return false, err
		}
		if m.equal(&m.stack[i], v) == yes {
			return true, nil
		}
	}
	return false, nil
}

// hash is the same for equal values.
func (v *Value) hash() uint64 {
	x := v.system()
	switch x.kind {
	case KindString:
		return maphash.String(seed, x.str)
	case KindInteger, KindDecimal:
		d, _ := x.decimal()
		return math.Float64bits(d.InexactFloat64() + 0)
	case KindBoolean:
		return uint64(x.num)
	case KindElement:
		return hashObject(x.typ, x.Node())
	case NoKind:
		return maphash.Bytes(seed, v.Underscore().Raw())
	case KindDate, KindDateTime:
		return 11 // a Date may equal a DateTime, and offsets move the day
	case KindQuantity:
		if q := x.quantity(); q.Unit == "1" {
			return math.Float64bits(q.Value.InexactFloat64() + 0) // equal to the number
		}
	}
	return uint64(x.kind)
}

// hashObject adds up the texts of the object's plain string members, in whatever
// order they stand.
func hashObject(typ *Type, object rawjson.Node) uint64 {
	sum := uint64(object.Len())
	for child := range object.Members() {
		member := typ.byJSON[string(child.RawName())]
		if member.typ != nil && member.typ.Kind == PrimitiveType && member.typ.System == KindString && child.Kind() == rawjson.KindString {
			sum += maphash.String(seed, child.String())
		}
	}
	return sum
}

// distinct removes items of stack[mark:] that equal an earlier one.
func (m *machine) distinct(mark, pos int) error {
	if len(m.stack)-mark < 2 {
		return nil
	}
	s := set{start: mark}
	kept := mark + 1
	for i := mark + 1; i < len(m.stack); i++ {
		found, err := s.find(m, kept, &m.stack[i], pos)
		if err != nil {
			return err
		}
		if !found {
			m.stack[kept] = m.stack[i]
			kept++
		}
	}
	m.drop(kept)
	return nil
}

// isDistinct tells whether no two items of stack[mark:] are equal.
func (m *machine) isDistinct(mark, pos int) (bool, error) {
	s := set{start: mark}
	for i := mark + 1; i < len(m.stack); i++ {
		if found, err := s.find(m, i, &m.stack[i], pos); err != nil || found {
			return false, err
		}
	}
	return true, nil
}

// subset tells whether each item of stack[a:b] equals one of stack[c:d].
func (m *machine) subset(a, b, c, d, pos int) (bool, error) {
	s := set{start: c}
	for i := a; i < b; i++ {
		if found, err := s.find(m, d, &m.stack[i], pos); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}

// filterBy keeps of stack[mark:middle] the items that are, or with keep false
// are not, in stack[middle:], and removes the latter.
func (m *machine) filterBy(mark, middle int, keep bool, pos int) error {
	s := set{start: middle}
	end, kept := len(m.stack), mark
	for i := mark; i < middle; i++ {
		found, err := s.find(m, end, &m.stack[i], pos)
		if err != nil {
			return err
		}
		if found == keep {
			m.stack[kept] = m.stack[i]
			kept++
		}
	}
	m.drop(kept)
	return nil
}
