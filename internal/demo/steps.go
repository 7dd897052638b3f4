package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/exchange"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
	"github.com/fhirfacade/fhirfacade/store"
)

// environment is where the demo plays: Production alone retries by itself.
const environment = "sandbox/Production"

func (d *demo) fhir() string     { return d.server + "/fhir/R4/" + environment }
func (d *demo) exchange() string { return d.server + "/exchange/" + environment }

func (d *demo) source() string { return exchange.DefaultSourceID(store.Tenant(environment)) }

func (d *demo) start(ctx context.Context) error {
	var addresses [2]string
	for i := range addresses {
		var err error
		if addresses[i], err = freeAddress(ctx); err != nil {
			return err
		}
	}
	d.server, d.vendor = "http://"+addresses[0], "http://"+addresses[1]
	if err := d.run("server", "serve", "--sandbox", "--listen", addresses[0], "--data", d.path("data")); err != nil {
		return err
	}
	if err := d.run("athenahealth", "simulate", "athenahealth", "--listen", addresses[1]); err != nil {
		return err
	}
	for name, s := range map[string]**subscriber{"lightweight": &d.light, "detailed": &d.detailed, "ehr": &d.ehr} {
		var err error
		if *s, err = d.startSubscriber(ctx, name); err != nil {
			return err
		}
	}
	for _, u := range []string{
		d.server + "/health/ready", d.vendor + "/simulator/counters",
		d.light.url + "/control/received", d.detailed.url + "/control/received", d.ehr.url + "/control/received",
	} {
		if err := until(ctx, u, func() (bool, string, error) { return true, "", call(ctx, http.MethodGet, u, nil, nil) }); err != nil {
			return err
		}
	}
	d.tell("server %s, athenahealth %s", d.server, d.vendor)
	return nil
}

func (d *demo) subscribe(ctx context.Context) error {
	for _, s := range []struct {
		to           *subscriber
		content      notifications.Content
		writebacks   bool
		announcement string
	}{
		{d.light, notifications.Lightweight, false, "lightweight notifications of every event"},
		{d.detailed, notifications.Detailed, false, "detailed notifications of every event"},
		{d.ehr, notifications.Redox, true, "writebacks, as Redox JSON"},
	} {
		var to notifications.Destination
		err := call(ctx, http.MethodPost, d.exchange()+"/destinations", notifications.Destination{
			Name: s.to.name, URL: s.to.url, VerificationToken: token, Secret: signedSecret,
		}, &to)
		if err != nil {
			return err
		}
		if !to.Verified {
			return fmt.Errorf("%s did not answer the challenge", s.to.name)
		}
		var sub notifications.Subscription
		err = call(ctx, http.MethodPost, d.exchange()+"/subscriptions", notifications.Subscription{
			Destination: to.ID, DataModel: "*", Content: s.content, Writebacks: s.writebacks,
		}, &sub)
		if err != nil {
			return err
		}
		s.to.id = sub.ID
		d.tell("%-12s answered the challenge and gets %s", s.to.name, s.announcement)
	}
	return nil
}

// push sends a Redox message as the demo's source.
func (d *demo) push(ctx context.Context, message []byte) error {
	var answer struct {
		Meta struct {
			DataModel, EventType string
			Logs                 []struct{ ID string }
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.server+"/endpoint", strings.NewReader(string(message)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Redox-Source-Id", d.source())
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("POST /endpoint answered %d", res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if len(answer.Meta.Logs) == 0 {
		return fmt.Errorf("POST /endpoint named no log entry")
	}
	d.tell("POST /endpoint  %s.%s  200, log %s", answer.Meta.DataModel, answer.Meta.EventType, answer.Meta.Logs[0].ID)
	return nil
}

// sample is a shipped message, changed.
func sample(model, event string, change func(m *redox.Message)) ([]byte, error) {
	data, ok := redox.Sample(model, event)
	if !ok {
		return nil, fmt.Errorf("no sample of %s.%s", model, event)
	}
	m, err := redox.Parse(data)
	if err != nil {
		return nil, err
	}
	m.Meta().Source, m.Meta().Destinations = nil, nil
	if change != nil {
		change(m)
	}
	return redox.Marshal(m)
}

// both waits for one notification of an event at each of the two subscribers.
func (d *demo) both(ctx context.Context, event string) error {
	for _, s := range []*subscriber{d.light, d.detailed} {
		got, err := s.next(ctx, event)
		if err != nil {
			return err
		}
		d.tell("%-12s got %s (%d entries)", s.name, event, got[0].Entries)
	}
	return nil
}

func (d *demo) pushScheduling(ctx context.Context) error {
	m, err := sample("Scheduling", "New", nil)
	if err != nil {
		return err
	}
	if err := d.push(ctx, m); err != nil {
		return err
	}
	return d.both(ctx, "AppointmentBooked")
}

func (d *demo) search(ctx context.Context) error {
	m, _ := redox.Sample("Scheduling", "New")
	parsed, err := redox.Parse(m)
	if err != nil {
		return err
	}
	s := parsed.Body.(*redox.Scheduling)
	identifier := "urn:redox:sandbox:" + s.Patient.Identifiers[0].IDType + "|" + s.Patient.Identifiers[0].ID
	at, err := time.Parse(time.RFC3339, s.Visit.VisitDateTime)
	if err != nil {
		return err
	}
	day, after := at.Format(time.DateOnly), at.AddDate(0, 0, 1).Format(time.DateOnly)
	patient, err := d.findOne(ctx, "Patient?identifier="+url.QueryEscape(identifier))
	if err != nil {
		return err
	}
	d.patient = "Patient/" + patient.ID
	d.tell("Patient?identifier=%s…                     %s", identifier[:24], d.patient)
	byRange, err := d.findOne(ctx, "Appointment?date=ge"+day+"&date=lt"+after)
	if err != nil {
		return err
	}
	d.appointment = "Appointment/" + byRange.ID
	d.tell("Appointment?date=ge%s&date=lt%s   %s", day, after, d.appointment)
	byBoth, err := d.findOne(ctx, "Appointment?patient="+patient.ID+"&date="+day)
	if err != nil {
		return err
	}
	if byBoth.ID != byRange.ID {
		return fmt.Errorf("two searches found two appointments")
	}
	d.tell("Appointment?patient=…&date=%s              the same", day)
	for _, typ := range []string{"Practitioner", "Location"} {
		found, err := d.find(ctx, typ)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("no %s was stored", typ)
		}
		d.tell("%-12s                                       %d stored", typ, len(found))
	}
	return nil
}

func (d *demo) pushArrival(ctx context.Context) error {
	m, err := sample("PatientAdmin", "Arrival", nil)
	if err != nil {
		return err
	}
	if err := d.push(ctx, m); err != nil {
		return err
	}
	if err := d.both(ctx, "PatientAdminArrived"); err != nil {
		return err
	}
	encounter, err := d.findOne(ctx, "Encounter?patient="+strings.TrimPrefix(d.patient, "Patient/"))
	if err != nil {
		return err
	}
	d.tell("Encounter?patient=…  Encounter/%s, of the same patient: joined by identifier", encounter.ID)
	return nil
}

// quietPolls is how many polls must go by without another notification.
const quietPolls = 2

func (d *demo) poll(ctx context.Context) error {
	err := call(ctx, http.MethodPost, d.exchange()+"/connections", exchange.Connection{
		ID: "athena", Vendor: "athenahealth", BaseURL: d.vendor, Practice: simulator.DefaultPractice,
		ClientID: "client", ClientSecret: "secret", TimeZone: "America/New_York",
		Actions: []exchange.Action{{Name: "appointments", Schedule: "@every 1s"}},
	}, nil)
	if err != nil {
		return err
	}
	if err := d.polled(ctx, 1); err != nil {
		return err
	}
	d.tell("the poller asks the vendor every second; nothing changed yet")
	var booked simulator.Appointment
	if err := call(ctx, http.MethodPost, d.vendor+"/simulator/appointments", simulator.Booking{}, &booked); err != nil {
		return err
	}
	d.tell("staff book appointment %s in the vendor's system", booked.AppointmentID)
	if err := d.both(ctx, "AppointmentBooked"); err != nil {
		return err
	}
	if err := call(ctx, http.MethodPost, d.vendor+"/simulator/appointments/"+booked.AppointmentID+"/reschedule", simulator.Move{}, nil); err != nil {
		return err
	}
	d.tell("staff move appointment %s", booked.AppointmentID)
	if err := d.both(ctx, "AppointmentUpdated"); err != nil {
		return err
	}
	if err := d.polled(ctx, quietPolls); err != nil {
		return err
	}
	for _, s := range []*subscriber{d.light, d.detailed} {
		all, err := s.accepted(ctx)
		if err != nil {
			return err
		}
		if err := s.only(all[s.seen:]); err != nil {
			return err
		}
	}
	if err := d.container(ctx); err != nil {
		return err
	}
	d.tell("%d polls later: exactly one notification for each change", quietPolls)
	found, err := d.findOne(ctx, "Appointment?identifier="+url.QueryEscape(booked.AppointmentID))
	if err != nil {
		return err
	}
	d.tell("Appointment?identifier=%s  Appointment/%s starts %s", booked.AppointmentID, found.ID, found.Start)
	return nil
}

// container checks that the poller filled each change with a call for its
// patient: one appointment, so one patient, asked for at each of its changes.
func (d *demo) container(ctx context.Context) error {
	var counters simulator.Counters
	if err := call(ctx, http.MethodGet, d.vendor+"/simulator/counters", nil, &counters); err != nil {
		return err
	}
	asked, filled := 0, 0
	for path, n := range counters.Calls {
		switch {
		case strings.HasSuffix(path, "/appointments/changed"):
			asked += n
		case strings.Contains(path, "/patients/"):
			filled += n
		}
	}
	if filled != 2 {
		return fmt.Errorf("the poller asked for the patient %d times, want once for each of the 2 changes", filled)
	}
	d.tell("the poller asked %d times what changed, and for the patient %d times, to fill the changes", asked, filled)
	return nil
}

// polled waits until the poller has run so many times more.
func (d *demo) polled(ctx context.Context, more int64) error {
	var first int64 = -1
	return until(ctx, fmt.Sprintf("%d polls", more), func() (bool, string, error) {
		var polls []exchange.Poll
		if err := call(ctx, http.MethodGet, d.exchange()+"/polls", nil, &polls); err != nil || len(polls) != 1 {
			return false, "no poll", err
		}
		p := polls[0]
		if p.LastSuccess == nil {
			return false, p.State, nil
		}
		if first < 0 {
			first = p.Runs
		}
		return p.Runs >= first+more, p.State, nil
	})
}

// changes are pushed while the detailed subscriber is down.
var changes = []struct{ event, notification string }{
	{"Modification", "AppointmentUpdated"},
	{"Reschedule", "AppointmentUpdated"},
	{"Cancel", "AppointmentCancelled"},
}

func (d *demo) outage(ctx context.Context) error {
	if err := call(ctx, http.MethodPost, d.detailed.url+"/control/down", map[string]int{"deliveries": 3}, nil); err != nil {
		return err
	}
	var want []string
	for _, c := range changes {
		m, err := sample("Scheduling", "New", func(m *redox.Message) {
			s := m.Body.(*redox.Scheduling)
			m.EventType, s.Meta.EventType = c.event, c.event
			switch c.event {
			case "Modification":
				s.Visit.Reason = "Follow-up, with the surgeon's report"
			case "Reschedule":
				at, _ := time.Parse(time.RFC3339, s.Visit.VisitDateTime) // search has parsed it before
				s.Visit.VisitDateTime = at.AddDate(0, 0, 1).Format(time.RFC3339)
			case "Cancel":
				s.Visit.CancelReason = "Patient is travelling"
			}
		})
		if err != nil {
			return err
		}
		if err := d.push(ctx, m); err != nil {
			return err
		}
		want = append(want, c.notification)
	}
	if _, err := d.light.next(ctx, want...); err != nil {
		return err
	}
	d.tell("lightweight  got all three at once: %s", strings.Join(want, ", "))
	return until(ctx, "a failed delivery", func() (bool, string, error) {
		all, err := d.detailed.deliveries(ctx)
		if err != nil {
			return false, "", err
		}
		last := all[len(all)-1]
		if last.Status == http.StatusOK {
			return false, last.Event, nil
		}
		d.tell("detailed     answered %d to %s; the others wait behind it", last.Status, last.Event)
		return true, "", nil
	})
}

func (d *demo) writeback(ctx context.Context) error {
	var answer bundle
	if err := call(ctx, http.MethodPost, d.fhir()+"/Appointment/$appointment-create", writebackBundle(d.source()), &answer); err != nil {
		return err
	}
	if len(answer.Entry) != 1 || answer.Entry[0].Response.Status != "201 Created" {
		return fmt.Errorf("the writeback was not accepted")
	}
	d.tell("accepted: %s", strings.TrimPrefix(answer.Entry[0].Response.Location, d.fhir()+"/"))
	got, err := d.ehr.next(ctx, "Scheduling.New")
	if err != nil {
		return err
	}
	var m struct {
		Patient struct {
			Demographics struct{ FirstName, LastName string }
		}
		Visit struct {
			VisitDateTime string
			Duration      json.Number
		}
	}
	if err := d.ehr.body(got[0], &m); err != nil {
		return err
	}
	if m.Visit.VisitDateTime == "" || m.Patient.Demographics.LastName == "" {
		return fmt.Errorf("the EHR's Scheduling.New lacks the patient or the time")
	}
	d.tell("ehr          got Scheduling.New for %s %s at %s, %s minutes",
		m.Patient.Demographics.FirstName, m.Patient.Demographics.LastName, m.Visit.VisitDateTime, m.Visit.Duration)
	return nil
}

func (d *demo) recovery(ctx context.Context) error {
	var want []string
	for _, c := range changes {
		want = append(want, c.notification)
	}
	if _, err := d.detailed.next(ctx, want...); err != nil {
		return err
	}
	all, err := d.detailed.deliveries(ctx)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	refused := 0
	for _, x := range all {
		if x.Status != http.StatusOK {
			refused++
			ids[x.ID] = true
			d.tell("detailed     %s  attempt refused (%d)  %s", x.At.Local().Format("15:04:05.0"), x.Status, x.ID)
		}
	}
	if refused != 3 || len(ids) != 1 {
		return fmt.Errorf("%d attempts of %d deliveries were refused, want 3 of 1", refused, len(ids))
	}
	d.tell("detailed     got %s, in this order, each once", strings.Join(want, ", "))
	var list struct {
		Items []notifications.Transmission `json:"items"`
	}
	if err := call(ctx, http.MethodGet, d.exchange()+"/transmissions?limit=1000&subscription="+d.detailed.id, nil, &list); err != nil {
		return err
	}
	for _, tr := range list.Items {
		if ids[tr.ID] {
			if tr.Total != 4 || tr.Status != notifications.Succeeded {
				return fmt.Errorf("the transmission log says %d attempts, %s", tr.Total, tr.Status)
			}
			d.tell("the transmission log has its 4 attempts and %s", tr.Status)
			return nil
		}
	}
	return fmt.Errorf("the transmission log does not have it")
}

// writebackBundle is what an app sends to book an appointment, about an
// invented patient.
func writebackBundle(source string) map[string]any {
	type m = map[string]any
	return m{
		"resourceType": "Bundle", "type": "message",
		"entry": []any{
			m{"fullUrl": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a01", "resource": m{
				"resourceType": "MessageHeader",
				"eventUri":     "https://fhir.redoxengine.com/EventDefinition/AppointmentCreate",
				"source":       m{"name": "Larkspur booking app", "endpoint": "urn:uuid:" + source},
				"focus":        []any{m{"reference": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a02"}},
			}},
			m{"fullUrl": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a02", "resource": m{
				"resourceType": "Appointment", "status": "booked",
				"identifier":      []any{m{"system": "urn:redox:sandbox:VN", "value": "APP-20771"}},
				"appointmentType": m{"text": "Follow up"},
				"reasonCode":      []any{m{"text": "Knee pain after running"}},
				"start":           "2026-04-14T15:00:00Z", "end": "2026-04-14T15:20:00Z", "minutesDuration": 20,
				"participant": []any{
					m{"actor": m{"reference": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a03"}, "status": "accepted"},
					m{"actor": m{"reference": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a04"}, "status": "accepted"},
				},
			}},
			m{"fullUrl": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a03", "resource": m{
				"resourceType": "Patient",
				"identifier":   []any{m{"system": "urn:redox:sandbox:MR", "value": "LV-0051907"}},
				"name":         []any{m{"family": "Okonjo-Reyes", "given": []any{"Marlow"}}},
				"birthDate":    "1979-05-02", "gender": "male",
			}},
			m{"fullUrl": "urn:uuid:0f6e3d1c-6f0a-4c57-9d5b-2a6b0f6c1a04", "resource": m{
				"resourceType": "Location", "name": "Orthopaedics",
			}},
		},
	}
}
