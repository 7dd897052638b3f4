package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
)

type practice struct {
	*testing.T
	sim   *simulator.Simulator
	now   time.Time
	token string
}

func open(t *testing.T, o simulator.Options) *practice {
	p := &practice{T: t, now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	o.Clock = func() time.Time { return p.now }
	o.Seed = 3
	p.sim = simulator.New(o)
	p.login()
	return p
}

func (p *practice) login() {
	r := httptest.NewRequest("POST", "/oauth2/v1/token", strings.NewReader("grant_type=client_credentials&scope="+url.QueryEscape(simulator.Scope)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("client", "secret")
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	p.send(r, http.StatusOK, &answer)
	if answer.AccessToken == "" || answer.ExpiresIn != 3600 {
		p.Fatalf("token: %+v", answer)
	}
	p.token = answer.AccessToken
}

func (p *practice) send(r *http.Request, status int, out any) string {
	p.Helper()
	w := httptest.NewRecorder()
	p.sim.ServeHTTP(w, r)
	if w.Code != status {
		p.Fatalf("%s %s: status %d, want %d: %s", r.Method, r.URL, w.Code, status, w.Body)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			p.Fatalf("%s %s: %v: %s", r.Method, r.URL, err, w.Body)
		}
	}
	return w.Body.String()
}

// call calls the vendor's API.
func (p *practice) call(method, path string, form url.Values, status int, out any) string {
	p.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "/v1/195900/"+path, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+p.token)
	return p.send(r, status, out)
}

// control calls the simulator's own paths.
func (p *practice) control(method, path, body string, status int, out any) string {
	p.Helper()
	return p.send(httptest.NewRequest(method, "/simulator/"+path, strings.NewReader(body)), status, out)
}

type list struct {
	TotalCount   int                     `json:"totalcount"`
	Next         string                  `json:"next"`
	Previous     string                  `json:"previous"`
	Appointments []simulator.Appointment `json:"appointments"`
}

func (p *practice) changed(query string) list {
	p.Helper()
	var l list
	p.call("GET", "appointments/changed?"+query, nil, http.StatusOK, &l)
	return l
}

func TestTheFeedForgetsWhatItHandsOut(t *testing.T) {
	p := open(t, simulator.Options{})
	p.control("POST", "appointments", "", 200, nil) // before the subscription
	var s struct{ Status string }
	p.call("GET", "appointments/changed/subscription", nil, 200, &s)
	if s.Status != "INACTIVE" {
		t.Errorf("status %q", s.Status)
	}
	p.call("POST", "appointments/changed/subscription", url.Values{"eventname": {"ScheduleAppointment"}}, 200, nil)
	p.call("GET", "appointments/changed/subscription", nil, 200, &s)
	if s.Status != "PARTIAL" {
		t.Errorf("status %q", s.Status)
	}
	p.call("POST", "appointments/changed/subscription", url.Values{}, 200, nil)
	p.call("GET", "appointments/changed/subscription", nil, 200, &s)
	if s.Status != "ACTIVE" {
		t.Errorf("status %q", s.Status)
	}
	for range 3 {
		p.control("POST", "appointments", `{}`, 200, nil)
	}
	if l := p.changed("leaveunprocessed=true&limit=2"); l.TotalCount != 3 || len(l.Appointments) != 2 || !strings.Contains(l.Next, "offset=2") {
		t.Errorf("first page: %+v", l)
	}
	if l := p.changed("leaveunprocessed=true&limit=2&offset=2"); len(l.Appointments) != 1 || l.Next != "" || l.Previous == "" {
		t.Errorf("second page: %+v", l)
	}
	p.now = p.now.Add(time.Minute)
	if l := p.changed("limit=2"); len(l.Appointments) != 2 {
		t.Errorf("consuming: %+v", l)
	}
	if l := p.changed(""); len(l.Appointments) != 1 {
		t.Errorf("the rest: %+v", l)
	}
	if l := p.changed(""); len(l.Appointments) != 0 || l.TotalCount != 0 {
		t.Errorf("handed out twice: %+v", l)
	}
	// 08:01 in New York is 12:01 UTC, in July.
	window := url.Values{"showprocessedstartdatetime": {"07/01/2026 08:00:30"}, "showprocessedenddatetime": {"07/01/2026 08:01:30"}}
	if l := p.changed(window.Encode()); len(l.Appointments) != 3 {
		t.Errorf("shown again: %+v", l)
	}
	p.call("GET", "appointments/changed?showprocessedstartdatetime=2026-07-01", nil, 400, nil)
	p.call("DELETE", "appointments/changed/subscription", url.Values{"eventname": {"ScheduleAppointment"}}, 200, nil)
	p.control("POST", "appointments", `{}`, 200, nil)
	if l := p.changed(""); len(l.Appointments) != 0 {
		t.Error("an event that is not subscribed to is in the feed")
	}
}

func TestSingleRecordsAreArraysOfOne(t *testing.T) {
	p := open(t, simulator.Options{Appointments: 1})
	a := p.sim.Appointments()[0]
	for path, want := range map[string]string{
		"appointments/" + a.AppointmentID: `"appointmentid":"` + a.AppointmentID + `"`,
		"patients/" + a.PatientID:         `"patientid":"` + a.PatientID + `"`,
		"providers/" + a.ProviderID:       `"providerid":` + a.ProviderID, // here a number
		"departments/" + a.DepartmentID:   `"departmentid":"` + a.DepartmentID + `"`,
	} {
		if body := p.call("GET", path, nil, 200, nil); body[0] != '[' || !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if body := p.call("GET", "patients/7901", nil, 200, nil); strings.Contains(body, "localpatientid") {
		t.Error("localpatientid is shown unasked")
	}
	p.call("GET", "patients/1", nil, 404, nil)
}

func TestTheVendorsWrites(t *testing.T) {
	p := open(t, simulator.Options{})
	var made struct {
		IDs map[string]string `json:"appointmentids"`
	}
	p.call("POST", "appointments/open", url.Values{"departmentid": {"150"}, "providerid": {"27"}, "appointmenttypeid": {"2"}, "appointmentdate": {"07/09/2026"}, "appointmenttime": {"09:00,10:00"}}, 200, &made)
	var ids []string
	for _, a := range p.sim.Appointments() {
		ids = append(ids, a.AppointmentID)
	}
	if len(made.IDs) != 2 || made.IDs[ids[0]] != "09:00" {
		t.Fatalf("slots: %v", made.IDs)
	}
	patient := url.Values{"patientid": {"7900"}}
	p.call("PUT", "appointments/"+ids[0], patient, 200, nil)
	p.call("PUT", "appointments/"+ids[0], patient, 409, nil) // not open any more
	p.call("PUT", "appointments/booked/"+ids[0], url.Values{"providerid": {"28"}}, 200, nil)
	p.call("PUT", "appointments/"+ids[0]+"/reschedule", url.Values{"patientid": {"7900"}, "newappointmentid": {ids[1]}}, 200, nil)
	old, replacement := p.sim.Appointments()[0], p.sim.Appointments()[1]
	if old.AppointmentStatus != "x" || old.RescheduledAppointmentID != ids[1] || replacement.AppointmentStatus != "f" || replacement.PatientID != "7900" {
		t.Errorf("rescheduled: %+v, %+v", old, replacement)
	}
	p.call("POST", "appointments/"+ids[1]+"/checkin", nil, 200, nil)
	p.call("PUT", "appointments/"+ids[1]+"/cancel", patient, 409, nil)
	p.call("POST", "appointments/"+ids[1]+"/checkout", nil, 200, nil)
	if got := p.sim.Appointments()[1].AppointmentStatus; got != "3" {
		t.Errorf("status %q after checkout", got)
	}
	p.call("GET", "appointmentcancelreasons", nil, 200, nil)
}

func TestTokensAndLimits(t *testing.T) {
	p := open(t, simulator.Options{RatePerSecond: 2, RetryAfter: true, DailyQuota: 5, TokensPerMinute: 2})
	p.call("GET", "providers", nil, 200, nil)
	p.call("GET", "departments", nil, 200, nil)
	p.call("GET", "providers", nil, 429, nil)
	p.now = p.now.Add(time.Second)
	p.call("GET", "providers", nil, 200, nil)
	p.now = p.now.Add(2 * time.Hour)
	p.call("GET", "providers", nil, 401, nil) // the token is old
	p.login()
	p.call("GET", "providers", nil, 200, nil)
	if body := p.call("GET", "providers", nil, 403, nil); strings.HasPrefix(body, "{") {
		t.Errorf("the gateway answers JSON: %s", body)
	}
	r := httptest.NewRequest("POST", "/oauth2/v1/token", strings.NewReader("grant_type=client_credentials"))
	r.SetBasicAuth("client", "wrong")
	p.send(r, 401, nil)
	p.send(httptest.NewRequest("POST", "/oauth2/v1/token", nil), 429, nil)
}

func TestControl(t *testing.T) {
	p := open(t, simulator.Options{})
	p.control("POST", "appointments", `{"patientid":"7900","date":"07/09/2026","starttime":"09:00"}`, 200, nil)
	id := p.sim.Appointments()[0].AppointmentID
	p.control("POST", "appointments/"+id+"/reschedule", `{"starttime":"11:15"}`, 200, nil)
	p.control("POST", "appointments/"+id+"/update", `{"duration":50}`, 200, nil)
	p.control("POST", "appointments/"+id+"/status", `{"status":"2"}`, 200, nil)
	p.control("POST", "appointments/"+id+"/cancel", ``, 409, nil)
	p.control("POST", "appointments/"+id+"/status", `{"status":"f"}`, 200, nil)
	p.control("POST", "appointments/"+id+"/noshow", ``, 200, nil)
	p.control("POST", "appointments/1/cancel", ``, 404, nil)
	p.control("POST", "appointments", `{"patient":"7900"}`, 400, nil)
	p.control("POST", "appointments", `{"date":"2026-07-09"}`, 400, nil)
	p.control("POST", "faults", `{"kind":"earthquake"}`, 400, nil)
	p.control("POST", "stream", `{"interval":"often"}`, 400, nil)
	p.control("POST", "changes", `{"count":25}`, 200, nil)
	var all []simulator.Appointment
	p.control("GET", "appointments?status=f", "", 200, &all)
	for _, a := range all {
		if a.AppointmentStatus != "f" {
			t.Errorf("asked for f, got %q", a.AppointmentStatus)
		}
	}
	p.control("POST", "faults", `{"kind":"500","path":"patients/","times":2}`, 200, nil)
	p.call("GET", "providers", nil, 200, nil)
	p.call("GET", "patients/7900", nil, 500, nil)
	p.control("DELETE", "faults", "", 200, nil)
	p.call("GET", "patients/7900", nil, 200, nil)
	var c simulator.Counters
	p.control("GET", "counters", "", 200, &c)
	if c.Calls["GET /patients/{id}"] != 2 || c.Answers["500"] != 1 {
		t.Errorf("counters: %+v", c)
	}
	p.control("DELETE", "counters", "", 200, nil)
	p.control("GET", "feed", "", 200, nil)
}

func TestTheSeedDecidesWhoIsInvented(t *testing.T) {
	invent := func(seed uint64) string {
		s := simulator.New(simulator.Options{Seed: seed, Appointments: 5, Clock: func() time.Time { return time.Unix(1_780_000_000, 0) }})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/simulator/patients", nil))
		s.ServeHTTP(w, httptest.NewRequest("GET", "/simulator/appointments", nil))
		return w.Body.String()
	}
	first := invent(1)
	if again := invent(1); again != first {
		t.Error("the same seed invents others")
	}
	if invent(2) == first {
		t.Error("another seed invents the same")
	}
}

func TestAStreamChangesWithEachTick(t *testing.T) {
	s := simulator.New(simulator.Options{})
	if err := s.Subscribe(""); err != nil {
		t.Fatal(err)
	}
	ticks := make(chan time.Time)
	done := make(chan struct{})
	go func() { defer close(done); s.Stream(context.Background(), ticks) }()
	for range 10 {
		ticks <- time.Time{}
	}
	close(ticks)
	<-done
	if len(s.Feed()) == 0 {
		t.Error("nothing changed")
	}
}
