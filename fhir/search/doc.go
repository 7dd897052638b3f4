// Package search is FHIR R4 search (https://hl7.org/fhir/R4/search.html) in
// two halves that must agree: Index turns a resource into ordered keys, and
// Parse turns the parameters of a search into a query over such keys.
//
// # Keys
//
// Every key begins with the number of the resource type and the number of the
// search parameter, two bytes each, and a byte that says which form of the
// value follows. Byte order within a form is the order of the values.
//
//	parameter  form  value                              found by
//	token      c     code                               code
//	           s     system 0 code                      system|code, |code, system|
//	           x     text, normalised                   :text
//	           o     type system 0 type code 0 value    :of-type
//	reference  r     Type/id                            Type/id, id, chains, _has
//	           u     absolute or canonical URL          URL
//	           i     identifier system 0 value          :identifier
//	string     n     normalised text                    the start of it
//	           e     text as it is                      :exact
//	date       l     lower bound                        prefixes, sort
//	           h     upper bound (exclusive)            prefixes, descending sort
//	number     n     decimal                            prefixes, sort
//	quantity   n     decimal                            number alone, sort
//	           s     system 0 code 0 decimal            number|system|code
//	           c     code or unit 0 decimal             number||code
//	uri        u     URI                                equality, :below
//
// The server's own keys use parameter numbers below 100: see ownExists.
package search
