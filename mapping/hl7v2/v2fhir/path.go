package v2fhir

import (
	"reflect"
	"strconv"
	"strings"
)

// object is a FHIR element or resource as JSON has it.
type object = map[string]any

// A path leads from a resource to an element: "period.start", "name[]" for
// each element of a list, "note[0].text" for the first, and
// "telecom[use=work]" for those that have the value, which they are given when
// they are made.
type path []step

type step struct {
	name  string
	list  bool
	index int    // of the list's element, -1 for each
	has   []must // what elements have
}

type must struct {
	path  path
	value string
}

// compilePath reads a path of a table.
func compilePath(text string) path {
	var p path
	for text != "" {
		end, depth := 0, 0
		for end < len(text) && (text[end] != '.' || depth > 0) {
			switch text[end] {
			case '[':
				depth++
			case ']':
				depth--
			}
			end++
		}
		p = append(p, compileStep(text[:end]))
		text = strings.TrimPrefix(text[end:], ".")
	}
	return p
}

func compileStep(text string) step {
	s := step{name: text, index: -1}
	i := strings.IndexByte(text, '[')
	if i < 0 {
		return s
	}
	inside := text[i+1 : len(text)-1]
	s.name, s.list = text[:i], true
	if n, err := strconv.Atoi(inside); err == nil {
		s.index = n
		return s
	}
	for _, condition := range strings.Split(inside, ",") {
		if left, right, ok := strings.Cut(condition, "="); ok {
			s.has = append(s.has, must{compilePath(left), right})
		}
	}
	return s
}

// set puts a value at the path. A value that is there stays; ok is then false.
func (p path) set(o object, value any) (ok bool) {
	for i, s := range p {
		last := i == len(p)-1
		if !s.list {
			if last {
				if _, there := o[s.name]; there {
					return false
				}
				o[s.name] = value
				return true
			}
			next, there := o[s.name].(object)
			if !there {
				next = object{}
				o[s.name] = next
			}
			o = next
			continue
		}
		list, _ := o[s.name].([]any)
		if s.index >= 0 && s.index < len(list) {
			next, isObject := list[s.index].(object)
			if last || !isObject {
				return false
			}
			o = next
			continue
		}
		if last {
			if element, isObject := value.(object); isObject {
				s.give(element)
			}
			for _, x := range list {
				if sameElement(x, value) {
					return true // said twice
				}
			}
			o[s.name] = append(list, value)
			return true
		}
		next := object{}
		s.give(next)
		o[s.name] = append(list, next)
		o = next
	}
	return false
}

// give puts what elements of the step must have where they do not have it.
func (s step) give(o object) {
	for _, m := range s.has {
		if len(m.path.get(o)) == 0 {
			m.path.set(o, m.value)
		}
	}
}

// get returns the values at the path.
func (p path) get(o object) []any {
	var all []any
	for _, f := range p.find(o) {
		all = append(all, f.value)
	}
	return all
}

// found is a value and where it lies: "telecom[1].value".
type found struct {
	value any
	at    string
	// told are the members on the way that tell the element from others, which
	// the path has asked for.
	told []string
}

// find returns the values at the path with their places.
func (p path) find(o object) []found {
	all := []found{{value: o}}
	for _, s := range p {
		var next []found
		for _, f := range all {
			element, ok := f.value.(object)
			if !ok {
				continue
			}
			at := s.name
			if f.at != "" {
				at = f.at + "." + s.name
			}
			v, there := element[s.name]
			list, isList := v.([]any)
			switch {
			case !there:
			case !s.list || !isList:
				next = append(next, found{v, at, f.told})
			default:
				for i, e := range list {
					if s.index >= 0 && i != s.index || !s.fits(e) {
						continue
					}
					place := at + "[" + strconv.Itoa(i) + "]"
					told := append([]string(nil), f.told...)
					for _, m := range s.has {
						told = append(told, place+"."+m.path[0].name)
					}
					next = append(next, found{e, place, told})
				}
			}
		}
		all = next
	}
	return all
}

func (s step) fits(x any) bool {
	for _, m := range s.has {
		o, ok := x.(object)
		if !ok {
			return false
		}
		fits := false
		for _, v := range m.path.get(o) {
			fits = fits || v == m.value
		}
		if !fits {
			return false
		}
	}
	return true
}

// text is a string at a path, "" where there is none.
func text(o object, at string) string {
	for _, v := range compilePath(at).get(o) {
		if s := scalar(v); s != "" {
			return s
		}
	}
	return ""
}

// objects are the objects at a path.
func objects(o object, at string) []object {
	var all []object
	for _, v := range compilePath(at).get(o) {
		if e, ok := v.(object); ok {
			all = append(all, e)
		}
	}
	return all
}

// sameElement tells whether two elements say the same. What mostly differs is
// looked at first, since lists may be long.
func sameElement(a, b any) bool {
	x, ok := a.(object)
	y, both := b.(object)
	if ok && both && (x["value"] != nil && x["value"] != y["value"] || x["reference"] != nil && x["reference"] != y["reference"]) {
		return false
	}
	return reflect.DeepEqual(a, b)
}

// sameObject tells whether two objects are one and the same.
func sameObject(a, b object) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}
