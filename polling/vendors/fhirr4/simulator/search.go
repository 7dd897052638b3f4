package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/polling/vendors/simulate"
)

// search answers a search with the parameters that this server has; others
// are refused, as strict servers do.
func (s *Simulator) search(w http.ResponseWriter, r *http.Request, typ, fault string) {
	q := r.URL.Query()
	f := s.flavour
	if f.narrowed && typ == "Appointment" && !q.Has("_id") {
		if !(q.Has("patient") || q.Has("practitioner") || q.Has("location")) || len(q["date"]) != 2 {
			problem(w, http.StatusBadRequest, "required", "Appointment needs patient, practitioner or location, and date twice")
			return
		}
	}
	size, offset := f.pageSize, 0
	var keep []func(*stored) bool
	sorted := false
	for name, values := range q {
		value := values[0]
		switch {
		case name == "_count":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				problem(w, http.StatusBadRequest, "invalid", "_count")
				return
			}
			size = min(size, n)
		case name == f.offset:
			offset, _ = strconv.Atoi(value)
		case name == "_sort" && !f.unsorted && value == "_lastUpdated":
			sorted = true
		case name == "_lastUpdated" && (f.updated == nil || f.updated[typ]):
			for _, v := range values {
				test, ok := compareTime(v)
				if !ok {
					problem(w, http.StatusBadRequest, "invalid", "_lastUpdated")
					return
				}
				keep = append(keep, func(r *stored) bool { return test(r.updated) })
			}
		case dateOf[typ][name] != "":
			for _, v := range values {
				test, ok := compareTime(v)
				if !ok {
					problem(w, http.StatusBadRequest, "invalid", name)
					return
				}
				member := dateOf[typ][name]
				keep = append(keep, func(r *stored) bool {
					text, _ := r.body[member].(string)
					t, err := time.Parse(time.RFC3339, text)
					return err == nil && test(t)
				})
			}
		case name == "location" || name == "patient" || name == "practitioner":
			keep = append(keep, func(r *stored) bool { return refersTo(r.body, value) })
		case name == "status":
			keep = append(keep, func(r *stored) bool { return slices.Contains(strings.Split(value, ","), text(r.body["status"])) })
		default:
			problem(w, http.StatusBadRequest, "not-supported", "the parameter is not supported")
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*stored
	for _, r := range s.byType[typ] {
		if !slices.ContainsFunc(keep, func(test func(*stored) bool) bool { return !test(r) }) {
			found = append(found, r)
		}
	}
	if sorted || f.unsorted {
		// Servers that do not sort by order show what changed last in its new
		// place all the same, so that pages shift while they are read.
		slices.SortStableFunc(found, func(a, b *stored) int { return a.updated.Compare(b.updated) })
	}
	s.page(w, r, found, q, size, offset, fault)
}

func (s *Simulator) page(w http.ResponseWriter, r *http.Request, found []*stored, q url.Values, size, offset int, fault string) {
	entries := []Resource{}
	end := min(len(found), offset+size)
	for _, one := range found[min(offset, end):end] {
		e := Resource{"fullUrl": base(r) + r.URL.Path + "/" + one.id, "resource": one.shown(), "search": Resource{"mode": "match"}}
		entries = append(entries, e)
		if fault == simulate.Duplicates {
			entries = append(entries, e)
		}
	}
	b := Resource{"resourceType": "Bundle", "type": "searchset", "entry": entries}
	if !s.flavour.noTotal {
		b["total"] = len(found)
	}
	links := []Resource{{"relation": "self", "url": base(r) + r.URL.RequestURI()}}
	if end < len(found) && (fault != simulate.LostNext || s.flavour.noTotal) {
		q.Set(s.flavour.offset, strconv.Itoa(end))
		links = append(links, Resource{"relation": "next", "url": base(r) + r.URL.Path + "?" + q.Encode()})
	}
	b["link"] = links
	simulate.WriteFHIR(w, http.StatusOK, b)
}

// dateOf are the elements behind date parameters.
var dateOf = map[string]map[string]string{
	"Appointment": {"date": "start"},
}

// compareTime reads a date parameter with a prefix (R4 search §3.1.1.4.5).
func compareTime(value string) (func(time.Time) bool, bool) {
	prefix, text := value[:min(2, len(value))], value[min(2, len(value)):]
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, text); err != nil {
			return nil, false
		}
	}
	switch prefix {
	case "ge":
		return func(v time.Time) bool { return !v.Before(t) }, true
	case "gt":
		return func(v time.Time) bool { return v.After(t) }, true
	case "lt":
		return func(v time.Time) bool { return v.Before(t) }, true
	case "le":
		return func(v time.Time) bool { return !v.After(t) }, true
	}
	return nil, false
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// refersTo reports whether any reference in a resource is to id, with its
// type or without.
func refersTo(v any, id string) bool {
	switch v := v.(type) {
	case Resource:
		if ref := text(v["reference"]); ref != "" && (ref == id || strings.HasSuffix(ref, "/"+id)) {
			return true
		}
		for _, item := range v {
			if refersTo(item, id) {
				return true
			}
		}
	case []Resource:
		for _, item := range v {
			if refersTo(item, id) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if refersTo(item, id) {
				return true
			}
		}
	}
	return false
}
