package athenahealth

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/polling"
)

func TestDecide(t *testing.T) {
	monday, tuesday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	state := func(status string, start time.Time, edit ...func(*content)) *content {
		c := &content{Appointment: appointment{AppointmentID: "2", AppointmentStatus: status}, Start: start, Patient: &patient{}}
		for _, e := range edit {
			e(c)
		}
		return c
	}
	noShow := func(c *content) { c.Appointment.CancelReasonNoShow = true }
	nobody := func(c *content) { c.Patient = nil }
	row, err := json.Marshal(appointment{AppointmentID: "1", RescheduledAppointmentID: "2"})
	if err != nil {
		t.Fatal(err)
	}
	linked := []polling.Change{{ID: "1", Row: row}}
	for name, c := range map[string]struct {
		old  *content
		now  *content
		from []polling.Change
		want string
	}{
		"not known":                        {nil, state("f", monday), nil, "New"},
		"not known, checked in already":    {nil, state("2", monday), nil, "New"},
		"not known, replaces another":      {nil, state("f", monday), linked, "Reschedule"},
		"not known, replaced and off":      {nil, state("x", monday), linked, "Cancel"},
		"not known, off":                   {nil, state("x", monday), nil, "Cancel"},
		"not known, nobody's":              {nil, state("o", monday, nobody), nil, ""},
		"moved":                            {state("f", monday), state("f", tuesday), nil, "Reschedule"},
		"arrived":                          {state("f", monday), state("2", monday), nil, "Modification"},
		"something else":                   {state("f", monday), state("f", monday), nil, "Modification"},
		"known, so a link says no more":    {state("f", monday), state("f", monday), linked, "Modification"},
		"called off":                       {state("f", monday), state("x", monday), nil, "Cancel"},
		"moved and called off":             {state("f", monday), state("x", tuesday), nil, "Cancel"},
		"did not come":                     {state("f", monday), state("x", monday, noShow), nil, "NoShow"},
		"off, another reason now":          {state("x", monday, noShow), state("x", monday), nil, "Cancel"},
		"off and booked again":             {state("x", monday), state("f", monday), nil, "New"},
		"slot open again":                  {state("f", monday), state("o", monday, nobody), nil, "Cancel"},
		"off, and then the slot is open":   {state("x", monday), state("o", monday, nobody), nil, ""},
		"nobody's, and then it is a visit": {state("o", monday, nobody), state("f", monday), nil, "New"},
	} {
		if got, _ := decide(c.old, *c.now, c.from); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestStartsAreLocalToTheDepartment(t *testing.T) {
	zone := func(name string) *time.Location {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	c := &Connector{zone: zone("America/Chicago")}
	for name, x := range map[string]struct {
		date, start string
		department  *department
		want        string
	}{
		"its own zone":               {"03/10/2026", "09:00", &department{TimeZoneName: "US/Pacific"}, "2026-03-10T16:00:00.000Z"},
		"no zone: the practice's":    {"03/10/2026", "09:00", &department{}, "2026-03-10T14:00:00.000Z"},
		"no department":              {"03/10/2026", "09:00", nil, "2026-03-10T14:00:00.000Z"},
		"a zone nobody knows":        {"03/10/2026", "09:00", &department{TimeZoneName: "Local Time"}, "2026-03-10T14:00:00.000Z"},
		"winter":                     {"01/10/2026", "09:00", &department{TimeZoneName: "US/Eastern"}, "2026-01-10T14:00:00.000Z"},
		"the last hour before":       {"03/08/2026", "01:30", &department{TimeZoneName: "US/Eastern"}, "2026-03-08T06:30:00.000Z"},
		"the first hour after":       {"03/08/2026", "03:30", &department{TimeZoneName: "US/Eastern"}, "2026-03-08T07:30:00.000Z"},
		"Arizona has no summer time": {"07/10/2026", "09:00", &department{TimeZoneName: "US/Arizona"}, "2026-07-10T16:00:00.000Z"},
	} {
		got, err := c.start(appointment{Date: x.date, StartTime: x.start}, x.department)
		if err != nil || got.Format(dateTimeLayout) != x.want {
			t.Errorf("%s: %v, want %s (%v)", name, got, x.want, err)
		}
	}
	if _, err := c.start(appointment{Date: "2026-03-10", StartTime: "09:00"}, nil); err == nil {
		t.Error("a date of another form was read")
	}
}

func TestIdsComeAsStringsOrNumbers(t *testing.T) {
	var a appointment
	if err := json.Unmarshal([]byte(`{"appointmentid":"17","departmentid":150,"duration":"30","patientid":null,"cancelreasonnoshow":"true"}`), &a); err != nil {
		t.Fatal(err)
	}
	if a.AppointmentID != "17" || a.DepartmentID != "150" || a.Duration != 30 || a.PatientID != "" || !a.CancelReasonNoShow {
		t.Errorf("%+v", a)
	}
	for _, wrong := range []string{`{"appointmentid":{}}`, `{"duration":"long"}`, `{"cancelreasonnoshow":"perhaps"}`} {
		if json.Unmarshal([]byte(wrong), &a) == nil {
			t.Errorf("%s was read", wrong)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0,
		"Mon, 02 Mar 2026 12:01:00 GMT": time.Minute, "Mon, 02 Mar 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", text, got, want)
		}
	}
}

// However calls come, no window of one second holds more of them than the
// rate allows.
func TestTheBudgetHoldsInEverySecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 100).Draw(t, "rate")
		now := time.Unix(1_780_000_000, 0)
		b := newBudget(float64(rate), func() time.Time { return now })
		var sent []time.Time
		for range 300 {
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "ms")) * time.Millisecond)
			now = now.Add(b.reserve())
			sent = append(sent, now)
		}
		for i := range sent {
			n := 0
			for _, at := range sent[i:] {
				if at.Sub(sent[i]) < time.Second {
					n++
				}
			}
			if n > rate {
				t.Fatalf("%d calls in a second, the rate is %d", n, rate)
			}
		}
	})
}
