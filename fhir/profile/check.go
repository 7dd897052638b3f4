package profile

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// item is one value of an element.
type item struct {
	v     fhirpath.Value
	index int // -1 unless the element repeats
}

// node checks a value against an element.
func (c *checker) node(v fhirpath.Value, n *node) {
	if !c.step(v) || c.silent > 0 && c.failed {
		return
	}
	if len(n.types) > 0 && !c.types(v, n) {
		return
	}
	if n.fixed != nil && !same(v.Node(), n.fixed.value) {
		c.fail(place(v), conformance.SeverityError, conformance.IssueValue, n, "the value must be exactly "+shorten(string(n.fixed.value.Raw())))
	}
	if n.pattern != nil && !matches(v.Node(), n.pattern.value) {
		c.fail(place(v), conformance.SeverityError, conformance.IssueValue, n, "the value must have what the pattern has: "+shorten(string(n.pattern.value.Raw())))
	}
	if n.least != nil && c.isFalse(n.least, v) {
		c.fail(place(v), conformance.SeverityError, conformance.IssueValue, n, "the value must not be less than minValue")
	}
	if n.most != nil && c.isFalse(n.most, v) {
		c.fail(place(v), conformance.SeverityError, conformance.IssueValue, n, "the value must not be greater than maxValue")
	}
	if n.maxLength > 0 && v.Node().Kind() == rawjson.KindString && utf8.RuneCountInString(v.Node().String()) > n.maxLength {
		c.fail(place(v), conformance.SeverityError, conformance.IssueTooLong, n, "the value must not be longer than "+strconv.Itoa(n.maxLength)+" characters")
	}
	if n.binding != nil {
		c.bound(v, n)
	}
	for _, r := range n.rules {
		c.rule(v, n, r)
	}
	c.children(v, n.children)
	if n.same != nil {
		c.children(v, n.same.children)
	}
}

func (c *checker) children(v fhirpath.Value, children []*node) {
	for _, child := range children {
		mark := len(c.items)
		c.values(v, child.name)
		c.element(v, child, mark, len(c.items))
		c.items = c.items[:mark]
	}
}

// values appends the values of a child element to the items.
func (c *checker) values(v fhirpath.Value, name string) {
	object := v.Node()
	if v.Type().Kind == fhirpath.PrimitiveType {
		object = v.Underscore()
	}
	if object.Kind() != rawjson.KindObject {
		return
	}
	for _, m := range infoOf(v.Type()).elements[name] {
		var value, under rawjson.Node
		if m.typ.Kind == fhirpath.PrimitiveType {
			value, under = object.Property(m.name)
		} else {
			value, _ = object.Member(m.name)
		}
		if value.Kind() != rawjson.KindArray && under.Kind() != rawjson.KindArray {
			if value.Exists() || under.Exists() {
				c.add(m.typ, value, under, -1)
			}
			continue
		}
		x, more := value.Child()
		y, pair := under.Child()
		for i := 0; more || pair; i++ {
			if !more {
				x = rawjson.Node{}
			}
			if !pair {
				y = rawjson.Node{}
			}
			c.add(m.typ, x, y, i)
			if more {
				x, more = x.Next()
			}
			if pair {
				y, pair = y.Next()
			}
		}
	}
}

func (c *checker) add(t *fhirpath.Type, value, under rawjson.Node, index int) {
	if value.Kind() == rawjson.KindNull {
		value = rawjson.Node{}
	}
	if under.Kind() != rawjson.KindObject {
		under = rawjson.Node{}
	}
	switch {
	case !value.Exists() && !under.Exists():
	case t.Kind == fhirpath.ResourceType:
		if v, ok := fhirpath.NewResource(c.path.Model, value); ok {
			c.items = append(c.items, item{v, index})
		}
	default:
		c.items = append(c.items, item{fhirpath.NewElement(t, value, under), index})
	}
}

// element checks the values of a child: the items from one mark to another.
func (c *checker) element(parent fhirpath.Value, n *node, from, to int) {
	count := to - from
	if n.min > 0 && count < n.min {
		c.atChild(n.name, -1, func() {
			c.fail(place(parent), conformance.SeverityError, conformance.IssueRequired, n, "at least "+strconv.Itoa(n.min)+" must be there, found "+strconv.Itoa(count))
		})
	}
	if n.max >= 0 && count > n.max {
		first := c.items[from+n.max]
		c.atChild(n.name, first.index, func() {
			c.fail(place(first.v), conformance.SeverityError, conformance.IssueStructure, n, "at most "+strconv.Itoa(n.max)+" may be there, found "+strconv.Itoa(count))
		})
	}
	for i := from; i < to; i++ {
		it := c.items[i]
		c.at = append(c.at, conformance.Step{Name: n.name, Index: it.index})
		c.node(it.v, n)
		c.at = c.at[:len(c.at)-1]
	}
	if n.slicing != nil {
		c.slices(parent, n, from, to)
	}
}

func (c *checker) atChild(name string, index int, do func()) {
	c.at = append(c.at, conformance.Step{Name: name, Index: index})
	do()
	c.at = c.at[:len(c.at)-1]
}

// step counts the work and tells whether there may be more of it.
func (c *checker) step(v fhirpath.Value) bool {
	c.steps--
	if c.steps > 0 && c.err == nil {
		return true
	}
	if !c.costly && c.err == nil {
		c.costly = true
		silent := c.silent
		c.silent = 0
		c.report(place(v), conformance.SeverityError, conformance.IssueTooCostly,
			"The rest was not checked against profiles: the resource takes more work than its size allows.")
		c.silent = silent
	}
	return false
}

// types checks that a value is of one of the types, and meets one of its
// profiles. It tells whether the rest is worth checking.
func (c *checker) types(v fhirpath.Value, n *node) bool {
	var profiles, targets []string
	fits, free, anywhere := false, false, false
	for i := range n.types {
		t := &n.types[i]
		if t.code != "" && !isOf(v, t.code) {
			continue
		}
		fits = true
		free = free || len(t.profiles) == 0
		profiles = append(profiles, t.profiles...)
		if t.code == "Reference" {
			anywhere = anywhere || len(t.targets) == 0
			targets = append(targets, t.targets...)
		}
	}
	if !fits {
		var names []string
		for _, t := range n.types {
			if !slices.Contains(names, t.code) {
				names = append(names, t.code)
			}
		}
		c.fail(place(v), conformance.SeverityError, conformance.IssueStructure, n, "the value must be of type "+strings.Join(names, " or "))
		return false
	}
	if !free {
		c.profiles(v, n, profiles)
	}
	if len(targets) > 0 && !anywhere {
		c.reference(v, n, targets)
	}
	return true
}

// isOf tells whether a value is of a type that an element may have: a code is
// no string here, nor an Age a Quantity (R4 formats § 2.6.0.4: the name of the
// member tells the type).
func isOf(v fhirpath.Value, name string) bool {
	t := v.Type()
	if t.Name == name {
		return true
	}
	return (t.Kind == fhirpath.ResourceType || name == "Element" || name == "BackboneElement") && t.Is(name)
}

// profiles checks that a value meets one of several profiles.
func (c *checker) profiles(v fhirpath.Value, n *node, profiles []string) {
	var held []*Structure
	for _, p := range profiles {
		if typ, own := Core(p); own {
			if v.Type().Is(typ) {
				return
			}
			continue
		}
		if s := c.find(p, place(v)); s != nil {
			held = append(held, s)
			continue
		}
		c.missing(v, n, p)
		if len(profiles) > 1 {
			return // it may be the one that is met
		}
	}
	if len(held) == 1 && len(profiles) == 1 {
		c.against(v, held[0])
		return
	}
	for _, s := range held {
		if c.conforms(v, s) {
			return
		}
	}
	if len(held) > 0 {
		c.fail(place(v), conformance.SeverityError, conformance.IssueStructure, n, "the value must meet one of the profiles "+shorten(strings.Join(profiles, ", ")))
	}
}

// missing says once that a profile is referred to and not held.
func (c *checker) missing(v fhirpath.Value, n *node, profile string) {
	if _, said := c.said[profile]; said || c.silent > 0 || c.err != nil {
		return
	}
	c.said[profile] = struct{}{}
	c.fail(place(v), conformance.SeverityWarning, issueNotSupported, n, "the profile "+shorten(profile)+" is not held here; the value was not checked against it")
}

// evaluate evaluates an expression on a value. The result lasts until the next
// evaluation.
func (c *checker) evaluate(e *fhirpath.Expression, v fhirpath.Value) (fhirpath.Collection, error) {
	if c.steps <= 0 {
		return nil, nil
	}
	c.path.MaxSteps = c.steps
	// A hook may evaluate with the same memory.
	result := c.result
	c.result = nil
	found, err := e.AppendTo(result[:0], &c.path, v)
	c.result = found[:0]
	c.steps -= c.path.Steps()
	return found, err
}

func (c *checker) isFalse(e *fhirpath.Expression, v fhirpath.Value) bool {
	result, err := c.evaluate(e, v)
	if err != nil || len(result) != 1 {
		return false // not comparable: R4 asks nothing then
	}
	truth, ok := result[0].AsBoolean()
	return ok && !truth
}

// rule evaluates an invariant. Only true meets it, as in package validate.
func (c *checker) rule(v fhirpath.Value, n *node, r *rule) {
	if c.steps <= 0 {
		c.step(v)
		return
	}
	result, err := c.evaluate(r.path, v)
	severity := conformance.Severity(r.severity)
	var failed *fhirpath.Error
	switch {
	case errors.As(err, &failed) && failed.Kind == fhirpath.LimitError:
		if c.steps > 0 {
			c.fail(place(v), severity, conformance.IssueTooCostly, n, shorten(r.key)+": the rule takes more work than is allowed: "+shorten(r.expression))
			return
		}
		c.step(v)
	case err != nil:
		why := "it cannot be evaluated here"
		if failed != nil {
			why = failed.Message
		}
		c.fail(place(v), severity, conformance.IssueInvariant, n, shorten(r.key)+": "+why+": "+shorten(r.expression))
	case len(result) == 0:
		c.fail(place(v), severity, conformance.IssueInvariant, n, shorten(r.key)+": gives nothing, which is not true: "+shorten(r.expression))
	default:
		if truth, ok := result[0].AsBoolean(); len(result) > 1 || !ok || !truth {
			c.fail(place(v), severity, conformance.IssueInvariant, n, shorten(r.key)+": not true: "+shorten(r.expression))
		}
	}
}
