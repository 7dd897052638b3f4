package rawjson

import (
	"errors"
	"fmt"
)

// ErrNotObject says that an edit addresses members of something else than an
// object.
var ErrNotObject = errors.New("rawjson: not an object")

// ErrConflict says that one edit sets a member whole and another a part of it.
var ErrConflict = errors.New("rawjson: a member is set both whole and in part")

// Edit sets one member: of the document's root object, or, with Parent, of the
// object that is the root's member Parent, such as meta. The server assigns id,
// meta.versionId and meta.lastUpdated (R4 § 3.1.0.1.6) and leaves every other
// byte as it came.
type Edit struct {
	Parent string
	Name   string
	// Value is the member's new JSON text. It is inserted as it is.
	Value []byte
}

// AppendEdited appends the document's text to dst with the edits applied. A
// member that is there keeps its place and gets the new value. One that is not
// is put first, in the order of edits, but behind a leading resourceType (and,
// for members of a missing Parent, in a new object at that place). All other
// bytes, white space included, are copied. The last edit of a member counts;
// names must not need escapes.
func (d *Document) AppendEdited(dst []byte, edits []Edit) ([]byte, error) {
	root := d.Root()
	if root.Kind() != KindObject {
		return dst, fmt.Errorf("%w: the document's root", ErrNotObject)
	}
	for i := range edits {
		parent := edits[i].Parent
		if parent == "" {
			continue
		}
		if m, ok := root.Member(parent); ok && m.Kind() != KindObject {
			return dst, fmt.Errorf("%w: %s", ErrNotObject, parent)
		}
		if hasEdit(edits, "", parent) {
			return dst, fmt.Errorf("%w: %s", ErrConflict, parent)
		}
	}
	insertAt, first := root.Offset()+1, true
	child, ok := root.Child()
	if ok && child.NameIs("resourceType") {
		insertAt, first = child.End(), false
	}
	copied, inserted := 0, false
	for more := ok; more; child, more = child.Next() {
		if !inserted && child.Offset() > insertAt {
			inserted = true
			dst = append(dst, d.data[copied:insertAt]...)
			copied = insertAt
			dst = d.insertMissing(dst, root, edits, first, false)
		}
		if value := findEdit(edits, "", child); value != nil {
			dst = append(dst, d.data[copied:child.Offset()]...)
			dst = append(dst, value...)
			copied = child.End()
		} else if child.Kind() == KindObject {
			dst, copied = d.editMembers(dst, copied, child, edits)
		}
	}
	if !inserted {
		dst = append(dst, d.data[copied:insertAt]...)
		copied = insertAt
		dst = d.insertMissing(dst, root, edits, first, true)
	}
	return append(dst, d.data[copied:]...), nil
}

// editMembers applies the edits whose Parent is the given member of the root.
func (d *Document) editMembers(dst []byte, copied int, object Node, edits []Edit) ([]byte, int) {
	parent := parentOf(edits, object)
	if parent == "" {
		return dst, copied
	}
	dst = append(dst, d.data[copied:object.Offset()+1]...)
	copied = object.Offset() + 1
	some := false
	for i := range edits {
		if e := &edits[i]; e.Parent == parent && !replaced(edits, i) {
			if _, there := object.Member(e.Name); !there {
				if some {
					dst = append(dst, ',')
				}
				some = true
				dst = appendMember(dst, e.Name, e.Value)
			}
		}
	}
	if some && object.Len() > 0 {
		dst = append(dst, ',')
	}
	for child, more := object.Child(); more; child, more = child.Next() {
		if value := findEdit(edits, parent, child); value != nil {
			dst = append(dst, d.data[copied:child.Offset()]...)
			dst = append(dst, value...)
			copied = child.End()
		}
	}
	return dst, copied
}

// insertMissing appends the root's members that edits set and the document does
// not have.
func (d *Document) insertMissing(dst []byte, root Node, edits []Edit, first, last bool) []byte {
	some := false
	for i := range edits {
		e := &edits[i]
		name := e.Name
		if e.Parent != "" {
			name = e.Parent
			if hasParent(edits[:i], e.Parent) {
				continue // written with the first edit of the new parent
			}
		} else if replaced(edits, i) {
			continue
		}
		if _, there := root.Member(name); there {
			continue
		}
		if some || !first {
			dst = append(dst, ',')
		}
		some = true
		if e.Parent == "" {
			dst = appendMember(dst, name, e.Value)
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, `":{`...)
		for k, comma := i, false; k < len(edits); k++ {
			if edits[k].Parent != e.Parent || replaced(edits, k) {
				continue
			}
			if comma {
				dst = append(dst, ',')
			}
			comma = true
			dst = appendMember(dst, edits[k].Name, edits[k].Value)
		}
		dst = append(dst, '}')
	}
	if some && first && !last {
		dst = append(dst, ',')
	}
	return dst
}

// findEdit returns the new value for a member; the last edit of a name counts.
func findEdit(edits []Edit, parent string, member Node) []byte {
	for i := len(edits) - 1; i >= 0; i-- {
		if edits[i].Parent == parent && member.NameIs(edits[i].Name) {
			return edits[i].Value
		}
	}
	return nil
}

// replaced tells whether a later edit sets the same member.
func replaced(edits []Edit, i int) bool {
	for k := i + 1; k < len(edits); k++ {
		if edits[k].Parent == edits[i].Parent && edits[k].Name == edits[i].Name {
			return true
		}
	}
	return false
}

func hasEdit(edits []Edit, parent, name string) bool {
	for i := range edits {
		if edits[i].Parent == parent && edits[i].Name == name {
			return true
		}
	}
	return false
}

func hasParent(edits []Edit, parent string) bool {
	for i := range edits {
		if edits[i].Parent == parent {
			return true
		}
	}
	return false
}

// parentOf returns the Parent that the member is for some edit, or "".
func parentOf(edits []Edit, member Node) string {
	for i := range edits {
		if parent := edits[i].Parent; parent != "" && member.NameIs(parent) {
			return parent
		}
	}
	return ""
}

func appendMember(dst []byte, name string, value []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return append(dst, value...)
}
