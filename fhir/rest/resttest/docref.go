package resttest

import (
	"fmt"
	"net/http"
	"testing"
)

// docref: US Core 6.1.0, OperationDefinition docref.
func docref(t *testing.T, open Open) {
	s := Serve(t, open)
	document := func(id, patient, typ, status, date, period string) string {
		return fmt.Sprintf(`{"resourceType":"DocumentReference","id":%q,"status":%q,"type":{"coding":[{"system":"http://loinc.org","code":%q}]},`+
			`"subject":{"reference":"Patient/%s"},"date":%q,"content":[{"attachment":{"url":"http://example.org/%s"}}],"context":{"period":%s}}`, id, status, typ, patient, date, id, period)
	}
	s.Put(`{"resourceType":"Patient","id":"a"}`, `{"resourceType":"Patient","id":"b"}`,
		document("old", "a", "34133-9", "superseded", "2020-01-01T00:00:00Z", `{"start":"2019-01-01","end":"2019-12-31"}`),
		document("new", "a", "34133-9", "current", "2022-01-01T00:00:00Z", `{"start":"2021-01-01","end":"2021-12-31"}`),
		document("middle", "a", "34133-9", "current", "2021-01-01T00:00:00Z", `{"start":"2020-01-01","end":"2020-12-31"}`),
		document("wrong", "a", "34133-9", "entered-in-error", "2023-01-01T00:00:00Z", `{"start":"2020-01-01","end":"2022-12-31"}`),
		document("note", "a", "11488-4", "current", "2024-01-01T00:00:00Z", `{"start":"2020-06-01"}`),
		document("other", "b", "34133-9", "current", "2025-01-01T00:00:00Z", `{"start":"2020-06-01"}`))
	for query, want := range map[string]string{
		"patient=a":      "new",
		"patient=b":      "other",
		"patient=nobody": "",
		"patient=a&type=http://loinc.org|11488-4":                        "note",
		"patient=a&type=11488-4&type=34133-9":                            "note",
		"patient=a&start=2020-03-01":                                     "new middle",
		"patient=a&end=2020-03-01T00:00:00Z":                             "old middle",
		"patient=a&start=2020-01-01&end=2020-12-31":                      "middle",
		"patient=a&start=2020-01-01&end=2020-12-31&type=11488-4,34133-9": "middle note",
		"patient=a&on-demand=false":                                      "new",
		"patient=a&on-demand=true":                                       "",
		"patient=a&on-demand=true&start=2020-01-01":                      "",
	} {
		b := s.Get("DocumentReference/$docref?" + query).Bundle("searchset")
		if got := b.IDs("match"); got != want {
			t.Errorf("%s finds %q, not %q", query, got, want)
		}
		if b.LinkTo("next") != "" {
			t.Errorf("%s goes on", query)
		}
	}
	first := s.Get("DocumentReference/$docref?patient=a&start=2019-01-01&_count=2").Bundle("searchset")
	second := s.Get(first.LinkTo("next")).Bundle("searchset")
	if got := first.IDs("match") + " " + second.IDs("match"); got != "old new middle" || second.LinkTo("next") != "" {
		t.Errorf("page by page: %s", got)
	}
	posted := s.Do("POST", "DocumentReference/$docref", `{"resourceType":"Parameters","parameter":[{"name":"patient","valueId":"a"},{"name":"type","valueCoding":{"system":"http://loinc.org","code":"11488-4"}}]}`)
	if got := posted.Bundle("searchset").IDs("match"); got != "note" {
		t.Errorf("posted: %s", got)
	}
	for query, names := range map[string]string{
		"":                                 "patient",
		"patient=Patient/a":                "patient",
		"patient=a&patient=b":              "patient",
		"patient=a&start=soon":             "start",
		"patient=a&end=2020-13-01":         "end",
		"patient=a&on-demand=maybe":        "on-demand",
		"patient=a&profile=http://e.org/x": "profile",
	} {
		if a := s.Get("DocumentReference/$docref?" + query).Want(http.StatusBadRequest); !contains(a, names) {
			t.Errorf("%s: %s", query, a.Body)
		}
	}
	s.Get("DocumentReference/old/$docref?patient=a").WantOutcome(http.StatusNotFound, "not-supported")
}

func contains(a *Answer, name string) bool {
	var o Outcome
	a.Decode(&o)
	return len(o.Issue) == 1 && len(o.Issue[0].Expression) == 1 && o.Issue[0].Expression[0] == name
}
