package simulator

import (
	"fmt"
	"time"
)

var (
	given  = []string{"Ada", "Bruno", "Chiara", "Dario", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas"}
	family = []string{"Marsh", "Okafor", "Linden", "Quist", "Ferrara", "Sandoval", "Tamm", "Vogel", "Ziegler", "Yilmaz"}
)

// npi numbers are invented; they need not pass the check digit.
const npiSystem = "http://hl7.org/fhir/sid/us-npi"

// invent makes the people and places of a clinic, and its first appointments.
func (s *Simulator) invent() {
	for i := range 3 {
		s.put("Location", Resource{"resourceType": "Location", "id": fmt.Sprintf("loc%d", i+1), "status": "active", "name": fmt.Sprintf("Room %d", i+1)})
	}
	for i := range 6 {
		s.put("Practitioner", Resource{
			"resourceType": "Practitioner", "id": fmt.Sprintf("prac%d", i+1), "active": true,
			"identifier": []Resource{{"system": npiSystem, "value": fmt.Sprintf("190000000%d", i)}},
			"name":       []Resource{{"family": family[i], "given": []string{given[9-i]}}},
		})
	}
	for i := range 40 {
		s.put("Patient", Resource{
			"resourceType": "Patient", "id": fmt.Sprintf("pat%d", i+1), "active": true,
			"identifier": []Resource{{"system": "urn:oid:2.999.7.1", "value": fmt.Sprintf("MRN-%05d", i+1)}},
			"name":       []Resource{{"family": family[i%10], "given": []string{given[(i/10+i)%10]}}},
			"birthDate":  fmt.Sprintf("19%02d-0%d-1%d", 40+i, 1+i%9, i%9), "gender": []string{"female", "male", "other", "unknown"}[i%4],
		})
	}
	for range s.o.Appointments {
		s.book()
	}
}

func (s *Simulator) book() Resource {
	start := s.Now().Add(time.Duration(1+s.random.IntN(20*24)) * time.Hour).Truncate(15 * time.Minute).UTC()
	participant := func(reference string) Resource {
		return Resource{"actor": Resource{"reference": reference}, "status": "accepted"}
	}
	return s.put("Appointment", Resource{
		"resourceType": "Appointment", "status": "booked", "minutesDuration": 30,
		"start": start.Format(time.RFC3339), "end": start.Add(30 * time.Minute).Format(time.RFC3339),
		"participant": []Resource{
			participant(fmt.Sprintf("Patient/pat%d", 1+s.random.IntN(40))),
			participant(fmt.Sprintf("Practitioner/prac%d", 1+s.random.IntN(6))),
			participant("Location/loc1"),
		},
	})
}

// Book makes an appointment.
func (s *Simulator) Book() Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book()
}

// Edit changes members of a resource.
func (s *Simulator) Edit(typ, id string, members Resource) (Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.byType[typ] {
		if r.id == id {
			body := r.shown()
			delete(body, "meta")
			for name, value := range members {
				body[name] = value
			}
			return s.put(typ, body), nil
		}
	}
	return nil, fmt.Errorf("edit: %w", ErrNoSuch)
}

// Change makes one random change of an appointment: it books, moves, cancels,
// or lets a patient stay away.
func (s *Simulator) Change() Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []*stored
	for _, r := range s.byType["Appointment"] {
		if text(r.body["status"]) == "booked" {
			open = append(open, r)
		}
	}
	what := s.random.IntN(8)
	if len(open) == 0 || what < 3 {
		return s.book()
	}
	r := open[s.random.IntN(len(open))]
	body := r.shown()
	delete(body, "meta")
	switch what {
	case 3, 4:
		start, err := time.Parse(time.RFC3339, text(body["start"]))
		if err != nil {
			start = s.Now()
		}
		start = start.Add(24 * time.Hour)
		body["start"], body["end"] = start.UTC().Format(time.RFC3339), start.Add(30*time.Minute).UTC().Format(time.RFC3339)
	case 5:
		body["comment"] = fmt.Sprintf("note %d", s.random.IntN(1000))
	case 6:
		body["status"] = "cancelled"
	case 7:
		body["status"] = "noshow"
	}
	return s.put("Appointment", body)
}

// Start makes random changes at an interval until Stop.
func (s *Simulator) Start(interval time.Duration) {
	s.Stop()
	stop := make(chan struct{})
	s.mu.Lock()
	s.stop = stop
	s.mu.Unlock()
	go func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				s.Change()
			}
		}
	}()
}

// Stop ends the changes that Start began.
func (s *Simulator) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		close(s.stop)
		s.stop = nil
	}
}
