package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// A panic in a handler is a 500, is logged without its value, and the server
// lives.
func TestPanicIsAnswered(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	var log bytes.Buffer
	e := gin.New()
	e.Use(requestID, recovery(slog.New(slog.NewTextHandler(&log, nil))))
	e.GET("/panic", func(*gin.Context) { panic("about Ottilie Quennell") })
	e.GET("/fine", func(c *gin.Context) { c.Status(http.StatusOK) })
	s := httptest.NewServer(e)
	defer s.Close()
	for range 3 {
		res, err := http.Get(s.URL + "/panic")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusInternalServerError {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	if !strings.Contains(log.String(), "panic in a handler") || !strings.Contains(log.String(), "recovery_test.go") {
		t.Error("the log does not say where it was")
	}
	if strings.Contains(log.String(), "Ottilie") {
		t.Error("the log has the panic's value")
	}
	res, err := http.Get(s.URL + "/fine")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}
