package profile

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// reference checks that a Reference leads to one of the target profiles
// (https://hl7.org/fhir/R4/elementdefinition.html, ElementDefinition.type.
// targetProfile). What it leads to is looked at where it is contained or in
// the same Bundle; of others the type is known, if the reference tells it.
func (c *checker) reference(v fhirpath.Value, n *node, targets []string) {
	text, _ := v.Node().Member("reference")
	target, ok := c.target(text.String())
	if !ok {
		stated, _ := v.Node().Member("type")
		t := c.path.Model.Type(stated.String())
		if t == nil || t.Kind != fhirpath.ResourceType {
			return
		}
		target = fhirpath.NewElement(t, rawjson.Node{}, rawjson.Node{})
	}
	typed, unknown := false, false
	for _, profile := range targets {
		if name, own := Core(profile); own {
			if target.Type().Is(name) {
				return
			}
			continue
		}
		s := c.find(profile, v.Node())
		if s == nil {
			unknown = true
			c.missing(v, n, profile)
			continue
		}
		if !target.Type().Is(s.Type) {
			continue
		}
		typed = true
		if !target.Node().Exists() || c.conforms(target, s) {
			return
		}
	}
	switch {
	case unknown:
	case typed:
		c.fail(v.Node(), conformance.SeverityError, conformance.IssueStructure, n, "what it refers to must meet one of the profiles "+shorten(strings.Join(targets, ", ")))
	default:
		c.fail(v.Node(), conformance.SeverityError, conformance.IssueValue, n, "it must refer to a resource of one of the profiles "+shorten(strings.Join(targets, ", "))+", and refers to another type")
	}
}

// resolve is the hook of FHIRPath's resolve().
func (c *checker) resolve(reference string) (fhirpath.Value, bool) { return c.target(reference) }

// target is what a reference leads to; without a Node where only its type is
// known.
func (c *checker) target(reference string) (fhirpath.Value, bool) {
	if id, local := strings.CutPrefix(reference, "#"); local {
		if id == "" {
			return c.path.RootResource, c.path.RootResource.Kind() == fhirpath.KindElement
		}
		list, _ := c.path.RootResource.Node().Member("contained")
		for n := range list.Elements() {
			if found, _ := n.Member("id"); found.Is(id) {
				return fhirpath.NewResource(c.path.Model, n)
			}
		}
		return fhirpath.Value{}, false
	}
	if n, ok := c.entries()[reference]; ok {
		return fhirpath.NewResource(c.path.Model, n)
	}
	t := c.path.Model.Type(typeOf(reference))
	if t == nil || t.Kind != fhirpath.ResourceType {
		return fhirpath.Value{}, false
	}
	return fhirpath.NewElement(t, rawjson.Node{}, rawjson.Node{}), true
}

// typeOf is the type that a literal reference names: Type/id, possibly behind
// a base URL, possibly with a version, or Type?query.
func typeOf(reference string) string {
	if i := strings.IndexAny(reference, "|?#"); i >= 0 {
		if reference[i] == '?' && !strings.Contains(reference[:i], "/") {
			return reference[:i]
		}
		reference = reference[:i]
	}
	reference, _, _ = strings.Cut(reference, "/_history/")
	slash := strings.LastIndexByte(reference, '/')
	if slash < 0 {
		return ""
	}
	head := reference[:slash]
	return head[strings.LastIndexByte(head, '/')+1:]
}

// entries are the resources of the Bundle that is being checked, by fullUrl
// and by type and id (https://hl7.org/fhir/R4/bundle.html#references).
func (c *checker) entries() map[string]rawjson.Node {
	if c.bundle != nil {
		return c.bundle
	}
	c.bundle = map[string]rawjson.Node{}
	if typ, _ := c.outermost.Member("resourceType"); !typ.Is("Bundle") {
		return c.bundle
	}
	list, _ := c.outermost.Member("entry")
	for entry := range list.Elements() {
		resource, _ := entry.Member("resource")
		typ, _ := resource.Member("resourceType")
		if id, ok := resource.Member("id"); ok {
			c.bundle[typ.String()+"/"+id.String()] = resource
		}
		if url, _ := entry.Member("fullUrl"); url.Kind() == rawjson.KindString && resource.Kind() == rawjson.KindObject {
			c.bundle[url.String()] = resource
		}
	}
	return c.bundle
}
