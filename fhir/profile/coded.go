package profile

import (
	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// bound checks a binding (https://hl7.org/fhir/R4/terminologies.html#strength).
func (c *checker) bound(v fhirpath.Value, n *node) {
	b := n.binding
	if b.max != "" {
		if in, coded := c.anyCode(v, b.max); in == Out && coded {
			c.fail(place(v), conformance.SeverityError, conformance.IssueCodeInvalid, n, "the code must be of the value set "+shorten(b.max)+" (maximum of the binding)")
		}
	}
	if b.strength != "required" && !c.o.Thorough {
		return
	}
	in, coded := c.anyCode(v, b.valueSet)
	switch {
	case in == In:
	case b.strength == "required" && !coded:
		if !hasExtension(v) {
			c.fail(place(v), conformance.SeverityError, conformance.IssueCodeInvalid, n, "there must be a code of the value set "+shorten(b.valueSet)+" (required binding)")
		}
	case in == Unknown:
		if c.o.Thorough && coded && b.strength != "preferred" {
			c.fail(place(v), conformance.SeverityInformation, issueInformation, n, "the "+b.strength+" binding was not checked: the value set "+shorten(b.valueSet)+" or a code system of it is not held here")
		}
	case b.strength == "required":
		c.fail(place(v), conformance.SeverityError, conformance.IssueCodeInvalid, n, "the code must be of the value set "+shorten(b.valueSet)+" (required binding)")
	case b.strength == "extensible" && !coded:
		c.fail(place(v), conformance.SeverityWarning, conformance.IssueCodeInvalid, n, "there is no code; one of the value set "+shorten(b.valueSet)+" is to be used if it fits (extensible binding)")
	case b.strength == "extensible":
		c.fail(place(v), conformance.SeverityWarning, conformance.IssueCodeInvalid, n, "the code is none of the value set "+shorten(b.valueSet)+", which is to be used if one of its codes fits (extensible binding)")
	case coded:
		c.fail(place(v), conformance.SeverityInformation, conformance.IssueCodeInvalid, n, "the code is none of the value set "+shorten(b.valueSet)+" (preferred binding)")
	}
}

// anyCode tells whether one of the codes of a value is in a value set; coded is
// false if it has none.
func (c *checker) anyCode(v fhirpath.Value, valueSet string) (in Membership, coded bool) {
	n := v.Node()
	switch v.Type().Name {
	case "CodeableConcept":
		in = Out
		list, _ := n.Member("coding")
		for coding := range list.Elements() {
			switch found, ok := c.coding(coding, "code", valueSet); {
			case !ok:
			case found == In:
				return In, true
			default:
				coded = true
				if found == Unknown {
					in = Unknown
				}
			}
		}
		return in, coded
	case "Coding", "Quantity", "Age", "Count", "Distance", "Duration":
		return c.coding(n, "code", valueSet)
	}
	if n.Kind() != rawjson.KindString {
		return Out, false
	}
	if v.Type().Name != "code" && v.Type().Name != "string" && v.Type().Name != "uri" {
		return Unknown, true
	}
	return c.member(valueSet, "", n.String(), true), true
}

func (c *checker) coding(n rawjson.Node, member, valueSet string) (in Membership, ok bool) {
	code, ok := n.Member(member)
	if !ok || code.Kind() != rawjson.KindString {
		return Out, false
	}
	system, _ := n.Member("system")
	return c.member(valueSet, system.String(), code.String(), false), true
}

func (c *checker) member(valueSet, system, code string, implied bool) Membership {
	if c.o.Source == nil || c.err != nil {
		return Unknown
	}
	in, err := c.o.Source.Member(c.ctx, valueSet, system, code, implied)
	if err != nil {
		c.err = err
	}
	return in
}

// memberOf is the hook of FHIRPath's memberOf().
func (c *checker) memberOf(v fhirpath.Value, valueSet string) (member, ok bool) {
	if v.Kind() != fhirpath.KindElement {
		text, ok := v.AsString()
		if !ok {
			return false, false
		}
		in := c.member(valueSet, "", text, true)
		return in == In, in != Unknown
	}
	in, coded := c.anyCode(v, valueSet)
	return in == In, in != Unknown || !coded
}

// hasExtension: an extension may say why there is no code.
func hasExtension(v fhirpath.Value) bool {
	for _, n := range []rawjson.Node{v.Node(), v.Underscore()} {
		if list, ok := n.Member("extension"); ok && list.Len() > 0 {
			return true
		}
	}
	return false
}
