package resttest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// bundleOf makes a bundle of entries.
func bundleOf(typ string, entries ...string) string {
	if len(entries) == 0 {
		return `{"resourceType":"Bundle","type":"` + typ + `"}`
	}
	return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + strings.Join(entries, ",") + `]}`
}

// does is an entry with a request and, unless that is "", a resource.
func does(method, url, resource string, more ...string) string {
	e := `{`
	if resource != "" {
		e += `"resource":` + resource + `,`
	}
	return e + `"request":{"method":"` + method + `","url":"` + url + `"` + strings.Join(more, "") + `}}`
}

// named is an entry with a fullUrl.
func named(fullURL, entry string) string { return `{"fullUrl":"` + fullURL + `",` + entry[1:] }

// statuses are the statuses of a response's entries.
func (b Bundle) statuses() string {
	var all []string
	for _, e := range b.Entry {
		all = append(all, strings.Fields(e.Response.Status)[0])
	}
	return strings.Join(all, " ")
}

// https://hl7.org/fhir/R4/http.html#transaction
func batches(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(`{"resourceType":"Patient","id":"p","gender":"male"}`, `{"resourceType":"Patient","id":"gone"}`)
	s.Do("DELETE", "Patient/gone", "").Want(http.StatusNoContent)
	b := s.Do("POST", "", bundleOf("batch",
		does("GET", "Patient/p", ""),
		does("GET", "Patient/nobody", ""),
		does("POST", "Patient", `{"resourceType":"Patient","gender":"female"}`),
		does("POST", "Patient", `{"resourceType":"Patient","gender":"wrong"}`),
		does("PUT", "Patient/q", `{"resourceType":"Patient","id":"q"}`),
		does("GET", "Patient?gender=male", ""),
		does("GET", "Patient/p/_history", ""),
		does("DELETE", "Patient/q", ""),
		does("GET", "Patient/gone", ""),
		does("PUT", "Patient/p", `{"resourceType":"Patient","id":"p"}`, `,"ifMatch":"W/\"7\""`),
		does("GET", "Patient/p", "", `,"ifNoneMatch":"W/\"1\""`),
		does("GET", "Patient?shoesize=44", ""),
		does("POST", "Patient", `{"resourceType":"Patient"}`, `,"ifNoneExist":"_id=p"`),
		does("PATCH", "Patient/p", binaryPatch(`[{"op":"replace","path":"/gender","value":"other"}]`)),
		does("GET", "metadata", ""),
		does("GET", "nonsense/a/b/c/d", ""),
		does("POST", "", ""),
		`{"resource":{"resourceType":"Patient"}}`,
		does("GET", s.Base+"/Patient/p", ""),
		does("GET", "http://elsewhere.org/Patient/p", ""),
	)).Bundle("batch-response")
	if got, want := b.statuses(), "200 404 201 400 201 200 200 204 410 412 304 400 200 200 200 404 400 400 200 404"; got != want {
		t.Fatalf("statuses\n%s, want\n%s", got, want)
	}
	if ref := b.Entry[0].Ref(); ref != "Patient/p" || b.Entry[0].Response.Etag != `W/"1"` || b.Entry[0].Response.LastModified == "" {
		t.Errorf("read: %+v", b.Entry[0])
	}
	if o := b.Entry[1].Response.Outcome; o == nil || o.Issue[0].Code != "not-found" {
		t.Errorf("an error has its outcome: %+v", b.Entry[1])
	}
	if l := b.Entry[2].Response.Location; !strings.HasPrefix(l, s.Base+"/Patient/new-") {
		t.Errorf("location %q", l)
	}
	if len(b.Entry[2].Resource) != 0 {
		t.Errorf("what was written is sent back unasked: %s", b.Entry[2].Resource)
	}
	if o := b.Entry[3].Response.Outcome; o == nil || o.Issue[0].Expression[0] != "Patient.gender" {
		t.Errorf("%+v", o)
	}
	s.Do("POST", "", bundleOf("batch")+"x").WantOutcome(http.StatusBadRequest, "structure")
	s.Do("POST", "", bundleOf("collection")).WantOutcome(http.StatusBadRequest, "not-supported", "batch or transaction")
	s.Do("POST", "", `{"resourceType":"Patient"}`).WantOutcome(http.StatusBadRequest, "invalid", "Bundle")
	s.Do("POST", "", `{"resourceType":"Bundle","type":"batch","entires":[]}`).WantOutcome(http.StatusBadRequest, "structure", "Bundle")
	b = s.Do("POST", "", bundleOf("batch",
		does("PUT", "Patient/z", `{"resourceType":"Patient","id":"z"}`, `,"ifMatsch":"1"`), does("GET", "Patient/p", ""),
	)).Bundle("batch-response")
	if got := b.statuses(); got != "400 200" || b.Entry[0].Response.Outcome.Issue[0].Code != "structure" {
		t.Errorf("a wrong entry fails alone: %s", got)
	}
	b = s.Do("POST", "", bundleOf("batch", does("POST", "Patient", `{"resourceType":"Patient"}`)), "Prefer", "return=representation").Bundle("batch-response")
	if !strings.HasPrefix(b.Entry[0].Ref(), "Patient/new-") {
		t.Errorf("representation: %s", b.Entry[0].Resource)
	}
}

func binaryPatch(patch string) string {
	return `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(patch)) + `"}`
}

// https://hl7.org/fhir/R4/http.html#trules
func transactions(t *testing.T, open Open) {
	s := Serve(t, open)
	for name, test := range map[string]func(s *Server){
		"methods": methods, "reads": readsInTransactions, "links": links, "conditional": conditionalEntries, "all or nothing": allOrNothing,
		"deletes come first": deletesFirst, "refused": refusedTransactions, "large": largeTransaction,
	} {
		t.Run(name, func(t *testing.T) { test(s.In(t).On(strings.ReplaceAll(name, " ", "-") + "/test")) })
	}
}

func methods(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"old","gender":"male"}`, `{"resourceType":"Patient","id":"patched","gender":"male"}`)
	b := s.Do("POST", "", bundleOf("transaction",
		does("GET", "Patient?gender=female", ""),
		does("POST", "Patient", `{"resourceType":"Patient","id":"ignored","gender":"female"}`),
		does("PUT", "Patient/put", `{"resourceType":"Patient","id":"put","gender":"female"}`),
		does("PATCH", "Patient/patched", binaryPatch(`[{"op":"replace","path":"/gender","value":"female"}]`)),
		does("DELETE", "Patient/old", ""),
		does("DELETE", "Patient/never", ""),
		does("GET", "Patient/put", ""),
		does("HEAD", "Patient/patched", ""),
		does("GET", "Patient/patched", "", `,"ifNoneMatch":"W/\"2\""`),
	)).Bundle("transaction-response")
	if got, want := b.statuses(), "200 201 201 200 204 204 200 200 304"; got != want {
		s.Fatalf("statuses %s, want %s", got, want)
	}
	var found Bundle
	answer := &Answer{t: s.TB, Status: 200, Body: b.Entry[0].Resource}
	if found = answer.Bundle("searchset"); len(found.Entry) != 3 {
		s.Errorf("what reads comes after what writes: %d found", len(found.Entry))
	}
	if e := b.Entry[1]; !strings.HasSuffix(e.Response.Location, "/_history/1") || e.Response.Etag != `W/"1"` || e.Response.LastModified == "" || len(e.Resource) != 0 {
		s.Errorf("created: %+v", e)
	}
	if h := s.Get("_history?_count=4").Bundle("history"); h.Entry[0].Response.LastModified != h.Entry[3].Response.LastModified {
		s.Errorf("one transaction has one time")
	}
	b = s.Do("POST", "", bundleOf("transaction", does("POST", "Patient", `{"resourceType":"Patient"}`)), "Prefer", "return=representation").Bundle("transaction-response")
	if !strings.HasPrefix(b.Entry[0].Ref(), "Patient/new-") {
		s.Errorf("representation: %s", b.Entry[0].Resource)
	}
	s.Do("POST", "", `{"resourceType":"Bundle","type":"transaction"}`).Bundle("transaction-response")
}

// An entry that reads fails the transaction as any other does.
func readsInTransactions(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"here"}`, `{"resourceType":"Patient","id":"gone"}`)
	s.Do("DELETE", "Patient/gone", "").Want(http.StatusNoContent)
	creates := does("POST", "Patient", `{"resourceType":"Patient"}`)
	for _, c := range []struct {
		rule   string
		reads  []string
		status int
		code   string
	}{
		{"nothing there", []string{does("GET", "Patient/none", "")}, http.StatusNotFound, "not-found"},
		{"deleted before", []string{does("GET", "Patient/gone", "")}, http.StatusGone, "deleted"},
		{"deleted with it", []string{does("GET", "Patient/here", ""), does("DELETE", "Patient/here", "")}, http.StatusGone, "deleted"},
		{"an unknown parameter", []string{does("GET", "Patient?shoesize=44", "")}, http.StatusBadRequest, "not-supported"},
		{"an unknown type", []string{does("GET", "Patients", "")}, http.StatusNotFound, "not-supported"},
		{"no version", []string{does("GET", "Patient/here/_history/7", "")}, http.StatusNotFound, "not-found"},
		{"another server", []string{does("GET", "http://elsewhere.org/Patient/here", "")}, http.StatusNotFound, ""},
		{"no url", []string{does("GET", "", "")}, http.StatusBadRequest, ""},
	} {
		a := s.Do("POST", "", bundleOf("transaction", append(c.reads, creates)...))
		var o Outcome
		a.Want(c.status).Decode(&o)
		if c.code != "" && o.Issue[0].Code != c.code || !strings.Contains(string(a.Body), "Bundle.entry[0]") {
			s.Errorf("%s: %s", c.rule, a.Body)
		}
	}
	if got := s.Search("Patient"); got != "here" {
		s.Errorf("left: %q", got)
	}
	b := s.Do("POST", "", bundleOf("transaction",
		does("GET", "Patient/gone", ""), does("GET", "Patient/fresh", ""),
		does("PUT", "Patient/gone", `{"resourceType":"Patient","id":"gone"}`), does("PUT", "Patient/fresh", `{"resourceType":"Patient","id":"fresh"}`),
	)).Bundle("transaction-response")
	if got := b.statuses(); got != "200 200 201 201" || b.Entry[1].Ref() != "Patient/fresh" {
		s.Errorf("what the transaction writes can be read: %s", got)
	}
}

func links(s *Server) {
	const patient, observation = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"
	b := s.Do("POST", "", bundleOf("transaction",
		named(observation, does("POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},`+
			`"identifier":[{"system":"urn:ietf:rfc:3986","value":"`+patient+`"}],`+
			`"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"`+patient+`\">p</a> `+patient+`</div>"},`+
			`"extension":[{"url":"http://e.org/u","valueUri":"`+patient+`"},{"url":"http://e.org/r","valueReference":{"reference":"`+observation+`"}},{"url":"http://e.org/s","valueString":"`+patient+`"}],`+
			`"subject":{"reference":"`+patient+`"},"valueQuantity":{"value":1.10},`+
			`"contained":[{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"`+patient+`"}}],"encounter":{"reference":"#e"},`+
			`"performer":[{"reference":"Practitioner/7"},{"reference":"urn:uuid:00000000-0000-0000-0000-000000000000"}]}`)),
		named(patient, does("POST", "Patient", `{"resourceType":"Patient"}`)),
		named("http://e.org/fhir/Practitioner/7", does("POST", "Practitioner", `{"resourceType":"Practitioner"}`)),
		named("http://e.org/fhir/Group/g", does("PUT", "Group/g", `{"resourceType":"Group","id":"g","type":"practitioner","actual":true,"member":[{"entity":{"reference":"Practitioner/7"}}]}`)),
	), "Prefer", "return=representation").Bundle("transaction-response")
	p, pr := b.Entry[1].Ref(), b.Entry[2].Ref()
	o := string(b.Entry[0].Resource)
	for _, want := range []string{
		`"subject":{"reference":"` + p + `"},"valueQuantity":{"value":1.10}`,
		`"system":"urn:ietf:rfc:3986","value":"` + patient + `"`,
		`<a href=\"` + p + `\">p</a> ` + patient,
		`"valueUri":"` + p + `"`, `"valueReference":{"reference":"` + b.Entry[0].Ref() + `"}`, `"valueString":"` + patient + `"`,
		`"class":{"code":"AMB"},"subject":{"reference":"` + p + `"}`, `"encounter":{"reference":"#e"}`,
		// Its own fullUrl is a urn, which a relative reference has nothing to do with.
		`{"reference":"Practitioner/7"},{"reference":"urn:uuid:00000000-0000-0000-0000-000000000000"}`,
	} {
		if !strings.Contains(o, want) {
			s.Errorf("%s is not in %s", want, o)
		}
	}
	if g := string(b.Entry[3].Resource); !strings.Contains(g, `"reference":"`+pr+`"`) {
		s.Errorf("a relative reference is read against the fullUrl: %s", g)
	}
	if got := s.Search("Observation?subject=" + p); got != strings.TrimPrefix(b.Entry[0].Ref(), "Observation/") {
		s.Errorf("the rewritten reference is found: %q", got)
	}
}

func conditionalEntries(s *Server) {
	s.Put(
		`{"resourceType":"Patient","id":"one","identifier":[{"system":"urn:mrn","value":"1"}]}`,
		`{"resourceType":"Patient","id":"two","identifier":[{"system":"urn:mrn","value":"2"}]}`,
		`{"resourceType":"Patient","id":"three","identifier":[{"system":"urn:mrn","value":"3"}]}`,
		`{"resourceType":"Patient","id":"four","identifier":[{"system":"urn:mrn","value":"4"}],"gender":"male"}`,
	)
	about := func(subject string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"` + subject + `"}}`
	}
	b := s.Do("POST", "", bundleOf("transaction",
		named("urn:uuid:1", does("POST", "Patient", mrn(1), `,"ifNoneExist":"identifier=urn:mrn|1"`)),
		named("urn:uuid:9", does("POST", "Patient", mrn(9), `,"ifNoneExist":"identifier=urn:mrn|9"`)),
		named("urn:uuid:2", does("PUT", "Patient?identifier=urn:mrn|2", mrn(2))),
		named("urn:uuid:8", does("PUT", "Patient?identifier=urn:mrn|8", mrn(8))),
		does("DELETE", "Patient?identifier=urn:mrn|3", ""),
		does("PATCH", "Patient?identifier=urn:mrn|4", binaryPatch(`[{"op":"replace","path":"/gender","value":"female"}]`)),
		does("POST", "Observation", about("urn:uuid:1")),
		does("POST", "Observation", about("urn:uuid:9")),
		does("POST", "Observation", about("urn:uuid:2")),
		does("POST", "Observation", about("Patient?identifier=urn:mrn|4")),
	), "Prefer", "return=representation").Bundle("transaction-response")
	if got, want := b.statuses(), "200 201 200 201 204 200 201 201 201 201"; got != want {
		s.Fatalf("statuses %s, want %s", got, want)
	}
	for i, want := range map[int]string{6: "Patient/one", 7: b.Entry[1].Ref(), 8: "Patient/two", 9: "Patient/four"} {
		if !strings.Contains(string(b.Entry[i].Resource), `{"reference":"`+want+`"}`) {
			s.Errorf("entry %d refers to %s: %s", i, want, b.Entry[i].Resource)
		}
	}
	for rule, c := range map[string]struct {
		entry  string
		status int
	}{
		"create with several matches":      {does("POST", "Patient", mrn(1), `,"ifNoneExist":"identifier:missing=false"`), http.StatusPreconditionFailed},
		"update with several matches":      {does("PUT", "Patient?identifier:missing=false", mrn(1)), http.StatusPreconditionFailed},
		"delete with several matches":      {does("DELETE", "Patient?identifier:missing=false", ""), http.StatusPreconditionFailed},
		"patch without a match":            {does("PATCH", "Patient?identifier=none", binaryPatch(`[]`)), http.StatusNotFound},
		"a reference without a match":      {does("POST", "Observation", about("Patient?identifier=none")), http.StatusPreconditionFailed},
		"a reference with several matches": {does("POST", "Observation", about("Patient?identifier:missing=false")), http.StatusPreconditionFailed},
		"ifMatch of another version":       {does("PUT", "Patient/one", `{"resourceType":"Patient","id":"one"}`, `,"ifMatch":"W/\"7\""`), http.StatusPreconditionFailed},
	} {
		a := s.Do("POST", "", bundleOf("transaction", does("POST", "Basic", `{"resourceType":"Basic","code":{"text":"x"}}`), c.entry))
		if a.Status != c.status || !strings.Contains(string(a.Body), "Bundle.entry[1]") {
			s.Errorf("%s: %d %s", rule, a.Status, a.Body)
		}
	}
	if got := s.Search("Basic"); got != "" {
		s.Errorf("a failed transaction left %q", got)
	}
}

func allOrNothing(s *Server) {
	a := s.Do("POST", "", bundleOf("transaction",
		does("POST", "Patient", `{"resourceType":"Patient"}`),
		does("POST", "Patient", `{"resourceType":"Patient","gender":"wrong"}`),
	)).WantOutcome(http.StatusBadRequest, "code-invalid", "Bundle.entry[1].resource.gender")
	_ = a
	if got := s.Search("Patient"); got != "" {
		s.Errorf("left: %q", got)
	}
}

func deletesFirst(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"one","identifier":[{"system":"urn:mrn","value":"1"}]}`)
	b := s.Do("POST", "", bundleOf("transaction",
		does("POST", "Patient", mrn(1), `,"ifNoneExist":"identifier=urn:mrn|1"`),
		does("DELETE", "Patient/one", ""),
	)).Bundle("transaction-response")
	if got := b.statuses(); got != "201 204" {
		s.Errorf("statuses %s", got)
	}
}

func refusedTransactions(s *Server) {
	const p = `{"resourceType":"Patient","id":"p"}`
	for rule, entries := range map[string][]string{
		"one resource twice":                     {does("PUT", "Patient/p", p), does("DELETE", "Patient/p", "")},
		"one resource by id and by criteria":     {does("PUT", "Patient/p", p), does("PUT", "Patient?identifier=x", p)},
		"one fullUrl for two":                    {named("urn:uuid:1", does("POST", "Patient", p)), named("urn:uuid:1", does("POST", "Patient", p))},
		"an operation":                           {does("POST", "Patient/$validate", p)},
		"an unknown type":                        {does("POST", "Patients", p)},
		"a resource of another type":             {does("POST", "Observation", p)},
		"a PUT without an id in the resource":    {does("PUT", "Patient/p", `{"resourceType":"Patient"}`)},
		"a PUT of another id":                    {does("PUT", "Patient/q", p)},
		"a PUT of a type":                        {does("PUT", "Patient", p)},
		"a DELETE of a type":                     {does("DELETE", "Patient", "")},
		"a DELETE of a type with empty criteria": {does("DELETE", "Patient?", "")},
		"no resource":                            {does("POST", "Patient", "")},
		"no request":                             {`{"resource":` + p + `}`},
		"a patch that is no Binary":              {does("PATCH", "Patient/p", p)},
		"a wrong ifMatch":                        {does("PUT", "Patient/p", p, `,"ifMatch":"seven"`)},
		"ifNoneExist of a PUT":                   {does("PUT", "Patient/p", p, `,"ifNoneExist":"_id=p"`)},
		"unknown criteria":                       {does("POST", "Patient", p, `,"ifNoneExist":"shoesize=44"`)},
		"another server's URL":                   {does("PUT", "http://elsewhere.org/fhir/Patient/p", p)},
	} {
		if a := s.Do("POST", "", bundleOf("transaction", entries...)); a.Status != http.StatusBadRequest || !strings.Contains(string(a.Body), "Bundle.entry[") {
			s.Errorf("%s: %d %s", rule, a.Status, a.Body)
		}
	}
	if got := s.Search("Patient"); got != "" {
		s.Errorf("left: %q", got)
	}
}

func largeTransaction(s *Server) {
	var entries []string
	for i := range 500 {
		entries = append(entries, named(fmt.Sprintf("urn:uuid:%d", i), does("POST", "Patient",
			fmt.Sprintf(`{"resourceType":"Patient","link":[{"other":{"reference":"urn:uuid:%d"},"type":"seealso"}]}`, (i+1)%500))))
	}
	b := s.Do("POST", "", bundleOf("transaction", entries...)).Bundle("transaction-response")
	if len(b.Entry) != 500 {
		s.Errorf("%d entries", len(b.Entry))
	}
	if b := s.Get("Patient?_total=accurate&_count=1&_include:iterate=Patient:link").Bundle("searchset"); *b.Total != 500 || b.IDs("include") == "" {
		s.Errorf("total %d", *b.Total)
	}
}
