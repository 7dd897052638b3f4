package search

import (
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// ParseInterval reads a date, dateTime or instant as the time that it covers
// (R4 search, date): from its first moment up to but without another. name is
// the parameter's.
func ParseInterval(name, value string) (from, to time.Time, err error) {
	v, err := parseDate(value)
	if err != nil {
		return from, to, outcome.BadRequest(outcome.CodeValue,
			"The value of %s must be a date yyyy, yyyy-mm or yyyy-mm-dd, or a time yyyy-mm-ddThh:mm[:ss][zone], with the + of a zone as %%2B.", name)
	}
	return v.low, v.high, nil
}
