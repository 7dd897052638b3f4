package redox

import (
	"time"
)

// DefaultBase is the base of the extension canonicals where Options has none.
const DefaultBase = "https://github.com/fhirfacade/fhirfacade"

// Options are what a translation needs to know about the connection.
type Options struct {
	// Slug names the organization in identifier systems: urn:redox:<slug>:<IDType>.
	Slug string
	// Zone is the time zone of times without an offset; nil is UTC.
	Zone *time.Location
	// Base is the base of the canonicals of extensions:
	// <Base>/StructureDefinition/<Object>.<Member>.
	Base string
	// Systems are the identifier systems of IDTypes that this connection knows
	// better than the general rules do: {"MR": "urn:oid:1.2.3"}.
	Systems map[string]string
	// Department is the Visit.Location.Department of appointments that an app
	// writes back without a location; Redox requires one.
	Department string
}

func (o Options) slug() string {
	if o.Slug == "" {
		return "local"
	}
	return o.Slug
}

func (o Options) zone() *time.Location {
	if o.Zone == nil {
		return time.UTC
	}
	return o.Zone
}

// url is the canonical of an extension of ours.
func (o Options) url(name string) string {
	if o.Base == "" {
		return DefaultBase + "/StructureDefinition/" + name
	}
	return o.Base + "/StructureDefinition/" + name
}
