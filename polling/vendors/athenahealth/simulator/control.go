package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// controlRoutes are the paths of the simulator itself; see the package's
// documentation.
func (s *Simulator) controlRoutes() {
	handle := func(pattern string, f func(r *http.Request) (any, error)) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			if err != nil {
				failFor(w, err)
				return
			}
			writeJSON(w, http.StatusOK, v)
		})
	}
	done := map[string]bool{"success": true}

	handle("GET /simulator/appointments", func(r *http.Request) (any, error) {
		all := []Appointment{}
		for _, a := range s.Appointments() {
			if want := r.FormValue("status"); want == "" || want == a.AppointmentStatus {
				all = append(all, a)
			}
		}
		return all, nil
	})
	handle("POST /simulator/appointments", func(r *http.Request) (any, error) {
		b, err := body[Booking](r)
		if err != nil {
			return nil, err
		}
		return s.Book(b)
	})
	handle("POST /simulator/appointments/{id}/reschedule", func(r *http.Request) (any, error) {
		m, err := body[Move](r)
		if err != nil {
			return nil, err
		}
		return s.Reschedule(r.PathValue("id"), m)
	})
	handle("POST /simulator/appointments/{id}/cancel", func(r *http.Request) (any, error) {
		b, err := body[struct {
			Reason string `json:"reason"`
		}](r)
		if err != nil {
			return nil, err
		}
		return s.Cancel(r.PathValue("id"), b.Reason)
	})
	handle("POST /simulator/appointments/{id}/noshow", func(r *http.Request) (any, error) {
		return s.NoShow(r.PathValue("id"))
	})
	handle("POST /simulator/appointments/{id}/status", func(r *http.Request) (any, error) {
		b, err := body[struct {
			Status string `json:"status"`
		}](r)
		if err != nil {
			return nil, err
		}
		return s.SetStatus(r.PathValue("id"), b.Status)
	})
	handle("POST /simulator/appointments/{id}/update", func(r *http.Request) (any, error) {
		b, err := body[Booking](r)
		if err != nil {
			return nil, err
		}
		return s.Update(r.PathValue("id"), b)
	})
	handle("GET /simulator/patients", func(*http.Request) (any, error) { return values(s.patients, s.patientIDs()), nil })
	handle("GET /simulator/providers", func(*http.Request) (any, error) { return values(s.providers, s.providerIDs()), nil })
	handle("GET /simulator/departments", func(*http.Request) (any, error) { return values(s.departments, s.departmentIDs()), nil })
	handle("GET /simulator/feed", func(*http.Request) (any, error) { return s.Feed(), nil })
	handle("GET /simulator/counters", func(*http.Request) (any, error) { return s.Counters(), nil })
	handle("DELETE /simulator/counters", func(*http.Request) (any, error) { s.ResetCounters(); return done, nil })
	handle("GET /simulator/faults", func(*http.Request) (any, error) { return s.Faults(), nil })
	handle("DELETE /simulator/faults", func(*http.Request) (any, error) { s.Heal(); return done, nil })
	handle("POST /simulator/faults", func(r *http.Request) (any, error) {
		f, err := body[Fault](r)
		if err != nil {
			return nil, err
		}
		return done, s.Inject(f)
	})
	handle("POST /simulator/changes", func(r *http.Request) (any, error) {
		b, err := body[struct {
			Count int `json:"count"`
		}](r)
		if err != nil {
			return nil, err
		}
		changed := []Appointment{}
		for range max(1, min(b.Count, 10_000)) {
			a, err := s.Change()
			if err != nil {
				return nil, err
			}
			changed = append(changed, a)
		}
		return changed, nil
	})
	handle("POST /simulator/stream", func(r *http.Request) (any, error) {
		b, err := body[struct {
			Interval string `json:"interval"`
		}](r)
		if err != nil {
			return nil, err
		}
		interval := time.Second
		if b.Interval != "" {
			if interval, err = time.ParseDuration(b.Interval); err != nil || interval <= 0 {
				return nil, errors.Join(ErrInput, errors.New("interval is no duration"))
			}
		}
		s.Start(interval)
		return done, nil
	})
	handle("DELETE /simulator/stream", func(*http.Request) (any, error) { s.Stop(); return done, nil })
}

// body reads a JSON body; an empty one is the zero value, an unknown member
// an error.
func body[T any](r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return v, errors.Join(ErrInput, err)
	}
	return v, nil
}
