package simulator

import (
	"context"
	"time"
)

// Change makes one random change: it books, moves, replaces, updates,
// cancels, or lets a patient stay away or arrive.
func (s *Simulator) Change() (Appointment, error) {
	s.mu.Lock()
	var future []string
	for _, id := range s.order {
		if s.appointments[id].AppointmentStatus == StatusFuture {
			future = append(future, id)
		}
	}
	what, id := s.random.IntN(11), ""
	if len(future) > 0 {
		id = pick(s.random, future)
	}
	provider := pick(s.random, s.providerIDs())
	s.mu.Unlock()
	if id == "" {
		what = 0
	}
	switch what {
	case 4, 5:
		return s.Reschedule(id, Move{})
	case 6:
		return s.Reschedule(id, Move{Replace: true})
	case 7:
		return s.Update(id, Booking{ProviderID: provider, Duration: 60})
	case 8:
		return s.Cancel(id, "")
	case 9:
		return s.NoShow(id)
	case 10:
		return s.SetStatus(id, StatusCheckedIn)
	}
	return s.Book(Booking{})
}

// Stream makes one random change for each tick, until ctx ends or ticks is
// closed. An appointment that somebody else changed at the same moment is
// left alone.
func (s *Simulator) Stream(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-ticks:
			if !ok {
				return
			}
			_, _ = s.Change()
		}
	}
}

// Start makes random changes at an interval until Stop; a stream that runs
// is replaced.
func (s *Simulator) Start(interval time.Duration) {
	s.Stop()
	ctx, stop := context.WithCancel(context.Background())
	s.mu.Lock()
	s.stopStream = stop
	s.mu.Unlock()
	go func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		s.Stream(ctx, ticker.C)
	}()
}

// Stop ends the changes that Start began.
func (s *Simulator) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopStream != nil {
		s.stopStream()
		s.stopStream = nil
	}
}
