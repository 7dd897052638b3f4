package resttest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// modified are the modifiers that each type of search parameter takes, with a
// value (R4 search, modifiers).
var modified = map[string]map[string]string{
	"token": {
		"missing": "false", "not": "y", "text": "x", "in": "http://hl7.org/fhir/ValueSet/administrative-gender", "not-in": "http://example.org/vs/list",
		"above": "http://example.org/sites|arm", "below": "http://example.org/sites|arm",
	},
	"string":    {"missing": "false", "exact": "x", "contains": "x"},
	"reference": {"missing": "false", "identifier": "urn:x|y"},
	"uri":       {"missing": "false", "above": "http://e.org/x", "below": "http://e.org/x"},
	"date":      {"missing": "false"},
	"number":    {"missing": "false"},
	"quantity":  {"missing": "false"},
	"composite": {"missing": "false"},
	"special":   {"missing": "false"},
}

// mediaTypes are the parameters whose values are media types.
var mediaTypes = []string{"CapabilityStatement.format", "DocumentReference.contenttype", "Library.content-type", "Subscription.payload"}

// allModifiers are those that there are, and some that there are not.
var allModifiers = []string{
	"missing", "exact", "contains", "text", "not", "in", "not-in", "above", "below", "of-type", "identifier", "iterate", "Patient", "sounds", "",
}

// searchable tries every search parameter that is claimed: its values, all
// prefixes of ordered ones, all modifiers of its type in one search, and each
// modifier of other types by itself, which is refused; _sort, _include and
// _revinclude.
func (s *Server) searchable(c statement) {
	s.Helper()
	s.Put(bodySites, valueSet("list", `{"include":[`+ofSites+`}]}`))
	n := 0
	for _, res := range c.Rest[0].Resource {
		var good, bad []string
		includes := map[string]bool{}
		for _, p := range res.SearchParam {
			sp, ok := conformance.R4().SearchParameter(res.Type, p.Name)
			if !ok {
				s.Fatalf("%s claims %s", res.Type, p.Name)
			}
			yes, no := tries(res.Type, sp)
			good, bad = append(good, yes...), append(bad, no...)
			if p.Type == "reference" {
				includes[res.Type+":"+p.Name] = true
			}
			n++
		}
		if claimed := slices.Sorted(slices.Values(res.SearchInclude)); !slices.Equal(claimed, slices.Sorted(maps.Keys(includes))) {
			s.Errorf("%s claims the includes %v", res.Type, claimed)
		}
		for _, name := range []string{"_include", "_revinclude"} {
			claimed := res.SearchInclude
			if name == "_revinclude" {
				claimed = res.SearchRevInclude
			}
			for some := range slices.Chunk(claimed, 40) {
				good = append(good, res.Type+"?"+name+"="+strings.Join(some, "&"+name+"="))
			}
		}
		s.answers(good, bad)
	}
	if n < 2000 {
		s.Errorf("only %d search parameters", n)
	}
}

// tries are the searches that one parameter must answer, and those that it
// must refuse.
func tries(typ string, sp *conformance.SearchParameter) (good, bad []string) {
	kind := string(sp.Type)
	value := values[kind]
	if kind == "composite" {
		var parts []string
		for _, c := range sp.Components {
			parts = append(parts, values[string(c.Type)])
		}
		value = strings.Join(parts, "$")
		if sp.Code == "relationship" {
			value = "DocumentReference/x$y"
		}
	}
	takes := maps.Clone(modified[kind])
	switch {
	case kind == "reference":
		targets := sp.Targets
		if len(targets) == 0 || slices.Contains(targets, "Resource") {
			targets = []string{"Patient"}
		}
		for _, t := range targets {
			takes[t] = "x"
		}
		if slices.ContainsFunc(targets, hierarchical) || len(sp.Targets) == 0 {
			takes["above"], takes["below"] = "x", "x"
		}
	case sp.Code == "identifier" && kind == "token":
		takes["of-type"] = "urn:x|y|z"
	}
	if kind == "token" && slices.Contains(mediaTypes, typ+"."+sp.Code) {
		takes["below"] = "text/xml"
	}
	query := typ + "?_count=1&" + sp.Code + "=" + value
	for m, v := range takes {
		query += "&" + sp.Code + ":" + m + "=" + v
	}
	switch kind {
	case "date", "number", "quantity":
		var all []string
		for _, prefix := range []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
			all = append(all, prefix+strings.TrimPrefix(value, "ge"))
		}
		query += "&" + sp.Code + "=" + strings.Join(all, ",")
	default:
		if kind != "token" && kind != "uri" && kind != "string" { // to those, it is part of the value
			bad = append(bad, typ+"?"+sp.Code+"=gt 5")
		}
	}
	if kind != "composite" && kind != "special" {
		query += "&_sort=-" + sp.Code
	} else {
		bad = append(bad, typ+"?_sort="+sp.Code)
	}
	if kind != "reference" {
		bad = append(bad, typ+"?_include="+typ+":"+sp.Code)
	}
	for _, m := range allModifiers {
		if _, ok := takes[m]; ok || m == "of-type" && kind == "token" {
			continue // which depends on the elements
		}
		bad = append(bad, typ+"?"+sp.Code+":"+m+"="+value)
	}
	return []string{query}, bad
}

// answers asks, in one batch, what must be found and what must be refused.
func (s *Server) answers(good, bad []string) {
	s.Helper()
	var entries []string
	for _, query := range append(slices.Clone(good), bad...) {
		entries = append(entries, does("GET", strings.ReplaceAll(query, " ", "%20"), ""))
	}
	var b Bundle
	s.Do("POST", "", bundleOf("batch", entries...)).Want(http.StatusOK).Decode(&b)
	if len(b.Entry) != len(entries) {
		s.Fatalf("%d answers to %d searches", len(b.Entry), len(entries))
	}
	for i, e := range b.Entry {
		said := fmt.Sprint(e.Response.Outcome)
		switch {
		case i < len(good):
			if !strings.HasPrefix(e.Response.Status, "200") {
				s.Errorf("%s: %s %s", good[i], e.Response.Status, said)
			}
		case !strings.HasPrefix(e.Response.Status, "400"):
			s.Errorf("%s: %s %s", bad[i-len(good)], e.Response.Status, said)
		default:
			_, query, _ := strings.Cut(bad[i-len(good)], "?")
			name, value, _ := strings.Cut(query, "=")
			name, _, _ = strings.Cut(name, ":")
			_, param, _ := strings.Cut(value, ":")
			if !strings.Contains(said, name) && !strings.Contains(said, value) && (param == "" || !strings.Contains(said, param)) {
				s.Errorf("%s: the refusal does not name it: %s", query, said)
			}
		}
	}
}

// hierarchical reports whether resources of a type are part of each other
// (R4 search, searching hierarchies).
func hierarchical(typ string) bool {
	return slices.ContainsFunc(conformance.R4().SearchParameters(typ), func(sp *conformance.SearchParameter) bool {
		return slices.Contains([]string{"partof", "part-of", "parent"}, sp.Code) && slices.Contains(sp.Targets, typ)
	})
}
