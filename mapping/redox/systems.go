package redox

// IdentifierSystem is the FHIR identifier system of an IDType on this
// connection: the way ToFHIR writes it.
func (o Options) IdentifierSystem(idType string) string { return o.identifierSystem(idType) }
