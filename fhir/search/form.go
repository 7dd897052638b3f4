package search

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// FormVersion counts the changes in how a value becomes keys. Whoever changes
// a form, or which keys a value gets, raises it in the same commit: servers
// then rebuild the keys of what they hold. testdata/form.golden finds out when
// that was forgotten.
//
// Resources that messages speak of are found by the form of identifiers
// (token, system and code) also while keys are rebuilt. To change that one
// form takes more: a version that looks for both.
const FormVersion = 7

// Fingerprint tells extractions apart: two that have the same one make the
// same keys of every resource. It is of FormVersion and of all search
// parameters that are indexed.
func Fingerprint(d *conformance.Definitions) string {
	h := sha256.New()
	fmt.Fprintf(h, "form %d\n", FormVersion)
	for _, typ := range d.ResourceTypes() {
		number, _ := d.TypeNumber(typ)
		for _, sp := range d.SearchParameters(typ) {
			if !Supported(sp) {
				continue
			}
			fmt.Fprintf(h, "%d %d %s %q\n", number, sp.Number, sp.Type, sp.Expression)
			for _, c := range sp.Components {
				fmt.Fprintf(h, " %s %q\n", c.Type, c.Expression)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// FingerprintOf is Fingerprint with what else of a base decides about keys.
func FingerprintOf(b Base) string {
	f := Fingerprint(b.Definitions)
	if b.FullText {
		f += "+text1" // raise it when the words of a text become others
	}
	return f
}

// Everything selects all resources of a type; none of a type that is unknown.
func Everything(d *conformance.Definitions, typ string) store.Clause {
	number, ok := d.TypeNumber(typ)
	if !ok {
		return store.Or{}
	}
	return exists(number)
}
