package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// webhook is a subscriber: it answers challenges and keeps what it gets.
type webhook struct {
	*httptest.Server
	bodies chan string
}

func newReceiver(t *testing.T) *webhook {
	h := &webhook{bodies: make(chan string, 100)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var c struct{ Challenge string }
		if json.Unmarshal(b, &c) == nil && c.Challenge != "" {
			_, _ = io.WriteString(w, c.Challenge)
			return
		}
		h.bodies <- string(b)
	}))
	t.Cleanup(h.Close)
	return h
}

// next is the next body, which comes in time or not at all.
func (h *webhook) next(t *testing.T) string {
	t.Helper()
	select {
	case b := <-h.bodies:
		return b
	case <-time.After(time.Minute):
		t.Fatal("nothing was delivered")
		return ""
	}
}
