package search

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// Grouping is how resources of a type are grouped by their codes, as $lastn
// does it: by keys.
type Grouping struct {
	// Coded holds a key for each coding, Text one for each text.
	Coded, Text store.Range
	// Newest orders by time, the latest first.
	Newest store.Sort
}

// Grouping is that of Observations by code and date.
func (x *Index) Grouping() Grouping {
	const typ = "Observation"
	number, _ := x.definitions.TypeNumber(typ)
	code, _ := x.definitions.SearchParameter(typ, "code")
	date, _ := x.definitions.SearchParameter(typ, "date")
	return Grouping{
		Coded:  store.Prefix(formKey(number, code.Number, formSystem)),
		Text:   store.Prefix(formKey(number, code.Number, formText)),
		Newest: store.Sort{Range: store.Prefix(formKey(number, date.Number, formHigh)), Descending: true},
	}
}

// Gaps are the parts of a range between some of its keys, which are sorted.
func Gaps(r store.Range, keys []store.Key) []store.Range {
	var all []store.Range
	from := r.From
	for _, k := range keys {
		all = append(all, store.Range{From: from, To: k})
		from = store.Exactly(k).To
	}
	all = append(all, store.Range{From: from, To: r.To})
	return slices.DeleteFunc(all, func(r store.Range) bool { return r.From >= r.To })
}
