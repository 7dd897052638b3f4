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
//	           #     key of a contained resource        chains
//	string     n     normalised text                    the start of it, sort
//	           t     the same, behind each character    :contains
//	           f     later part of a family name        the start of it
//	           e     text as it is                      :exact
//	date       l     lower bound                        prefixes, sort
//	           h     upper bound (exclusive)            prefixes, descending sort
//	           w     step of the calendar, lower bound  eq, times between two others
//	           m     nothing, where there are several   times between two others
//	           m     place, l or h, bound               ap, with several dates
//	number     n     decimal                            prefixes, sort
//	           l     place n decimal, where             prefixes, of a Range
//	           h     the same of the high end           prefixes, of a Range
//	quantity   n     decimal                            number alone, sort
//	           q     dimension 0 decimal in base units  number|UCUM|code
//	           s     system 0 code 0 decimal            number|system|code, others
//	           c     code or unit 0 decimal             number||code
//	           l     place, one of n q s c, where       prefixes, of a span
//	           h     the same of the high end           prefixes, of a span
//	uri        u     URI                                equality, :below, :above
//	_text      d     word, normalised                   the word, word*
//	_content   d     the same                           the same
//	composite  k     length, form and value of the      first$second
//	                 first, form and value of the second
//	           k     the first, node of the second,     first$second$third
//	                 form and value of the third
//	special    g     number of the smallest cell        near
//
// The server's own keys use parameter numbers below 100: see ownExists. A
// Synthea resource has 32 keys of 990 bytes together on average, made in 29 µs:
//
//	go test ./fhir/search -run '^$' -bench Keys -benchmem
//
// # One value at a time
//
// A resource has several values of many parameters, and a search must hold for
// one of them. A query only knows which keys a resource has, so whatever has to
// hold for one value has to be one range of keys. That is why a date has a
// third key, its smallest enclosing interval of the calendar, which answers eq
// in at most six ranges (see field.within), why quantities are behind their
// units, and why a composite's two values are one key.
//
// # Contained resources
//
// A resource has the keys of each resource that it contains, too: behind a byte
// that no number of a type begins with, for _contained, and behind each
// parameter that refers to it, for chains. That is 2 of the 32 keys. The first
// only tell which resources may contain a match; which do is found by looking
// at each (see Contained). A chain leads into a contained resource and from
// there out again, but not from one contained resource into another, and
// _text and _content do not look at contained resources alone.
//
// # What is refused
//
// Everything that is not understood is a 400 that names it: unknown parameters,
// modifiers, phonetic, _query, and _text and _content unless the server's
// setting full-text is on, since words are twice as many keys as all others: a
// Synthea resource has 92 then, of 1.6 kB. So is what does not go with
// _contained=true or both: compartments, chains, _has, _list, near, full text,
// _lastUpdated, _sort, _total, _include, _revinclude, _summary and _elements.
// Only unknown and unsupported parameters may be left out by Prefer:
// handling=lenient; a modifier changes what is found and is refused in any
// case.
//
// # Case
//
// Codes and identifiers are compared by case, where R4 leaves it to the server
// when a code system does not say. Messages find the records they speak of by
// the same keys, and two patients must not become one by a letter's case. What
// is a string in R4's definitions is compared without case: lot numbers,
// versions. R4 also lets a server refuse an id that resources of several types
// have; here it finds them all.
//
// # Terminology
//
// :in and :not-in ask for the codes of a value set, :above and :below on tokens
// for those of a code system's hierarchy; both are looked up when the search is
// parsed and become one key each, at most 10,000. A value set or code system
// that the tenant does not hold is a 404, one that cannot be expanded a 422;
// both name it.
//
// # Hierarchies
//
// :above and :below on references ask for what the resource named is part of,
// or is part of it, by the parameter partof, part-of or parent of its type:
// 1,000 resources at most, looked up when the search is parsed.
//
// # What is approximate
//
//   - Of more than 4 spans of one parameter of a resource, eq and ap take the
//     low end of one and the high end of another for the same from the 4th on.
//   - Of more than 4 dates of one parameter of a resource, ap and eq of
//     fractions of a second do the same, and po in a _filter.
//   - A chain to several contained resources by one parameter takes them for
//     one: only :not and what compares two bounds can tell the difference.
//   - Full text has 1,000 different words of a resource, 64 bytes of each, and
//     none of texts over 1,000 bytes without a space; where they stand to each
//     other is not known, so there are no phrases.
//   - ew in a _filter sees the last 63 bytes of the first 500 of a text, and
//     codes in a _filter differ by case, as they do elsewhere.
//   - Texts are searched by their first 400 bytes, and 500 by :contains; codes,
//     identifiers and URLs are compared whole, by a hash behind 400 bytes.
package search
