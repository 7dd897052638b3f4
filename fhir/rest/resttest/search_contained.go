package resttest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
)

// medicationRequest refers to all that it contains, as R4's rule dom-3 has it;
// supportingInformation is no search parameter.
func medicationRequest(id, medication string, contained ...string) string {
	var all []string
	for _, c := range contained {
		_, rest, _ := strings.Cut(c, `"id":"`)
		inside, _, _ := strings.Cut(rest, `"`)
		all = append(all, `{"reference":"#`+inside+`"}`)
	}
	return `{"resourceType":"MedicationRequest","id":"` + id + `","status":"active","intent":"order","subject":{"reference":"Patient/p"},"medicationReference":{"reference":"` +
		medication + `"},"supportingInformation":[` + strings.Join(all, ",") + `],"contained":[` + strings.Join(contained, ",") + `]}`
}

func medication(id, code, status string) string {
	return `{"resourceType":"Medication","id":"` + id + `","status":"` + status + `","code":{"coding":[{"system":"urn:m","code":"` + code + `"}]}}`
}

// https://hl7.org/fhir/R4/search.html#contained
var containedResources = subject{
	name: "contained",
	resources: []string{
		medication("free", "a", "active"),
		medicationRequest("one", "#m", medication("m", "a", "active")),
		medicationRequest("two", "#x", medication("x", "a", "inactive"), medication("y", "b", "active")),
		medicationRequest("other", "#n", `{"resourceType":"Medication","id":"n","code":{"text":"c"},"ingredient":[{"itemReference":{"reference":"Substance/s"}}]}`),
		`{"resourceType":"Substance","id":"s","code":{"coding":[{"code":"salt"}]}}`,
		`{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"contained":[{"resourceType":"Patient","id":"kid","birthDate":"2020-05","name":[{"family":"Inner"}],"managingOrganization":{"reference":"Organization/org"}}],"subject":{"reference":"#kid"}}`,
		`{"resourceType":"Organization","id":"org","name":"Outer"}`,
	},
	found: []found{
		{"false is the default", "Medication?code=a", "free"},
		{"false", "Medication?code=a&_contained=false&_containedType=contained", "free"},
		{"true finds containers", "Medication?code=a&_contained=true", "one two"},
		{"container is the default type", "Medication?code=a&_contained=true&_containedType=container", "one two"},
		{"true with contained finds what is contained", "Medication?code=a&_contained=true&_containedType=contained", "m x"},
		{"both", "Medication?code=a&_contained=both", "free one two"},
		{"both with contained", "Medication?code=a&_contained=both&_containedType=contained", "free m x"},
		{"AND holds for one contained resource", "Medication?code=a&status=active&_contained=true", "one"},
		{"AND holds for one, with contained", "Medication?code=b&status=active&_contained=true&_containedType=contained", "y"},
		{"no criteria", "Medication?_contained=true&_containedType=contained", "m x y n"},
		{":not holds for one of several", "Medication?status:not=active&_contained=true&_containedType=contained", "x n"},
		{":missing", "Medication?status:missing=true&_contained=both&_containedType=contained", "n"},
		{":text", "Medication?code:text=c&_contained=true", "other"},
		{"_id of a contained resource", "Medication?_id=x&_contained=true&_containedType=contained", "x"},
		{"a reference out of it", "Medication?ingredient=Substance/s&_contained=true", "other"},
		{"a _filter", "Medication?_filter=code eq urn:m|a and not (status eq active)&_contained=true&_containedType=contained", "x"},
		{"a date", "Patient?birthdate=2020&_contained=true", "o"},
		{"two dates", "Patient?birthdate=ge2020-01&birthdate=lt2021&_contained=both", "o"},
		{"another type is not found", "Group?_contained=true", ""},
		{"across types", "?_type=Medication,Patient&_contained=true&_containedType=contained", "m x y n kid"},
		{"a chain looks inside", "MedicationRequest?medication.code=a", "one two"},
		{"a chain by type looks inside", "MedicationRequest?medication:Medication.code=c", ""},
		{"a chain follows that reference only", "MedicationRequest?medication.code=b", ""},
		{"a chain leads out again", "MedicationRequest?medication.ingredient:Substance.code=salt", "other"},
		{"a chain of a computed type", "Observation?patient.name=inner", "o"},
		{"a chain of three", "Observation?subject:Patient.organization.name=outer", "o"},
		{"a chain with :missing", "MedicationRequest?medication.status:missing=true", "other"},
		{"a chain with :not", "MedicationRequest?medication.status:not=active", "two other"},
		{"_has does not see what is contained", "Patient?_has:MedicationRequest:patient:medication.code=a", ""},
		{"a reference to what is contained is a value", "Observation?subject:missing=true", ""},
		{"a reference to what is contained is not one of that id", "Observation?subject=kid", ""},
	},
	refused: []refused{
		{"a chain", "Medication?ingredient:Substance.code=a&_contained=true", "not-supported", []string{"_contained", "ingredient"}},
		{"_has", "Medication?_has:MedicationRequest:medication:status=active&_contained=true", "not-supported", []string{"_contained", "_has"}},
		{"_list", "Medication?_list=x&_contained=true", "not-supported", []string{"_contained", "_list"}},
		{"_sort", "Medication?_sort=code&_contained=both", "not-supported", []string{"_contained", "_sort"}},
		{"_total", "Medication?_total=accurate&_contained=true", "not-supported", []string{"_contained", "_total"}},
		{"_summary", "Medication?_summary=true&_contained=true", "not-supported", []string{"_contained", "_summary"}},
		{"_summary=count", "Medication?_summary=count&_contained=true", "not-supported", []string{"_contained", "_summary"}},
		{"_count=0", "Medication?_count=0&_contained=true", "not-supported", []string{"_contained", "_count"}},
		{"_elements", "Medication?_elements=code&_contained=true", "not-supported", []string{"_contained", "_elements"}},
		{"_include", "Medication?_include=Medication:ingredient&_contained=true", "not-supported", []string{"_contained", "_include"}},
		{"_revinclude", "Medication?_revinclude=MedicationRequest:medication&_contained=true", "not-supported", []string{"_contained", "_revinclude"}},
		{"_lastUpdated", "Medication?_lastUpdated=ge2020&_contained=true", "not-supported", []string{"_contained", "_lastUpdated"}},
		{"near", "Location?near=1|2|3&_contained=true", "not-supported", []string{"_contained", "near"}},
		{"a chain in a _filter", "Medication?_filter=ingredient.code eq x&_contained=true", "not-supported", []string{"_contained", "_filter"}},
		{"a compartment", "Patient/p/Observation?_contained=true", "not-supported", []string{"_contained", "compartment"}},
		{"_contained of another kind", "Patient?_contained=maybe", "value", []string{"_contained"}},
		{"_containedType of another kind", "Patient?_contained=true&_containedType=maybe", "value", []string{"_containedType"}},
		{"a modifier", "Patient?_contained:exact=true", "not-supported", []string{"_contained", "exact"}},
	},
}

// containedEntries are what entries say of contained resources, how pages go
// through them, and who may ask.
func containedEntries(t *testing.T, open Open) {
	s := Serve(t, open)
	for i := range containedResources.found {
		containedResources.found[i].query = strings.ReplaceAll(containedResources.found[i].query, " ", "%20")
	}
	for i := range containedResources.refused {
		containedResources.refused[i].query = strings.ReplaceAll(containedResources.refused[i].query, " ", "%20")
	}
	containedResources.run(t, s)
	t.Run("fullUrl", func(t *testing.T) {
		s := s.In(t).On("fullurl/test")
		s.Put(medicationRequest("one", "#m", medication("m", "a", "active")))
		for query, want := range map[string]string{"": "MedicationRequest/one", "&_containedType=contained": "MedicationRequest/one#m"} {
			b := s.Get("Medication?code=a&_contained=true" + query).Bundle("searchset")
			if len(b.Entry) != 1 || b.Entry[0].FullURL != s.Base+"/"+want || b.Entry[0].Search.Mode != "match" {
				t.Errorf("%s: %+v", query, b.Entry)
			}
		}
		s.Get("Medication?_contained=true&_containedType=contained", "Accept", "application/fhir+xml").JSON().Bundle("searchset")
		s.Do("POST", "Medication", medication("x", "a", "active"), "If-None-Exist", "code=a&_contained=true").WantOutcome(http.StatusBadRequest, "value", "Criteria")
	})
	t.Run("pages", func(t *testing.T) {
		s := s.In(t).On("pages/test")
		var want []string
		for i := range 5 {
			var inside []string
			for k := range i {
				id := fmt.Sprintf("m%d-%d", i, k)
				inside, want = append(inside, medication(id, "a", "active")), append(want, id)
			}
			s.Put(medicationRequest(fmt.Sprintf("r%d", i), "#never", append(inside, medication("never", "b", "active"))...))
		}
		for count := 1; count <= len(want)+1; count++ {
			var got []string
			next := fmt.Sprintf("Medication?code=a&_contained=true&_containedType=contained&_count=%d", count)
			back := ""
			for next != "" {
				b := s.Get(next).Bundle("searchset")
				if len(b.Entry) > count || len(b.Entry) == 0 {
					t.Fatalf("%d entries on a page of %d", len(b.Entry), count)
				}
				got = append(got, strings.Fields(b.IDs("match"))...)
				if b.LinkTo("previous") != "" {
					if ids := s.Search(b.LinkTo("previous")); ids != back {
						t.Errorf("the page before is %q and was %q", ids, back)
					}
				}
				back, next = b.IDs("match"), b.LinkTo("next")
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("pages of %d: %v, want %v", count, got, want)
			}
		}
	})
	t.Run("a page that looks at many ends early", func(t *testing.T) {
		s := s.In(t).On("many/test")
		var entries []string
		for i := range 2050 {
			entries = append(entries, does("PUT", fmt.Sprintf("MedicationRequest/r%d", i),
				medicationRequest(fmt.Sprintf("r%d", i), "#m", medication("m", "a", "inactive"), medication("n", "b", "active"))))
		}
		s.Do("POST", "", bundleOf("transaction", entries...)).Bundle("transaction-response")
		s.Put(medicationRequest("last", "#m", medication("found", "a", "active")))
		b := s.Get("Medication?code=a&status=active&_contained=true&_containedType=contained").Bundle("searchset")
		if b.IDs("match") != "" || b.IDs("outcome") == "" && len(b.Entry) != 1 {
			t.Errorf("%+v", b.Entry)
		}
		if got := s.Search(b.LinkTo("next")); got != "found" {
			t.Errorf("the next page has %q", got)
		}
	})
	t.Run("leave", func(t *testing.T) {
		s := ServeWith(t, open, func(o *rest.Options) {
			o.Authorize = func(_ context.Context, a rest.Access) error {
				if a.Interaction == "search-system" && a.Type == "" {
					return outcome.New(http.StatusForbidden, outcome.CodeForbidden, "Not all types.")
				}
				return nil
			}
		})
		s.Get("Medication?code=a").Bundle("searchset")
		s.Get("Medication?code=a&_contained=true").WantOutcome(http.StatusForbidden, "forbidden")
	})
}
