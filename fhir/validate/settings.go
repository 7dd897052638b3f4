package validate

import (
	"fmt"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Level is how much is checked when a resource is written.
type Level string

// The levels.
const (
	// Off checks what storing needs: JSON, a type of R4, an id of its form.
	Off Level = "off"
	// Structure is what conformance.ValidateStructure checks. The default.
	Structure Level = "structure"
	// Full is everything that this package checks.
	Full Level = "full"
)

// Modifiers says what a modifierExtension means that nobody here knows
// (https://hl7.org/fhir/R4/extensibility.html#modifierExtension).
type Modifiers string

// What may be done about unknown modifier extensions.
const (
	// ModifiersWarn gives a warning: a facade passes content on, and its
	// readers decide. The default.
	ModifiersWarn Modifiers = "warn"
	// ModifiersRefuse gives an error.
	ModifiersRefuse Modifiers = "refuse"
	// ModifiersAccept says nothing.
	ModifiersAccept Modifiers = "accept"
)

// Settings are how the writes of a tenant are checked. The zero value is the
// default.
type Settings struct {
	Level             Level     `json:"level,omitempty"`
	ModifierExtension Modifiers `json:"unknownModifierExtensions,omitempty"`
}

// Check refuses what is no setting, naming the field.
func (s Settings) Check() error {
	switch s.Level {
	case "", Off, Structure, Full:
	default:
		return fmt.Errorf("validation.level is %q, %q or %q", Off, Structure, Full)
	}
	switch s.ModifierExtension {
	case "", ModifiersWarn, ModifiersRefuse, ModifiersAccept:
	default:
		return fmt.Errorf("validation.unknownModifierExtensions is %q, %q or %q", ModifiersWarn, ModifiersRefuse, ModifiersAccept)
	}
	return nil
}

// Storable checks what storing a resource needs, the level Off: an object of a
// type of R4, and that what the server writes has a place, the id and meta.
func Storable(resource rawjson.Node) []conformance.Issue {
	fault := func(at rawjson.Node, expression, rule string) []conformance.Issue {
		line, column := rawjson.LineColumn(at.Document().Data(), at.Offset())
		return []conformance.Issue{{
			Severity: conformance.SeverityError, Code: conformance.IssueStructure,
			Expression: expression, Line: line, Column: column, Diagnostics: rule,
		}}
	}
	if resource.Kind() != rawjson.KindObject {
		return fault(resource, "", "a resource must be a JSON object")
	}
	name, ok := resource.Member("resourceType")
	if !ok {
		return fault(resource, "", "a resource must have the member resourceType")
	}
	if name.Kind() != rawjson.KindString || !conformance.R4().IsResourceType(name.String()) {
		return fault(name, "", "resourceType must be the name of a concrete R4 resource type")
	}
	typ := name.String()
	if id, ok := resource.Member("id"); ok && (id.Kind() != rawjson.KindString || !conformance.ValidID(id.Bytes())) {
		return fault(id, typ+".id", "an id is 1 to 64 letters, digits, '-' and '.'")
	}
	if meta, ok := resource.Member("meta"); ok && meta.Kind() != rawjson.KindObject {
		return fault(meta, typ+".meta", "meta must be a JSON object")
	}
	return nil
}
