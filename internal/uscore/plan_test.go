package uscore

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// query is one search and what it asks, for the walk to answer.
type query struct {
	typ        string
	conditions []condition
}

// String is the query as a URL has it.
func (q query) String() string {
	var parts []string
	for _, c := range q.conditions {
		var any []string
		for _, v := range c.any {
			text := escape(v.text)
			if v.inSystem {
				text = escape(v.system) + "|" + text
			}
			any = append(any, v.prefix+text)
		}
		parts = append(parts, c.name+"="+url.QueryEscape(strings.Join(any, ",")))
	}
	return q.typ + "?" + strings.Join(parts, "&")
}

// escape: R4 search, escaping.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`).Replace(s)
}

// answer is what the walk finds.
func (p *population) answer(q query) []string {
	all := make([]bool, len(p.byType[q.typ]))
	for i := range all {
		all[i] = true
	}
	for _, c := range q.conditions {
		some := make([]bool, len(all))
		for _, v := range c.any {
			for i, matches := range p.matches(q.typ, c.of, v) {
				some[i] = some[i] || matches
			}
		}
		for i := range all {
			all[i] = all[i] && some[i]
		}
	}
	found := []string{}
	for i, r := range p.byType[q.typ] {
		if all[i] {
			found = append(found, r.ref())
		}
	}
	slices.Sort(found)
	return found
}

// matches says of each resource of a type whether it matches a value.
func (p *population) matches(typ string, d *definition, want value) []bool {
	key := fmt.Sprint(typ, d.key(), want)
	found, ok := p.matching[key]
	if !ok {
		for _, r := range p.byType[typ] {
			found = append(found, slices.ContainsFunc(r.values(d), func(have any) bool { return d.matches(have, want) }))
		}
		p.matching[key] = found
	}
	return found
}

// of are the resources of a group.
func (p *population) of(g *group) []*resource {
	all, ok := p.fitting[g.Name]
	if !ok {
		for _, r := range p.byType[g.Resource] {
			if g.fits(r) {
				all = append(all, r)
			}
		}
		p.fitting[g.Name] = all
	}
	return all
}

// candidates are the resources of a group that have a value of each
// parameter: the first, one of the middle, and the last.
func (p *population) candidates(g *group, names []string) []*resource {
	var all []*resource
	for _, r := range p.of(g) {
		if !slices.ContainsFunc(names, func(name string) bool { return len(spoken(r, g.Definitions[name])) == 0 }) {
			all = append(all, r)
		}
	}
	if len(all) < 3 {
		return all
	}
	return []*resource{all[0], all[len(all)/2], all[len(all)-1]}
}

// spoken are the values by which a resource can be asked for, each in the long
// form and the short one.
func spoken(r *resource, d *definition) [][2]value {
	var all [][2]value
	one := func(long, short value) { all = append(all, [2]value{long, short}) }
	for _, v := range r.values(d) {
		switch d.Type {
		case "Reference":
			for _, ref := range members(v, "reference") {
				_, id, _ := strings.Cut(ref, "/")
				one(value{text: ref}, value{text: id})
			}
		case "HumanName":
			for _, s := range members(v, "family", "text") {
				one(value{text: s}, value{text: strings.ToUpper(string([]rune(s)[:3]))})
			}
		case "Address":
			for _, s := range members(v, "city", "line", "postalCode") {
				one(value{text: s}, value{text: strings.ToLower(string([]rune(s)[:3]))})
			}
		case "date", "dateTime", "instant":
			if s, ok := v.(string); ok {
				one(value{text: s}, value{text: s[:min(len(s), 10)]})
			} else {
				period(v, one)
			}
		case "Period":
			period(v, one)
		default:
			tokens(v, one)
		}
	}
	return all
}

// period speaks of a period by its year, and of one that goes on by what it
// begins after: an equal date contains the whole of it.
func period(v any, one func(long, short value)) {
	from, to := members(v, "start"), members(v, "end")
	switch {
	case len(from) > 0 && len(to) > 0 && from[0][:4] == to[0][:4]:
		one(value{text: from[0][:4]}, value{prefix: "ge", text: from[0][:min(len(from[0]), 10)]})
	case len(from) > 0:
		one(value{prefix: "ge", text: from[0][:min(len(from[0]), 10)]}, value{prefix: "gt", text: from[0][:4]})
	}
}

func tokens(v any, one func(long, short value)) {
	switch v := v.(type) {
	case string:
		one(value{text: v}, value{text: v})
	case map[string]any:
		for _, c := range member(v, "coding") {
			tokens(c, one)
		}
		for _, code := range members(v, "code", "value") {
			system, _ := v["system"].(string)
			one(value{system: system, inSystem: system != "", text: code}, value{text: code})
		}
	}
}

// prefixes are those whose meaning does not depend on the time of the search.
var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"}

// plan are the searches that are tried for one of the metadata: all values in
// their long and in their short form, each parameter with two values, and
// dates with all prefixes and as a range.
func (p *population) plan(g *group, s asked) []query {
	var all []query
	candidates := p.candidates(g, s.Names)
	for _, r := range candidates {
		base := make([]condition, len(s.Names))
		for form := range 2 {
			for i, name := range s.Names {
				d := g.Definitions[name]
				base[i] = condition{name, d, []value{spoken(r, d)[0][form]}}
			}
			all = append(all, query{g.Resource, slices.Clone(base)})
		}
		for i, name := range s.Names {
			d := g.Definitions[name]
			with := func(values ...value) {
				conditions := slices.Clone(base)
				conditions[i].any = values
				all = append(all, query{g.Resource, conditions})
			}
			if other, ok := p.another(g, d, base[i].any[0]); ok {
				with(base[i].any[0], other)
			}
			if len(d.Comparators) == 0 {
				continue
			}
			at := base[i].any[0]
			for _, prefix := range prefixes {
				if d.Comparators[prefix] != "" {
					with(value{prefix: prefix, text: at.text})
				}
			}
			since, until := condition{name, d, []value{{prefix: "ge", text: at.text[:4]}}}, condition{name, d, []value{{prefix: "le", text: at.text}}}
			all = append(all, query{g.Resource, append(slices.Delete(slices.Clone(base), i, i+1), since, until)})
		}
	}
	return all
}

// another is a value that some other resource of the group has.
func (p *population) another(g *group, d *definition, than value) (value, bool) {
	for _, r := range slices.Backward(p.byType[g.Resource]) {
		for _, v := range spoken(r, d) {
			if v[1].text != than.text {
				return v[1], true
			}
		}
	}
	return value{}, false
}

// chained are the searches by chains that the metadata ask for: those of
// PractitionerRole.practitioner, which are answered by way of the practitioners
// that match.
func (p *population) chained(g *group, name, chain string) (string, []string, error) {
	practitioner := map[string]*definition{
		"identifier": {Paths: []string{"Practitioner.identifier"}, Type: "Identifier"},
		"name":       {Paths: []string{"Practitioner.name"}, Type: "HumanName"},
	}
	d, ok := practitioner[chain]
	if !ok || g.Resource != "PractitionerRole" || name != "practitioner" {
		return "", nil, fmt.Errorf("the metadata ask for a chain that is not known here: %s:%s.%s", g.Resource, name, chain)
	}
	role := p.byType["PractitionerRole"][0]
	of := p.byRef[spoken(role, g.Definitions[name])[0][0].text]
	asks := query{"Practitioner", []condition{{chain, d, []value{spoken(of, d)[0][1]}}}}
	found := []string{}
	for _, ref := range p.answer(asks) {
		found = append(found, p.answer(query{"PractitionerRole", []condition{{name, g.Definitions[name], []value{{text: ref}}}}})...)
	}
	slices.Sort(found)
	_, value, _ := strings.Cut(asks.String(), "=")
	return "PractitionerRole?practitioner." + chain + "=" + value, found, nil
}
