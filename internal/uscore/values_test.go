package uscore

import "strings"

// resource is a resource as it was sent to the server.
type resource struct {
	typ, id string
	body    map[string]any
	found   map[string][]any // by definition.key
}

func (r *resource) ref() string { return r.typ + "/" + r.id }

// values are those of a parameter, as JSON has them.
func (r *resource) values(d *definition) []any {
	if v, ok := r.found[d.key()]; ok {
		return v
	}
	var all []any
	for _, path := range d.Paths {
		all = append(all, r.at(path)...)
	}
	r.found[d.key()] = all
	return all
}

// at walks a path of the metadata: names, and where(url='…') of extensions.
func (r *resource) at(path string) []any {
	steps := split(path)
	if steps[0] != r.typ {
		return nil
	}
	at := []any{r.body}
	for _, step := range steps[1:] {
		var next []any
		if url, ok := strings.CutPrefix(step, "where(url='"); ok {
			url = strings.TrimSuffix(url, "')")
			for _, v := range at {
				if e, ok := v.(map[string]any); ok && e["url"] == url {
					next = append(next, v)
				}
			}
			at = next
			continue
		}
		for _, v := range at {
			next = append(next, member(v, step)...)
		}
		at = next
	}
	return at
}

// split cuts a path at its dots, not at those in parentheses.
func split(path string) []string {
	depth := 0
	return strings.FieldsFunc(path, func(c rune) bool {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		return c == '.' && depth == 0
	})
}

// choices are the types of the choices that the paths lead to, and none.
var choices = []string{"", "DateTime", "Period", "Instant", "Date", "Reference", "CodeableConcept"}

// member are the values of a member, of a choice of types under any name.
func member(v any, name string) []any {
	o, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	var found []any
	for _, suffix := range choices {
		switch m := o[name+suffix].(type) {
		case nil:
		case []any:
			found = append(found, m...)
		default:
			found = append(found, m)
		}
	}
	return found
}

// members are the strings below a value, whatever their names.
func members(v any, names ...string) []string {
	var all []string
	for _, name := range names {
		for _, m := range member(v, name) {
			if s, ok := m.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}
