package uscore

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// condition is one parameter of a search: any of the values.
type condition struct {
	name string
	of   *definition
	any  []value
}

// value is one value of a condition, as the query has it.
type value struct {
	prefix string // of a date
	system string // of a token
	// inSystem says that the system was named, and text is what is left.
	inSystem bool
	text     string
}

// matches reports whether a value of a resource matches one that is asked for.
func (d *definition) matches(have any, want value) bool {
	switch d.Type {
	case "Reference":
		return matchesReference(have, want.text)
	case "canonical":
		s, _ := have.(string)
		url, _, _ := strings.Cut(s, "|")
		return s == want.text || url == want.text
	case "CodeableConcept", "Coding", "code", "Identifier", "http://hl7.org/fhirpath/System.String":
		return matchesToken(have, want.system, want.text, want.inSystem)
	case "string", "HumanName", "Address":
		return matchesString(have, want.text)
	case "date", "dateTime", "instant", "Period":
		return matchesDate(have, want.prefix, want.text)
	}
	panic("the metadata has a parameter of the type " + d.Type)
}

// matchesReference: R4 search, reference: type and id, or the id alone.
func matchesReference(have any, want string) bool {
	for _, ref := range members(have, "reference") {
		_, id, _ := strings.Cut(ref, "/")
		if ref == want || id == want {
			return true
		}
	}
	return false
}

// matchesToken: R4 search, token. A plain code is of the system that is
// implied, which is not searched for here.
func matchesToken(have any, system, code string, inSystem bool) bool {
	switch v := have.(type) {
	case string:
		return v == code && !inSystem
	case map[string]any:
		for _, coding := range member(v, "coding") {
			if matchesToken(coding, system, code, inSystem) {
				return true
			}
		}
		is := v["code"] == code || v["value"] == code && v["value"] != nil
		had, _ := v["system"].(string)
		return is && (!inSystem || had == system)
	}
	return false
}

// matchesString: R4 search, string: the beginning of a part, without regard to
// case, accents and punctuation.
func matchesString(have any, want string) bool {
	parts := members(have, "text", "family", "given", "prefix", "suffix", "line", "city", "district", "state", "country", "postalCode")
	if s, ok := have.(string); ok {
		parts = []string{s}
	}
	for _, part := range parts {
		if strings.HasPrefix(plain(part), plain(want)) {
			return true
		}
	}
	return false
}

func plain(s string) string {
	letters := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
	return strings.Join(strings.Fields(letters), " ")
}

// matchesDate: R4 search, prefixes, on the time that a value spans.
func matchesDate(have any, prefix, want string) bool {
	a, ok := span(have)
	if !ok {
		return false
	}
	b := spanOf(want)
	within := !a.from.Before(b.from) && !a.to.After(b.to)
	switch prefix {
	case "", "eq":
		return within
	case "ne":
		return !within
	case "gt":
		return a.to.After(b.to)
	case "lt":
		return a.from.Before(b.from)
	case "ge":
		return within || a.to.After(b.to)
	case "le":
		return within || a.from.Before(b.from)
	case "sa":
		return !a.from.Before(b.to)
	case "eb":
		return !a.to.After(b.from)
	}
	panic("prefix " + prefix)
}

// between is the time from one instant up to another.
type between struct{ from, to time.Time }

var (
	beginning = time.Unix(-1<<40, 0)
	end       = time.Unix(1<<40, 0)
)

// span is the time of a date or a period; an end that is missing is open.
func span(v any) (between, bool) {
	switch v := v.(type) {
	case string:
		return spanOf(v), true
	case map[string]any:
		s := between{beginning, end}
		from, to := members(v, "start"), members(v, "end")
		if len(from) > 0 {
			s.from = spanOf(from[0]).from
		}
		if len(to) > 0 {
			s.to = spanOf(to[0]).to
		}
		return s, len(from)+len(to) > 0
	}
	return between{}, false
}

// spans are those that were read already: the same few dates are compared again
// and again.
var spans = map[string]between{}

// spanOf reads a date of any precision; without a time zone it is UTC.
func spanOf(s string) between {
	b, ok := spans[s]
	if !ok {
		b = readSpan(s)
		spans[s] = b
	}
	return b
}

func readSpan(s string) between {
	for _, form := range []struct {
		layout              string
		years, months, days int
		rest                time.Duration
	}{
		{"2006", 1, 0, 0, 0}, {"2006-01", 0, 1, 0, 0}, {"2006-01-02", 0, 0, 1, 0},
		{"2006-01-02T15:04Z07:00", 0, 0, 0, time.Minute},
	} {
		if from, err := time.Parse(form.layout, s); err == nil {
			return between{from, from.AddDate(form.years, form.months, form.days).Add(form.rest)}
		}
	}
	from, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic("not a date: " + s)
	}
	precision := time.Second
	if _, fraction, ok := strings.Cut(s, "."); ok {
		for _, c := range fraction {
			if c < '0' || c > '9' {
				break
			}
			precision /= 10
		}
	}
	return between{from, from.Add(precision)}
}
