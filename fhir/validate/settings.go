package validate

import "fmt"

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
