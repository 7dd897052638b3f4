package rawjson

import (
	"bytes"
	"slices"
)

// Duplicate member names have no meaning that two readers would agree on
// (RFC 8259 § 4), so one reader could be shown another patient's data than the
// next. They are refused.

// nameBit hashes a name to one of 64 bits, cheaply: most objects have few
// members and their names differ in length or in the first or last letter.
func nameBit(name []byte) uint64 {
	if len(name) == 0 {
		return 1
	}
	h := uint(len(name)) + uint(name[0])*7 + uint(name[len(name)-1])*31 + uint(name[len(name)/2])*13
	return 1 << (h & 63)
}

// hasEarlierName tells whether a sibling from first on and before index has the
// same name; none of their names has escapes.
func hasEarlierName(data []byte, records []record, first, index int32) bool {
	name := data[records[index].nameStart:records[index].nameEnd]
	for i := first; i < index && i != 0; i = records[i].next {
		if string(data[records[i].nameStart:records[i].nameEnd]) == string(name) {
			return true
		}
	}
	return false
}

// duplicateName finds, in an object that is complete, the first member whose
// unescaped name an earlier member has, and returns the offset of that name; -1
// when all names differ.
func duplicateName(data []byte, records []record, object int32) int {
	type named struct {
		name  []byte
		index int32
	}
	if records[object].count == 0 {
		return -1
	}
	members := make([]named, 0, records[object].count)
	for i := object + 1; ; i = records[i].next {
		name := data[records[i].nameStart:records[i].nameEnd]
		if records[i].flags&flagNameEscaped != 0 {
			name = appendUnescaped(nil, name)
		}
		members = append(members, named{name, i})
		if records[i].next == 0 {
			break
		}
	}
	slices.SortFunc(members, func(a, b named) int {
		if c := bytes.Compare(a.name, b.name); c != 0 {
			return c
		}
		return int(a.index - b.index)
	})
	found := int32(-1)
	for k := 1; k < len(members); k++ {
		if bytes.Equal(members[k-1].name, members[k].name) && (found < 0 || members[k].index < found) {
			found = members[k].index
		}
	}
	if found < 0 {
		return -1
	}
	return int(records[found].nameStart) - 1
}
