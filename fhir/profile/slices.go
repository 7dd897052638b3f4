package profile

import (
	"strconv"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// defaultSlice is the name of the slice of all items that are in no other
// (https://hl7.org/fhir/R4/profiling.html#default-slice).
const defaultSlice = "@default"

// slices finds the slice of each item and checks the item against it, and the
// rules of the slicing (https://hl7.org/fhir/R4/profiling.html#slicing).
func (c *checker) slices(parent fhirpath.Value, n *node, from, to int) {
	if len(n.slicing.discriminators) == 0 && len(n.slices) > 0 {
		if c.o.Thorough && to > from {
			c.atChild(n.name, -1, func() {
				c.fail(place(parent), conformance.SeverityInformation, issueInformation, n, "its slices were not checked: the profile does not say what tells them apart")
			})
		}
		return
	}
	last, beyond := -1, false
	counts := make([]int, len(n.slices))
	for i := from; i < to; i++ {
		it := c.items[i]
		c.at = append(c.at, conformance.Step{Name: n.name, Index: it.index})
		at := c.sliceFor(it.v, n)
		switch {
		case at < 0 && n.slicing.rules == "closed":
			c.fail(place(it.v), conformance.SeverityError, conformance.IssueStructure, n, "the item is in none of the slices, and the slicing is closed")
		case at < 0:
			beyond = true
		case beyond && n.slicing.rules == "openAtEnd":
			c.fail(place(it.v), conformance.SeverityError, conformance.IssueStructure, n.slices[at], "items of slices must stand before all others (openAtEnd)")
		case n.slicing.ordered && at < last:
			c.fail(place(it.v), conformance.SeverityError, conformance.IssueStructure, n.slices[at], "the item must stand before those of slice "+shorten(n.slices[last].slice)+" (ordered)")
		}
		if at >= 0 {
			last = max(last, at)
			counts[at]++
			c.inSlice(it, n.slices[at], counts[at])
		}
		c.at = c.at[:len(c.at)-1]
	}
	for at, slice := range n.slices {
		if slice.min > 0 && counts[at] < slice.min {
			c.atChild(n.name, -1, func() {
				c.fail(place(parent), conformance.SeverityError, conformance.IssueRequired, slice, "at least "+strconv.Itoa(slice.min)+" must be there, found "+strconv.Itoa(counts[at]))
			})
		}
		if len(slice.slices) > 0 && slice.slicing != nil {
			c.reslice(parent, n, slice, from, to)
		}
	}
}

// inSlice checks an item of a slice, the count-th.
func (c *checker) inSlice(it item, slice *node, count int) {
	if slice.max >= 0 && count == slice.max+1 {
		c.fail(place(it.v), conformance.SeverityError, conformance.IssueStructure, slice, "at most "+strconv.Itoa(slice.max)+" may be there")
	}
	c.node(it.v, slice)
}

// reslice goes on with the items of a slice that is sliced itself.
func (c *checker) reslice(parent fhirpath.Value, n, slice *node, from, to int) {
	mark := len(c.items)
	for i := from; i < to; i++ {
		if at := c.sliceFor(c.items[i].v, n); at >= 0 && n.slices[at] == slice {
			c.items = append(c.items, c.items[i])
		}
	}
	c.slices(parent, slice, mark, len(c.items))
	c.items = c.items[:mark]
}

// sliceFor is the place of the slice that an item belongs to, -1 for none.
func (c *checker) sliceFor(v fhirpath.Value, n *node) int {
	other := -1
	for at, slice := range n.slices {
		if slice.slice == defaultSlice {
			other = at
			continue
		}
		if c.inCriteria(v, slice) {
			return at
		}
	}
	return other
}

func (c *checker) inCriteria(v fhirpath.Value, slice *node) bool {
	decides := false
	for _, criterion := range slice.criteria {
		if !criterion.decides() {
			continue
		}
		decides = true
		if !c.is(v, criterion) {
			return false
		}
	}
	if !decides {
		key := "slice " + slice.id
		if _, said := c.said[key]; !said && c.silent == 0 {
			c.said[key] = struct{}{}
			c.fail(place(v), conformance.SeverityWarning, issueNotSupported, slice, "the profile does not say what tells its items from others; it was not checked")
		}
	}
	return decides
}

// is tells whether an item has what a criterion asks for.
func (c *checker) is(v fhirpath.Value, k *criterion) bool {
	if !c.step(v) {
		return false
	}
	if len(k.parts) > 0 && (k.path == nil || len(k.names) > 0) {
		for i := range k.parts {
			if !k.parts[i].in(v.Node(), k.names) {
				return false
			}
		}
		return true
	}
	if k.path == nil {
		return c.meets(v, k)
	}
	found, err := c.evaluate(k.path, v)
	if err != nil {
		return false
	}
	if k.exists != nil {
		return (len(found) > 0) == *k.exists
	}
	// What follows evaluates itself.
	found = append(fhirpath.Collection(nil), found...)
	for _, f := range found {
		if c.meets(f, k) {
			return true
		}
	}
	return false
}

// meets tells whether one value at the discriminator's path is the slice's.
func (c *checker) meets(v fhirpath.Value, k *criterion) bool {
	if v.Kind() != fhirpath.KindElement {
		return false
	}
	switch {
	case k.exists != nil:
		return *k.exists
	case len(k.parts) > 0:
		for i := range k.parts {
			if !k.parts[i].in(v.Node(), nil) {
				return false
			}
		}
		return true
	case k.binding != nil:
		member, known := c.memberOf(v, k.binding.valueSet)
		return known && member
	}
	for _, name := range k.types {
		if isOf(v, name) {
			return true
		}
	}
	for _, profile := range k.profiles {
		if name, own := Core(profile); own {
			if v.Type().Is(name) {
				return true
			}
			continue
		}
		s := c.find(profile, place(v))
		if s == nil || !v.Type().Is(s.Type) {
			continue
		}
		if !v.Node().Exists() || c.conforms(v, s) {
			return true // a reference that leads elsewhere: its type is all that is known
		}
	}
	return false
}

// in tells whether a value has the part at a path of names.
func (p *part) in(v rawjson.Node, names []string) bool {
	if v.Kind() == rawjson.KindArray && (p.value.Kind() != rawjson.KindArray || len(names)+len(p.names) > 0) {
		for item := range v.Elements() {
			if p.in(item, names) {
				return true
			}
		}
		return false
	}
	if len(names) > 0 {
		m, ok := v.Member(names[0])
		return ok && p.in(m, names[1:])
	}
	if len(p.names) > 0 {
		rest := part{p.names[1:], p.value, p.pattern}
		m, ok := v.Member(p.names[0])
		return ok && rest.in(m, nil)
	}
	if p.pattern {
		return matches(v, p.value)
	}
	return same(v, p.value)
}
