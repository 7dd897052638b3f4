package redox

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// TestRequiredFields takes each required field out of a complete message in
// turn, for every event that can be sent, and expects the documented error.
func TestRequiredFields(t *testing.T) {
	models := catalogue(t)
	count := 0
	for _, e := range Events() {
		if e.Response {
			continue
		}
		fields := models[e.DataModel][e.EventType].Fields
		for _, f := range fields {
			if !f.Required || f.Path == "Meta" || strings.HasPrefix(f.Path, "Meta.DataModel") || strings.HasPrefix(f.Path, "Meta.EventType") {
				continue // without these nobody knows what is required
			}
			count++
			message := everyField(e.DataModel, e.EventType, fields, nil)
			remove(message, strings.Split(f.Path, "."))
			data, err := json.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(data)
			var problems Errors
			if !errors.As(err, &problems) || !errors.Is(err, ErrRequired) {
				t.Errorf("%s:%s without %s: %v, want ErrRequired", e.DataModel, e.EventType, f.Path, err)
				continue
			}
			path := firstOf(f.Path)
			want := "Required field missing - " + path + " in " + e.DataModel + ":" + e.EventType
			p := problems[0]
			if p.Text != want || p.Path != path || p.Type != "message" || p.Module != "DataModels" || p.Field != strings.TrimSuffix(f.Path[strings.LastIndexByte(f.Path, '.')+1:], "[]") {
				t.Errorf("%s:%s without %s: %+v, want the text %q", e.DataModel, e.EventType, f.Path, p, want)
			}
		}
	}
	if count < 200 {
		t.Errorf("%d required fields, want more", count)
	}
	t.Logf("%d required fields", count)
}

// remove deletes a member, in every item of the lists on its way.
func remove(at any, parts []string) {
	if list, ok := at.([]any); ok {
		for _, item := range list {
			remove(item, parts)
		}
		return
	}
	object := at.(map[string]any)
	name := strings.TrimSuffix(parts[0], "[]")
	if len(parts) == 1 {
		delete(object, name)
		return
	}
	remove(object[name], parts[1:])
}

// firstOf is the path of the first item: Patient.Identifiers[0].ID.
func firstOf(path string) string {
	path = strings.TrimSuffix(path, "[]")
	return strings.ReplaceAll(path, "[]", "[0]")
}

func TestParseErrors(t *testing.T) {
	const visit = `"Visit":{"VisitNumber":"1","VisitDateTime":"2026-03-09T15:30:00Z","Duration":15,"Location":{"Department":"A"}}`
	const meta = `"Meta":{"DataModel":"Scheduling","EventType":"New"}`
	for _, test := range []struct {
		name, body string
		kind       error
		texts      []string
	}{
		{"required applies only below an object that is there", `{` + meta + `}`, ErrRequired,
			[]string{"Required field missing - Visit in Scheduling:New"}},
		{"all problems are reported", `{` + meta + `,"Visit":{"Duration":"15","Location":{}}}`, ErrType, []string{
			"Visit.Duration must be a number in Scheduling:New",
			"Required field missing - Visit.Location.Department in Scheduling:New",
			"Required field missing - Visit.VisitDateTime in Scheduling:New",
			"Required field missing - Visit.VisitNumber in Scheduling:New",
		}},
		{"null is missing", `{` + meta + `,"Visit":null}`, ErrRequired, []string{"Required field missing - Visit in Scheduling:New"}},
		{"object", `{` + meta + `,` + visit + `,"Patient":[]}`, ErrType, []string{"Patient must be an object in Scheduling:New"}},
		{"array", `{` + meta + `,` + visit + `,"Patient":{"Identifiers":{}}}`, ErrType, []string{"Patient.Identifiers must be an array in Scheduling:New"}},
		{"item", `{` + meta + `,` + visit + `,"Patient":{"Identifiers":[{"ID":"1"},7]}}`, ErrType, []string{"Patient.Identifiers[1] must be an object in Scheduling:New"}},
		{"string", `{` + meta + `,` + visit + `,"Patient":{"Demographics":{"LastName":true}}}`, ErrType, []string{"Patient.Demographics.LastName must be a string in Scheduling:New"}},
		{"boolean", `{` + meta + `,` + visit + `,"Patient":{"Demographics":{"IsDeceased":"no"}}}`, ErrType, []string{"Patient.Demographics.IsDeceased must be a boolean in Scheduling:New"}},
		{"control character", `{` + meta + `,` + visit + `,"Patient":{"Demographics":{"LastName":"a\u0000b"}}}`, ErrValue, []string{"Patient.Demographics.LastName must not have control characters in Scheduling:New"}},
		{"unknown model", `{"Meta":{"DataModel":"Weather","EventType":"New"}}`, ErrModel, []string{"Data model not supported - Weather"}},
		{"a model's name that is none is not repeated", `{"Meta":{"DataModel":"Jane <Doe>","EventType":"New"}}`, ErrModel, []string{"Data model not supported - (not a name)"}},
		{"unknown event", `{"Meta":{"DataModel":"Scheduling","EventType":"Old"}}`, ErrEvent, []string{"Event type not supported - Old in Scheduling"}},
		{"response", `{"Meta":{"DataModel":"Scheduling","EventType":"BookedResponse"}}`, ErrResponse,
			[]string{"Event type is a response and cannot be sent - Scheduling:BookedResponse"}},
		{"no meta", `{}`, ErrRequired, []string{"Required field missing - Meta.DataModel"}},
		{"no event", `{"Meta":{"DataModel":"Scheduling"}}`, ErrRequired, []string{"Required field missing - Meta.EventType in Scheduling"}},
		{"cut", `{` + meta + `,"Visit":{`, ErrSyntax, nil},
		{"empty", ``, ErrSyntax, nil},
		{"no object", `[1]`, ErrRequired, nil},
		{"trailing", `{` + meta + `,` + visit + `} x`, ErrSyntax, nil},
		{"twice", `{` + meta + `,` + meta + `,` + visit + `}`, ErrSyntax, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse([]byte(test.body))
			if m != nil || !errors.Is(err, test.kind) {
				t.Fatalf("Parse = %v, %v; want %v", m, err, test.kind)
			}
			var problems Errors
			if !errors.As(err, &problems) {
				t.Fatalf("%T is not Errors", err)
			}
			if test.texts == nil {
				return
			}
			var texts []string
			for _, p := range problems {
				texts = append(texts, p.Text)
			}
			if got, want := strings.Join(texts, "\n"), strings.Join(test.texts, "\n"); got != want {
				t.Errorf("texts:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestTolerance parses what real messages have and the catalogue does not.
func TestTolerance(t *testing.T) {
	for _, test := range []struct {
		name, body string
		check      func(*Message) bool
	}{
		{"spaced model name", `{"Meta":{"DataModel":"Clinical Summary","EventType":"PatientQuery"},"Patient":{"Identifiers":[{"ID":"1","IDType":"MR"}]}}`,
			func(m *Message) bool {
				return m.DataModel == "ClinicalSummary" && m.Meta().DataModel == "Clinical Summary"
			}},
		{"number for a string", `{"Meta":{"DataModel":"PatientAdmin","EventType":"NewPatient"},"Patient":{"Identifiers":[{"ID":0815.50,"IDType":"MR"}]}}`, nil},
		{"number keeps its digits", `{"Meta":{"DataModel":"PatientAdmin","EventType":"NewPatient"},"Patient":{"Identifiers":[{"ID":815.50,"IDType":"MR"}]}}`,
			func(m *Message) bool { return m.Body.(*PatientAdmin).Patient.Identifiers[0].ID == "815.50" }},
		{"empty string for anything", `{"Meta":{"DataModel":"PatientAdmin","EventType":"NewPatient","Test":"","Source":""},"Patient":{"Identifiers":[{"ID":"1","IDType":"MR"}],"Notes":"","Demographics":{"IsDeceased":""}}}`,
			func(m *Message) bool { return m.Body.(*PatientAdmin).Patient.Demographics.IsDeceased == nil }},
		{"one phone number for all", `{"Meta":{"DataModel":"PatientAdmin","EventType":"NewPatient"},"Patient":{"Identifiers":[{"ID":"1","IDType":"MR"}],"PCP":{"PhoneNumber":"+1"}}}`,
			func(m *Message) bool { return m.Body.(*PatientAdmin).Patient.PCP.PhoneNumber.Office == "+1" }},
		{"unknown members stay", `{"Meta":{"DataModel":"PatientAdmin","EventType":"NewPatient"},"Patient":{"Identifiers":[{"ID":"1","IDType":"MR"}],"Shoe":{"Size":[43]}}}`,
			func(m *Message) bool {
				return string(m.Body.(*PatientAdmin).Patient.Unknown["Shoe"]) == `{"Size":[43]}`
			}},
		{"both spellings of a code system's name", `{"Meta":{"DataModel":"Claim","EventType":"PaymentBatch"},"CodeSet":"x","Codeset":"y"}`,
			func(m *Message) bool { return len(m.Body.(*ClaimMessage).Unknown) == 2 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse([]byte(test.body))
			if test.check == nil { // 0815 is no JSON
				if !errors.Is(err, ErrSyntax) {
					t.Fatalf("Parse = %v, want ErrSyntax", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !test.check(m) {
				t.Errorf("not as expected: %+v", m.Body)
			}
		})
	}
}

func TestNewMessage(t *testing.T) {
	meta := func() *Meta { return &Meta{DataModel: "Scheduling", EventType: "New"} }
	visit := func() *Visit {
		return &Visit{VisitNumber: "1", VisitDateTime: "2026-03-09T15:30:00Z", Duration: Int(15), Location: &Location{Department: "A"}}
	}
	m, err := NewMessage(&Scheduling{Meta: meta(), Visit: visit()})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Meta":{"DataModel":"Scheduling","EventType":"New"},"Visit":{"VisitNumber":"1","VisitDateTime":"2026-03-09T15:30:00Z","Duration":15,"Location":{"Department":"A"}}}`
	if got := string(marshal(t, m)); got != want {
		t.Errorf("Marshal = %s, want %s", got, want)
	}
	for _, test := range []struct {
		name string
		body Body
		kind error
	}{
		{"no meta", &Scheduling{Visit: visit()}, ErrRequired},
		{"no visit", &Scheduling{Meta: meta()}, ErrRequired},
		{"another body", &PatientAdmin{Meta: meta()}, ErrModel},
		{"unknown", &Scheduling{Meta: &Meta{DataModel: "X", EventType: "Y"}}, ErrModel},
	} {
		if m, err := NewMessage(test.body); m != nil || !errors.Is(err, test.kind) {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
	if _, err := Marshal(&Message{DataModel: "Scheduling", EventType: "New", Body: &Scheduling{Visit: &Visit{Duration: "15 minutes"}}}); err == nil {
		t.Error("Marshal wrote a Number that is none")
	}
}

func TestNotTranslated(t *testing.T) {
	for _, e := range Events() {
		if e.Response || translated(e.DataModel, e.EventType) {
			continue
		}
		m := &Message{DataModel: e.DataModel, EventType: e.EventType, Body: events[e.DataModel+":"+e.EventType].new()}
		_, err := m.ToFHIR(testOptions)
		if want := "Not translated - " + m.Pair(); !errors.Is(err, ErrNotTranslated) || err.Error() != want {
			t.Errorf("ToFHIR(%s): %v, want %q", m.Pair(), err, want)
		}
	}
}
