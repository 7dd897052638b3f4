package v2fhir

import (
	"slices"
	"sort"
)

// left lists the elements that no line has read.
func (r *reader) left() {
	for i, e := range r.entries {
		switch e.typ() {
		case "MessageHeader", "Practitioner", "Organization", "Location":
			continue // read through the references to them
		}
		r.leaves(itoa(i)+":", "", e.resource, e.typ())
	}
}

func (r *reader) leaves(key, at string, x any, name string) {
	if says, ok := r.used[key+at]; ok {
		if says == nil {
			return
		}
		o, isObject := x.(object)
		if !isObject {
			return
		}
		for _, member := range sortedKeys(o) {
			if !slices.Contains(says, member) && (at != "" || !ownMember(member)) {
				r.leaves(key, join(at, member), o[member], name)
			}
		}
		return
	}
	switch v := x.(type) {
	case object:
		for _, member := range sortedKeys(v) {
			if at == "" && ownMember(member) {
				continue
			}
			r.leaves(key, join(at, member), v[member], name)
		}
	case []any:
		for i, e := range v {
			r.leaves(key, at+"["+itoa(i)+"]", e, name)
		}
	default:
		r.written.Left = append(r.written.Left, name+"."+at)
	}
}

// ownMember tells what a resource has of its own, which no message carries.
func ownMember(name string) bool {
	return name == "resourceType" || name == "id" || name == "meta" || name == "text"
}

func sortedKeys(o object) []string {
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
