package uscore

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
)

func TestUSCoreSearches(t *testing.T) {
	patients := 40
	if testing.Short() {
		patients = 4
	}
	run(t, openPebble, patients, 0)
}

// Fewer patients and the first searches of each: what differs between the
// engines is not what a value means.
func TestUSCoreSearchesOnMongoDB(t *testing.T) {
	run(t, resttest.OnMongoDB(t), 2, 1)
}

// run loads patients and tries each search of the metadata, at most a number
// of times unless it is 0.
func run(t *testing.T, open resttest.Open, patients, most int) {
	groups := metadata(t)
	p := newPopulation()
	p.synthea(t, patients)
	p.invent(t, groups)
	s := resttest.Serve(t, open)
	p.load(s)

	tried, searches, matches := 0, 0, 0
	for _, g := range groups {
		for _, a := range g.Searches {
			searches++
			t.Run(g.Name+"/"+strings.Join(a.Names, "+"), func(t *testing.T) {
				s := s.In(t)
				all := p.plan(&g, a)
				if len(all) == 0 {
					t.Fatal("no resource has a value of each parameter: nothing was searched for")
				}
				if most > 0 {
					all = all[:most]
				}
				for i, q := range all {
					want := p.answer(q)
					if i == 0 && (len(want) == 0 || len(want) == len(p.byType[q.typ])) {
						t.Errorf("%s finds %d of %d: that tells nothing", q, len(want), len(p.byType[q.typ]))
					}
					got := found(s, q.String(), i == 1)
					same(t, q.String(), got, want)
					tried, matches = tried+1, matches+len(want)
				}
				tried += p.included(s, &g, all[0])
				tried += p.chains(s, &g, a)
			})
		}
	}
	if searches != 222 {
		t.Errorf("the metadata have 222 searches, %d were tried", searches)
	}
	t.Logf("US Core: %d searches of %d profiles, tried %d times on %d resources: %d matches, as they should be", searches, len(groups), tried, len(p.byRef), matches)
}

func same(t *testing.T, query string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
	wrong := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return slices.Contains(want, s) })
	t.Errorf("%s: %d found, %d should be; missing: %v; wrong: %v", query, len(got), len(want), missing[:min(3, len(missing))], wrong[:min(3, len(wrong))])
}

// found are the matches of a search, all pages of it, sorted.
func found(s *resttest.Server, query string, post bool) []string {
	s.Helper()
	matches, _ := pages(s, query, post)
	return matches
}

// pages are the matches of a search and what is included, each sorted.
func pages(s *resttest.Server, query string, post bool) (matches, included []string) {
	s.Helper()
	matches, included = []string{}, []string{}
	at, form, _ := strings.Cut(query, "?")
	var b resttest.Bundle
	if post {
		b = s.Do(http.MethodPost, at+"/_search", form+"&_count=500", "Content-Type", "application/x-www-form-urlencoded").Bundle("searchset")
	} else {
		b = s.Get(query + "&_count=500").Bundle("searchset")
	}
	for {
		for _, e := range b.Entry {
			if e.Search.Mode == "include" {
				included = append(included, e.Ref())
			} else {
				matches = append(matches, e.Ref())
			}
		}
		next := b.LinkTo("next")
		if next == "" {
			break
		}
		b = s.Get(next).Bundle("searchset")
	}
	slices.Sort(matches)
	slices.Sort(included)
	return matches, slices.Compact(included)
}

// referring are the elements of the parameters that the metadata include by.
var referring = map[string]string{
	"CareTeam:participant":          "CareTeam.participant.member",
	"MedicationDispense:medication": "MedicationDispense.medication",
	"MedicationRequest:medication":  "MedicationRequest.medication",
	"PractitionerRole:endpoint":     "PractitionerRole.endpoint",
	"PractitionerRole:practitioner": "PractitionerRole.practitioner",
	"Provenance:target":             "Provenance.target",
}

// included tries a search with each include of the group and with all.
func (p *population) included(s *resttest.Server, g *group, q query) int {
	s.Helper()
	matches := p.answer(q)
	tried := 0
	try := func(with string, want []string) {
		query := q.String() + with
		got, more := pages(s, query, false)
		same(s.TB.(*testing.T), query, got, matches)
		slices.Sort(want)
		same(s.TB.(*testing.T), query+" includes", more, slices.Compact(want))
		tried++
	}
	everything, names := []string{}, ""
	for _, include := range g.Includes {
		want := []string{}
		parts := strings.SplitN(include, ":", 3)
		path, ok := referring[parts[0]+":"+parts[1]]
		if !ok {
			s.Fatalf("the metadata include by a parameter that is not known here: %s", include)
		}
		for _, match := range matches {
			for _, v := range p.byRef[match].at(path) {
				for _, ref := range members(v, "reference") {
					if p.byRef[ref] != nil && (len(parts) < 3 || strings.HasPrefix(ref, parts[2]+"/")) {
						want = append(want, ref)
					}
				}
			}
		}
		try("&_include="+include, slices.Clone(want))
		everything, names = append(everything, want...), names+"&_include="+include
	}
	for _, include := range g.RevIncludes {
		want := []string{}
		if include != "Provenance:target" {
			s.Fatalf("the metadata include by a parameter that is not known here: %s", include)
		}
		for _, provenance := range p.byType["Provenance"] {
			for _, v := range provenance.at(referring[include]) {
				if refs := members(v, "reference"); len(refs) > 0 && slices.Contains(matches, refs[0]) {
					want = append(want, provenance.ref())
				}
			}
		}
		try("&_revinclude="+include, slices.Clone(want))
		everything, names = append(everything, want...), names+"&_revinclude="+include
	}
	if len(g.Includes) > 0 {
		try(names, everything)
	}
	return tried
}

// chains tries the chains of a search's parameters.
func (p *population) chains(s *resttest.Server, g *group, a asked) int {
	s.Helper()
	tried := 0
	for _, name := range a.Names {
		for _, c := range g.Definitions[name].Chain {
			query, want, err := p.chained(g, name, c.Chain)
			if err != nil {
				s.Fatal(err)
			}
			if len(want) == 0 {
				s.Fatalf("%s finds nothing", query)
			}
			same(s.TB.(*testing.T), query, found(s, query, false), want)
			tried++
		}
	}
	return tried
}
