package search

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// Description says what a part of a query asks for.
type Description struct {
	// Where is the part's place in the query, as in store.ExplainedClause.
	Where string
	// Text names the type, the parameter and the values, which are those of
	// the search itself.
	Text string
}

// Describe puts the parts of a query into words, outer ones first.
func Describe(d *conformance.Definitions, c store.Clause) []Description {
	return describe(nil, d, "where", c)
}

func describe(all []Description, d *conformance.Definitions, where string, c store.Clause) []Description {
	say := func(format string, args ...any) {
		all = append(all, Description{where, fmt.Sprintf(format, args...)})
	}
	switch c := c.(type) {
	case store.Range:
		say("%s", describeRange(d, c))
	case store.And:
		say("all of %d", len(c))
		for i, part := range c {
			all = describe(all, d, fmt.Sprintf("%s/and[%d]", where, i), part)
		}
	case store.Or:
		say("any of %d", len(c))
		for i, part := range c {
			all = describe(all, d, fmt.Sprintf("%s/or[%d]", where, i), part)
		}
	case store.Not:
		say("not")
		all = describe(all, d, where+"/not", c.Clause)
	case store.Refers:
		say("refers, by %s, to what the inner query selects", describeParameter(d, c.Prefix))
		all = describe(all, d, where+"/refers", c.Query)
	case store.ReferredBy:
		say("is referred to, by %s, by what the inner query selects", describeParameter(d, c.Prefix))
		all = describe(all, d, where+"/referred-by", c.Query)
	}
	return all
}

// describeParameter names the type and the parameter that a key is of.
func describeParameter(d *conformance.Definitions, k store.Key) string {
	typ, number, ok := numbersOf(d, k)
	switch {
	case !ok:
		return "keys of the server's own"
	case number == ownExists:
		return "any " + typ
	}
	for _, sp := range d.SearchParameters(typ) {
		if sp.Number == number {
			return typ + "." + sp.Code
		}
	}
	return typ + ", keys of the server's own"
}

func numbersOf(d *conformance.Definitions, k store.Key) (typ string, number uint16, ok bool) {
	if len(k) < numbersLength {
		return "", 0, false
	}
	typ, ok = d.TypeName(binary.BigEndian.Uint16([]byte(k)))
	return typ, binary.BigEndian.Uint16([]byte(k[2:])), ok
}

func describeRange(d *conformance.Definitions, r store.Range) string {
	const behind = numbersLength + 1
	switch {
	case strings.HasPrefix(r.From, containedSpace) && strings.HasPrefix(r.To, containedSpace):
		return "contained " + describeRange(d, store.Range{From: r.From[len(containedSpace):], To: r.To[len(containedSpace):]})
	case len(r.From) > behind && r.From[numbersLength] == formContained && strings.HasPrefix(r.To, r.From[:behind]):
		return describeParameter(d, r.From) + ", to a contained " + describeRange(d, store.Range{From: r.From[behind:], To: r.To[behind:]})
	}
	name := describeParameter(d, r.From)
	if len(r.From) == numbersLength {
		if _, single := r.Single(); single {
			return name
		}
		return name + " has any value"
	}
	if k, single := r.Single(); single {
		if _, p, ok := Explain(d, k); ok {
			return name + ": " + p.Name + "=" + p.Value
		}
		return name + ": one value"
	}
	form := forms[r.From[min(numbersLength, len(r.From)-1)]]
	from, to := describeBound(d, r.From), describeBound(d, r.To)
	switch {
	case r.To == store.PrefixEnd(r.From) && from != "":
		return name + form + " begins with " + from
	case from != "" && to != "":
		return name + form + " from " + from + " to below " + to
	case from != "":
		return name + form + " from " + from
	case to != "":
		return name + form + " below " + to
	}
	return name + form + " has any value"
}

// describeBound is the value of a key, without the prefix that Explain gives
// to dates.
func describeBound(d *conformance.Definitions, k store.Key) string {
	if len(k) <= numbersLength+1 {
		return ""
	}
	for _, key := range []store.Key{k, strings.TrimSuffix(k, "\x00")} {
		if _, p, ok := explainSafely(d, key); ok {
			return strings.TrimPrefix(strings.TrimPrefix(p.Value, "ge"), "le")
		}
	}
	return ""
}

// explainSafely is Explain for bounds, which need not be whole keys.
func explainSafely(d *conformance.Definitions, k store.Key) (typ string, p Parameter, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return Explain(d, k)
}

// forms are the forms of keys in words.
var forms = map[byte]string{
	formSystem: " (system and code)", formText: " (text)", formURL: " (URL)", formReference: " (reference)",
	formNormal: "", formPart: " (part of a text)", formFamily: " (later part of a family name)", formLow: " (begin)", formHigh: " (end)", formWithin: " (within a step of the calendar)", formComposite: " (pair)",
}
