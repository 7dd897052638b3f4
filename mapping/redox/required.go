package redox

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// requirement is a node of the tree of required members of an event.
type requirement struct {
	name     string
	required bool
	members  []requirement
}

// requirements are the compiled trees of all events.
var requirements = sync.OnceValue(func() map[string][]requirement {
	trees := make(map[string][]requirement, len(events))
	for pair, facts := range events {
		trees[pair], _ = parseRequirements(facts.required)
	}
	return trees
})

// parseRequirements reads Meta!{DataModel!} Visit{Location!} up to the end or
// a closing brace, and returns what follows.
func parseRequirements(s string) (list []requirement, rest string) {
	for s != "" && s[0] != '}' {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		end := strings.IndexAny(s, "!{} ")
		if end < 0 {
			end = len(s)
		}
		r := requirement{name: s[:end]}
		s = s[end:]
		if strings.HasPrefix(s, "!") {
			r.required, s = true, s[1:]
		}
		if strings.HasPrefix(s, "{") {
			r.members, s = parseRequirements(s[1:])
			s = strings.TrimPrefix(s, "}")
		}
		list = append(list, r)
	}
	return list, s
}

// missing finds the required members that an object lacks. A member is
// required only when its parent object is there. Null and "" count as absent.
func missing(v reflect.Value, path string, tree []requirement, report func(path string)) {
	index := members(v.Type())
	for _, r := range tree {
		i, ok := index[r.name]
		if !ok {
			continue
		}
		field := v.Field(i)
		zero := field.IsZero()
		if zero && !r.required || !zero && len(r.members) == 0 {
			continue
		}
		at := r.name
		if path != "" {
			at = path + "." + r.name
		}
		if zero {
			report(at)
			continue
		}
		switch field.Kind() {
		case reflect.Pointer:
			missing(field.Elem(), at, r.members, report)
		case reflect.Slice:
			for i := range field.Len() {
				if item := field.Index(i); item.Kind() == reflect.Struct {
					missing(item, at+"["+strconv.Itoa(i)+"]", r.members, report)
				}
			}
		}
	}
}

// hasControls reports whether controls would report anything.
func hasControls(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		for i := range len(s) {
			if s[i] < ' ' && s[i] != '\t' && s[i] != '\n' && s[i] != '\r' {
				return true
			}
		}
	case reflect.Pointer:
		return !v.IsNil() && hasControls(v.Elem())
	case reflect.Slice:
		if v.Type() == rawType {
			return false
		}
		for i := range v.Len() {
			if hasControls(v.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		for i := 1; i < v.NumField(); i++ { // the first is Object
			if hasControls(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

// controls reports the strings that have control characters other than tab and
// line ends.
func controls(v reflect.Value, path string, report func(path string)) {
	switch v.Kind() {
	case reflect.String:
		for _, c := range []byte(v.String()) {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				report(path)
				return
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			controls(v.Elem(), path, report)
		}
	case reflect.Slice:
		if v.Type() == rawType { // JSON escapes them
			return
		}
		for i := range v.Len() {
			controls(v.Index(i), path+"["+strconv.Itoa(i)+"]", report)
		}
	case reflect.Struct:
		for i := 1; i < v.NumField(); i++ { // the first is Object
			if f := v.Field(i); !f.IsZero() {
				name := v.Type().Field(i).Name
				if path != "" {
					name = path + "." + name
				}
				controls(f, name, report)
			}
		}
	}
}
